"""The CI check of load timings: flat in the module's size and near the C floor, by ratios within one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import wasmartifact as wa
from bench import synthetic
from bench.load import Subject, measure, pack_subject
from bench.timing import build_floor, is_loaded, is_mapped, prove_unmapped, sample_ns

#: Limits on ratios; a quiet machine shows about 1.0 and 2.0.
MAX_GROWTH = 1.5
MAX_OVER_FLOOR = 3.0
ATTEMPTS = 5

pytestmark = pytest.mark.timing


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_floor(tmp_path_factory.mktemp("floor"))


@pytest.fixture(scope="module")
def subjects() -> list[Subject]:
    return [pack_subject(f"{count} functions", synthetic.exported_functions(count)) for count in (10, 1_000, 100_000)]


def within(limit: float, ratio: Callable[[], float]) -> None:
    """Fail unless one of a few attempts stays within the limit."""
    ratios: list[float] = []
    while len(ratios) < ATTEMPTS:
        ratios.append(ratio())
        if ratios[-1] <= limit:
            return
    pytest.fail(f"ratios {', '.join(f'{value:.2f}' for value in ratios)} in {ATTEMPTS} attempts, limit {limit}")


def load_times(subjects: list[Subject], floor: Path) -> list[Subject]:
    for subject in subjects:
        subject.rounds.clear()
    measure(subjects, floor, rounds=7, samples=40)
    return subjects


def best(subject: Subject, contestant: str) -> float:
    """The median of the calmest round: what else runs on the machine takes turns, and only ever adds time."""
    return min(subject.rounds[contestant])


def test_load_does_not_grow_with_the_module(subjects: list[Subject], floor: Path) -> None:
    def growth() -> float:
        small, *_, large = load_times(subjects, floor)
        return best(large, "load") / best(small, "load")

    within(MAX_GROWTH, growth)


def test_load_stays_near_the_c_floor(subjects: list[Subject], floor: Path) -> None:
    def over_floor() -> float:
        return max(best(subject, "load") / best(subject, "floor") for subject in load_times(subjects, floor))

    within(MAX_OVER_FLOOR, over_floor)


def test_a_loaded_file_gives_no_sample(subjects: list[Subject]) -> None:
    path = subjects[0].artifact
    artifact = wa.load(path)
    assert is_mapped(path)
    assert is_loaded(path)
    with pytest.raises(AssertionError, match="still mapped"):
        sample_ns(path, wa.load, 1)
    del artifact
    prove_unmapped(path)
    assert not is_loaded(path)
