;; Imports a function that no host module offers: to be refused at deploy.
(module
  (import "env" "mystery" (func $mystery (param i32) (result i32)))
  (func (export "run") (result i32)
    (call $mystery (i32.const 1))))
