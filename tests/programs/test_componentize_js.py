"""A component that componentize-js (jco's) makes of a JavaScript program gives what node gives for the same program."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

import wasmartifact as wa
from tests.programs.packages import NotAvailableError, folder
from tests.programs.support import available
from tests.support.http_server import LARGE_BYTES, Handler, serving
from wasmartifact import wasmtime
from wasmartifact.wasmtime import component

TOOL = "@bytecodealliance/componentize-js@0.23.0"
INSTALL_SECONDS = 900
WIT = """package example:web;

interface shapes {
  record point { x: f64, y: f64 }
  variant shape { nothing, circle(f64), polygon(list<point>) }
  area: func(of: shape) -> f64;
}

world web {
  import tell: func(text: string);
  export shapes;
  export sorted: func(words: list<string>) -> list<string>;
  export reversed: func(data: list<u8>) -> list<u8>;
  export parse: func(text: string) -> result<string, string>;
  export search: func(pattern: string, text: string) -> option<string>;
  export big: func(base: u64, exponent: u32) -> u64;
  export fetch-text: func(url: string, method: string, body: option<string>) -> result<string, string>;
}
"""
PROGRAM = """import tell from "tell";

export const shapes = {
  area(of) {
    if (of.tag === "circle") return Math.PI * of.val ** 2;
    const points = of.tag === "polygon" ? of.val : [];
    return Math.abs(points.reduce((sum, p, i) => {
      const q = points[(i + 1) % points.length];
      return sum + p.x * q.y - q.x * p.y;
    }, 0)) / 2;
  },
};

export function sorted(words) {
  tell(`${words.length} words, first ${words[0]}`);
  return words.map(word => word.toUpperCase()).sort();
}

export function reversed(data) { return new Uint8Array(data).reverse(); }

export function parse(text) {
  try {
    return JSON.stringify(JSON.parse(text), (key, value) => typeof value === "number" ? value * 2 : value);
  } catch (problem) {
    throw problem.constructor.name;
  }
}

export function search(pattern, text) { return new RegExp(pattern, "u").exec(text)?.[0]; }

export function big(base, exponent) { return BigInt.asUintN(64, base ** BigInt(exponent)); }

export async function fetchText(url, method, body) {
  try {
    const answer = await fetch(url, {method, body, headers: {"x-mine": "js"}});
    const text = await answer.text();
    return `${answer.status} ${answer.headers.get("x-told")} ${text.length} ${text.slice(0, 100)}`;
  } catch (problem) {
    throw problem.constructor.name;
  }
}
"""
#: Calls the program in node: what it told, and what each call gave.
DRIVER = """import {readFileSync} from "fs";
import * as program from "./program.js";
import {told} from "tell";
const found = [];
const calls = JSON.parse(readFileSync(0, "utf8"), (key, value) => value?.bigint ? BigInt(value.bigint) : value);
const plain = value =>
  value instanceof Uint8Array ? [...value] : typeof value === "bigint" ? `${value}` : value ?? null;
for (const [name, args] of calls) {
  const callee = name === "area" ? program.shapes.area : program[name];
  try {
    found.push(["ok", plain(await callee(...args))]);
  } catch (problem) {
    found.push(["err", String(problem)]);
  }
}
console.log(JSON.stringify([found, told]));
"""
TELL = "export const told = []; export default text => { told.push(text); };"
SQUARE = [{"x": 0, "y": 0}, {"x": 3, "y": 0}, {"x": 3, "y": 3}, {"x": 0, "y": 3}]
#: Arguments as JavaScript has them.
CALLS: list[tuple[str, list[Any]]] = [
    ("area", [{"tag": "nothing"}]),
    ("area", [{"tag": "circle", "val": 1.5}]),
    ("area", [{"tag": "polygon", "val": SQUARE}]),
    ("sorted", [["beta", "Zoë", "alpha", "straße", ""]]),
    ("reversed", [[*range(256)]]),
    ("parse", ['{"a": [1, 2.5, {"b": "\\u00e9\\ud83d\\ude00"}]}']),
    ("parse", ["{"]),
    ("search", [r"[A-Z]\w+", "the Cat"]),
    ("search", ["dog", "the Cat"]),
    ("big", [{"bigint": "3"}, 41]),
    ("big", [{"bigint": "18446744073709551615"}, 2]),
]  # fmt: skip


def tool() -> Path:
    """componentize-js, installed on first use."""
    place = folder() / TOOL.rpartition("/")[2].replace("@", "-")
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        (unfinished / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", TOOL]
        try:
            done = subprocess.run(
                command, cwd=unfinished, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise NotAvailableError(f"npm: {problem}") from None
        if done.returncode:
            raise NotAvailableError(f"{' '.join(command)}: {done.stderr.strip()}")
        unfinished.rename(place)
    if shutil.which("node") is None:
        raise NotAvailableError("there is no node")
    return place / "node_modules" / ".bin" / "componentize-js"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program, for node and as an artifact."""
    command, place = available(lambda _: tool(), TOOL), tmp_path_factory.mktemp("js")
    for name, text in (
        ("package.json", '{"type": "module"}'),
        ("program.js", PROGRAM),
        ("driver.js", DRIVER),
        ("web.wit", WIT),
        ("node_modules/tell/package.json", '{"type": "module", "exports": "./index.js"}'),
        ("node_modules/tell/index.js", TELL),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    arguments = [str(command), "program.js", "--wit", "web.wit", "--world-name", "web", "-o", "web.wasm"]
    subprocess.run(arguments, cwd=place, check=True, capture_output=True)
    wa.pack(place / "web.wasm", place / "web.so", opt_level=0)
    return place


@pytest.fixture(scope="module")
def authority() -> Iterator[str]:
    with serving() as found:
        yield found


def by_node(work: Path, calls: list[tuple[str, list[Any]]]) -> tuple[list[Any], list[str]]:
    """What each call gives in node, and what the program told."""
    done = subprocess.run(
        ["node", "driver.js"],
        cwd=work,
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found, told = json.loads(done.stdout)
    return found, told


def of_javascript(value: Any) -> Any:
    """An argument as ours takes it."""
    if isinstance(value, dict) and "bigint" in value:
        return int(value["bigint"])
    if isinstance(value, dict) and "tag" in value:
        return (value["tag"], value["val"]) if "val" in value else value["tag"]
    return value


def instance(work: Path, store: wa.Store | None = None, *, tell: Callable[[str], object] = print, **wasi: Any) -> Any:
    """Of the component."""
    component: Any = wa.load(work / "web.so")
    return component.instantiate(wa.Wasi(**wasi).imports() | {"tell": tell}, store=store)


def by_ours(work: Path, calls: list[tuple[str, list[Any]]], **wasi: Any) -> tuple[list[Any], list[str]]:
    """What each call gives by the component, and what it told."""
    told: list[str] = []
    made = instance(work, tell=told.append, **wasi)
    found: list[Any] = []
    for name, arguments in calls:
        function = made.shapes.area if name == "area" else getattr(made, name.replace("T", "_t"))
        try:
            value = function(*map(of_javascript, arguments))
        except wa.Err as problem:
            found.append(["err", problem.value])
        else:
            value = str(value) if name == "big" else value
            found.append(["ok", list(value) if isinstance(value, bytes) else value])
    return found, told


@pytest.mark.large
def test_it_gives_what_node_gives(work: Path) -> None:
    found = by_ours(work, CALLS)
    assert found == by_node(work, CALLS)
    assert [outcome for outcome, _ in found[0]].count("err") == 1


@pytest.mark.large
def test_it_fetches_what_node_fetches(work: Path, authority: str) -> None:
    calls = [
        ("fetchText", [f"http://{authority}{path}", method, body])
        for path, method, body in (
            ("/echo?q=1", "GET", None),
            ("/echo", "POST", "a body: Zoë" * 10_000),
            ("/echo", "PUT", ""),
            ("/large", "GET", None),
        )
    ] + [("fetchText", ["http://127.0.0.1:1/", "GET", None])]
    found, _ = by_ours(work, calls, http=urllib3.PoolManager())
    assert found == by_node(work, calls)[0]
    assert found[0][1].startswith("207 GET js ") and f" {LARGE_BYTES} " in found[3][1]
    assert found[-1] == ["err", "TypeError"]


@pytest.mark.large
def test_it_waits_no_longer_than_it_may(work: Path, authority: str) -> None:
    Handler.released.clear()
    store = wa.Store()
    waits = instance(work, store, http=urllib3.PoolManager())
    with store.deadline(0.5), pytest.raises(wa.DeadlineExceeded):
        waits.fetch_text(f"http://{authority}/slow", "GET", None)
    Handler.released.set()


@pytest.mark.large
def test_a_program_of_wasmtime_py_fetches(work: Path, authority: str) -> None:
    """By the face, which has a client by default, as wasmtime has one."""
    config = wasmtime.Config()
    config.cranelift_opt_level = "none"
    store = wasmtime.Store(wasmtime.Engine(config))
    store.set_wasi(wasmtime.WasiConfig())
    store.set_wasi_http()
    linker = component.Linker(store.engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    with linker.root() as root:
        root.add_func("tell", lambda _store, text: None)
    instance = linker.instantiate(store, component.Component.from_file(store.engine, str(work / "web.wasm")))
    fetch = instance.get_func(store, "fetch-text")
    assert fetch is not None
    url = f"http://{authority}/echo?q=1"
    found = fetch(store, url, "GET", None)
    fetch.post_return(store)
    assert found == component.Variant("ok", by_node(work, [("fetchText", [url, "GET", None])])[0][0][1])
