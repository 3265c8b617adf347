"""Litmus tests in few rounds; ``python -m tests.litmus`` runs them in millions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.litmus import BATCH, TESTS, run

ROUNDS = 80 * BATCH


@pytest.mark.parametrize("opt_level", [0, 2])
@pytest.mark.parametrize("name", TESTS)
def test_nothing_forbidden_is_seen(name: str, opt_level: int, tmp_path: Path) -> None:
    counts = run(TESTS[name], tmp_path, rounds=ROUNDS, opt_level=opt_level)
    assert sum(counts.values()) == ROUNDS
    assert {outcome: counts[outcome] for outcome in TESTS[name].forbidden} == dict.fromkeys(TESTS[name].forbidden, 0)
