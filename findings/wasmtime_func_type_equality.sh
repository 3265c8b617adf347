#!/usr/bin/env bash
# wasmtime 50.0.1: two ValTypes of the same kind are equal, two FuncTypes of equal ValTypes are not.
# Guess: types compare by what they are, as the engine compares them when it links.
# Seen: FuncType, MemoryType and GlobalType compare by identity, and each access to a type makes a new object.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime
from wasmtime import FuncType, GlobalType, Limits, MemoryType, ValType

print(ValType.i32() == ValType.i32(), FuncType([ValType.i32()], []) == FuncType([ValType.i32()], []))
print(MemoryType(Limits(1, 2)) == MemoryType(Limits(1, 2)), GlobalType(ValType.i32(), True) == GlobalType(ValType.i32(), True))
store = wasmtime.Store()
func = wasmtime.Func(store, FuncType([], []), lambda: None)
print(func.type(store) == func.type(store))
PY
python look.py > seen
expect << 'SEEN'
True False
False False
False
SEEN
