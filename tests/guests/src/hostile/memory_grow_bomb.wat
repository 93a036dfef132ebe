;; Grows its memory page by page as far as it goes, writes to every page, and returns how many there are.
(module
  (memory 1)
  (func (export "run") (result i32)
    (local $page i32)
    (loop $again
      (i32.store (i32.mul (local.get $page) (i32.const 65536)) (i32.const 1))
      (local.set $page (i32.add (local.get $page) (i32.const 1)))
      (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (memory.size)))
