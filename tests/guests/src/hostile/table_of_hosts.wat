;; Calls host functions through a table, in tail position too, inside and outside of a catch_all.
(module
  (type $t (func (result i32)))
  (import "wasi_snapshot_preview1" "sched_yield" (func $sched_yield (type $t)))
  (import "wasi:scheduler/host@0.1.0" "yield" (func $yield (type $t)))
  (table 2 funcref)
  (elem (i32.const 0) $sched_yield $yield)
  (func $hop (type $t) (return_call_indirect (type $t) (i32.const 1)))
  (func (export "run")
    (loop $again
      (drop (call_indirect (type $t) (i32.const 0)))
      (block $caught
        (try_table (catch_all $caught)
          (drop (call $hop))))
      (br $again))))
