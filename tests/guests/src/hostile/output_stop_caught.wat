;; Floods its output, catches the stop, and then spins (`spin`), floods again (`again`) or returns (`return`).
(module
  (import "wasi:tensor/host" "emit-chunk" (func $emit (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $flood
    (block $caught
      (try_table (catch_all $caught)
        (loop $again
          (drop (call $emit (i32.const 0) (i32.const 65536)))
          (br $again)))))
  (func (export "spin")
    (call $flood)
    (loop $forever (br $forever)))
  (func (export "again")
    (loop $forever
      (call $flood)
      (br $forever)))
  (func (export "return") (result i32)
    (call $flood)
    (i32.const 42)))
