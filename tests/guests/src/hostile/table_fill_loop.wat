;; Fills, copies and initialises a table of a million elements without end.
(module
  (table $t 1000000 funcref)
  (elem $passive funcref (ref.func $f) (ref.func $f) (ref.null func))
  (func $f)
  (func (export "fill")
    (loop $again
      (table.fill $t (i32.const 0) (ref.func $f) (i32.const 1000000))
      (br $again)))
  (func (export "copy")
    (loop $again
      (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 999999))
      (br $again)))
  (func (export "init")
    (loop $again
      (table.init $t $passive (i32.const 0) (i32.const 0) (i32.const 3))
      (br $again))))
