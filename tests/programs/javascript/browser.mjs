// A browser for pages that begin: jsdom's document, and for what that lacks objects that have every property.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const { JSDOM } = createRequire(process.env.JSDOM)("jsdom");

/** An object that can be called, made and asked for everything; as a number it is 0, as a text its name. */
export function anything(name, own = {}) {
  const known = new Map(Object.entries(own));
  return new Proxy(function () {}, {
    get(_, key) {
      if (known.has(key)) return known.get(key);
      if (key === Symbol.toPrimitive) return (hint) => (hint === "string" ? name : 0);
      if (key === "then" || typeof key === "symbol") return undefined;
      if (key === "toString") return () => name;
      if (key === "length") return 0;
      if (/^(width|height|size|.*(Width|Height|Size|Count|Left|Right|Ascent|Descent))$/.test(key)) return 16;
      known.set(key, anything(`${name}.${key}`));
      return known.get(key);
    },
    set: (_, key, value) => known.set(key, value) !== undefined,
    has: () => true,
    apply: () => anything(`${name}()`),
    construct: () => anything(`new ${name}`),
  });
}

/** Make a page of this text the global object's; what it fetches lies in the folder. */
export function install(html, folder) {
  const { window } = new JSDOM(html, { url: "http://localhost/", pretendToBeVisual: false });
  Error.stackTraceLimit = 0;
  window.HTMLCanvasElement.prototype.getContext = (kind) => anything(kind);
  for (const name of Object.getOwnPropertyNames(window)) if (!(name in globalThis)) define(name, window[name]);
  for (const name of ["navigator", "Event", "location"]) define(name, window[name]);
  for (const name of ["matchMedia", "ResizeObserver", "PointerEvent", "IntersectionObserver", "FontFace", "OffscreenCanvas"])
    if (!(name in globalThis)) define(name, anything(name));
  for (const name of ["geolocation", "mediaDevices", "permissions", "wakeLock", "connection", "serviceWorker", "clipboard", "storage"])
    if (window.navigator[name] === undefined) Object.defineProperty(window.navigator, name, { value: anything(name) });
  const view = { scale: 1, width: 1024, height: 768, offsetTop: 0, offsetLeft: 0, pageTop: 0, pageLeft: 0 };
  define("visualViewport", anything("visualViewport", view));
  define("window", globalThis);
  define("self", globalThis);
  for (const name of ["addEventListener", "removeEventListener", "dispatchEvent"]) define(name, window[name].bind(window));
  define("fetch", async (url) => {
    const file = path.join(folder, new URL(String(url), "http://localhost/").pathname);
    return fs.existsSync(file) ? new Response(fs.readFileSync(file)) : new Response("", { status: 404 });
  });
  define("requestAnimationFrame", (call) => setTimeout(() => call(16), 1));
  window.document.fonts ??= anything("fonts");
}

function define(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
