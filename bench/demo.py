"""The demonstration: QuickJS packed, loaded and asked to run JavaScript, beside wasmtime-py on the same module.

Run ``make demo`` or ``python -m bench.demo``. Exits with 1 where a result is wrong.
"""

from __future__ import annotations

import functools
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import wasmartifact as wa
from bench.quickjs import WASI_MODULE, Engine, QuickJs, module_path
from bench.timing import comparison, duration, sample_ns, table

SCRIPT = r"""
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
const text = '{"name":"caf\u00e9","sizes":[1,2.5,-3e-7],"nested":{"ok":true,"none":null}}';
console.log(fib(24));
console.log(JSON.stringify(JSON.parse(text)) === text.replace('\\u00e9', '\u00e9'), JSON.parse(text).sizes[1] * 2);
console.log('from 2026-06-17 to 2027-01-02'.replace(/(\d{4})-(\d\d)-(\d\d)/g, '$3.$2.$1'));
"""
EXPECTED = "46368\ntrue 5\nfrom 17.06.2026 to 02.01.2027\n"

SAMPLES = 30
CALLS = 2_000


@dataclass
class Results:
    """What one engine showed: times in nanoseconds by step, and what the script printed."""

    times: dict[str, float] = field(default_factory=dict)
    output: str = ""


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Nanoseconds of one call, and its result."""
    start = time.perf_counter_ns()
    result = action()
    return time.perf_counter_ns() - start, result


def median_ns(action: Callable[[], Any], samples: int = SAMPLES) -> float:
    """Median of nanoseconds; what the action returns is released outside the measured time."""
    durations = []
    for _ in range(samples):
        elapsed, result = timed(action)
        durations.append(elapsed)
        del result
        gc.collect()
    return median(durations)


def call_ns(function: Callable[[], Any]) -> float:
    """Nanoseconds of one call out of many."""

    def loop() -> None:
        for _ in range(CALLS):
            function()

    return median_ns(loop, 5) / CALLS


def exercise(results: Results, instantiate: Callable[[QuickJs], Engine]) -> None:
    """Instantiate, call and run the script; the same for both engines."""
    results.times["instantiate, host functions included"] = median_ns(lambda: instantiate(QuickJs()))
    guest = QuickJs()
    engine = instantiate(guest)
    guest.attach(engine)
    results.times["call a function without arguments"] = call_ns(engine.function("qjs_get_context"))
    results.output = guest.evaluate(SCRIPT)
    results.times["run the script"] = median_ns(lambda: guest.evaluate(SCRIPT), 5)


def run_wasmartifact(wasm: Path, directory: Path) -> Results:
    """Pack into the directory, load, and exercise."""
    results = Results()
    path = directory / "quickjs.so"
    results.times["pack / compile"], _ = timed(lambda: wa.pack(wasm, path, incremental=False))
    results.times["load / deserialize_file"] = median(sample_ns(path, wa.load, SAMPLES))
    artifact = wa.load(path)

    def instantiate(guest: QuickJs) -> Engine:
        exports = artifact.instantiate({WASI_MODULE: guest.imports()}).exports
        memory = exports["memory"]

        def write(offset: int, data: bytes) -> None:
            memoryview(memory)[offset : offset + len(data)] = data

        return Engine(exports.__getitem__, lambda offset, size: memory[offset : offset + size], write)

    exercise(results, instantiate)
    return results


def run_wasmtime(wasm: Path, directory: Path) -> Results:
    """The same steps with wasmtime-py."""
    import wasmtime

    results = Results()
    engine = wasmtime.Engine()
    results.times["pack / compile"], module = timed(lambda: wasmtime.Module.from_file(engine, str(wasm)))
    path = directory / "quickjs.cwasm"
    path.write_bytes(module.serialize())
    results.times["load / deserialize_file"] = median(
        sample_ns(path, lambda file: wasmtime.Module.deserialize_file(engine, str(file)), SAMPLES)
    )

    def instantiate(guest: QuickJs) -> Engine:
        store = wasmtime.Store(engine)
        hosts = guest.imports()
        externs = [wasmtime.Func(store, entry.type, hosts[entry.name]) for entry in module.imports]
        exports: Any = wasmtime.Instance(store, module, externs).exports(store)
        memory = exports["memory"]

        def write(offset: int, data: bytes) -> None:
            memory.write(store, data, offset)

        return Engine(
            lambda name: functools.partial(exports[name], store),
            lambda offset, size: bytes(memory.read(store, offset, offset + size)),
            write,
        )

    exercise(results, instantiate)
    return results


def main() -> int:
    """Run both engines, print results and the table. Returns 1 where a result is wrong."""
    wasm = module_path()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        print(f"QuickJS, {wasm.stat().st_size:,} bytes of WebAssembly: packing ...", flush=True)
        ours = run_wasmartifact(wasm, directory)
        theirs = run_wasmtime(wasm, directory)
    print(f"\nfib(24), a JSON round trip and a regular expression, run by QuickJS in wasmartifact:\n{ours.output}")
    rows = [
        (step, duration(ours.times[step]), duration(other), comparison(other / ours.times[step]))
        for step, other in theirs.times.items()
    ]
    print(table(("", "wasmartifact", "wasmtime-py", "wasmartifact is"), rows))
    for name, output in (("wasmartifact", ours.output), ("wasmtime-py", theirs.output)):
        if output != EXPECTED:
            print(f"\nWRONG: {name} printed {output!r}, expected {EXPECTED!r}", file=sys.stderr)
            return 1
    print("\nThe results are right: both engines printed what was expected.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
