"""The instruction budget: counts within it, and what reads and compares them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest

from tests.budget import count as budget
from tests.budget.count import Budget, Counts

CALL = Counts(ours=1000, all=2000, system_calls=4)
KEPT = Budget("this build", {"call": CALL, "load": CALL})

#: Two objects; the call of the first into the second stands there with what the second costs.
DUMP = """# callgrind format
events: Ir sysCount sysTime
summary: 1234 5

ob=/runtime.so
fl=call.c
fn=call
10 7
11 100
cob=/libc.so
cfn=read
calls=3 20
12 500 5 1
13 20
ob=/libc.so
fl=read.c
fn=read
20 500 5 1
ob=???
fn=0x1000
0 3
"""


def test_sums_of_a_dump() -> None:
    assert budget.read_dump(DUMP.splitlines(), ours=frozenset(["/runtime.so", "???"])) == Counts(
        ours=130, all=630, system_calls=5
    )


def test_start_up_drops_out() -> None:
    once = Counts(500 + 10 * 30, 900 + 10 * 50, 7 + 10 * 2)
    twice = Counts(500 + 20 * 30, 900 + 20 * 50, 7 + 20 * 2)
    assert budget.per_repetition(once, twice, 10) == Counts(30, 50, 2)


@pytest.mark.parametrize(
    "worse",
    [{"ours": 1031}, {"all": 2101}, {"system_calls": 5}],
    ids=lambda worse: next(iter(worse)),
)
def test_each_figure_is_compared(worse: dict[str, int]) -> None:
    over, below = budget.compare({"call": replace(CALL, **worse), "load": CALL}, KEPT, "this build")
    assert [line.split(":")[0] for line in over] == ["call"]
    assert str(next(iter(worse.values()))) in over[0].replace(",", "")
    assert below == []


def test_the_room_of_another_build() -> None:
    """Another compiler makes other code: only what no compiler explains counts."""
    other = {"call": Counts(1240, 4000, 5), "load": CALL}
    assert budget.compare(other, KEPT, "another build") == ([], [])
    assert len(budget.compare(other, KEPT, "this build")[0]) == 3
    over, _ = budget.compare({**other, "call": Counts(1260, 4000, 5)}, KEPT, "another build")
    assert over == ["call: ours 1,260, budget 1,000"]


def test_a_budget_that_became_too_large_is_named() -> None:
    assert budget.compare({"call": replace(CALL, ours=940), "load": CALL}, KEPT, "this build") == (
        [],
        ["call: ours 940, budget 1,000"],
    )


def test_a_row_without_budget_is_no_pass() -> None:
    over, _ = budget.compare({"call": CALL, "trap": CALL}, KEPT, "this build")
    assert over == ["rows differ from those of the budget: load, trap"]


@pytest.mark.budget
def test_counts_are_within_the_budget(capsys: pytest.CaptureFixture[str]) -> None:
    if reason := budget.why_unusable():
        pytest.skip(reason)
    kept = budget.read_budget()
    if kept is None:
        pytest.skip(f"no budget for CPython {budget.python_version()}; python -m tests.budget --update writes one")
    counts = budget.count()
    over, below = budget.compare(counts, kept, budget.build_name())
    with capsys.disabled():
        print(f"\n{budget.report(counts, kept)}")
    for words in below:
        warnings.warn(f"well below its budget, lower it with python -m tests.budget --update: {words}", stacklevel=1)
    if over:
        pytest.fail(
            "\n".join(("over budget; make it cheaper, or tell why and run python -m tests.budget --update:", *over))
        )
