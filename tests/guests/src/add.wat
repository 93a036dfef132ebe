;; One function per number type, and one with two results.
(module
  (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1)))
  (func (export "add64") (param i64 i64) (result i64)
    (i64.add (local.get 0) (local.get 1)))
  (func (export "addf32") (param f32 f32) (result f32)
    (f32.add (local.get 0) (local.get 1)))
  (func (export "addf64") (param f64 f64) (result f64)
    (f64.add (local.get 0) (local.get 1)))
  ;; Unsigned quotient, then remainder; traps on a divisor of zero.
  (func (export "divmod") (param i32 i32) (result i32 i32)
    (i32.div_u (local.get 0) (local.get 1))
    (i32.rem_u (local.get 0) (local.get 1))))
