"""The command of differential fuzzing: generated modules must do the same in wasmartifact and in wasmtime.

``python -m tests.fuzz.differential --seconds N --seed S [--modules N] [--opt-level L] [--cpu C] [--target aarch64]
[--jobs N] [--save DIR]`` prints counts and saves what differs or crashes, as it was and made smaller; exits with 1 if
there was any. With a target, wasmartifact runs in the emulator that ``make test-aarch64`` makes.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.aarch64.__main__ import prepare
from tests.fuzz.compare import COMPARED, DIFFERENT, EXCUSED, SKIPPED, STOPPED, Options, Report
from tests.fuzz.generate import generate
from tests.fuzz.shrink import shrink
from tests.fuzz.worker import CRASHED, Worker

PROGRESS_SECONDS = 30
#: Of many findings, most are the same one.
MAX_SHRUNK = 5
VERDICTS = (COMPARED, STOPPED, EXCUSED, SKIPPED, DIFFERENT, CRASHED)


@dataclass
class Totals:
    """What a run found; a pair of modules counts as one."""

    verdicts: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[str, Report]] = field(default_factory=list)

    def add(self, seed: str, report: Report) -> None:
        """Count one report."""
        self.verdicts[report.verdict] += 1
        self.counts += report.counts
        if report.verdict in (SKIPPED, EXCUSED, STOPPED):
            self.reasons[f"{report.verdict}: {_class_of(report)}"] += 1
        if report.verdict in (DIFFERENT, CRASHED):
            self.findings.append((seed, report))

    @property
    def modules(self) -> int:
        """How many were tried."""
        return self.verdicts.total()


def _class_of(report: Report) -> str:
    """Reason without what differs from module to module."""
    if report.verdict == SKIPPED:
        return report.reason[:100]
    return "results depend on the bits of a NaN" if report.verdict == EXCUSED else "stack exhausted"


class Fuzzer:
    """Hands out seeds to workers until time or number is up."""

    def __init__(self, seed: str, options: Options, *, seconds: float, modules: int | None) -> None:
        self.options = options
        self.end = time.monotonic() + seconds
        self.seeds: Iterator[str] = (f"{seed}/{index}" for index in (count() if modules is None else range(modules)))
        self.lock = threading.Lock()
        self.totals = Totals()
        self.last_print = time.monotonic()

    def _next(self) -> str | None:
        with self.lock:
            return None if time.monotonic() >= self.end else next(self.seeds, None)

    def work(self, *, progress: bool) -> None:
        """Compare modules until there are no more seeds."""
        worker = Worker(self.options)
        try:
            while (seed := self._next()) is not None:
                report = worker.compare_seed(seed)
                with self.lock:
                    self.totals.add(seed, report)
                    if report.verdict in (DIFFERENT, CRASHED):
                        print(f"{report.verdict}: seed {seed}: {report.reason}", flush=True)
                    elif progress and time.monotonic() - self.last_print > PROGRESS_SECONDS:
                        self.last_print = time.monotonic()
                        print(f"{self.totals.modules} modules, {self.totals.counts['calls']} calls", flush=True)
        finally:
            worker.close()


def fuzz(
    seed: str, options: Options, *, seconds: float, modules: int | None = None, jobs: int = 1, progress: bool = False
) -> Totals:
    """Compare generated modules for a time, or a number of them, whichever ends first.

    Parameters
    ----------
    seed : str
        Chooses the modules: equal seeds give equal modules, in the same order.
    options : Options
        How to pack.
    seconds : float
        No module starts after this time.
    modules : int | None
        How many.
    jobs : int
        Processes that compare, each with a compiling process of its own.
    progress : bool
        Print a line now and then.
    """
    fuzzer = Fuzzer(seed, options, seconds=seconds, modules=modules)
    with ThreadPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(fuzzer.work, progress=progress) for _ in range(jobs)]):
            future.result()
    return fuzzer.totals


def save(totals: Totals, options: Options, directory: Path, *, attempts: int) -> None:
    """Write what was found, as it was and made smaller."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, (seed, report) in enumerate(totals.findings):
        name = seed.replace("/", "-")
        (directory / f"{name}.txt").write_text(f"seed: {seed}\noptions: {options}\n{report.verdict}: {report.reason}\n")
        # Only with canonical NaNs is a difference one.
        for index, data in enumerate(generate(seed, canonical_nans=True).modules):
            (directory / f"{name}.{index}.wasm").write_bytes(data)
        if attempts and number < MAX_SHRUNK:
            print(f"making {name} smaller ...", flush=True)
            shrink(sorted(directory.glob(f"{name}.?.wasm")), seed, report.verdict, options, attempts=attempts)


def summary(totals: Totals, seconds: float) -> Iterator[str]:
    """Lines of the report."""
    verdicts, counts, modules = totals.verdicts, totals.counts, max(totals.modules, 1)
    yield f"{totals.modules} modules in {seconds:.0f} s, {modules / seconds:.1f} a second; {counts['calls']} calls"
    for verdict in VERDICTS:
        yield f"  {verdict:10}{verdicts[verdict]:8}  {verdicts[verdict] / modules:7.2%}"
    for reason, number in totals.reasons.most_common(10):
        yield f"    {number} x {reason}"
    yield "outcomes"
    for name, number in sorted(counts.items()):
        if name != "calls":
            yield f"  {name:34}{number:9}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.differential", description="compare with wasmtime")
    parser.add_argument("--seconds", type=float, default=60, help="no module starts after this time")
    parser.add_argument("--seed", default="0", help="chooses the modules")
    parser.add_argument("--modules", type=int, help="how many at most")
    parser.add_argument("--opt-level", type=int, default=2, choices=range(4))
    parser.add_argument("--cpu", default="baseline", help="one, or several levels with commas between")
    parser.add_argument("--target", choices=["aarch64"], help="emulate this machine")
    parser.add_argument("--jobs", type=int, default=2, help="processes that compare")
    parser.add_argument("--save", type=Path, default=Path("build/fuzz"), help="where modules that differ go")
    parser.add_argument("--attempts", type=int, default=150, help="attempts at making one smaller; 0: none")
    given = parser.parse_args(arguments)
    options = Options(given.opt_level, given.cpu, given.target)
    if given.target:
        prepare()
    start = time.monotonic()
    totals = fuzz(given.seed, options, seconds=given.seconds, modules=given.modules, jobs=given.jobs, progress=True)
    print("\n".join(summary(totals, time.monotonic() - start)), flush=True)
    save(totals, options, given.save, attempts=given.attempts)
    for seed, report in totals.findings:
        print(f"{report.verdict}: seed {seed}, saved in {given.save}: {report.reason[:300]}")
    return 1 if totals.findings else 0


if __name__ == "__main__":
    sys.exit(main())
