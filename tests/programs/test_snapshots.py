"""Interpreters and sandboxes of registries go on from a snapshot as if they had never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

import wasmartifact as wa
from tests.programs.interpreters import INTERPRETERS, ready, resumed
from tests.programs.jobs.sandbox_codes import JAVASCRIPT, PYTHON
from tests.programs.packages import module_path, share_path
from tests.programs.sandboxes import JAVASCRIPT_SANDBOX, PYTHON_SANDBOX, run, sandbox
from tests.programs.scenario import FOLDER, ModuleSource, read_outcomes, read_scenarios
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


class Case(NamedTuple):
    """A sandbox, what it runs, the place of that in what wasmtime-py recorded; and code that asks what it remembers."""

    source: ModuleSource
    codes: tuple[str, ...]
    place: int
    before: str
    question: str
    answer: str


SANDBOXES = {
    "python": Case(
        PYTHON_SANDBOX,
        PYTHON,
        0,
        "import json, re; kept = json.dumps([1])",
        "print(kept, re.sub('a', 'b', 'a'))",
        "[1] b\n",
    ),
    "javascript": Case(
        JAVASCRIPT_SANDBOX,
        JAVASCRIPT,
        1,
        "globalThis.kept = {a: 1}",
        "console.log(JSON.stringify(kept))",
        '{"a":1}\n',
    ),
}


@pytest.mark.large
@pytest.mark.parametrize("name", SANDBOXES)
def test_a_sandbox(name: str, tmp_path: Path) -> None:
    """It runs the rest of what it is told from a snapshot of any moment, with the results that wasmtime-py recorded."""
    case = SANDBOXES[name]
    (outcome,) = read_outcomes(FOLDER / "expected" / "packages" / "hyperlight-sandbox.json")
    expected = json.loads(outcome.stdout)[case.place]
    artifact = wa.compile(available(module_path, case.source), opt_level=0, cache_dir=artifacts_folder(), tier_up=False)
    made = sandbox(artifact)
    for number, (code, result) in enumerate(zip(case.codes, expected, strict=True)):
        wa.snapshot(made, tmp_path / "ready.so")
        rest = sandbox(wa.load(tmp_path / "ready.so"))
        assert [run(rest, more) for more in case.codes[number:]] == expected[number:]
        assert run(made, code) == result
    assert run(made, case.before)[2] == 0
    wa.snapshot(made, tmp_path / "ready.so")
    saved = wa.load(tmp_path / "ready.so")
    again = sandbox(saved)
    wa.snapshot(again, tmp_path / "again.so")
    for one in (again, sandbox(saved), sandbox(wa.load(tmp_path / "again.so"))):
        assert run(one, case.question) == [case.answer, "", 0]
