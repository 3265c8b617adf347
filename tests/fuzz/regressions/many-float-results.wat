;; seed: regression
;; Signalling NaNs as the third float of several results and beyond: x86-64 returns these in x87 registers, which make
;; them quiet.
(module
  (import "host" "twice" (func $twice (result f64 f32 f64 f64)))
  (type $results (func (result f32 f64 f64 f32)))
  (table funcref (elem $direct))
  (global (export "bits") (mut i64) (i64.const 0))
  (func $direct (export "direct") (type $results)
    (f32.const -nan:0x200001) (f64.const nan:0x4) (f64.const -nan:0x7ffffffffffff) (f32.const nan:0x1))
  (func (export "called") (type $results) (call $direct))
  (func (export "indirect") (type $results) (call_indirect (type $results) (i32.const 0)))
  (func (export "mixed") (param i64) (result i32 f64 i64 f32 f32)
    (i32.const 1) (f64.const -0) (local.get 0) (f32.const 2.5) (f32.const nan:0x3fffff))
  (func (export "host")
    (call $twice)
    (i64.reinterpret_f64) (global.set 0)
    (drop) (drop) (drop))
)
