"""A short run of the fuzzer of component signatures; and that it would find a difference."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact.wasmtime as face
from tests.fuzz import signatures

SECONDS = 120  # at most: a number of signatures is given too
SIGNATURES = 160


def test_components_do_the_same_in_wasmtime() -> None:
    totals = signatures.fuzz("often", seconds=SECONDS, signatures=SIGNATURES)
    assert not totals.findings
    counts = totals.counts
    assert counts["signatures"] >= SIGNATURES, "the machine is too slow for this number of signatures"
    assert counts["calls"] > 5 * SIGNATURES
    # Values that can't be given, and bytes that are always a value, or never, test little.
    assert counts["values that wasmtime-py can't be given"] < counts["calls"] / 10
    assert min(counts[f"{what}: {outcome}"] for what in ("changed", "strings") for outcome in ("values", "errors")) > 5


def test_a_seed_gives_the_same_component() -> None:
    assert repr(signatures.generate("same/3")) == repr(signatures.generate("same/3"))  # a NaN equals nothing
    assert repr(signatures.generate("same/3")) != repr(signatures.generate("same/4"))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[::-1] if isinstance(value, str) else value,
        lambda value: not value if isinstance(value, bool) else value,
        lambda value: value + 1 if type(value) is int else value,
        lambda value: -value if isinstance(value, float) else value,
    ],
)
def test_a_wrong_value_is_found(change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host of the face sees other values than the guest gave."""
    host = signatures.Side.host

    def other(self: signatures.Side, number: int, values: tuple[Any, ...]) -> Any:
        return host(self, number, values if self.w is wasmtime else tuple(map(change, values)))

    monkeypatch.setattr(signatures.Side, "host", other)
    findings = signatures.compare(signatures.generate("1"), tmp_path, Counter())
    assert findings
    assert all("wasmtime-py" in finding or finding.startswith(face.__name__) for finding in findings)


def test_bytes_that_are_read_otherwise_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_of = signatures.Side.made_of

    def other(self: signatures.Side, name: str, *arguments: Any) -> str:
        found = made_of(self, name, *arguments)
        return "error" if self.w is face else found

    monkeypatch.setattr(signatures.Side, "made_of", other)
    findings = signatures.compare(signatures.generate("1"), tmp_path, Counter())
    assert any(finding.startswith("s") for finding in findings)
    assert any(finding.startswith("r") for finding in findings)
