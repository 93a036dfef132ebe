;; A 64-bit memory that declares the largest maximum there is: grows at once and page by page, returns its size.
(module
  (memory i64 1 262144)
  (func (export "run") (result i64)
    (drop (memory.grow (i64.const 0x7fffffffffffffff)))
    (drop (memory.grow (i64.const 0x100000000)))
    (drop (memory.grow (i64.const 65535)))
    (loop $again
      (br_if $again (i64.ne (memory.grow (i64.const 16)) (i64.const -1))))
    (memory.size)))
