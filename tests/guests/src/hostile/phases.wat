;; Changes between the fastest code there is and the slowest for its fuel: what was measured in one phase is wrong in
;; the next.
(module
  (import "wasi_snapshot_preview1" "proc_raise" (func $raise (param i32) (result i32)))
  (tag $e)
  (memory 1024)
  (func (export "run")
    (local $i i32) (local $at i32)
    (loop $again
      (local.set $i (i32.const 3000000))
      (loop $fast
        (br_if $fast (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (local.set $i (i32.const 20000))
      (loop $slow
        (memory.fill (i32.const 0) (local.get $i) (i32.const 4096))
        (block $caught
          (try_table (catch_all $caught)
            (throw $e)))
        (drop (call $raise (i32.const 99)))
        (br_if $slow (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (br $again))))
