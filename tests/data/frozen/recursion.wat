;; A function that calls itself in two places, and traps as deep as it is told: its calls have copies of its body.
(module $recursion
  (memory (export "memory") 1)
  (func $walk (export "walk") (param $path i32) (param $depth i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth))
      (then (i32.load (i32.sub (local.get $path) (i32.const 1))))
      (else
        (if (result i32) (i32.and (local.get $path) (i32.const 1))
          (then
            (i32.add
              (call $walk (i32.shr_u (local.get $path) (i32.const 1)) (i32.sub (local.get $depth) (i32.const 1)))
              (i32.const 1)))
          (else
            (i32.mul
              (call $walk (i32.shr_u (local.get $path) (i32.const 1)) (i32.sub (local.get $depth) (i32.const 1)))
              (i32.const 3))))))))
