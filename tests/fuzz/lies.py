"""The command of the structured fuzzer: artifacts whose metadata lies, with honest code and right digests.

``python -m tests.fuzz.lies --changes N --seed S [--seconds N] [--jobs N] [--save DIR]`` prints counts and writes what
broke the promise, with the fewest steps that still do; exits with 1 if there was any. ``--only INDEX [--steps 0,2]``
repeats one lie in this process. See ``abuse.py`` for the promise, ``forge.py`` for the lies.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import wasmartifact as wa
from tests.fuzz.abuse import Courtroom
from tests.fuzz.child import Child, ChildDied, Json, serve
from tests.fuzz.forge import Artifact, Forger, Step
from tests.fuzz.honest import OPTIONS, modules
from tests.fuzz.honest_components import texts
from tests.fuzz.resumed import SNAPSHOTS, take_snapshot

TIMEOUT_SECONDS: Final = 60
PROGRESS_SECONDS: Final = 30
#: More than any sound test needs: what a lie asks for must fail, not fill the machine.
ADDRESS_SPACE_BYTES: Final = 1 << 40
WRITABLE_BYTES: Final = 1 << 31
#: A finding that does not come again by itself is tried with so many lies before it.
EARLIER: Final = 50


class Lies:
    """Makes lies: an index gives the same lie for ever, of the same artifacts.

    Parameters
    ----------
    seed : str
        Chooses the lies.
    directory : Path
        Holds the sound artifacts, or gets them.
    """

    def __init__(self, seed: str, directory: Path) -> None:
        self.seed = seed
        self.artifacts: dict[str, Artifact] = {}
        for name, module in (modules() | texts()).items():
            path = directory / f"{name}.so"
            if not path.exists():
                wa.pack(module, path, jobs=1, **{"opt_level": 0, **OPTIONS.get(name, {})})
        for name, origin in SNAPSHOTS.items():
            if not (directory / f"{name}.so").exists():
                take_snapshot(origin, directory / f"{origin}.so", directory / f"{name}.so")
        for name in (*modules(), *texts(), *SNAPSHOTS):
            self.artifacts[name] = Artifact(name, (directory / f"{name}.so").read_bytes())

    def make(self, index: int) -> tuple[Artifact, list[Step]]:
        """Lie number ``index``: about which artifact, in which steps."""
        rng = random.Random(f"{self.seed}/{index}")
        artifact = rng.choice(list(self.artifacts.values()))
        others = [other for other in self.artifacts.values() if other is not artifact]
        return artifact, Forger(artifact, others, rng).lie()

    def try_lie(self, courtroom: Courtroom, index: int, chosen: Sequence[int] | None = None) -> str:
        """What became of a lie, or of the chosen steps of it. Raises Finding."""
        artifact, steps = self.make(index)
        kept = steps if chosen is None else [steps[number] for number in chosen]
        return courtroom.try_lie(artifact, artifact.apply(kept), random.Random(f"{self.seed}/{index}/use"))


@dataclass(frozen=True)
class Offence:
    """A lie that broke the promise: which steps of it do, after which other lies, and what happened."""

    index: int
    steps: tuple[int, ...]
    earlier: tuple[int, ...]
    problem: str


@dataclass
class Totals:
    """What a run found: outcomes by kind, offences, and how many more there were of the same kinds."""

    outcomes: Counter[str] = field(default_factory=Counter)
    offences: dict[str, Offence] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def changes(self) -> int:
        """How many were tried."""
        return self.outcomes.total() + self.kinds.total()


class Prosecutor:
    """The near end of a process in which lies are tried. One thread uses it."""

    def __init__(self, lies: Lies, directory: Path) -> None:
        self.lies = lies
        arguments = ["--serve", str(directory), "--seed", lies.seed]
        self.child = Child("tests.fuzz.lies", arguments, timeout_seconds=TIMEOUT_SECONDS)
        self.tried: list[int] = []

    def ask(self, index: int, steps: Sequence[int] | None = None) -> tuple[str, str]:
        """Outcome and problem of a lie; one of them is empty."""
        try:
            answer = self.child.ask({"index": index, "steps": steps})
        except ChildDied as death:
            self.tried = []
            return "", f"the process died: {death}"
        if answer["problem"]:
            self.restart()  # what an offence leaves behind is none of the next lie's
        else:
            self.tried.append(index)
        return answer["outcome"], answer["problem"]

    def restart(self) -> None:
        """Go on in a fresh process."""
        self.child.close()
        self.child = Child(self.child.module, self.child.command[3:], timeout_seconds=TIMEOUT_SECONDS)
        self.tried = []

    def narrow(self, index: int, problem: str, earlier: Sequence[int]) -> Offence:
        """The fewest steps of a lie that still break the promise, or the lies before it that it takes."""
        _, again = self.ask(index)
        if not again:
            self.restart()
            for former in earlier[-EARLIER:]:
                self.ask(former)
            _, again = self.ask(index)
            return Offence(index, (), tuple(earlier[-EARLIER:]), again or f"not again: {problem}")
        steps = list(range(len(self.lies.make(index)[1])))
        for number in list(steps):
            fewer = [kept for kept in steps if kept != number]
            if not fewer:
                break
            self.restart()
            _, still = self.ask(index, fewer)
            if still:
                steps, again = fewer, still
        self.restart()
        return Offence(index, tuple(steps), (), again)

    def close(self) -> None:
        """End the process."""
        self.child.close()


def fuzz(
    seed: str, *, changes: int | None, seconds: float, jobs: int = 1, progress: bool = False, save: Path | None = None
) -> Totals:
    """Try lies, a number of them or for a time, whichever ends first.

    Parameters
    ----------
    seed : str
        Chooses them: equal seeds give equal lies, in the same order.
    changes : int | None
        How many.
    seconds : float
        None starts after this time.
    jobs : int
        Processes.
    progress : bool
        Print a line now and then.
    save : Path | None
        A folder for findings, a file each, written as soon as they are there.
    """
    totals, lock = Totals(), threading.Lock()
    indices: Iterator[int] = iter(count() if changes is None else range(changes))
    end = time.monotonic() + seconds
    printed = time.monotonic()

    def work(lies: Lies, directory: Path) -> None:
        nonlocal printed
        prosecutor = Prosecutor(lies, directory)
        try:
            # Where the truth is an offence, every lie would be.
            if problem := prosecutor.ask(0, ())[1]:
                raise RuntimeError(f"the sound artifact: {problem}")
            while time.monotonic() < end:
                with lock:
                    index = next(indices, None)
                if index is None:
                    return
                earlier = list(prosecutor.tried)
                outcome, problem = prosecutor.ask(index)
                if problem:
                    _convict(prosecutor, index, problem, earlier)
                    continue
                with lock:
                    totals.outcomes[outcome] += 1
                    if progress and time.monotonic() - printed > PROGRESS_SECONDS:
                        printed = time.monotonic()
                        print(f"{totals.changes} changes, {totals.kinds.total()} broke the promise", flush=True)
        finally:
            prosecutor.close()

    def _convict(prosecutor: Prosecutor, index: int, problem: str, earlier: Sequence[int]) -> None:
        """Make a finding small, unless its kind is known."""
        artifact, steps = prosecutor.lies.make(index)
        with lock:
            is_known = _is_known(totals.kinds, artifact, steps)
        if is_known:
            with lock:
                totals.kinds[is_known] += 1
            return
        offence = prosecutor.narrow(index, problem, earlier)
        kind = _kind(artifact, [steps[number] for number in offence.steps])
        with lock:
            totals.kinds[kind] += 1
            if kind not in totals.offences:
                totals.offences[kind] = offence
                words = report(prosecutor.lies, offence)
                print(f"change {seed}/{index} ({kind}):\n{words}", flush=True)
                if save is not None:
                    save.mkdir(parents=True, exist_ok=True)
                    (save / f"lie-{seed}-{index}.txt").write_text(words)

    with tempfile.TemporaryDirectory(prefix="wasmartifact-lies-") as name:
        lies = Lies(seed, Path(name))
        with ThreadPoolExecutor(jobs) as pool:
            for future in [pool.submit(work, lies, Path(name)) for _ in range(jobs)]:
                future.result()
    return totals


def _kind(artifact: Artifact, steps: Sequence[Step]) -> str:
    """What lies of one kind have in common."""
    return "; ".join([artifact.name, *sorted({step.kind for step in steps})])


def _is_known(kinds: Iterable[str], artifact: Artifact, steps: Sequence[Step]) -> str:
    """The kind of an earlier finding whose steps are among these; empty where there is none."""
    mine = {step.kind for step in steps}
    for kind in kinds:
        name, *known = kind.split("; ")
        if name == artifact.name and known and mine.issuperset(known):
            return kind
    return ""


def report(lies: Lies, offence: Offence) -> str:
    """A finding in words, with what repeats it."""
    artifact, steps = lies.make(offence.index)
    chosen = ",".join(map(str, offence.steps))
    repeat = f"python -m tests.fuzz.lies --seed {lies.seed} --only {offence.index}"
    lines = [f"module: {artifact.name} (tests/fuzz/honest.py, honest_components.py, resumed.py)"]
    lines += [f"change: {steps[number].words}" for number in offence.steps or range(len(steps))]
    lines += [f"repeat: {repeat}{f' --steps {chosen}' if chosen else ''}"]
    if offence.earlier:
        lines += [f"after:  {','.join(map(str, offence.earlier))} (--after)"]
    return "\n".join([*lines, "", offence.problem, ""])


# --------------------------------------------------------------------------------------------------------------------
# The far end, and the command


def _limit() -> None:
    if "ASAN_OPTIONS" not in os.environ:  # a sanitizer reserves far more than that for itself
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
        resource.setrlimit(resource.RLIMIT_DATA, (WRITABLE_BYTES, WRITABLE_BYTES))


def _serve(seed: str, directory: Path) -> None:
    _limit()
    lies = Lies(seed, directory)
    with tempfile.TemporaryDirectory(prefix="wasmartifact-lies-") as name:
        courtroom = Courtroom(lies.artifacts, Path(name))

        def answer(request: Json) -> Json:
            try:
                return {"outcome": lies.try_lie(courtroom, request["index"], request["steps"]), "problem": ""}
            except Exception:
                return {"outcome": "", "problem": traceback.format_exc()}

        serve(answer)


def _repeat(seed: str, indices: Sequence[int], steps: Sequence[int] | None, keep: Path | None) -> None:
    """Try lies in this process; the last one may be part of itself, and kept as a file."""
    _limit()
    with tempfile.TemporaryDirectory(prefix="wasmartifact-lies-") as name:
        lies = Lies(seed, Path(name))
        courtroom = Courtroom(lies.artifacts, Path(name))
        artifact, made = lies.make(indices[-1])
        chosen = range(len(made)) if steps is None else steps
        for number in chosen:
            print(f"{artifact.name}: {made[number].words}", flush=True)
        if keep is not None:
            keep.write_bytes(artifact.apply([made[number] for number in chosen]))
        for index in indices[:-1]:
            lies.try_lie(courtroom, index)
        print(lies.try_lie(courtroom, indices[-1], steps))


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.lies", description="artifacts whose metadata lies")
    parser.add_argument("--changes", type=int, help="how many at most")
    parser.add_argument("--seconds", type=float, default=None, help="none starts after this time; default: 60")
    parser.add_argument("--seed", default="0", help="chooses the changes")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--save", type=Path, default=Path("build/fuzz"), help="where findings go, a file each")
    parser.add_argument("--only", type=int, metavar="INDEX", help="try one change, in this process")
    parser.add_argument("--steps", type=_numbers, help="with --only: these steps of it")
    parser.add_argument("--after", type=_numbers, default=[], help="with --only: changes to try before")
    parser.add_argument("--keep", type=Path, help="with --only: write the artifact there")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.serve:
        _serve(given.seed, given.serve)
        return 0
    if given.only is not None:
        _repeat(given.seed, [*given.after, given.only], given.steps, given.keep)
        return 0
    seconds = given.seconds or (60 if given.changes is None else 1e9)
    start = time.monotonic()
    totals = fuzz(given.seed, changes=given.changes, seconds=seconds, jobs=given.jobs, progress=True, save=given.save)
    spent = time.monotonic() - start
    print(f"{totals.changes} changes in {spent:.0f} s, {totals.changes / spent:.0f} a second")
    for outcome, number in sorted(totals.outcomes.items()):
        print(f"  {outcome:40}{number:9}")
    print(f"  {'broke the promise':40}{totals.kinds.total():9}, of {len(totals.offences)} kinds")
    return 1 if totals.offences else 0


if __name__ == "__main__":
    sys.exit(main())
