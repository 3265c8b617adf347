#!/usr/bin/env bash
# @bytecodealliance/componentize-js 0.23.0 (npm; StarlingMonkey, the engine of Firefox), run by wasmtime 50.0.1: what its engine has of Unicode.
# Guess: no Intl, as the engine is built without ICU; all that ECMA-262 itself asks for is there.
# Seen: regular expressions with \p{...} are a SyntaxError, strings have no `normalize`, and case folding of `iu` matches no pair beyond
# what `toUpperCase` knows: the long s is not an S. `localeCompare` compares code units, so "a" comes behind "B". node 20, a browser
# and Firefox itself have all four; nothing tells when the component is made.
. "$(dirname "$0")/lib/scratch.sh"
need npm npm
need node nodejs
install wasmtime==50.0.1
npm install --prefix . --silent --no-fund --no-audit @bytecodealliance/componentize-js@0.23.0 > npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat > words.wit << 'WIT'
package example:words;

world words {
  export look: func() -> list<string>;
}
WIT
cat > words.mjs << 'JS'
const tries = {
  "letters by property": () => new RegExp("\\p{Lu}", "u").test("A"),
  "length of NFD": () => "\u00e9".normalize("NFD").length,
  "long s is S": () => new RegExp("\u017f", "iu").test("S"),
  "a before B": () => "a".localeCompare("B") < 0,
  "upper case of sharp s": () => "\u00df".toUpperCase(),
};
export function look() {
  return Object.entries(tries).map(([name, attempt]) => {
    try {
      return `${name}: ${attempt()}`;
    } catch (error) {
      return `${name}: ${error.name}`;
    }
  });
}
JS
cat > make.mjs << 'JS'
import { readFileSync, writeFileSync } from "node:fs";
import { componentize } from "@bytecodealliance/componentize-js";

const options = { worldName: "words", disableFeatures: ["http", "fetch-event"] };
const made = await componentize(readFileSync("words.mjs", "utf8"), readFileSync("words.wit", "utf8"), options);
writeFileSync("words.wasm", made.component);
JS
node make.mjs > made.log 2>&1 || { cat made.log >&2; exit 1; }
cat > look.py << 'PY'
from pathlib import Path

import wasmtime
from wasmtime import component

engine = wasmtime.Engine()
store = wasmtime.Store(engine)
store.set_wasi(wasmtime.WasiConfig())
linker = component.Linker(engine)
linker.add_wasip2()
guest = linker.instantiate(store, component.Component(engine, Path("words.wasm").read_bytes()))
print(*guest.get_func(store, "look")(store), sep="\n")
PY
{
    echo "component"
    python look.py
    echo "node"
    node --input-type=module -e 'import { look } from "./words.mjs"; console.log(look().join("\n"))'
} > seen
expect << 'SEEN'
component
letters by property: SyntaxError
length of NFD: TypeError
long s is S: false
a before B: false
upper case of sharp s: SS
node
letters by property: true
length of NFD: 2
long s is S: true
a before B: true
upper case of sharp s: SS
SEEN
