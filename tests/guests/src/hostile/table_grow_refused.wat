;; Asks tables for more than they can have, in numbers that are negative if read as signed, without end.
(module
  (table $t 1 externref)
  (table $wide i64 1 funcref)
  (func (export "run")
    (loop $again
      (drop (table.grow $t (ref.null extern) (i32.const -1)))
      (drop (table.grow $t (ref.null extern) (i32.const 0x80000000)))
      (drop (table.grow $t (ref.null extern) (i32.const 0x7fffffff)))
      (drop (table.grow $t (ref.null extern) (i32.const 0)))
      (drop (table.grow $wide (ref.null func) (i64.const -1)))
      (drop (table.grow $wide (ref.null func) (i64.const 0x80000000)))
      (drop (table.grow $wide (ref.null func) (i64.const 0x7fffffffffffffff)))
      (drop (table.grow $wide (ref.null func) (i64.const 0)))
      (br $again))))
