;; Moves 128 MiB by one byte and back, overlapping, again and again.
(module
  (memory 2049)
  (func (export "run")
    (loop $again
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 134217728))
      (memory.copy (i32.const 0) (i32.const 1) (i32.const 134217728))
      (br $again))))
