;; A reactor whose `_initialize` never ends.
(module
  (func (export "_initialize")
    (loop $forever (br $forever)))
  (func (export "run")))
