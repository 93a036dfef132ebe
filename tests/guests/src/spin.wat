;; Never returns: an empty endless loop.
(module
  (func (export "run")
    (loop $forever (br $forever))))
