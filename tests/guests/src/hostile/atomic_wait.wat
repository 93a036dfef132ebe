;; Waits on a memory that is not shared, which can only trap.
(module
  (memory (export "memory") 1)
  (func (export "run") (result i32)
    (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
