;; Two functions that call each other until the stack ends.
(module
  (func $a (export "run") (call $b) (call $b))
  (func $b (call $a) (call $a)))
