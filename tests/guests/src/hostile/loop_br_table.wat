;; An endless loop whose back edges are the targets of br_table, the default among them.
(module
  (func (export "run")
    (local $i i32)
    (loop $a
      (loop $b
        (loop $c
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_table $a $b $c $b $a $c (i32.and (local.get $i) (i32.const 7))))))))
