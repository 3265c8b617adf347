// The page of a Compose program, with Skia, in a browser without a screen.
import fs from "node:fs";
import path from "node:path";
import { install } from "./browser.mjs";

export async function run(folder) {
  install(fs.readFileSync(path.join(folder, "index.html"), "utf8"), folder);
  Math.random = () => 0.5;
  const text = fs.readFileSync(path.join(folder, "ciris-shared.js"), "utf8");
  new Function("process", "require", "module", "exports", "define", text)(); // as if there were no node
  await globalThis.shared;
}
