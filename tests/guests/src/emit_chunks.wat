;; Output through the tensor host. `run` emits three chunks and flushes; `emit` emits one chunk of any place and
;; length, so that tests can reach every bound; `emit_many` emits the same eight bytes `count` times. All answer
;; zero or the first negative code of the host.
(module
  (import "wasi:tensor/host" "emit-chunk" (func $emit (param i32 i32) (result i32)))
  (import "wasi:tensor/host" "flush" (func $flush (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 0) "first\0asecond\0athird\0a")
  (func (export "run") (result i32)
    (local $code i32)
    (if (local.tee $code (call $emit (i32.const 0) (i32.const 6)))
      (then (return (local.get $code))))
    (if (local.tee $code (call $emit (i32.const 6) (i32.const 7)))
      (then (return (local.get $code))))
    (if (local.tee $code (call $emit (i32.const 13) (i32.const 6)))
      (then (return (local.get $code))))
    (call $flush))
  (func (export "emit") (param $ptr i32) (param $len i32) (result i32)
    (call $emit (local.get $ptr) (local.get $len)))
  (func (export "emit_many") (param $count i32) (result i32)
    (local $code i32)
    (loop $next
      (if (local.get $count)
        (then
          (local.set $code (call $emit (i32.const 0) (i32.const 8)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br_if $next (i32.eqz (local.get $code))))))
    (local.get $code)))
