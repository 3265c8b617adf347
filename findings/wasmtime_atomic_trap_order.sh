#!/usr/bin/env bash
# wasmtime 50.0.1: at an address that is neither aligned nor inside the memory, memory.atomic.notify traps for being outside,
# and every other atomic operator for not being aligned.
# Guess: one order for all of them; the threads proposal describes the checks of notify as those of a load.
# Seen: two. A test that compares trap codes between engines must not use such an address for notify.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime

store = wasmtime.Store()
module = wasmtime.Module(store.engine, """(module (memory 1 1)
  (func (export "notify") (drop (memory.atomic.notify offset=8 (i32.const -1) (i32.const 1))))
  (func (export "load") (drop (i32.atomic.load offset=8 (i32.const -1))))
  (func (export "add") (drop (i32.atomic.rmw.add offset=8 (i32.const -1) (i32.const 1)))))""")
exports = wasmtime.Instance(store, module, []).exports(store)
for name in ("notify", "load", "add"):
    try:
        exports[name](store)
    except wasmtime.Trap as trap:
        print(name, trap.trap_code.name)
PY
python look.py > seen
expect << 'SEEN'
notify MEMORY_OUT_OF_BOUNDS
load HEAP_MISALIGNED
add HEAP_MISALIGNED
SEEN
