"""The runtime without Python on several stacks of one thread: every order in which three calls can begin and go on."""

from __future__ import annotations

import subprocess
from itertools import permutations
from pathlib import Path

import pytest

from tests.support.tools import find_tool
from tests.unit.runtime.harness import packed
from wasmartifact.schema import TRAP_BY_NAME

ROOT = Path(__file__).resolve().parents[3]
GUEST_WAT = """(module (import "env" "give_away" (func $f (param i32)))
  (func (export "go") (param i32) (result i32) (call $f (local.get 0)) (i32.add (local.get 0) (i32.const 100))))"""
SCHEDULES = sorted({"".join(order) for order in permutations("112233")})
RETURNED = "returned 105"
INTERLEAVED = f"ended 1, code {TRAP_BY_NAME['calls_interleaved']}, 1 frames"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("stacks") / "stacks"
    sources = [ROOT / "tests" / "native" / "stacks.c", *sorted((ROOT / "native" / "runtime").glob("*.c"))]
    folders = [f"-I{ROOT / 'native' / folder}" for folder in ("include", ".")]
    options = ("-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-fno-omit-frame-pointer", "-pthread")
    command: list[str | Path] = [find_tool("cc"), *options, *folders, "-o", output, *sources, "-ldl", "-lm"]
    subprocess.run(command, check=True, cwd=ROOT)
    return output


def expected(schedule: str, *, shared: bool) -> list[str]:
    """What becomes of the calls: in one store, one that goes on while a later one has not ended traps."""
    inside: list[str] = []
    outcomes: dict[str, str] = {}
    for step in schedule:
        if step in inside:
            outcomes[step] = RETURNED if not shared or inside[-1] == step else INTERLEAVED
            inside.remove(step)
        else:
            inside.append(step)
    return [f"{step} {outcomes[step]}" for step in sorted(outcomes)]


@pytest.mark.parametrize("shared", [False, True])
def test_every_order(program: Path, shared: bool) -> None:
    command = [program, packed(GUEST_WAT), "shared" if shared else "own", *SCHEDULES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if "ASan doesn't fully support makecontext" not in line]
    assert (errors, done.returncode) == ([], 0)
    lines = [line.split("; ") for line in done.stdout.splitlines()]
    assert [(line[0], line[1:]) for line in lines] == [(each, expected(each, shared=shared)) for each in SCHEDULES]
