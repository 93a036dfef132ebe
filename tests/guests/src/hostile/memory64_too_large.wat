;; Declares 16 GiB of 64-bit memory from the start. Refused at deploy.
(module
  (memory (export "memory") i64 262144)
  (func (export "run")))
