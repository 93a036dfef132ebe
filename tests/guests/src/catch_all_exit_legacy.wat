;; catch_all_exit with the older try instruction; the engine refuses a module that mixes the two.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $exit_and_catch
    (try
      (do (call $proc_exit (i32.const 7)))
      (catch_all)))
  (func (export "_start")
    (call $exit_and_catch))
  (func (export "spin")
    (call $exit_and_catch)
    (loop $forever (br $forever))))
