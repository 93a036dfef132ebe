;; Imports a table from a host module that offers functions only. Refused at deploy.
(module
  (import "wasi_snapshot_preview1" "fd_write" (table 1 funcref))
  (func (export "run")))
