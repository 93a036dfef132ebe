;; Exports another name of the runtime's. Refused at deploy.
(module
  (func (export "run"))
  (func (export "tensor_wasm:anything")))
