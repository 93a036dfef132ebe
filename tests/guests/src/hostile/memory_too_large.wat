;; Declares 4 GiB of memory from the start. Refused at deploy.
(module
  (memory (export "memory") 65536)
  (func (export "run")))
