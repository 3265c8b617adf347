;; Whether a number is well-formed by Luhn's rule: from the right, every second digit counts twice, as the sum of its digits;
;; the sum of all is a multiple of ten. Digits come as ASCII at 0; anything else is refused.
(module
  (memory (export "memory") 1)
  (func (export "allowed") (param $size i32) (result i32)
    (local $digit i32) (local $sum i32) (local $double i32)
    (if (i32.lt_u (local.get $size) (i32.const 2)) (then (return (i32.const 0))))
    (loop $next
      (local.set $size (i32.sub (local.get $size) (i32.const 1)))
      (local.set $digit (i32.sub (i32.load8_u (local.get $size)) (i32.const 48)))
      (if (i32.gt_u (local.get $digit) (i32.const 9)) (then (return (i32.const 0))))
      (local.set $digit (i32.shl (local.get $digit) (local.get $double)))
      (local.set $sum
        (i32.add (local.get $sum)
          (i32.sub (local.get $digit) (i32.mul (i32.const 9) (i32.gt_u (local.get $digit) (i32.const 9))))))
      (local.set $double (i32.xor (local.get $double) (i32.const 1)))
      (br_if $next (local.get $size)))
    (i32.eqz (i32.rem_u (local.get $sum) (i32.const 10)))))
