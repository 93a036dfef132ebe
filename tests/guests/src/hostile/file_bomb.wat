;; Makes files (`files`), folders one in the other (`folders`), and opens one file (`descriptors`), without end.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_allocate" (func $allocate (param i32 i64 i64) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite" (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (memory (export "memory") 32)
  (data (i32.const 0) "00000000")
  (data (i32.const 16) "\00\00\10\00\00\00\10\00")
  (func $next_name
    (local $at i32)
    (local.set $at (i32.const 7))
    (loop $carry
      (i32.store8 (local.get $at) (i32.add (i32.load8_u (local.get $at)) (i32.const 1)))
      (if (i32.gt_u (i32.load8_u (local.get $at)) (i32.const 0x39))
        (then
          (i32.store8 (local.get $at) (i32.const 0x30))
          (br_if $carry (local.tee $at (i32.sub (local.get $at) (i32.const 1))))))))
  (func $open (param $flags i32) (result i32)
    (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 8) (local.get $flags)
      (i64.const 0x1fffffff) (i64.const 0x1fffffff) (i32.const 0) (i32.const 64)))
  (func (export "files")
    (loop $again
      (call $next_name)
      (if (i32.eqz (call $open (i32.const 1)))
        (then (drop (call $close (i32.load (i32.const 64))))))
      (br $again)))
  (func (export "folders")
    ;; One path that grows by a folder at a time: "a/a/a/...".
    (local $length i32)
    (local.set $length (i32.const 1))
    (i32.store8 (i32.const 0x10000) (i32.const 0x61))
    (loop $again
      (drop (call $mkdir (i32.const 3) (i32.const 0x10000) (local.get $length)))
      (i32.store16 (i32.add (i32.const 0x10000) (local.get $length)) (i32.const 0x612f))
      (local.set $length (i32.and (i32.add (local.get $length) (i32.const 2)) (i32.const 0xfffff)))
      (br $again)))
  (func (export "descriptors")
    (loop $again
      (drop (call $open (i32.const 1)))
      (br $again)))
  (func (export "sparse")
    (local $offset i64)
    (drop (call $open (i32.const 1)))
    (loop $again
      (drop (call $allocate (i32.load (i32.const 64)) (i64.const 0) (i64.const 0x7fffffffffffffff)))
      (drop (call $pwrite (i32.load (i32.const 64)) (i32.const 16) (i32.const 1)
        (local.tee $offset (i64.add (i64.const 0x100000) (i64.mul (local.get $offset) (i64.const 3))))
        (i32.const 80)))
      (br $again))))
