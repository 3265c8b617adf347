"""Snapshots: from an artifact on disk to an interpreter's first answer, with a snapshot and without, in the same run.

The interpreters are those of tests/programs/interpreters.py, which says what each has done when it is ready. CPython
takes minutes to pack, so that ``--quick`` leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure, figure_table
from bench.timing import actions_ns
from tests.programs.interpreters import INTERPRETERS, ready, resumed
from tests.programs.packages import module_path, share_path
from tests.programs.scenario import read_scenarios

GOAL, STRETCH = 0.1, 0.02
LARGE: Final = ("cpython",)


def starts(name: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """From a load to the first answer: of a snapshot, and of the artifact that it is of."""
    kind, source, question, answer = INTERPRETERS[name]
    modules, _ = read_scenarios()
    share = share_path(modules[kind.module])
    plain = scratch.packed(name, module_path(modules[kind.module]).read_bytes())
    made = ready(kind, wa.load(plain), source, share)
    saved = Path(f"{plain}.snapshot.so")
    assert made.instance is not None
    wa.snapshot(made.instance, saved)
    state = made.state

    def with_snapshot() -> None:
        assert resumed(kind, wa.load(saved), state, share).evaluate(question) == answer

    def without() -> None:
        assert ready(kind, wa.load(plain), source, share).evaluate(question) == answer

    return with_snapshot, without


def figures(*, quick: bool) -> list[Figure]:
    """A row for each interpreter."""
    rows = []
    for name in INTERPRETERS:
        if name in LARGE and quick:
            continue
        ours, theirs = starts(name)
        times = actions_ns({"ours": ours, "theirs": theirs}, 3 if quick else 15)
        rows.append(
            Figure(f"start to first answer, {name}", times["ours"], times["theirs"], "without snapshot", GOAL, STRETCH)
        )
    return rows


if __name__ == "__main__":
    print(figure_table(figures(quick=False)))
