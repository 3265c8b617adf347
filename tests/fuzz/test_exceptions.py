"""A short run of the differential fuzzing of exceptions inside the ordinary tests."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import wasmtime

from tests.fuzz import exceptions
from tests.fuzz.compare import Options
from tests.fuzz.exception_engines import Engine, NodeReference, WasmtimeReference
from tests.support.node import Node, find_node

PROGRAMS = 40


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A process of node; without one, generated programs in the legacy encoding stay untested."""
    path = find_node() or ""
    if not path:
        pytest.skip("node is not installed, or too old: nothing else here runs the legacy exception encoding")
    with Node(path) as process:
        yield process


def check(seed: str, opt_level: int, node: Node | None) -> None:
    """Compare a few programs; they must be such that all kinds of endings come up."""
    differences, endings = exceptions.fuzz(seed, Options(opt_level), node, programs=PROGRAMS)
    assert not differences
    assert endings["returned"] > PROGRAMS and endings["threw"] > PROGRAMS / 2 and len(endings) > 4


@pytest.mark.parametrize("opt_level", [0, 2])
def test_generated_programs_throw_and_catch_as_in_wasmtime(opt_level: int) -> None:
    check(f"ordinary {opt_level}", opt_level, None)


@pytest.mark.node
@pytest.mark.parametrize("opt_level", [0, 2])
def test_generated_legacy_programs_throw_and_catch_as_in_node(opt_level: int, node: Node) -> None:
    check(f"ordinary {opt_level}", opt_level, node)


@pytest.mark.node
@pytest.mark.parametrize(
    ("legacy", "pattern", "other"),
    [
        (False, r"\(catch(_ref)? \$t1 ", r"(catch\1 $t4 "),
        (False, r"\(catch_all(_ref)? ", r"(catch\1 $t0 "),
        (False, r"\(throw_ref \(local.get \$r_exnref\)\)", "(nop)"),
        (True, r"catch \$t1 ", "catch $t4 "),
        (True, r"\(rethrow \$L\d+\)", "(nop)"),
        (True, r"delegate \d+", "delegate 0"),
    ],
)
def test_the_fuzzer_would_find_a_difference(
    legacy: bool, pattern: str, other: str, request: pytest.FixtureRequest
) -> None:
    """Programs where one thing is another for one of two engines, which are otherwise the same."""
    node = request.getfixturevalue("node") if legacy else None

    def outcomes(program: exceptions.Program) -> list[tuple[object, ...]]:
        modules = [bytes(wasmtime.wat2wasm(text)) for text in program.texts]
        engine: Engine = WasmtimeReference(modules) if node is None else NodeReference(modules, node)
        return list(exceptions.run(engine, program))

    different = 0
    for index in range(40):
        program = exceptions.make_program(f"change {index}", legacy=legacy)
        texts = tuple(re.sub(pattern, other, text) for text in program.texts)
        different += outcomes(program) != outcomes(exceptions.Program(texts, program.calls))
    assert different >= 3
