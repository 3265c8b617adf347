"""How long collections stop a guest: ``python -m tests.pauses [--megabytes 1 10 100 1000] [--engines ours node]``.

A guest holds a tree of so many megabytes of objects and makes garbage, a bit at a call, until several collections have
run. For each heap and engine: the median and the largest time of a call, in milliseconds, and the resident memory with
the tree, and once it is dropped and garbage was made again. The largest time is the pause, where the machine has
nothing else to do; the median is what the garbage itself takes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from tests.support.node import find_node

#: A node of the tree takes 32 bytes here, 24 or more elsewhere.
NODE_BYTES: Final = 32
#: Objects of garbage in a call.
GARBAGE: Final = 2000
NODE_MIN_MAJOR: Final = 22
WAT: Final = """(module
  (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree)) (field $n i32)))
  (global $kept (mut (ref null $tree)) (ref.null $tree))
  (global $last (mut (ref null $tree)) (ref.null $tree)) (; without it, V8 makes no garbage ;)
  (func $grow (param $count i32) (result (ref null $tree))
    (if (i32.eqz (local.get $count)) (then (return (ref.null $tree))))
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (struct.new $tree
      (call $grow (i32.shr_u (local.get $count) (i32.const 1)))
      (call $grow (i32.sub (local.get $count) (i32.shr_u (local.get $count) (i32.const 1))))
      (local.get $count)))
  (func (export "keep") (param $count i32) (global.set $kept (call $grow (local.get $count))))
  (func $count (param $at (ref null $tree)) (result i32)
    (if (ref.is_null (local.get $at)) (then (return (i32.const 0))))
    (i32.add (i32.const 1) (i32.add
      (call $count (struct.get $tree $left (local.get $at))) (call $count (struct.get $tree $right (local.get $at))))))
  (func (export "count") (result i32) (call $count (global.get $kept)))
  (func (export "churn") (param $count i32)
    (loop $next
      (global.set $last (struct.new $tree (ref.null $tree) (ref.null $tree) (local.get $count)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))"""
#: As measure() below.
NODE_PROGRAM: Final = """
const [wasm, kept, calls, garbage] = process.argv.slice(1)
const bytes = require('fs').readFileSync(wasm)
const {keep, count, churn} = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports
const times = []
function run() {
  for (let i = 0; i < +calls; i++) {
    const start = process.hrtime.bigint()
    churn(+garbage)
    times.push(Number(process.hrtime.bigint() - start))
  }
}
keep(+kept)
const found = count(), loaded = process.memoryUsage.rss()
run()
keep(0)
const before = times.length
run()
console.log(JSON.stringify([found, times.slice(0, before), loaded, process.memoryUsage.rss()]))
"""


def resident_bytes() -> int:
    """Of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmRSS")


def measure(exports: Any, kept: int, calls: int) -> tuple[int, list[int], int, int]:
    """How many objects lived, nanoseconds of each call, resident bytes with the tree, and without."""
    times: list[int] = []

    def run() -> None:
        for _ in range(calls):
            start = time.perf_counter_ns()
            exports["churn"](GARBAGE)
            times.append(time.perf_counter_ns() - start)

    exports["keep"](kept)
    found, loaded = exports["count"](), resident_bytes()
    run()
    exports["keep"](0)
    before = len(times)
    run()
    return found, times[:before], loaded, resident_bytes()


def ours(wasm: Path) -> Any:
    """The exports of an instance of ours."""
    artifact = wasm.with_suffix(".so")
    wa.pack(wasm.read_bytes(), artifact)
    return wa.load(artifact).instantiate().exports


def theirs(wasm: Path) -> dict[str, Callable[..., Any]]:
    """The exports in wasmtime-py, with the collector that it takes by itself."""
    config = wasmtime.Config()
    config.wasm_gc = True
    config.wasm_function_references = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, wasm.read_bytes()), []).exports(store)

    def bound(name: str) -> Callable[..., Any]:
        func: Any = exports[name]
        return lambda *arguments: func(store, *arguments)

    return {name: bound(name) for name in ("keep", "count", "churn")}


def of_node(node: str, wasm: Path, kept: int, calls: int) -> tuple[int, list[int], int, int]:
    """The same in node, which times itself."""
    command = [node, "-e", NODE_PROGRAM, str(wasm), str(kept), str(calls), str(GARBAGE)]
    found: tuple[int, list[int], int, int] = tuple(
        json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    )
    return found


def report(engine: str, megabytes: int, wasm: Path) -> str:
    """One line: this process is the engine's alone."""
    kept = (megabytes << 20) // NODE_BYTES
    calls = max(3 * kept, 3 << 20) // GARBAGE
    node = find_node(NODE_MIN_MAJOR)
    if engine == "node":
        if node is None:
            return f"node is missing, or older than {NODE_MIN_MAJOR}"
        found, times, loaded, left = of_node(node, wasm, kept, calls)
    else:
        found, times, loaded, left = measure((ours if engine == "ours" else theirs)(wasm), kept, calls)
    if found != kept:
        raise ValueError(f"{engine} kept {found} objects of {kept}")
    middle, worst = median(times) / 1e6, max(times) / 1e6
    return f"{middle:8.3f} {worst:10.2f} {loaded >> 20:9d} {left >> 20:9d}"


def main() -> int:
    """Measure each engine and size in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.pauses", description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", nargs="+", type=int, default=[1, 10, 100, 1000], help="of living objects")
    parser.add_argument("--engines", nargs="+", default=["ours", "node", "wasmtime"])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wasmartifact-pauses-") as directory:
        wasm = Path(directory) / "pauses.wasm"
        wasm.write_bytes(wasmtime.wat2wasm(WAT))
        if given.one:
            print(report(given.engines[0], given.megabytes[0], wasm))
            return 0
        print(f"{'':10} {'MB':>6} {'median ms':>9} {'worst ms':>10} {'MB then':>9} {'MB after':>9}")
        for megabytes in given.megabytes:
            for engine in given.engines:
                command = ["tests.pauses", "--one", "--engines", engine, "--megabytes", str(megabytes)]
                done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
                line = done.stdout.rstrip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
                print(f"{engine:10} {megabytes:6d}  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
