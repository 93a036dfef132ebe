;; Tries to outlive its own exit: swallows whatever proc_exit throws, then returns (`_start`) or loops (`spin`).
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $exit_and_catch
    (block $caught
      (try_table (catch_all $caught)
        (call $proc_exit (i32.const 7)))))
  (func (export "_start")
    (call $exit_and_catch))
  (func (export "spin")
    (call $exit_and_catch)
    (loop $forever (br $forever))))
