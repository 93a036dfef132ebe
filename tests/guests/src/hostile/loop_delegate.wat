;; Throws through delegates without end.
(module
  (tag $e)
  (func (export "run")
    (loop $again
      (try $outer
        (do
          (try $middle
            (do
              (try
                (do (throw $e))
                (delegate $outer)))
            (catch_all)))
        (catch_all))
      (br $again))))
