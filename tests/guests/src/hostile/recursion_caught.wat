;; Runs out of stack inside a catch_all at every depth, and recurses again from the handler.
(module
  (func $deep
    (block $caught
      (try_table (catch_all $caught)
        (call $deep)))
    (call $deep))
  (func (export "run")
    (loop $again
      (block $caught
        (try_table (catch_all $caught)
          (call $deep)))
      (br $again))))
