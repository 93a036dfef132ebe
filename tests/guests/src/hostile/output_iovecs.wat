;; One write of a thousand buffers that are all the same mebibyte.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 32)
  (func (export "_start")
    (local $at i32)
    (loop $again
      (i32.store (local.get $at) (i32.const 0x100000))
      (i32.store offset=4 (local.get $at) (i32.const 0x100000))
      (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 8000))))
    (loop $forever
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1000) (i32.const 8192)))
      (br $forever))))
