(module
  (type $pair (struct (field (mut i32)) (field i32)))
  (func (export "sum") (param i32 i32) (result i32) (local $pair (ref null $pair))
    (local.set $pair (struct.new $pair (local.get 0) (local.get 1)))
    (i32.add
      (struct.get $pair 0 (ref.cast (ref $pair) (local.get $pair)))
      (struct.get $pair 1 (local.get $pair)))))
