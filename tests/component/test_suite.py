"""The component model's own test suite, but for what is asynchronous."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.component.run import FOLDERS, counted, run_scripts, suite_directory
from tests.spec.script import FAILED, PASSED

#: Modules that the installed wasm-tools refuses, which has other rules than the suite, and a list of 268 million items.
REFUSED = {("binary/binary", 974), ("validation/kebab", 4)}


@pytest.fixture(scope="module")
def suite() -> Path:
    try:
        return suite_directory()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_all_scripts(suite: Path) -> None:
    scripts = [path for folder in FOLDERS for path in sorted((suite / folder).glob("*.wast"))]
    failures, totals = [], Counter[str]()
    for name, outcomes in run_scripts(scripts, suite):
        totals += counted(outcomes)
        failures += [
            f"{name}:{outcome.line}: {outcome.detail}"
            for outcome in outcomes
            if outcome.result == FAILED and (name, outcome.line) not in REFUSED
        ]
    assert not failures, "\n".join(failures)
    assert totals[PASSED] >= 769
