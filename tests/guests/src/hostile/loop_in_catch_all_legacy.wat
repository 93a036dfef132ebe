;; Throws, and spins inside the handler of the older try instruction.
(module
  (tag $e)
  (func (export "run")
    (try
      (do (throw $e))
      (catch_all
        (loop $forever (br $forever))))))
