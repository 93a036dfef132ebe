;; Sleeps past its deadline inside a catch_all, then spins, sleeps again, or returns as if nothing were.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; A subscription to the monotonic clock in one hour.
  (data (i32.const 0) "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\a0\b8\30\46\03\00\00")
  (func $sleep
    (block $caught
      (try_table (catch_all $caught)
        (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 64))))))
  (func (export "spin")
    (call $sleep)
    (loop $forever (br $forever)))
  (func (export "again")
    (loop $forever
      (call $sleep)
      (br $forever)))
  (func (export "return") (result i32)
    (call $sleep)
    (i32.const 42)))
