;; The shapes of loops and calls that a check costs the most, each with almost nothing in it. Not a program that
;; anyone would run: the upper bound. Every export takes a count and returns a checksum.
(module
  (memory (export "memory") 1)
  (type $unary (func (param i32) (result i32)))
  (table funcref (elem $step))

  ;; Two dependent operations per iteration.
  (func (export "tight") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.xor (i32.mul (local.get $sum) (i32.const 31)) (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; One byte read per iteration, as strlen does: no counter of its own.
  (func (export "scan") (param $n i32) (result i32)
    (local $at i32) (local $sum i32)
    (memory.fill (i32.const 0) (i32.const 7) (i32.const 4095))
    (loop $round
      (local.set $at (i32.const -1))
      (loop $next
        (br_if $next (i32.load8_u (local.tee $at (i32.add (local.get $at) (i32.const 1))))))
      (local.set $sum (i32.add (local.get $sum) (local.get $at)))
      (br_if $round (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; An inner loop of four iterations.
  (func (export "short") (param $n i32) (result i32)
    (local $inner i32) (local $sum i32)
    (loop $outer
      (local.set $inner (i32.const 4))
      (loop $next
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (local.get $inner)))
        (br_if $next (local.tee $inner (i32.sub (local.get $inner) (i32.const 1)))))
      (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Calls of a leaf, direct and through the table.
  (func $step (type $unary)
    (i32.add (i32.mul (local.get 0) (i32.const 31)) (i32.const 7)))
  (func (export "calls") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (call $step (local.get $sum)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "indirect") (param $n i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (call_indirect (type $unary) (local.get $sum) (i32.const 0)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
