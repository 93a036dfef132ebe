;; Copies a passive segment without end.
(module
  (memory 1)
  (data $d "0123456789abcdef0123456789abcdef")
  (func (export "run")
    (loop $again
      (memory.init $d (i32.const 0) (i32.const 0) (i32.const 32))
      (br $again))))
