;; Huge fills without a loop: by recursion that is never deep.
(module
  (memory 3072)
  (func $both (param $depth i32)
    (memory.fill (i32.const 0) (local.get $depth) (i32.const 201326592))
    (if (i32.eqz (local.get $depth)) (then (return)))
    (call $both (i32.sub (local.get $depth) (i32.const 1)))
    (call $both (i32.sub (local.get $depth) (i32.const 1))))
  (func (export "run") (call $both (i32.const 40))))
