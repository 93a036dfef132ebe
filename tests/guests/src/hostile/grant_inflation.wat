;; Wants to be trusted with much fuel: asks for it by operations that are charged much and take no time, then spends
;; it on loads that miss every cache, and begins again.
(module
  (memory 1024)
  (table $t 1 externref)
  (func (export "run")
    (local $i i32) (local $at i32)
    (loop $again
      (local.set $i (i32.const 40))
      (loop $inflate
        (drop (table.grow $t (ref.null extern) (i32.const 0x3fffffff)))
        (drop (memory.grow (i32.const 0x7fff)))
        (br_if $inflate (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (local.set $i (i32.const 100000000))
      (loop $spend
        (local.set $at
          (i32.and
            (i32.add (i32.mul (local.get $at) (i32.const 1664525)) (i32.const 1013904223))
            (i32.const 0x3fffffc)))
        (i32.store (local.get $at) (i32.add (local.get $i) (i32.load (local.get $at))))
        (br_if $spend (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (br $again))))
