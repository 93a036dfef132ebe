;; Does nothing, with a memory of 17 pages (1.1 MiB): what a small C or Rust guest costs to instantiate.
(module
  (memory (export "memory") 17)
  (func (export "run")))
