;; poll_oneoff as it should not be called: `count` subscriptions, or one with a given timeout, clock and flags.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 64)
  (func (export "count") (param $count i32) (result i32)
    (call $poll (i32.const 0) (i32.const 0x200000) (local.get $count) (i32.const 0x3ffff0)))
  (func (export "timeout") (param $nanos i64) (param $clock i32) (param $flags i32) (result i32)
    (i32.store (i32.const 16) (local.get $clock))
    (i64.store (i32.const 24) (local.get $nanos))
    (i32.store16 (i32.const 40) (local.get $flags))
    (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 64)))
  (func (export "overlap") (result i32)
    (call $poll (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)))
  (func (export "many_forever") (result i32)
    (local $at i32)
    (loop $again
      (i32.store offset=16 (local.get $at) (i32.const 1))
      (i64.store offset=24 (local.get $at) (i64.const -1))
      (br_if $again
        (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 48))) (i32.const 196608))))
    (call $poll (i32.const 0) (i32.const 0x200000) (i32.const 4096) (i32.const 0x3ffff0)))
  (func (export "many_loop")
    (loop $again
      (drop (call $poll (i32.const 0) (i32.const 0x200000) (i32.const 4096) (i32.const 0x3ffff0)))
      (br $again))))
