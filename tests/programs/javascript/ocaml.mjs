// html5rw's worker: validates texts that are posted to it.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const TEXTS = [
  "<!doctype html><html lang=en><head><title>Right</title></head><body><p>Text</p></body></html>",
  "<div><p>Hello <b>bold <i>both</b> italic</i></p><img src=x><table><tr><p>lost</table>",
  "<!DOCTYPE html><title>\u{1F600} Gr\u00fc\u00dfe</title><a href='x y'>&amp;&notanentity;&eacute;</a><input type=checkbox checked checked>",
];

export async function run(folder) {
  const listeners = [];
  globalThis.self = globalThis;
  globalThis.addEventListener = (name, listener) => name === "message" && listeners.push(listener);
  globalThis.postMessage = () => {};
  const file = path.join(folder, "htmlrw-worker.wasm.js");
  const text = fs.readFileSync(file, "utf8").replaceAll("require.main.filename", JSON.stringify(file));
  new Function("require", text)(createRequire(file));
  while (listeners.length === 0) await new Promise((done) => setTimeout(done, 50));
  TEXTS.forEach((html, id) => listeners.forEach((listener) => listener({ data: { id, html } })));
}
