;; Bulk operations that end one byte outside: each must trap, and `partial` tells whether any byte was written.
(module
  (memory 32)
  (global $written (mut i32) (i32.const 0))
  (func (export "fill") (memory.fill (i32.const 0) (i32.const 1) (i32.const 2097153)))
  (func (export "fill_at_end") (memory.fill (i32.const 2097152) (i32.const 1) (i32.const 1)))
  (func (export "fill_wrap") (memory.fill (i32.const -1) (i32.const 1) (i32.const 2)))
  (func (export "copy") (memory.copy (i32.const 1) (i32.const 0) (i32.const 2097152)))
  (func (export "copy_from") (memory.copy (i32.const 0) (i32.const 1) (i32.const 2097152)))
  (func (export "nothing_at_end") (memory.fill (i32.const 2097152) (i32.const 1) (i32.const 0)))
  (func (export "nothing_outside") (memory.fill (i32.const 2097153) (i32.const 1) (i32.const 0))))
