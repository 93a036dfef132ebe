;; Grows its memory until it is refused, in steps from 4096 pages down to one, and returns the pages it has.
;; Each step writes the last byte of the new memory, so that it must really be there.
(module
  (memory (export "memory") 1)
  (func (export "run") (result i32)
    (local $step i32)
    (local.set $step (i32.const 4096))
    (loop $next
      (if (i32.ne (memory.grow (local.get $step)) (i32.const -1))
        (then
          (i32.store8
            (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1))
            (i32.const 1)))
        (else
          (local.set $step (i32.shr_u (local.get $step) (i32.const 1)))))
      (br_if $next (local.get $step)))
    (memory.size)))
