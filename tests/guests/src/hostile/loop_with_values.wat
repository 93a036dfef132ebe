;; An endless loop that hands its values round as parameters of the loop: nothing is kept in a local.
(module
  (func (export "run") (result i64)
    (i32.const 1) (i64.const 2) (f64.const 3)
    (loop $forever (param i32 i64 f64) (result i64)
      (br $forever))))
