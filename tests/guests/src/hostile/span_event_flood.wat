;; Adds a hundred thousand events to its span, the longest there can be.
(module
  (import "tensor_wasm:log/host@0.1.0" "span-event" (func $event (param i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "run") (result i32)
    (local $left i32)
    (memory.fill (i32.const 0) (i32.const 0x41) (i32.const 131072))
    (local.set $left (i32.const 100000))
    (loop $again
      (drop (call $event (i32.const 0) (i32.const 131072)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i32.const 1)))
