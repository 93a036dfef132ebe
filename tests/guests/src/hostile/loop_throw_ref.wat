;; Throws one exception again and again by its reference.
(module
  (tag $e (param i64))
  (func (export "run")
    (local $caught exnref)
    (local.set $caught
      (block $first (result exnref)
        (try_table (catch_all_ref $first)
          (throw $e (i64.const 1)))
        (unreachable)))
    (loop $again
      (local.set $caught
        (block $next (result exnref)
          (try_table (catch_all_ref $next)
            (throw_ref (local.get $caught)))
          (unreachable)))
      (br $again))))
