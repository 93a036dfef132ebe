;; Calls the host at every depth until the stack ends, so that it may end inside a host function.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\20\00\00\00\01\00\00\00")
  (data (i32.const 32) "x")
  (func $deep
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 1) (i32.const 1)
      (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 24)))
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 24)))
    (call $deep)
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))
  (func (export "run")
    (call $deep)))
