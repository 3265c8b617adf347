// Flet's page, a Flutter program, in a browser without a screen.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { anything, install } from "./browser.mjs";

export async function run(folder) {
  install('<!doctype html><html lang="en"><head><base href="/"></head><body></body></html>', folder);
  globalThis.dartPrint = (text) => fs.writeSync(1, text + "\n");
  const { compile } = await import(pathToFileURL(path.join(folder, "main.dart.mjs")));
  const app = await compile(fs.readFileSync(path.join(folder, "main.dart.wasm")));
  // The drawing library: whoever wants a new thing gets a place in memory, whoever counts finds nothing. JavaScript
  // writes what it loads at places that the guest does not read.
  let next = 0;
  let far = 16 << 20;
  function answer(name) {
    if (name === "skData_getPointer") return (far += 4 << 20);
    return /count|length|size|is[A-Z]|has/i.test(name) ? 0 : (next += 1024);
  }
  const other = () => new Proxy({}, { get: (_, name) => () => answer(name), has: () => true });
  const memory = new WebAssembly.Memory({ initial: 2048, maximum: 32768, shared: true });
  globalThis._flutter_skwasmInstance = anything("skwasm", { wasmMemory: memory });
  const started = await app.instantiate({ skwasm: other(), skwasmWrapper: other(), ffi: { memory } });
  started.invokeMain();
}
