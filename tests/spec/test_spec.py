"""A selection of the spec suite inside the ordinary tests; ``make spec`` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.run import run_scripts, suite_directory
from tests.spec.script import FAILED, PASSED

#: Small scripts that between them touch every assertion type and every kind of import and export.
SELECTION = (
    "fac",
    "int_exprs",
    "labels",
    "call_indirect",
    "float_literals",
    "linking",
    "memory_trap",
    "traps",
    "start",
    "data",
    "names",
)


@pytest.fixture(scope="module")
def suite() -> Path:
    try:
        return suite_directory()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("opt_level", [0, 2])
def test_selection(suite: Path, opt_level: int) -> None:
    scripts = [suite / f"{name}.wast" for name in SELECTION]
    failures, passed = [], 0
    for result in run_scripts(scripts, suite, opt_level=opt_level, cpu="baseline"):
        passed += result.counted()[PASSED]
        failures += [
            f"{result.name}:{entry.line}: {entry.detail}" for entry in result.outcomes if entry.result == FAILED
        ]
    assert not failures, "\n".join(failures)
    assert passed > 0


def test_the_suite_is_whole(suite: Path) -> None:
    assert len(list(suite.glob("*.wast"))) == 257
