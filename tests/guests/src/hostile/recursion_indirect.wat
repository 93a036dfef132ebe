;; Recursion through a table until the stack ends.
(module
  (type $t (func (param i64) (result i64)))
  (table 1 1 funcref)
  (elem (i32.const 0) $deep)
  (func $deep (type $t)
    (i64.add (local.get 0)
      (call_indirect (type $t) (i64.add (local.get 0) (i64.const 1)) (i32.const 0))))
  (func (export "run") (result i64)
    (call $deep (i64.const 0))))
