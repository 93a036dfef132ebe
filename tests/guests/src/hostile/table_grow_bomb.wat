;; Grows five tables, by as much as they take, and returns how many elements they have together.
(module
  (table $a 1 funcref)
  (table $b 1 externref)
  (table $c 1 funcref)
  (table $d 1 externref)
  (table $e 1 200000000 funcref)
  (func (export "run") (result i32)
    (local $step i32)
    (local.set $step (i32.const 0x8000000))
    (loop $again
      (drop (table.grow $a (ref.null func) (local.get $step)))
      (drop (table.grow $b (ref.null extern) (local.get $step)))
      (drop (table.grow $c (ref.null func) (local.get $step)))
      (drop (table.grow $d (ref.null extern) (local.get $step)))
      (drop (table.grow $e (ref.null func) (local.get $step)))
      (br_if $again (local.tee $step (i32.shr_u (local.get $step) (i32.const 1)))))
    (i32.add (i32.add (table.size $a) (table.size $b))
      (i32.add (i32.add (table.size $c) (table.size $d)) (table.size $e)))))
