;; Imports what the runtime links by itself. Refused at deploy.
(module
  (import "tensor_wasm" "tick" (func (param i32) (result i32)))
  (func (export "run")))
