#!/usr/bin/env bash
# wasmtime 50.0.1: Table.get beyond the table's end gives None; Table.set there raises.
# Guess: both raise: the instruction table.get traps, and the C function underneath tells the two apart.
# Seen: a wrong index reads as None. An empty slot does not: it is a Val that holds None.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime

store = wasmtime.Store()
limits = wasmtime.Limits(2, None)
table = wasmtime.Table(store, wasmtime.TableType(wasmtime.ValType.funcref(), limits), None)
inside = table.get(store, 1)
print(type(inside).__name__, inside.value, table.get(store, 9))
try:
    table.set(store, 9, None)
except wasmtime.WasmtimeError as error:
    print(str(error).splitlines()[-1].strip())
PY
python look.py > seen
expect << 'SEEN'
Val None None
wasm trap: undefined element: out of bounds table access
SEEN
