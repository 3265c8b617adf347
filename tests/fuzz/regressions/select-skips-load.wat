;; seed: regression
;; The load must trap although select takes the other operand. LLVM made a conditional move from memory of it on x86,
;; then a branch around the load, which was volatile.
(module
  (memory (export "memory") 1)
  (global (export "value") (mut i64) (i64.const 0))
  (func (export "first") (param i32)
    (global.set 0 (select (i64.const 5) (i64.load offset=2147483647 (i32.const 0)) (i32.or (local.get 0) (i32.const 1)))))
  (func (export "second") (param i32) (result i64)
    (select (i64.load offset=2147483647 (i32.const 0)) (i64.const 5) (i32.and (local.get 0) (i32.const 0))))
  (func (export "either") (param i32) (result i32)
    (select (i32.const 5) (i32.load (i32.const 65533)) (local.get 0)))
)
