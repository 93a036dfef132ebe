;; Returns at once, or spins, and never reads the input that it was given.
(module
  (memory (export "memory") 1)
  (func (export "_start"))
  (func (export "spin") (loop $again (br $again))))
