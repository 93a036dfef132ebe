;; Tries to smuggle headers into the response by its media type, and returns how many of its attempts were taken.
(module
  (import "wasi:tensor/host" "set-content-type" (func $set (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "text/html\0d\0aset-cookie: a=b")
  (data (i32.const 32) "text/html\0ax: y")
  (data (i32.const 64) "text/\00html")
  (data (i32.const 96) "text/html; a=\22\0d\0a\22")
  (data (i32.const 128) "text/html;\ff=1")
  (data (i32.const 160) "/")
  (func $try (param i32 i32) (result i32)
    (i32.eqz (call $set (local.get 0) (local.get 1))))
  (func (export "run") (result i32)
    (memory.fill (i32.const 256) (i32.const 0x61) (i32.const 1024))
    (i32.store8 (i32.const 260) (i32.const 0x2f))
    (i32.add
      (i32.add
        (i32.add (call $try (i32.const 0) (i32.const 27)) (call $try (i32.const 32) (i32.const 14)))
        (i32.add (call $try (i32.const 64) (i32.const 10)) (call $try (i32.const 96) (i32.const 16))))
      (i32.add
        (i32.add (call $try (i32.const 128) (i32.const 13)) (call $try (i32.const 160) (i32.const 1)))
        (i32.add (call $try (i32.const 256) (i32.const 256)) (call $try (i32.const 0) (i32.const 0)))))))
