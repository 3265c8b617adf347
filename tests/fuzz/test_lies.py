"""The fuzzer of lying metadata itself: what it changes, and that it would notice."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.fuzz.abuse import GROWTH_BYTES, Courtroom
from tests.fuzz.child import ChildDied
from tests.fuzz.damaged import Finding
from tests.fuzz.forge import Step
from tests.fuzz.lies import Lies, Prosecutor, _is_known, _kind, fuzz
from wasmartifact import schema

SECONDS = 120  # at most: a number of changes is given too
CHANGES = 600


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lies")


@pytest.fixture(scope="module")
def lies(directory: Path) -> Lies:
    return Lies("self", directory)


def test_the_truth_is_no_offence(lies: Lies, tmp_path: Path) -> None:
    courtroom = Courtroom(lies.artifacts, tmp_path)
    for artifact in lies.artifacts.values():
        assert artifact.apply(()) == artifact.data
        assert courtroom.try_lie(artifact, artifact.data, random.Random(0)) == "used"


def test_lies_hurt_nobody() -> None:
    totals = fuzz("ordinary", changes=CHANGES, seconds=SECONDS, jobs=2)
    assert not totals.offences
    assert totals.changes == CHANGES, "the machine is too slow for this number of changes"
    # Lies that are always refused, or never noticed, test little.
    assert totals.outcomes["used"] > CHANGES / 10
    assert totals.outcomes["load: CorruptArtifact"] > CHANGES / 10


def test_a_seed_gives_the_same_lies(lies: Lies, directory: Path) -> None:
    again = Lies("self", directory)
    for index in range(20):
        assert lies.make(index)[1] == again.make(index)[1]
    assert [lies.make(index)[1] for index in range(20)] != [Lies("other", directory).make(i)[1] for i in range(20)]


def test_lies_change_metadata_alone_and_all_kinds_of_it(lies: Lies) -> None:
    changed = {name: bytearray(len(artifact.data)) for name, artifact in lies.artifacts.items()}
    for index in range(3000):
        artifact, steps = lies.make(index)
        for step in steps:
            for offset, data in step.patches:
                changed[artifact.name][offset : offset + len(data)] = b"\1" * len(data)
    for name, artifact in lies.artifacts.items():
        assert not any(changed[name][: artifact.loaded_end])
        start = artifact.section.start
        directory_end = artifact.numbers["directory_offset"] + schema.DIRECTORY_ENTRY.size_bytes * len(artifact.entries)
        places = [(0, schema.METADATA_HEADER.size_bytes), (artifact.numbers["directory_offset"], directory_end)]
        assert all(any(changed[name][start + first : start + end]) for first, end in places)
        untouched = [column for column in artifact.filled() if not changed[name][artifact.place(column, 0)]]
        assert len(untouched) < len(artifact.filled()) / 3, untouched


def _write_to_a_buffer(exporter: wa.Instance) -> None:
    buffers = (one for made in gc.get_objects() if isinstance(made, list) for one in made if isinstance(one, bytearray))
    next(buffer for buffer in buffers if buffer == bytes([0x5A]) * 1000)[999] = 0


def _write_to_a_witness(exporter: wa.Instance) -> None:
    exporter.exports.memory[0] = 9


def _grow(exporter: wa.Instance) -> None:
    assert len(bytearray(b"x") * (GROWTH_BYTES + (1 << 26)))


@pytest.mark.parametrize(
    ("offence", "words"),
    [(_write_to_a_buffer, "host buffer"), (_write_to_a_witness, "exporter holds something else"), (_grow, "grew by")],
)
def test_what_a_lie_does_to_others_is_found(
    offence: Callable[[wa.Instance], None], words: str, lies: Lies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the peak of tests before would hide what this one takes
    courtroom = Courtroom(lies.artifacts, tmp_path)
    monkeypatch.setattr(courtroom, "_abuse", lambda name, data, exporter, rng: offence(exporter))
    artifact = lies.artifacts["calls"]
    with pytest.raises(Finding, match=words):
        courtroom.try_lie(artifact, artifact.data, random.Random(0))


def test_a_death_is_found_with_the_steps_that_it_takes(
    lies: Lies, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies of step 1 of change 2, whatever else is changed."""
    prosecutor = Prosecutor(lies, directory)

    def ask(request: dict[str, object]) -> dict[str, object]:
        steps = request["steps"]
        if request["index"] == 2 and (steps is None or 1 in steps):  # type: ignore[operator]
            raise ChildDied("signal SIGSEGV")
        return {"outcome": "used", "problem": ""}

    monkeypatch.setattr("tests.fuzz.child.Child.ask", lambda self, request: ask(request))
    step = Step("row table_min 0 at 0 1 -> 2", ())
    monkeypatch.setattr(lies, "make", lambda index: (lies.artifacts["calls"], [step] * 4))
    assert prosecutor.ask(1) == ("used", "")
    offence = prosecutor.narrow(2, prosecutor.ask(2)[1], [1])
    assert offence.steps == (1,)
    assert "SIGSEGV" in offence.problem
    prosecutor.close()


def test_like_findings_are_one_kind(lies: Lies) -> None:
    artifact = lies.artifacts["calls"]
    one, other = Step("row table_min 3 at 0 1 -> 2", ()), Step("row table_min 0 at 0 7 -> 1", ())
    assert _kind(artifact, [one]) == _kind(artifact, [other]) == "calls; row table_min at ->"
    assert _is_known({"calls; row table_min at ->": 1}, artifact, [other, Step("swap x", ())])
    assert not _is_known({"tables; row table_min at ->": 1}, artifact, [other])
