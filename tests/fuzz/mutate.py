"""The command of mutation fuzzing: damaged modules and artifacts get an error of ours, and never end the process.

``python -m tests.fuzz.mutate --seconds N --seed S [--inputs N] [--jobs N] [--save DIR]`` prints counts and saves what
broke the promise; exits with 1 if there was any. See ``damaged.py`` for the promise.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Final

import wasmtime

from tests.fuzz import damaged
from tests.fuzz.child import Child, ChildDied, Json, serve
from tests.fuzz.damaged import Original
from tests.fuzz.programs import generate_program
from tests.fuzz.throwing import generate_throwing
from wasmartifact import schema

TIMEOUT_SECONDS: Final = 30
PROGRESS_SECONDS: Final = 30
#: More than any sound test needs: a damaged size must fail, not fill the machine.
ADDRESS_SPACE_BYTES: Final = 1 << 37
#: Modules that artifacts are made from.
ORIGINALS: Final = 12
#: Kinds of input, by share.
KINDS: Final = ("module", "bytes", "bytes", "sealed", "rows", "rows", "rows")


@dataclass(frozen=True)
class Input:
    """One damaged input; ``original`` is None for a module."""

    kind: str
    data: bytes
    original: Original | None


class Source:
    """Makes inputs: an index gives the same input for ever."""

    def __init__(self, seed: str, directory: Path) -> None:
        self.seed = seed
        self.directory = directory

    @lru_cache(maxsize=ORIGINALS)  # noqa: B019 (one source lives as long as the process)
    def module(self, number: int) -> bytes:
        """A sound module."""
        special = sorted(Path(__file__).parent.glob("modules/*.wat"))
        if number < len(special):
            return bytes(wasmtime.wat2wasm(special[number].read_text()))
        rng = random.Random(f"{self.seed}/{number}")
        if number % 2:
            return bytes(wasmtime.wat2wasm(generate_throwing(rng, canonical_nans=True, first=None)))
        return bytes(wasmtime.wat2wasm(generate_program(rng, canonical_nans=True)))

    @lru_cache(maxsize=ORIGINALS)  # noqa: B019
    def original(self, number: int) -> Original:
        """A sound artifact."""
        return damaged.examine(self.module(number), self.directory)

    def make(self, index: int) -> Input:
        """Input number ``index``."""
        rng = random.Random(f"{self.seed}/{index}")
        kind, number = rng.choice(KINDS), rng.randrange(ORIGINALS)
        if kind == "module":
            change = rng.choice((damaged.damage, damaged.damage, damaged.rearrange))
            return Input(kind, change(self.module(number), rng), None)
        original = self.original(number)
        if kind == "bytes":
            return Input(kind, self._damaged_bytes(original, rng), original)
        if kind == "sealed":
            start = original.section[0]
            place = rng.choice((original.directory, (start, start + schema.METADATA_HEADER.size_bytes)))
            return Input(kind, damaged.reseal(damaged.damage(original.data, rng, place), original), original)
        names = list(original.columns)
        return Input(kind, damaged.damage(original.data, rng, original.columns[rng.choice(names)]), original)

    @staticmethod
    def _damaged_bytes(original: Original, rng: random.Random) -> bytes:
        """Anywhere, or where it matters most: code is most of a file."""
        choice = rng.random()
        if choice < 0.2:
            return damaged.rearrange(original.data, rng)
        places = [None, original.head, original.section, original.directory, *original.protected()]
        return damaged.damage(original.data, rng, rng.choice(places))

    def check(self, index: int) -> str:
        """What became of an input. Raises whatever breaks the promise."""
        made = self.make(index)
        if made.original is None:
            return damaged.check_pack(made.data, self.directory)
        if made.kind == "bytes":
            return damaged.check_bytes(made.data, made.original, self.directory)
        if made.kind == "sealed":
            return damaged.check_sealed(made.data, self.directory)
        return damaged.check_rows(made.data, made.original, self.seed, self.directory)


# --------------------------------------------------------------------------------------------------------------------
# The command


@dataclass
class Totals:
    """What a run found: outcomes by kind of input, and findings by index."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[int, str] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        """How many were tried."""
        return self.outcomes.total() + len(self.findings)


def fuzz(seed: str, *, seconds: float, inputs: int | None = None, jobs: int = 1, progress: bool = False) -> Totals:
    """Check damaged inputs for a time, or a number of them, whichever ends first.

    Parameters
    ----------
    seed : str
        Chooses the inputs: equal seeds give equal inputs, in the same order.
    seconds : float
        No input starts after this time.
    inputs : int | None
        How many.
    jobs : int
        Processes.
    progress : bool
        Print a line now and then.
    """
    totals, lock = Totals(), threading.Lock()
    indices = iter(count() if inputs is None else range(inputs))
    end = time.monotonic() + seconds
    printed = time.monotonic()

    def work() -> None:
        nonlocal printed
        child = Child("tests.fuzz.mutate", ["--serve", "--seed", seed], timeout_seconds=TIMEOUT_SECONDS)
        try:
            while time.monotonic() < end:
                with lock:
                    index = next(indices, None)
                if index is None:
                    return
                outcome, problem = _ask(child, index)
                with lock:
                    if problem:
                        totals.findings[index] = problem
                        print(f"input {seed}/{index}: {problem}", flush=True)
                    else:
                        totals.outcomes[outcome] += 1
                    if progress and time.monotonic() - printed > PROGRESS_SECONDS:
                        printed = time.monotonic()
                        print(f"{totals.inputs} inputs", flush=True)
        finally:
            child.close()

    with ThreadPoolExecutor(jobs) as pool:
        for future in [pool.submit(work) for _ in range(jobs)]:
            future.result()
    return totals


def _ask(child: Child, index: int) -> tuple[str, str]:
    """Outcome and problem; one of them is empty."""
    try:
        answer = child.ask({"index": index})
    except ChildDied as death:
        return "", f"the process died: {death}"
    return answer["outcome"], answer["problem"]


def _serve(seed: str) -> None:
    if "ASAN_OPTIONS" not in os.environ:  # a sanitizer reserves far more than that for itself
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    with tempfile.TemporaryDirectory() as directory:
        source = Source(seed, Path(directory))
        for number in range(ORIGINALS):
            source.original(number)
        # Every check collects garbage; what exists by now is none.
        gc.freeze()

        def answer(request: Json) -> Json:
            kind = source.make(request["index"]).kind
            try:
                return {"outcome": f"{kind}: {source.check(request['index'])}", "problem": ""}
            except Exception:
                return {"outcome": "", "problem": f"{kind}: {traceback.format_exc()}"}

        serve(answer)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.mutate", description="damage modules and artifacts")
    parser.add_argument("--seconds", type=float, default=60, help="no input starts after this time")
    parser.add_argument("--seed", default="0", help="chooses the inputs")
    parser.add_argument("--inputs", type=int, help="how many at most")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--save", type=Path, default=Path("build/fuzz"), help="where inputs that break the promise go")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        _serve(given.seed)
        return 0
    start = time.monotonic()
    totals = fuzz(given.seed, seconds=given.seconds, inputs=given.inputs, jobs=given.jobs, progress=True)
    seconds = time.monotonic() - start
    print(f"{totals.inputs} inputs in {seconds:.0f} s, {totals.inputs / seconds:.0f} a second")
    for outcome, number in sorted(totals.outcomes.items()):
        print(f"  {outcome:40}{number:9}")
    print(f"  {'broke the promise':40}{len(totals.findings):9}")
    if totals.findings:
        given.save.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as directory:
            source = Source(given.seed, Path(directory))
            for index, problem in totals.findings.items():
                name = f"mutated-{given.seed}-{index}"
                (given.save / name).write_bytes(source.make(index).data)
                (given.save / f"{name}.txt").write_text(problem)
                print(f"input {given.seed}/{index}, saved as {given.save / name}: {problem.splitlines()[-1][:200]}")
    return 1 if totals.findings else 0


if __name__ == "__main__":
    sys.exit(main())
