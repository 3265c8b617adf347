"""The Python sandbox of hyperlight, a component of 28 MB: packing it, instances of it, and what a snapshot saves.

An instance has a store and a WASI program of its own, on both sides. Packing at level 0 is to take 0.3 of wasmtime's
CPU time, an instance 1/20 of its time, the first answer of a snapshot 0.1 of what it takes without one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import wasmtime
import wasmtime.component

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.pack import PACK, cpu_ns
from bench.timing import actions_ns
from tests.programs.packages import module_path
from tests.programs.sandboxes import JAVASCRIPT_SANDBOX, PYTHON_SANDBOX, run, sandbox
from tests.programs.scenario import ModuleSource

COMPILE: Final = (
    "import sys, wasmtime.component; from pathlib import Path; "
    "made = wasmtime.component.Component.from_file(wasmtime.Engine(), sys.argv[1]); "
    "Path(sys.argv[2]).write_bytes(made.serialize())"
)
PACK_GOAL, PACK_STRETCH = 0.3, 0.1
INSTANCE_GOAL: Final = 1 / 20
START_GOAL, START_STRETCH = 0.1, 0.02
#: Each sandbox, what makes it ready, a question, and the answer.
STARTS: Final[dict[str, tuple[ModuleSource, str, str, str]]] = {
    "Python sandbox": (
        PYTHON_SANDBOX,
        "import json, re, math, collections\nsquares = [i * i for i in range(20000)]",
        "print(squares[123], json.dumps({1: [2]}), re.match('a(b+)', 'abbb').group(1))",
        '15129 {"1": [2]} bbb\n',
    ),
    "JavaScript sandbox": (
        JAVASCRIPT_SANDBOX,
        "globalThis.squares = Array.from({length: 20000}, (_, i) => i * i); JSON.stringify(squares)",
        "console.log(squares[123] + /a(b+)/.exec('xabbb')[1])",
        "15129bbb\n",
    ),
}


def pack_figure(
    name: str, wasm: Path, compiled: Path, samples: int, goal: float = PACK_GOAL, stretch: float | None = PACK_STRETCH
) -> Figure:
    """CPU time of all processes, with the start of Python; leaves wasmtime's result there."""
    output = scratch.directory() / "component.so"
    ours, theirs = [], []
    for _ in range(samples):
        theirs.append(cpu_ns(COMPILE, str(wasm), str(compiled)))
        ours.append(cpu_ns(PACK, str(wasm), str(output), "0"))
    what = f"pack, level 0, {name}, CPU time"
    return Figure(what, min(ours), min(theirs), "wasmtime-py", goal, stretch)


def their_instances(compiled: Path) -> Callable[[], Any]:
    """What makes one with a store of its own."""
    engine = wasmtime.Engine()
    component = wasmtime.component.Component.deserialize_file(engine, str(compiled))
    linker = wasmtime.component.Linker(engine)
    linker.add_wasip2()
    linker.add_wasi_http()
    linker.allow_shadowing = True
    with linker.root() as root, root.add_instance("hyperlight:sandbox/tools") as tools:
        tools.add_func("dispatch", lambda _store, name, arguments: arguments)

    def make() -> Any:
        store = wasmtime.Store(engine)
        store.set_wasi(wasmtime.WasiConfig())
        return store, linker.instantiate(store, component)

    return make


def starts(name: str) -> tuple[Path, Path, Callable[[], None], Callable[[], None]]:
    """Artifact and snapshot; from a load to the first answer with the snapshot, and without."""
    source, before, question, answer = STARTS[name]
    plain = scratch.packed(name.replace(" ", "-"), module_path(source).read_bytes())
    made = sandbox(wa.load(plain))
    assert run(made, before)[2] == 0
    saved = Path(f"{plain}.snapshot.so")
    wa.snapshot(made, saved)

    def with_snapshot() -> None:
        assert run(sandbox(wa.load(saved)), question)[0] == answer

    def without() -> None:
        fresh = sandbox(wa.load(plain))
        run(fresh, before)
        assert run(fresh, question)[0] == answer

    return plain, saved, with_snapshot, without


def instance_figures(plain: Path, saved: Path, compiled: Path) -> list[Figure]:
    """An instance of the Python sandbox, and one of a snapshot."""
    ours, resumed = wa.load(plain), wa.load(saved)
    times = actions_ns(
        {"ours": lambda: sandbox(ours), "snapshot": lambda: sandbox(resumed), "theirs": their_instances(compiled)}, 101
    )
    return [
        Figure(f"instantiate, {what}", times[key], times["theirs"], "wasmtime-py", INSTANCE_GOAL)
        for key, what in (("ours", "Python sandbox"), ("snapshot", "snapshot of the Python sandbox"))
    ]


def start_figure(name: str, with_snapshot: Callable[[], None], without: Callable[[], None]) -> Figure:
    """From a load to the first answer."""
    times = actions_ns({"ours": with_snapshot, "theirs": without}, 15)
    what = f"start to first answer, {name}"
    return Figure(what, times["ours"], times["theirs"], "without snapshot", START_GOAL, START_STRETCH)


def figures() -> list[Figure]:
    """All of them."""
    compiled = scratch.directory() / "python-sandbox.cwasm"
    found = [pack_figure("Python sandbox", module_path(PYTHON_SANDBOX), compiled, 1)]
    for name in STARTS:
        plain, saved, *actions = starts(name)
        if name == "Python sandbox":
            found += instance_figures(plain, saved, compiled)
        found.append(start_figure(name, *actions))
    return found
