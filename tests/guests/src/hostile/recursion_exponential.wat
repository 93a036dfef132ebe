;; 2^64 calls that are never more than 64 deep: no loop, no tail call, no end.
(module
  (func $both (param $depth i32)
    (if (i32.eqz (local.get $depth)) (then (return)))
    (call $left (i32.sub (local.get $depth) (i32.const 1)))
    (call $right (i32.sub (local.get $depth) (i32.const 1))))
  (func $left (param i32) (call $both (local.get 0)))
  (func $right (param i32) (call $both (local.get 0)))
  (func (export "run") (call $both (i32.const 64))))
