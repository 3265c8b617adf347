;; Memory and table images, an own memory, and nothing to import.
(module
  (memory (export "memory") 3 5)
  (table (export "table") 600 funcref)
  (data (i32.const 0) "first page")
  (data (i32.const 131000) "over the edge of a page, and of another one if the text is long enough to get there ..............")
  (elem (i32.const 500) func 0 1 0 1)
  (global (export "answer") i64 (i64.const 42))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "call") (param i32) (result i32) (call_indirect (param i32) (result i32) (i32.const 0) (local.get 0)))
)
