#!/usr/bin/env bash
# wasmtime 50.0.1 (PyPI): the text of a trap calls functions `a`, `b` and `i` of the name section `signed char`, `bool` and `int`.
# Guess: a backtrace shows the names of the name section as they are, or demangled where they are mangled names (`_ZN...`).
# Seen: each name goes through a demangler that takes bare C++ type codes for names, so that what a minifier wrote comes out as a type;
# `Frame.func_name` has the name as it is. Who finds functions by the text of a trap finds the wrong ones in minified modules.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import re

import wasmtime

TEXT = """(module
  (func $a unreachable) (func $b call $a) (func $i call $b) (func $hello call $i) (func (export "run") call $hello))"""
store = wasmtime.Store()
instance = wasmtime.Instance(store, wasmtime.Module(store.engine, TEXT), [])
try:
    instance.exports(store)["run"](store)
except wasmtime.Trap as trap:
    print("text:", re.findall(r"!(.+)", str(trap)))
    print("func_name:", [frame.func_name for frame in trap.frames])
PY
python look.py > seen
expect << 'SEEN'
text: ['signed char', 'bool', 'int', 'hello', '<wasm function 4>']
func_name: ['a', 'b', 'i', 'hello', None]
SEEN
