;; Output while it runs. `echo` emits the input in pieces of a size; `forever` emits pieces of a size until the host
;; refuses one; `count` emits so many. `trap` and `spin` emit once and then trap or loop;
;; `typed` names its content type before the first chunk and tries to again after it. All that end
;; answer zero or the first negative code of the host.
(module
  (import "wasi:tensor/host" "emit-chunk" (func $emit (param i32 i32) (result i32)))
  (import "wasi:tensor/host" "input-len" (func $input_len (result i32)))
  (import "wasi:tensor/host" "read-input" (func $read_input (param i32 i32) (result i32)))
  (import "wasi:tensor/host" "set-content-type" (func $set_type (param i32 i32) (result i32)))
  (memory (export "memory") 20)
  (data (i32.const 0) "before\0atext/plainimage/png")
  (global $base i32 (i32.const 65536))
  (func (export "echo") (param $piece i32) (result i32)
    (local $len i32) (local $at i32) (local $n i32) (local $code i32)
    (local.set $len (call $input_len))
    (drop (memory.grow (i32.shr_u (local.get $len) (i32.const 16))))
    (drop (call $read_input (global.get $base) (local.get $len)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $len)))
        (local.set $n (i32.sub (local.get $len) (local.get $at)))
        (if (i32.gt_u (local.get $n) (local.get $piece)) (then (local.set $n (local.get $piece))))
        (local.set $code (call $emit (i32.add (global.get $base) (local.get $at)) (local.get $n)))
        (br_if $done (local.get $code))
        (local.set $at (i32.add (local.get $at) (local.get $n)))
        (br $next)))
    (local.get $code))
  (func (export "forever") (param $piece i32) (result i32)
    (local $code i32)
    (loop $next
      (local.set $code (call $emit (global.get $base) (local.get $piece)))
      (br_if $next (i32.eqz (local.get $code))))
    (local.get $code))
  (func (export "count") (param $count i32) (param $piece i32) (result i32)
    (local $code i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $code (call $emit (global.get $base) (local.get $piece)))
        (br_if $done (local.get $code))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (local.get $code))
  (func (export "trap")
    (drop (call $emit (i32.const 0) (i32.const 7)))
    (unreachable))
  (func (export "spin")
    (drop (call $emit (i32.const 0) (i32.const 7)))
    (loop $forever (br $forever)))
  (func (export "typed") (result i32)
    (local $first i32)
    (local.set $first (call $set_type (i32.const 7) (i32.const 10)))
    (drop (call $emit (i32.const 0) (i32.const 7)))
    (i32.add (local.get $first) (call $set_type (i32.const 17) (i32.const 9)))))
