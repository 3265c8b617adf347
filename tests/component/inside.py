"""Calls Python as a host function of a guest, where alone the interfaces of WASI 0.2 can wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import wasmartifact as wa


def inside(work: Callable[[], None], tmp_path: Path, store: wa.Store | None = None) -> None:
    """Do the work there. What it raises is raised, but for what ends the guest."""
    problems: list[BaseException] = []

    def host() -> None:
        try:
            work()
        except wa.Trap:
            raise
        except BaseException as problem:
            problems.append(problem)

    wa.pack(b'(module (import "e" "f" (func $f)) (func (export "g") (call $f)))', tmp_path / "m.so", opt_level=0)
    wa.load(tmp_path / "m.so").instantiate({"e": {"f": host}}, store=store).exports.g()
    for problem in problems:
        raise problem
