"""Garbage-collected objects against wasmtime-py and node: programs that allocate, rewrite, walk and cast.

node takes part from version 22 on, the first whose V8 has the standard's encoding; it times itself, in its own process.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from tests.support.node import find_node

#: Each takes a number of rounds and gives a checksum.
WAT: Final = """(module
  (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree))))
  (func $grow (param $depth i32) (result (ref $tree))
    (if (result (ref $tree)) (local.get $depth)
      (then (struct.new $tree
        (call $grow (i32.sub (local.get $depth) (i32.const 1)))
        (call $grow (i32.sub (local.get $depth) (i32.const 1)))))
      (else (struct.new_default $tree))))
  (func $count (param $tree (ref null $tree)) (result i32)
    (if (result i32) (ref.is_null (local.get $tree)) (then (i32.const 0))
      (else (i32.add (i32.const 1) (i32.add
        (call $count (struct.get $tree $left (local.get $tree)))
        (call $count (struct.get $tree $right (local.get $tree))))))))
  (func (export "trees") (param $rounds i32) (result i32) (local $sum i32) (local $kept (ref null $tree))
    (local.set $kept (call $grow (i32.const 14)))
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (call $count (call $grow (i32.const 12)))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (i32.add (local.get $sum) (call $count (local.get $kept))))

  (type $node (struct (field $value (mut i32)) (field $rest (mut (ref null $node)))))
  (func (export "list") (param $rounds i32) (result i32)
    (local $head (ref null $node)) (local $at (ref null $node)) (local $before (ref null $node))
    (local $next (ref null $node)) (local $i i32) (local $sum i32)
    (local.set $i (i32.const 1000))
    (loop $make
      (local.set $head (struct.new $node (local.get $i) (local.get $head)))
      (br_if $make (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
    (loop $round
      ;; the list is turned round, and each tenth item is put there anew
      (local.set $at (local.get $head))
      (local.set $before (ref.null $node))
      (local.set $i (i32.const 0))
      (loop $item
        (local.set $next (struct.get $node $rest (local.get $at)))
        (if (i32.eqz (i32.rem_u (local.get $i) (i32.const 10)))
          (then (local.set $before (struct.new $node
            (i32.add (struct.get $node $value (local.get $at)) (i32.const 1)) (local.get $before))))
          (else
            (struct.set $node $rest (local.get $at) (local.get $before))
            (local.set $before (local.get $at))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $item (i32.eqz (ref.is_null (local.tee $at (local.get $next))))))
      (local.set $head (local.get $before))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.set $at (local.get $head))
    (loop $add
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (struct.get $node $value (local.get $at))))
      (br_if $add (i32.eqz (ref.is_null (local.tee $at (struct.get $node $rest (local.get $at)))))))
    (local.get $sum))

  (type $point (struct (field $x (mut f64)) (field $y (mut f64)) (field $mass f64)))
  (type $points (array (mut (ref null $point))))
  (func (export "points") (param $rounds i32) (result f64)
    (local $all (ref $points)) (local $it (ref null $point)) (local $i i32) (local $sum f64)
    (local.set $all (array.new_default $points (i32.const 1000)))
    (loop $make
      (array.set $points (local.get $all) (local.get $i) (struct.new $point
        (f64.convert_i32_s (local.get $i)) (f64.const 0.5) (f64.const 2)))
      (br_if $make (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
    (loop $round
      (local.set $i (i32.const 0))
      (loop $item
        (local.set $it (array.get $points (local.get $all) (local.get $i)))
        (struct.set $point $x (local.get $it) (f64.add
          (struct.get $point $x (local.get $it)) (f64.mul (struct.get $point $y (local.get $it)) (f64.const 0.25))))
        (struct.set $point $y (local.get $it) (f64.mul
          (struct.get $point $y (local.get $it)) (struct.get $point $mass (local.get $it))))
        (if (f64.gt (struct.get $point $y (local.get $it)) (f64.const 1000)) (then
          (array.set $points (local.get $all) (local.get $i) (struct.new $point
            (struct.get $point $x (local.get $it)) (f64.const 0.5) (f64.const 2)))))
        (br_if $item (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.set $i (i32.const 0))
    (loop $add
      (local.set $sum (f64.add (local.get $sum)
        (struct.get $point $x (array.get $points (local.get $all) (local.get $i)))))
      (br_if $add (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
    (local.get $sum))

  (rec
    (type $expr (sub (struct)))
    (type $const (sub final $expr (struct (field $n i32))))
    (type $binary (sub $expr (struct (field $a (ref $expr)) (field $b (ref $expr)))))
    (type $add (sub final $binary (struct (field $a (ref $expr)) (field $b (ref $expr)))))
    (type $mul (sub final $binary (struct (field $a (ref $expr)) (field $b (ref $expr)) (field $k i32)))))
  (func $build (param $depth i32) (param $seed i32) (result (ref $expr)) (local $a (ref $expr)) (local $b (ref $expr))
    (if (i32.eqz (local.get $depth)) (then (return (struct.new $const (local.get $seed)))))
    (local.set $a (call $build (i32.sub (local.get $depth) (i32.const 1)) (i32.mul (local.get $seed) (i32.const 3))))
    (local.set $b (call $build (i32.sub (local.get $depth) (i32.const 1)) (i32.add (local.get $seed) (i32.const 7))))
    (if (result (ref $expr)) (i32.and (local.get $seed) (i32.const 1))
      (then (struct.new $add (local.get $a) (local.get $b)))
      (else (struct.new $mul (local.get $a) (local.get $b) (i32.const 5)))))
  (func $visit (param $it (ref $expr)) (result i32) (local $pair (ref $binary)) (local $left i32) (local $right i32)
    (if (ref.test (ref $const) (local.get $it))
      (then (return (struct.get $const $n (ref.cast (ref $const) (local.get $it))))))
    (local.set $pair (ref.cast (ref $binary) (local.get $it)))
    (local.set $left (call $visit (struct.get $binary $a (local.get $pair))))
    (local.set $right (call $visit (struct.get $binary $b (local.get $pair))))
    (block $is_add (result (ref $add))
      (return (i32.mul
        (i32.xor (local.get $left) (local.get $right))
        (struct.get $mul $k (ref.cast (ref $mul) (br_on_cast $is_add (ref $expr) (ref $add) (local.get $it)))))))
    (drop)
    (i32.add (local.get $left) (local.get $right)))
  (func (export "visitor") (param $rounds i32) (result i32) (local $sum i32) (local $it (ref $expr))
    (local.set $it (call $build (i32.const 12) (i32.const 6)))
    (loop $next
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $visit (local.get $it))))
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))
"""
#: Export -> rounds of a run, and what the figure calls it.
PROGRAMS: Final = {
    "trees": (60, "binary trees"),
    "list": (400, "list rewritten"),
    "points": (400, "array of structs"),
    "visitor": (60, "cast-heavy visitor"),
}
#: The first release of node with this encoding.
NODE_MIN_MAJOR: Final = 22
#: Prints the checksum and the nanoseconds of each run; the runs before count for nothing: V8 compiles in two steps.
NODE_PROGRAM: Final = """
const [wasm, name, rounds, samples] = process.argv.slice(1)
const bytes = require('fs').readFileSync(wasm)
const run = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports[name]
const found = run(+rounds), times = []
for (let i = 0; i < 20; i++) run(+rounds)
for (let i = 0; i < +samples; i++) {
  const start = process.hrtime.bigint()
  run(+rounds)
  times.push(Number(process.hrtime.bigint() - start))
}
console.log(JSON.stringify([found, times]))
"""
Run = Callable[[int], int | float]


def wasmtime_exports(wasm: bytes) -> dict[str, Run]:
    """The programs in wasmtime-py, with the collector that it takes by itself."""
    config = wasmtime.Config()
    config.wasm_gc = True
    config.wasm_function_references = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, wasm), []).exports(store)
    runs: dict[str, Run] = {}
    for name in PROGRAMS:
        function = exports[name]
        assert isinstance(function, wasmtime.Func)
        runs[name] = partial(function, store)
    return runs


def node_times(path: str, wasm: bytes, name: str, rounds: int, samples: int) -> tuple[int | float, float]:
    """Checksum and median nanoseconds of a program in node."""
    file = scratch.directory() / "objects.wasm"
    file.write_bytes(wasm)
    command = [path, "-e", NODE_PROGRAM, str(file), name, str(rounds), str(samples)]
    result, times = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return result, median(times)


def interleaved_ns(runs: dict[str, Run], rounds: int, samples: int) -> dict[str, float]:
    """Median nanoseconds of a program by engine; they take turns."""
    times: dict[str, list[int]] = {engine: [] for engine in runs}
    for _ in range(samples):
        for engine, run in runs.items():
            start = time.perf_counter_ns()
            run(rounds)
            times[engine].append(time.perf_counter_ns() - start)
    return {engine: median(values) for engine, values in times.items()}


def figures(*, quick: bool) -> list[Figure]:
    """Each program at the default level and at level 0. Raises ValueError where engines disagree."""
    wasm = bytes(wasmtime.wat2wasm(WAT))
    samples = 2 if quick else 15
    ours: dict[str, Any] = {}
    for level in (2, 0):
        path = scratch.directory() / f"objects-{level}.so"
        wa.pack(wasm, path, opt_level=level)
        ours[f"level {level}"] = wa.load(path).instantiate().exports
    theirs, node = wasmtime_exports(wasm), find_node(NODE_MIN_MAJOR)
    found = []
    for name, (rounds, title) in PROGRAMS.items():
        runs: dict[str, Run] = {level: exports[name] for level, exports in ours.items()} | {"wasmtime": theirs[name]}
        results = {engine: run(rounds) for engine, run in runs.items()}
        times = interleaved_ns(runs, rounds, samples)
        if node is not None:
            results["node"], times["node"] = node_times(node, wasm, name, rounds, samples)
        if len(set(results.values())) > 1:
            raise ValueError(f"{title}: the engines disagree: {results}")
        for rival, goal in (("wasmtime", 0.5), ("node", 1.3)):
            if rival in times:
                found.append(Figure(f"objects: {title}", times["level 2"], times[rival], rival, goal))
        found.append(Figure(f"objects: {title}, level 0", times["level 0"], times["wasmtime"], "wasmtime"))
    return found
