;; Endless by tail calls of three functions round a ring.
(module
  (func $a (export "run") (return_call $b))
  (func $b (return_call $c))
  (func $c (return_call $a)))
