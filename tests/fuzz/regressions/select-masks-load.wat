;; seed: regression
;; The load must trap although select takes the other operand. With AVX-512, LLVM made a masked load of it, which does
;; not fault where the mask is off.
(module
  (memory (export "memory") 1)
  (func (export "double") (param f64 i32) (result f64)
    (select (local.get 0) (f64.load (i32.const 65529)) (i32.or (local.get 1) (i32.const 1))))
  (func (export "single") (param f32 i32) (result f32)
    (select (local.get 0) (f32.load (i32.const 65533)) (i32.or (local.get 1) (i32.const 1))))
  (func (export "either") (param f64 i32) (result f64)
    (select (local.get 0) (f64.load (i32.const 65529)) (local.get 1)))
  (func (export "zero") (param i32) (result f64)
    (select (f64.load (i32.const 65529)) (f64.const 0) (local.get 0)))
  (func (export "branch") (param f64 i32) (result f64)
    (local f64)
    (local.set 2 (f64.load (i32.const 65529)))
    (if (result f64) (local.get 1) (then (local.get 0)) (else (local.get 2))))
)
