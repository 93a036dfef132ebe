;; recursion_caught with the older try instruction.
(module
  (func $deep
    (try (do (call $deep)) (catch_all (call $deep))))
  (func (export "run")
    (loop $again
      (try (do (call $deep)) (catch_all))
      (br $again))))
