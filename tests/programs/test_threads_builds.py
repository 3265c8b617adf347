"""Modules of registries that are built for threads: several instances over one shared memory."""

from __future__ import annotations

import queue
import random
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.programs.emscripten import Program
from tests.programs.napi import Napi
from tests.programs.packages import module_path
from tests.programs.scenario import read_scenarios
from tests.programs.support import artifacts_folder, available


@pytest.mark.parametrize("opt_level", [0, 2])
def test_checksums_are_those_of_zlib(opt_level: int) -> None:
    path = available(module_path, read_scenarios()[0]["node-rs-crc32"])
    artifact = wa.compile(path, opt_level=opt_level, cache_dir=artifacts_folder(), tier_up=False)
    memory = wa.Memory(99, 65536, shared=True)
    main = Napi(artifact, memory)
    assert main.exports.keys() == {"crc32", "crc32c"}
    assert main.exports["crc32"]("a text") == zlib.crc32(b"a text")
    assert main.exports["crc32c"](b"123456789") == 0xE3069283  # the check value of CRC-32C
    workers = [main.new_worker() for _ in range(4)]
    inputs = [random.Random(index).randbytes(100_000 + index) for index in range(40)]

    def work(worker: int) -> list[int]:
        crc32 = Napi(artifact, memory, worker).exports["crc32"]
        return [crc32(data) for data in inputs]

    with ThreadPoolExecutor(len(workers)) as pool:
        for found in pool.map(work, workers):
            assert found == [zlib.crc32(data) for data in inputs]
    assert main.exports["crc32"](inputs[0], 7) == zlib.crc32(inputs[0], 7)


def test_a_module_of_emscripten_has_instances_over_one_memory(tmp_path: Path) -> None:
    """What it imports besides the memory is JavaScript's, which no test calls."""
    source = available(module_path, read_scenarios()[0]["web-ifc-mt"])
    wa.pack(source, tmp_path / "module.so", opt_level=0)
    artifact = wa.load(tmp_path / "module.so")
    given: dict[str, Any] = {
        row.name: wa.Func(lambda *_: 0, list(row.type.params), list(row.type.results))
        for row in artifact.metadata.imports
        if isinstance(row.type, wa.FuncType)
    }
    (name,) = (row.name for row in artifact.metadata.imports if row.kind == "memory")
    given[name] = wa.Memory(256, 65536, shared=True)
    stores = wa.Store(), wa.Store()
    instances = [artifact.instantiate({"a": given}, store=store) for store in stores]
    assert [len(instance.exports) for instance in instances] == [20, 20]


#: SEND + MORE = MONEY, which one assignment of digits solves.
PUZZLE = f"""
{"".join(f"(declare-fun {letter} () Int) (assert (and (<= 0 {letter}) (<= {letter} 9)))" for letter in "SENDMORY")}
(assert (distinct S E N D M O R Y)) (assert (> S 0)) (assert (> M 0))
(assert (= (+ (* 1000 S) (* 100 E) (* 10 N) D (* 1000 M) (* 100 O) (* 10 R) E)
           (+ (* 10000 M) (* 1000 O) (* 100 N) (* 10 E) Y)))
(check-sat) (get-value (S E N D M O R Y))"""
SOLUTION = "sat ((S 9) (E 5) (N 6) (D 7) (M 1) (O 0) (R 8) (Y 2))"
#: Five pigeons, four holes.
PIGEONS = "".join(f"(declare-fun p{i} () Int) (assert (and (<= 0 p{i}) (< p{i} 4)))" for i in range(5)) + (
    "(assert (distinct p0 p1 p2 p3 p4)) (check-sat)"
)
WAIT_SECONDS = 600


@pytest.mark.large
def test_z3_solves_on_threads_of_its_own() -> None:
    """Z3 of npm: its functions for other threads start these, which tell JavaScript the answer."""
    path = available(module_path, read_scenarios()[0]["z3"])
    artifact = wa.compile(path, opt_level=0, cache_dir=artifacts_folder(), tier_up=False)
    answers: queue.Queue[int] = queue.Queue()
    program = Program(
        artifact,
        {
            "resolve_async(UTF8ToString($0));": answers.put,
            "threadTimeouts.push(setTimeout(() => {}, 600000));": lambda: None,
            "clearTimeout(threadTimeouts.shift());": lambda: None,
        },
    )
    z3 = program.main.exports

    def text(address: int) -> str:
        return " ".join(program.memory.read_cstring(address & 0xFFFFFFFF).decode().split())

    contexts = [z3.Z3_mk_context(z3.Z3_mk_config()) for _ in range(3)]
    for context in contexts:
        z3.set_noop_error_handler(context)
    assert text(z3.Z3_eval_smtlib2_string(contexts[0], program.place(PUZZLE))) == SOLUTION
    # An exception of C++: thrown, caught and told.
    wrong = text(z3.Z3_eval_smtlib2_string(contexts[0], program.place("(assert (nothing")))
    assert wrong.startswith("(error")
    assert len(program.threads) >= 1, "the timer of the solver is a thread"
    for context, problem in zip(contexts[1:], (PUZZLE, PIGEONS), strict=True):
        z3.async_Z3_eval_smtlib2_string(context, program.place(problem))
    assert {text(answers.get(timeout=WAIT_SECONDS)) for _ in contexts[1:]} == {SOLUTION, "unsat"}
    assert program.problems == []
