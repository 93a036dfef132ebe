;; Emits chunks without end.
(module
  (import "wasi:tensor/host" "emit-chunk" (func $emit (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run")
    (loop $again
      (drop (call $emit (i32.const 0) (i32.const 65536)))
      (br $again))))
