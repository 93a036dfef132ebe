;; Throws across a thousand frames, each with a handler of another tag, without end.
(module
  (tag $e)
  (tag $other)
  (func $deep (param $depth i32)
    (if (i32.eqz (local.get $depth)) (then (throw $e)))
    (block $caught
      (try_table (catch $other $caught)
        (call $deep (i32.sub (local.get $depth) (i32.const 1))))))
  (func (export "run")
    (loop $again
      (block $caught
        (try_table (catch_all $caught)
          (call $deep (i32.const 1000))))
      (br $again))))
