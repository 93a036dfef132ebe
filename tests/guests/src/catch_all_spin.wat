;; Resists being stopped inside a loop: whatever is thrown into the inner loop is caught, and it starts again.
(module
  (func (export "run")
    (loop $again
      (block $caught
        (try_table (catch_all $caught)
          (loop $forever (br $forever))))
      (br $again))))
