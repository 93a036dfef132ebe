;; Lets the stack end inside a host function again and again, and catches what comes out of it.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi:scheduler/host@0.1.0" "yield" (func $yield (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\20\00\00\00\01\00\00\00")
  (data (i32.const 32) "x")
  (func $deep
    (block $caught
      (try_table (catch_all $caught)
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        (drop (call $yield))))
    (call $deep))
  (func (export "run")
    (loop $again
      (block $caught
        (try_table (catch_all $caught)
          (call $deep)))
      (br $again))))
