;; Runs out of stack in the start function.
(module
  (func $deep (call $deep) (call $deep))
  (func (export "run"))
  (start $deep))
