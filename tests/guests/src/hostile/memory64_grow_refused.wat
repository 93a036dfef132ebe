;; Asks a 64-bit memory for more than it can have, in numbers that are negative if read as signed, without end.
(module
  (memory i64 1)
  (func (export "run")
    (loop $again
      (drop (memory.grow (i64.const -1)))
      (drop (memory.grow (i64.const 0x80000000)))
      (drop (memory.grow (i64.const 0xffffffff)))
      (drop (memory.grow (i64.const 0x7fffffffffffffff)))
      (drop (memory.grow (i64.const 0)))
      (memory.fill (i64.const 65536) (i32.const 0) (i64.const 0))
      (memory.copy (i64.const 65536) (i64.const 0) (i64.const 0))
      (br $again))))
