;; Declares 5000 pages (312.5 MiB), above the default limit of a module.
(module
  (memory (export "memory") 5000)
  (func (export "run")))
