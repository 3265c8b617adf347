#!/usr/bin/env bash
# wasmtime 50.0.1 (PyPI): a SharedMemory of the host can't be given to a module that imports one.
# Guess: `Instance(store, module, [shared])` takes it, as the signature says, and `linker.define` too.
# Seen: both raise TypeError, since a pointer to the object's pointer is put where the pointer belongs; `size()` raises as well. A
# shared memory that a module exports can be looked at, none can be handed on, so that no program of threads runs through this package.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime

config = wasmtime.Config()
config.wasm_threads = True
config.shared_memory = True
engine = wasmtime.Engine(config)
store = wasmtime.Store(engine)
shared = wasmtime.SharedMemory(engine, wasmtime.MemoryType(wasmtime.Limits(1, 2), shared=True))
module = wasmtime.Module(engine, '(module (import "env" "memory" (memory 1 2 shared)))')
linker = wasmtime.Linker(engine)
for name, use in (
    ("instantiate", lambda: wasmtime.Instance(store, module, [shared])),
    ("define", lambda: linker.define(store, "env", "memory", shared)),
    ("data_len", shared.data_len),
):
    try:
        use()
        print(f"{name}: works")
    except Exception as error:
        print(f"{name}: {type(error).__name__}")
PY
python look.py > seen
expect << 'SEEN'
instantiate: TypeError
define: TypeError
data_len: works
SEEN
