;; Grows its memory by nothing, and by more than there is, without end.
(module
  (memory 1)
  (func (export "run")
    (loop $again
      (drop (memory.grow (i32.const 0)))
      (drop (memory.grow (i32.const -1)))
      (drop (memory.grow (i32.const 65536)))
      (br $again))))
