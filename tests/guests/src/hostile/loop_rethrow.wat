;; Throws and rethrows without end.
(module
  (tag $e (param i32))
  (func (export "run")
    (loop $again
      (try $outer
        (do
          (try $inner
            (do (throw $e (i32.const 1)))
            (catch $e (drop) (rethrow $inner))))
        (catch_all))
      (br $again))))
