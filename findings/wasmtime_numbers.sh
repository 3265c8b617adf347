#!/usr/bin/env bash
# wasmtime 50.0.1: an integer that is too large for its parameter is cut to the parameter's width, while a float parameter
# takes no integer at all.
# Guess: OverflowError for the first, as struct, ctypes-based wrappers with checks, and cffi have it; 3.0 from 3 for the second,
# as everywhere in Python.
# Seen: 2**70 arrives as 0; f64 of 3 is a TypeError. The same holds for what a host function returns.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime

store = wasmtime.Store()
module = wasmtime.Module(store.engine, """(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0))""")
exports = wasmtime.Instance(store, module, []).exports(store)
print(exports["i32"](store, 2**32 + 5), exports["i32"](store, 2**70), exports["i64"](store, 2**64 + 1))
try:
    print(exports["f64"](store, 3))
except TypeError as error:
    print(error)
host = wasmtime.Func(store, wasmtime.FuncType([], [wasmtime.ValType.i32()]), lambda: 2**33 + 1)
print(host(store))
PY
python look.py > seen
expect << 'SEEN'
5 0 1
don't know how to convert 3 to f64
1
SEEN
