;; Signatures that cannot cross into JavaScript or JSON: v128 and references, as results and as parameters.
(module
  (func (export "run") (result v128)
    (v128.const i32x4 1 2 3 4))
  (func (export "take_vector") (param v128))
  (func (export "null_reference") (result externref)
    (ref.null extern))
  (func (export "take_reference") (param funcref)))
