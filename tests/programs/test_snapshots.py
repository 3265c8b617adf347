"""Interpreters of registries go on from a snapshot as if they had never stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

import wasmartifact as wa
from tests.programs.interpreters import INTERPRETERS, ready, resumed
from tests.programs.packages import module_path, share_path
from tests.programs.scenario import read_scenarios
from tests.programs.support import artifacts_folder, available

MODULES = read_scenarios()[0]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.large] if name == "cpython" else []) for name in INTERPRETERS]
)
def test_an_interpreter(name: str, tmp_path: Path) -> None:
    kind, source, question, answer = INTERPRETERS[name]
    package = MODULES[kind.module]
    share = available(share_path, package)
    artifact = wa.compile(available(module_path, package), opt_level=0, cache_dir=artifacts_folder(), tier_up=False)
    made = ready(kind, artifact, source, share)
    wa.snapshot(made.instance, tmp_path / "ready.so")  # type: ignore[arg-type]
    assert made.evaluate(question) == answer
    saved = wa.load(tmp_path / "ready.so")
    for _ in range(2):  # each starts where the snapshot was taken
        back = resumed(kind, saved, made.state, share)
        assert back.evaluate(question) == answer
        back.evaluate(source.replace("20000", "200"))
        assert back.evaluate(question) == answer
