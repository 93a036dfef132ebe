;; Fills and copies with 64-bit lengths beyond all memory.
(module
  (memory i64 1)
  (func (export "fill")
    (memory.fill (i64.const 0) (i32.const 1) (i64.const -1)))
  (func (export "copy")
    (memory.copy (i64.const 0) (i64.const 1) (i64.const 0x100000000)))
  (func (export "copy_far")
    (memory.copy (i64.const -8) (i64.const 0) (i64.const 16)))
  (func (export "spin")
    (loop $again
      (memory.fill (i64.const 0) (i32.const 1) (i64.const 65536))
      (br $again))))
