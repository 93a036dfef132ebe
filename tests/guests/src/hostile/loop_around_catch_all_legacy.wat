;; Swallows whatever stops its inner loop and begins again, with the older try instruction.
(module
  (func (export "run")
    (loop $again
      (try
        (do (loop $forever (br $forever)))
        (catch_all))
      (br $again))))
