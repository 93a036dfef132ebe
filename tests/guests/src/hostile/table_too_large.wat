;; Declares ten million table elements from the start. Refused at deploy.
(module
  (table 10000000 funcref)
  (func (export "run")))
