;; Sleeps for an hour in the start function, while there is no memory yet that the host could look at.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\a0\b8\30\46\03\00\00")
  (func $start
    (loop $again
      (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 64)))
      (br $again)))
  (func (export "run"))
  (start $start))
