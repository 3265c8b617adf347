// Runs a module with its own JavaScript and writes down what guest and host say to each other, for tests/programs/replay.py.
// node record.mjs DRIVER FOLDER ROWS CONSTANTS OUTPUT: the driver is a file of this folder, which gets the package's folder;
// rows has module, name, kind and result of each import; constants is the module of string constants. DEBUG=1 shows problems.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const BUILTINS = ["wasm:js-string"];
const MOST_EVENTS = 40000;
const QUIET_MS = 1500;
const events = [];
const ids = new Map([[undefined, 0]]);
let isFull = false;

/** A value as the log has it: objects and functions by number, in the order in which they were met. */
function told(value) {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0) ? value : { n: Object.is(value, -0) ? "-0" : String(value) };
    case "bigint":
      return { b: String(value) };
    case "string":
    case "boolean":
      return value;
  }
  if (value === null) return null;
  if (!ids.has(value)) ids.set(value, ids.size);
  return { o: ids.get(value) };
}

function write(...event) {
  if (events.length < MOST_EVENTS) events.push(event);
  else isFull = true;
}

/** The function, with its calls in the log: their arguments, what they return, what they throw. */
function logged(call, returned, thrown, f, resultType) {
  return function (...args) {
    write(...call, args.map(told));
    let result;
    try {
      result = f.apply(this, args);
    } catch (problem) {
      write(thrown, told(problem));
      throw problem;
    }
    if (call[0] === "c") {
      const kind = resultType;
      if (kind === "i32") result |= 0;
      else if (kind === "f64" || kind === "f32") result = Number(result);
      else if (kind === undefined) result = null;
    }
    write(returned, told(result));
    return result;
  };
}

function wrapImports(given, results) {
  const wrapped = {};
  results.forEach(([moduleName, name, kind, result], index) => {
    if (BUILTINS.includes(moduleName)) {
      wrapped[moduleName] = given[moduleName];
      return;
    }
    const own = (wrapped[moduleName] ??= {});
    const value = given[moduleName][name];
    if (kind !== "func") own[name] = value;
    else own[name] ??= logged(["c", index], "r", "t", value, result);
  });
  return wrapped;
}

function wrapExports(instance) {
  const exports = {};
  for (const [name, value] of Object.entries(instance.exports))
    exports[name] = typeof value === "function" ? logged(["e", name], "R", "T", value) : value;
  return { exports };
}

/** Let the glue instantiate as it does, but with imports and exports that are logged. rows: module, name, kind, result. */
function intercept(rows, constants) {
  const { instantiate, compile } = WebAssembly;
  const options = { builtins: ["js-string"], importedStringConstants: constants };
  WebAssembly.compile = (bytes) => compile.call(WebAssembly, bytes, options);
  WebAssembly.instantiate = async (source, imports) => {
    const isModule = source instanceof WebAssembly.Module;
    const module = isModule ? source : await WebAssembly.compile(source);
    const isRecorded = WebAssembly.Module.imports(module).some((row) => rows.some(([own]) => own === row.module));
    let instance = await instantiate.call(WebAssembly, module, isRecorded ? wrapImports(imports, rows) : imports);
    if (isRecorded) instance = wrapExports(instance);
    return isModule ? instance : { module, instance };
  };
  WebAssembly.instantiateStreaming = async (source, imports) =>
    WebAssembly.instantiate(await (await source).arrayBuffer(), imports);
}

const [driver, folder, rows, constants, output] = process.argv.slice(2);
intercept(JSON.parse(fs.readFileSync(rows, "utf8")), constants);
process.on("uncaughtException", (problem) => process.env.DEBUG && console.error("uncaught", problem));
process.on("unhandledRejection", (problem) => process.env.DEBUG && console.error("unhandled", problem));
const { run } = await import(pathToFileURL(path.resolve(driver)));
try {
  await run(path.resolve(folder));
} catch (problem) {
  if (process.env.DEBUG) console.error("thrown", problem);
}
for (let seen = -1; seen < events.length && !isFull; await new Promise((done) => setTimeout(done, QUIET_MS)))
  seen = events.length;
fs.writeFileSync(output, events.map((event) => JSON.stringify(event)).join("\n") + "\n");
process.exit(0);
