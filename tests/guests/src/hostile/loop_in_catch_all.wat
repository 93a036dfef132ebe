;; Throws, catches, and spins in the handler.
(module
  (tag $e)
  (func (export "run")
    (block $caught
      (try_table (catch_all $caught)
        (throw $e)))
    (loop $forever (br $forever))))
