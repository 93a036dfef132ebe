;; Two functions throw at each other: each call ends by an exception that the other catches.
(module
  (tag $ping)
  (tag $pong)
  (func $serve (throw $ping))
  (func $return
    (block $caught
      (try_table (catch $ping $caught)
        (call $serve)))
    (throw $pong))
  (func (export "run")
    (loop $again
      (block $caught
        (try_table (catch $pong $caught)
          (call $return)))
      (br $again))))
