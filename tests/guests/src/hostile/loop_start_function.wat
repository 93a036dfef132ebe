;; An endless loop in the start function: instantiation itself would never end.
(module
  (func $start
    (loop $forever (br $forever)))
  (func (export "run"))
  (start $start))
