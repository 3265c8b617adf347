"""Differential fuzzing of exceptions: the new encoding against wasmtime, the legacy one against node.

``python -m tests.fuzz.exceptions --seconds N --seed S [--legacy] [--programs N] [--opt-level L] [--cpu C]
[--save DIR]`` prints what differs, and counts; exits with 1 if there was any.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import wasmtime

from tests.fuzz.compare import Options
from tests.fuzz.exception_engines import Engine, NodeReference, Subject, WasmtimeReference
from tests.fuzz.hashing import FUNCTIONS, generate_hashing
from tests.support.node import Node, find_node

#: Of every program.
CALLS = 12
#: How many functions a call may enter and loops go round.
FUEL = 80
#: V8 has one message for a float that is too large for an integer and for a NaN.
_ONE_FOR_NODE = (("trapped", "conversion"), ("trapped", "overflow"))
#: Share of programs with two modules, and of those for node whose host throws and calls back.
PAIRS, ACTING = 0.3, 0.7


@dataclass(frozen=True)
class Program:
    """The modules of a seed as text, and calls: module, function, argument."""

    texts: tuple[str, ...]
    calls: tuple[tuple[int, str, int], ...]


def make_program(seed: str, *, legacy: bool) -> Program:
    """The program of a seed, the same for ever."""
    rng = random.Random(f"{seed}/{'legacy' if legacy else 'new'}")
    count = 2 if rng.random() < PAIRS else 1
    acts = legacy and rng.random() < ACTING
    texts = tuple(
        generate_hashing(rng, legacy=legacy, host_acts=acts, imports_first=index > 0) for index in range(count)
    )
    calls = tuple(
        (rng.randrange(count), f"f{rng.randrange(FUNCTIONS)}", rng.choice((0, 1, 2, 3, rng.randint(-1000, 1000))))
        for _ in range(CALLS)
    )
    return Program(texts, calls)


def run(engine: Engine, program: Program) -> Iterator[tuple[object, ...]]:
    """What each call left: how it ended, the hash of every module, what the host was called with."""
    for module, name, value in program.calls:
        for place in range(engine.size):
            engine.call(place, "reset", FUEL)
        ending = engine.call(module, name, value)
        yield ending, tuple(engine.call(place, "hash") for place in range(engine.size)), tuple(engine.trace)
        engine.trace.clear()


def compare(seed: str, options: Options, node: Node | None, endings: Counter[str]) -> str:
    """The first difference, empty where there is none; counts how calls end. Without node, the new encoding."""
    program = make_program(seed, legacy=node is not None)
    modules = [bytes(wasmtime.wat2wasm(text)) for text in program.texts]
    reference = WasmtimeReference(modules) if node is None else NodeReference(modules, node)
    subject = Subject(modules, opt_level=options.opt_level, cpu=options.cpu)
    for call, expected, found in zip(program.calls, run(reference, program), run(subject, program), strict=True):
        is_told_apart = node is None or (expected[0], found[0]) != _ONE_FOR_NODE
        if expected[1:] != found[1:] or (is_told_apart and expected[0] != found[0]):
            return f"{call}: expected {expected}, found {found}"
        ending = expected[0]
        assert isinstance(ending, tuple)
        endings[" ".join(map(str, ending[: 2 if ending[0] == "trapped" else 1]))] += 1
    return ""


def fuzz(
    seed: str,
    options: Options,
    node: Node | None,
    *,
    programs: int,
    seconds: float = math.inf,
    save: Path | None = None,
) -> tuple[dict[str, str], Counter[str]]:
    """Differences by seed, and how calls ended. With node, the legacy encoding.

    ``save`` is where the text of each program lies until it made no difference: of one that ends the process, too.
    """
    differences: dict[str, str] = {}
    endings: Counter[str] = Counter()
    end = time.monotonic() + seconds
    for index in range(programs):
        if time.monotonic() >= end:
            break
        one = f"{seed}/{index}"
        saved = [] if save is None else _save(save, one, legacy=node is not None)
        difference = compare(one, options, node, endings)
        endings["programs"] += 1
        if difference:
            differences[one] = difference
            print(f"{one}: {difference}", flush=True)
            continue
        for path in saved:
            path.unlink(missing_ok=True)
    return differences, endings


def _save(folder: Path, seed: str, *, legacy: bool) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for place, text in enumerate(make_program(seed, legacy=legacy).texts):
        paths.append(folder / f"{'legacy' if legacy else 'new'}-{seed.replace('/', '-')}-{place}.wat")
        paths[-1].write_text(text)
    return paths


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.exceptions")
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("--programs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--opt-level", type=int, default=2)
    parser.add_argument("--cpu", default="baseline")
    parser.add_argument("--save", type=Path)
    asked = parser.parse_args()
    options = Options(asked.opt_level, asked.cpu)
    with ExitStack() as stack:
        node = None
        if asked.legacy:
            path = find_node()
            if path is None:
                parser.error("--legacy needs node")
            node = stack.enter_context(Node(path))
        differences, endings = fuzz(
            asked.seed, options, node, programs=asked.programs, seconds=asked.seconds, save=asked.save
        )
    print(f"{endings.pop('programs')} programs, {len(differences)} different; calls:", dict(endings.most_common()))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
