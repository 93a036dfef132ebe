;; Swallows whatever stops its inner loop and begins again.
(module
  (func (export "run")
    (loop $again
      (block $caught
        (try_table (catch_all $caught)
          (loop $forever (br $forever))))
      (br $again))))
