;; Logs a million lines by the log interface (`log`), on stderr (`stderr`), and without a line's end (`endless`).
(module
  (import "tensor_wasm:log/host@0.1.0" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 32)
  (data (i32.const 0) "\20\00\00\00\05\00\00\00\00\00\10\00\00\00\10\00")
  (data (i32.const 32) "line\0a\1b[2J{\22level\22:\22error\22}")
  (func (export "log") (result i32)
    (local $left i32)
    (local.set $left (i32.const 1000000))
    (loop $again
      (drop (call $log (i32.rem_u (local.get $left) (i32.const 7)) (i32.const 32) (i32.const 26)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.const 1))
  (func (export "stderr") (result i32)
    (local $left i32)
    (local.set $left (i32.const 100000))
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.const 1))
  (func (export "endless")
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 16)))
      (br $again))))
