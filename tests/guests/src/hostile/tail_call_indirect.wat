;; Endless by tail calls through a table that is changed on the way.
(module
  (type $t (func (param i32)))
  (table 2 funcref)
  (elem (i32.const 0) $even $odd)
  (func $even (type $t)
    (return_call_indirect (type $t) (i32.add (local.get 0) (i32.const 1)) (i32.const 1)))
  (func $odd (type $t)
    (table.set (i32.const 0) (table.get (i32.const 0)))
    (return_call_indirect (type $t) (i32.add (local.get 0) (i32.const 1)) (i32.const 0)))
  (func (export "run")
    (return_call $even (i32.const 0))))
