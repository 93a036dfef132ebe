;; 2^60 iterations of ten nested loops, each of which ends after 64: no loop runs for long by itself.
(module
  (func $nest (param $depth i32)
    (local $i i32)
    (if (i32.eqz (local.get $depth)) (then (return)))
    (local.set $i (i32.const 64))
    (loop $again
      (call $nest (i32.sub (local.get $depth) (i32.const 1)))
      (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1))))))
  (func (export "run")
    (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (loop $outer
      (local.set $a (i32.const 2))
      (loop $la
        (local.set $b (i32.const 2))
        (loop $lb
          (local.set $c (i32.const 2))
          (loop $lc
            (br_if $lc (local.tee $c (i32.sub (local.get $c) (i32.const 1)))))
          (br_if $lb (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
        (br_if $la (local.tee $a (i32.sub (local.get $a) (i32.const 1)))))
      (call $nest (i32.const 10))
      (br $outer))))
