;; Bulk operations on nothing, which cost as much as any instruction, without end.
(module
  (memory 1)
  (table $t 1 funcref)
  (data $d "x")
  (elem $e funcref (ref.null func))
  (func (export "run")
    (data.drop $d)
    (elem.drop $e)
    (loop $again
      (memory.fill (i32.const 65536) (i32.const 0) (i32.const 0))
      (memory.copy (i32.const 65536) (i32.const 65536) (i32.const 0))
      (memory.init $d (i32.const 65536) (i32.const 0) (i32.const 0))
      (table.fill $t (i32.const 1) (ref.null func) (i32.const 0))
      (table.copy $t $t (i32.const 1) (i32.const 1) (i32.const 0))
      (table.init $t $e (i32.const 1) (i32.const 0) (i32.const 0))
      (data.drop $d)
      (elem.drop $e)
      (br $again))))
