;; Traps: a load of four bytes of which the last lies one byte beyond the memory.
(module
  (memory (export "memory") 1)
  (func (export "run") (result i32)
    (i32.load (i32.const 65533))))
