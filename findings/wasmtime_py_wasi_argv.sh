#!/usr/bin/env bash
# wasmtime 50.0.1 (PyPI): setting `WasiConfig.argv` or `.env` a second time adds to the first.
# Guess: an attribute that is set twice has its last value.
# Seen: the program gets both lists, one behind the other; of a variable that was given twice it gets two entries. Who keeps one config
# and sets its arguments anew gives each program those of the one before.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime

TEXT = """(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "run") (result i32 i32)
    (drop (call $args (i32.const 0) (i32.const 8)))
    (drop (call $env (i32.const 4) (i32.const 8)))
    (i32.load (i32.const 0)) (i32.load (i32.const 4))))"""
config = wasmtime.WasiConfig()
for _ in range(2):
    config.argv = ["one", "two"]
    config.env = [("NAME", "value")]
engine = wasmtime.Engine()
store = wasmtime.Store(engine)
store.set_wasi(config)
linker = wasmtime.Linker(engine)
linker.define_wasi()
exports = linker.instantiate(store, wasmtime.Module(engine, TEXT)).exports(store)
print("arguments, variables:", exports["run"](store))
PY
python look.py > seen
expect << 'SEEN'
arguments, variables: [4, 2]
SEEN
