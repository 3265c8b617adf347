#!/usr/bin/env bash
# wasmtime 50.0.1: a WASI program that ends with status 126 or more ends in an error without a status.
# Guess: ExitTrap with the code, at least up to 255, which a shell and waitpid know.
# Seen: 0 to 125 raise ExitTrap; 126 and above a WasmtimeError whose text names the range. Programs that end by 126 to 255, as
# shells do for signals and missing commands, need their status carried another way.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime

TEXT = """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1) (func (export "_start") (call $exit (i32.const {}))))"""
for status in (0, 125, 126, 255):
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    start = linker.instantiate(store, wasmtime.Module(engine, TEXT.format(status))).exports(store)["_start"]
    try:
        start(store)
    except wasmtime.ExitTrap as end:
        print(status, "ExitTrap", end.code)
    except wasmtime.WasmtimeError as error:
        print(status, "WasmtimeError", str(error).splitlines()[-1].strip())
PY
python look.py > seen
expect << 'SEEN'
0 ExitTrap 0
125 ExitTrap 125
126 WasmtimeError exit with invalid exit status outside of [0..126)
255 WasmtimeError exit with invalid exit status outside of [0..126)
SEEN
