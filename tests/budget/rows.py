"""The work whose instructions ``tests.budget`` counts: one row of the budget after another, in a process of its own.

``python -m tests.budget.rows DIRECTORY`` does N and then 2N repetitions of each row and calls ``os.getppid`` before,
between and after them. Callgrind writes its counts there, since nothing else calls it. What start-up, preparation and
the interpreter's warming up cost is in neither difference.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import wasmartifact as wa

ROOT = Path(__file__).resolve().parents[2]
MANY_EXPORTS = "many"
EXPORTS = 100_000

#: The other modules; none has what only another's rows shall pay for.
WAT = {
    "small": '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))',
    "memory": """(module
  (memory (export "memory") 1)
  (data (i32.const 0) "0123456789abcdef")
  (func (export "trap") (drop (i32.load (i32.const -1)))))""",
    "calls": """(module
  (import "host" "nothing" (func $nothing))
  (import "host" "add" (func $add (param i32 i32) (result i32)))
  (func (export "nothing"))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "mixed") (param i32 i64 f32 f64 i32 i64 f32 f64) (result f64)
    (f64.add (local.get 3) (f64.convert_i32_s (local.get 4))))
  (func (export "call_nothing") (param $count i32)
    (loop $again
      (call $nothing)
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))
  (func (export "call_add") (param $count i32)
    (loop $again
      (drop (call $add (i32.const 1) (i32.const 2)))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))""",
    "component": (ROOT / "bench" / "components.wat").read_text(encoding="utf-8"),
}

#: Does a number of repetitions.
Work = Callable[[int], object]


@dataclass(frozen=True)
class Row:
    """Work to count: ``prepare`` gets the directory of the artifacts; N is ``repetitions``."""

    repetitions: int
    prepare: Callable[[Path], Work]


def artifact_path(directory: Path, module: str) -> Path:
    """Where the artifact of a module lies."""
    return directory / f"{module}.so"


def _repeated(call: Callable[..., object], *arguments: object) -> Work:
    def work(count: int) -> None:
        for _ in repeat(None, count):
            call(*arguments)

    return work


def _load(module: str) -> Callable[[Path], Work]:
    return lambda directory: _repeated(wa.load, str(artifact_path(directory, module)))


def _first_look_up(directory: Path) -> Work:
    artifact = wa.load(artifact_path(directory, MANY_EXPORTS))
    fresh = iter([artifact.instantiate().exports for _ in range(4 * ROWS["first export look-up"].repetitions)])
    name = f"f{EXPORTS * 2 // 3}"
    return _repeated(lambda: next(fresh)[name])


def _add(first: int, second: int) -> int:
    return first + second


def _add_for(_: wa.Instance, first: int, second: int) -> int:
    return first + second


def _host(add: object = _add) -> dict[str, dict[str, Any]]:
    return {"host": {"nothing": lambda: None, "add": add}}


def _instantiate(module: str, *imports: object) -> Callable[[Path], Work]:
    return lambda directory: _repeated(wa.load(artifact_path(directory, module)).instantiate, *imports)


def _call(name: str, *arguments: float) -> Callable[[Path], Work]:
    def prepare(directory: Path) -> Work:
        exports = wa.load(artifact_path(directory, "calls")).instantiate(_host()).exports
        return _repeated(exports[name], *arguments)

    return prepare


def _instance_of_component(directory: Path) -> Any:
    component = wa.load(artifact_path(directory, "component"))
    assert isinstance(component, wa.Component)
    return component.instantiate()


def _call_component(name: str, *arguments: object) -> Callable[[Path], Work]:
    return lambda directory: _repeated(getattr(_instance_of_component(directory), name), *arguments)


def _call_with_record(directory: Path) -> Work:
    instance = _instance_of_component(directory)
    return _repeated(instance.same, instance.Four(7, 1 << 40, 2.5, True))


def _call_method(directory: Path) -> Work:
    counter = _instance_of_component(directory).Counter(5)

    def work(count: int) -> None:
        for _ in repeat(None, count):
            counter.value()

    return work


def _call_back(name: str, add: object = _add) -> Callable[[Path], Work]:
    """The guest calls the host as often as asked: only the calls back count."""

    def prepare(directory: Path) -> Work:
        instance = wa.load(artifact_path(directory, "calls")).instantiate(_host(add))
        call_back = instance.exports[name]

        def work(count: int, _: object = instance) -> None:
            # The instance stays: for a caller that is gone, each call back would make a new Python object.
            call_back(count)

        return work

    return prepare


def _trap(directory: Path) -> Work:
    trap = wa.load(artifact_path(directory, "memory")).instantiate().exports["trap"]

    def work(count: int) -> None:
        for _ in repeat(None, count):
            with contextlib.suppress(wa.Trap):
                trap()

    return work


def _memory_slice(directory: Path) -> Work:
    memory = wa.load(artifact_path(directory, "memory")).instantiate().exports["memory"]

    def work(count: int) -> None:
        for _ in repeat(None, count):
            memory[0:16]

    return work


ROWS = {
    "load": Row(10, _load("small")),
    "load, 100,000 exports": Row(3, _load(MANY_EXPORTS)),
    "load a component": Row(10, _load("component")),
    "first export look-up": Row(20, _first_look_up),
    "instantiate": Row(20, _instantiate("small")),
    "instantiate, two host functions": Row(20, _instantiate("calls", _host())),
    "instantiate, a memory": Row(10, _instantiate("memory")),
    "call () -> ()": Row(1000, _call("nothing")),
    "call (i32, i32) -> i32": Row(1000, _call("add", 1, 2)),
    "call, eight mixed arguments": Row(1000, _call("mixed", 1, 2, 3.0, 4.0, 5, 6, 7.0, 8.0)),
    "call back () -> ()": Row(1000, _call_back("call_nothing")),
    "call back (i32, i32) -> i32": Row(1000, _call_back("call_add")),
    "call back, caller=True": Row(
        1000, _call_back("call_add", wa.Func(_add_for, ["i32", "i32"], ["i32"], caller=True))
    ),
    "component call, (u32) -> u32": Row(1000, _call_component("add", 7)),
    "component call, string of 100 B": Row(1000, _call_component("text", "wasm" * 25)),
    "component call, record of four": Row(1000, _call_with_record),
    "component call, resource method": Row(1000, _call_method),
    "memory slice of 16 bytes": Row(1000, _memory_slice),
    "trap": Row(20, _trap),
}


def main() -> None:
    """Every row, with a mark before N, before 2N and after 2N repetitions."""
    directory = Path(sys.argv[1])
    gc.disable()
    for row in ROWS.values():
        work = row.prepare(directory)
        work(row.repetitions)  # warms the interpreter up
        os.getppid()
        work(row.repetitions)
        os.getppid()
        work(2 * row.repetitions)
        os.getppid()
        del work
        gc.collect()


if __name__ == "__main__":
    main()
