#!/usr/bin/env bash
# componentize-py 0.25.1 (PyPI), run by wasmtime 50.0.1: of the standard library there is what was imported while the component was made.
# Guess: the component carries the library, as it carries the interpreter, so that what a module imports when a function first needs it
# is found, too.
# Seen: `collections.Counter(...).most_common(2)` fails with ModuleNotFoundError, because `collections` imports heapq in that method;
# so does `import json` in a function. The same program with `import heapq` and `import json` at its top works. Nothing warns
# when the component is made, and a call that raised so ends the instance.
. "$(dirname "$0")/lib/scratch.sh"
install componentize-py==0.25.1 wasmtime==50.0.1
cat > late.wit << 'WIT'
package example:late;

world late {
  export most: func(words: list<string>) -> string;
  export dumped: func() -> string;
}
WIT
cat > body.py << 'PY'
import collections

import wit_world


class WitWorld(wit_world.WitWorld):
    def most(self, words):
        return collections.Counter(words).most_common(1)[0][0]

    def dumped(self):
        import json

        return json.dumps([1, 2])
PY
cp body.py late.py
{ printf 'import heapq\nimport json\n'; cat body.py; } > early.py
for program in late early; do
    componentize-py -d late.wit -w late componentize "$program" -o "$program.wasm" > made.log 2>&1 || { cat made.log >&2; exit 1; }
done
cat > look.py << 'PY'
from pathlib import Path

import wasmtime
from wasmtime import component

for program in ("late", "early"):
    for name, arguments in (("most", (["a", "b", "a"],)), ("dumped", ())):
        engine = wasmtime.Engine()
        store = wasmtime.Store(engine)
        wasi = wasmtime.WasiConfig()
        wasi.stderr_file = "errors"
        store.set_wasi(wasi)
        linker = component.Linker(engine)
        linker.add_wasip2()
        guest = linker.instantiate(store, component.Component(engine, Path(f"{program}.wasm").read_bytes()))
        try:
            print(program, name, guest.get_func(store, name)(store, *arguments))
        except (wasmtime.Trap, wasmtime.WasmtimeError):
            said = [line for line in Path("errors").read_text().splitlines() if "Error: " in line]
            print(program, name, *said)
PY
python look.py > seen
expect << 'SEEN'
late most ModuleNotFoundError: No module named 'heapq'
late dumped ModuleNotFoundError: No module named 'json'
early most a
early dumped [1, 2]
SEEN
