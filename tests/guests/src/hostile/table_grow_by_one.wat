;; Grows a table one element at a time until it is refused, and returns how many it has.
(module
  (table $t 0 externref)
  (func (export "run") (result i32)
    (loop $again
      (br_if $again (i32.ne (table.grow $t (ref.null extern) (i32.const 1)) (i32.const -1))))
    (table.size $t)))
