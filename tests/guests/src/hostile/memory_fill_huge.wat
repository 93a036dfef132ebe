;; Fills 192 MiB in one instruction, again and again.
(module
  (memory 3072)
  (func (export "run")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 0xa5) (i32.const 201326592))
      (br $again))))
