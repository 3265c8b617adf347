"""The runner itself: it sees wrong results, wrong traps, missing modules and surprise passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.spec import run as runner
from tests.spec.convert import convert
from tests.spec.run import ScriptResult, apply_expected
from tests.spec.script import EXPECTED, FAILED, PASSED, Outcome, Packer, run_script
from tests.spec.values import HostRef, matches

SCRIPT = """
(module (func (export "one") (result i32) (i32.const 1)) (func (export "trap") unreachable))
(assert_return (invoke "one") (i32.const 1))
(assert_return (invoke "one") (i32.const 2))
(assert_trap (invoke "trap") "unreachable")
(assert_trap (invoke "trap") "integer overflow")
(assert_trap (invoke "one") "unreachable")
(assert_invalid (module (func (result i32) (i32.const 1))) "type mismatch")
(assert_malformed (module quote "(func") "unexpected token")
(module (func unreachable) (start 0) (func (export "one") (result i32) (i32.const 1)))
(assert_trap (invoke "one") "unreachable")
(module $later (memory 1) (func (export "v") (result i32) (memory.discard (i32.const 0) (i32.const 0)) (i32.const 0)))
(assert_return (invoke "v") (i32.const 0))
(register "later" $later)
(module (import "later" "v" (func (result i32))))
"""
RESULTS = [
    (2, PASSED),
    (3, PASSED),
    (4, FAILED),
    (5, PASSED),
    (6, FAILED),
    (7, FAILED),
    (8, FAILED),
    (9, PASSED),
    (10, FAILED),
    (11, FAILED),
    (12, FAILED),
    (13, FAILED),
    (14, FAILED),
    (15, FAILED),
]


def test_every_kind_of_failure_is_seen(tmp_path: Path) -> None:
    (tmp_path / "script.wast").write_text(SCRIPT)
    converted = convert([tmp_path / "script.wast"], tmp_path, tmp_path / "converted")
    outcomes = run_script(converted["script"], Packer(tmp_path))
    assert [(outcome.line, outcome.result) for outcome in outcomes] == RESULTS
    assert "memory-control" in outcomes[10].detail
    counted = ScriptResult("script", outcomes).counted()
    assert (counted[PASSED], counted[FAILED], counted[EXPECTED]) == (3, 10, 0)


def test_a_surprise_pass_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "COMMANDS", {"script": {1: "gc", 2: "gc"}})
    outcomes = [Outcome(line, "assert_return", result) for line, result in ((1, FAILED), (2, PASSED), (3, FAILED))]
    assert [entry.result for entry in apply_expected("script", outcomes)] == [EXPECTED, FAILED, FAILED]


def value(kind: str, text: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "value": text, **more}


@pytest.mark.parametrize(
    ("expected", "kind", "actual", "result"),
    [
        (value("i32", "4294967295"), "i32", [0xFFFFFFFF], True),
        (value("i32", "-1"), "i32", [0xFFFFFFFF], True),
        (value("i32", "1"), "i64", [1], False),
        (value("f32", "2141192192"), "f32", [0x7FA00000], True),
        (value("f32", "2141192192"), "f32", [0x7FE00000], False),
        (value("f32", "nan:canonical"), "f32", [0xFFC00000], True),
        (value("f32", "nan:canonical"), "f32", [0x7FC00001], False),
        (value("f32", "nan:arithmetic"), "f32", [0x7FC00001], True),
        (value("f32", "nan:arithmetic"), "f32", [0x7FA00000], False),
        (value("f64", "nan:canonical"), "f64", [0x7FF8000000000000], True),
        (value("f64", "0"), "f64", [1 << 63], False),
        (value("v128", ["1", "nan:canonical", "0", "2"], lane_type="f32"), "v128", [0x7FC0000000000001, 2 << 32], True),
        (value("v128", ["1", "2"], lane_type="i64"), "v128", [1, 2], True),
        (value("v128", ["1", "2"], lane_type="i64"), "v128", [2, 1], False),
        ({"type": "either", "values": [value("i32", "1"), value("i32", "2")]}, "i32", [2], True),
        ({"type": "either", "values": [value("i32", "1"), value("i32", "2")]}, "i32", [3], False),
        (value("externref", "null"), "externref", None, True),
        (value("externref", "null"), "externref", HostRef(0), False),
        (value("externref", "7"), "externref", HostRef(7), True),
        (value("externref", "7"), "externref", HostRef(8), False),
        ({"type": "refnull"}, "funcref", None, True),
        ({"type": "funcref"}, "funcref", None, False),
    ],
)  # fmt: skip
def test_matches(expected: dict[str, Any], kind: str, actual: Any, result: bool) -> None:
    assert matches(expected, kind, actual) is result
