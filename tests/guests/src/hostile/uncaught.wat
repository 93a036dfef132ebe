;; Exceptions that nobody catches: with nothing, with much, and none at all.
(module
  (tag $plain)
  (tag $loaded (param i32 i64 f32 f64 v128 externref))
  (func (export "plain") (throw $plain))
  (func (export "loaded")
    (throw $loaded (i32.const 1) (i64.const 2) (f32.const 3) (f64.const nan) (v128.const i64x2 1 2)
      (ref.null extern)))
  (func (export "null") (throw_ref (ref.null exn))))
