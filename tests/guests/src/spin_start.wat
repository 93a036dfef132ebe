;; Never finishes instantiation: the start function is an endless loop, so `run` is never reached.
(module
  (func $start
    (loop $forever (br $forever)))
  (func (export "run"))
  (start $start))
