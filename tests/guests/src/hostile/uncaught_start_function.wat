;; An exception that leaves the start function.
(module
  (tag $plain)
  (func $start (throw $plain))
  (func (export "run"))
  (start $start))
