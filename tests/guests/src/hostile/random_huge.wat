;; Asks for 192 MiB of random bytes at a time.
(module
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (memory (export "memory") 3072)
  (func (export "run")
    (loop $again
      (drop (call $random (i32.const 0) (i32.const 201326592)))
      (br $again))))
