;; Imports fd_write, which takes (i32, i32, i32, i32), with another signature: to be refused at deploy.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i64) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (result i32)
    (call $fd_write (i64.const 1))))
