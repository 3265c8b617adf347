"""Whole processes from start to exit: what a cold start costs over Python's own, and what an import adds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

from bench import scratch, synthetic
from bench.figures import Figure
from bench.load import TINY_FUNCTIONS, curve_name

PASS: Final = "pass"
OURS: Final = "import sys, wasmartifact as wa; wa.load(sys.argv[1]).instantiate().exports['f0']()"
THEIRS: Final = (
    "import sys, wasmtime; engine = wasmtime.Engine(); store = wasmtime.Store(engine); "
    "module = wasmtime.Module.deserialize_file(engine, sys.argv[2]); "
    "wasmtime.Instance(store, module, []).exports(store)['f0'](store)"
)
PROGRAMS: Final = {"pass": PASS, "wasmartifact": OURS, "wasmtime-py": THEIRS}
#: Prints the nanoseconds that the statement between the braces took.
TIMED: Final = "import sys, time; start = time.perf_counter_ns(); {}; print(time.perf_counter_ns() - start)"
#: The second of each pair counts what the first one puts off.
IMPORTS: Final = {
    "import wasmartifact": "import wasmartifact",
    "import wasmtime": "import wasmtime",
    "wasmartifact, first load": "import wasmartifact; wasmartifact.load(sys.argv[1])",
    "wasmtime, first load": "import wasmtime; wasmtime.Module.deserialize_file(wasmtime.Engine(), sys.argv[2])",
}


def process_ns(program: str, *arguments: str) -> int:
    """Nanoseconds from before the start of a Python program to after its end. Raises RuntimeError where it fails."""
    environment = scratch.child_environment()
    start = time.perf_counter_ns()
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program, *arguments], environment)
    _, status = os.waitpid(pid, 0)
    duration = time.perf_counter_ns() - start
    if status != 0:
        raise RuntimeError(f"exit status {os.waitstatus_to_exitcode(status)}: {program}")
    return duration


def printed_ns(statement: str, *arguments: str) -> int:
    """Nanoseconds of a statement at the start of a process of its own. Raises CalledProcessError where it fails."""
    command = [sys.executable, "-c", TIMED.format(statement), *arguments]
    return int(subprocess.run(command, env=scratch.child_environment(), capture_output=True, check=True).stdout)


def measure(
    measure_one: Callable[..., int], programs: Mapping[str, str], arguments: tuple[str, ...], samples: int
) -> dict[str, float]:
    """Median nanoseconds of each program, by name; they take turns."""
    durations: dict[str, list[int]] = {name: [] for name in programs}
    for program in programs.values():
        measure_one(program, *arguments)
    for _ in range(samples):
        for name, program in programs.items():
            durations[name].append(measure_one(program, *arguments))
    return {name: median(values) for name, values in durations.items()}


def figures(*, quick: bool) -> list[Figure]:
    """A module of a few functions is enough: bench.load shows that its size does not matter."""
    name, wasm = curve_name(TINY_FUNCTIONS), synthetic.exported_functions(TINY_FUNCTIONS)
    files = (str(scratch.packed(name, wasm)), str(scratch.serialized(name, wasm)))
    samples = 3 if quick else 61
    times = measure(process_ns, PROGRAMS, files, samples)
    imports = measure(printed_ns, IMPORTS, files, samples)
    return [
        Figure("cold process", times["wasmartifact"], times["pass"], "python -c pass", 1.6, 1.2),
        Figure("cold process", times["wasmartifact"], times["wasmtime-py"], "wasmtime-py"),
        Figure("import", imports["import wasmartifact"], imports["import wasmtime"], "wasmtime-py"),
        Figure(
            "import and first load", imports["wasmartifact, first load"], imports["wasmtime, first load"], "wasmtime-py"
        ),
    ]
