;; Traps: unreachable.
(module
  (func (export "run") unreachable))
