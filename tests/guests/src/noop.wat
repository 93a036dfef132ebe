;; The smallest guest: no memory, one function that does nothing. The floor of every latency figure.
(module
  (func (export "run")))
