"""Instruction counts of load, instantiate, call and call back, beside their budget in tests/data/budget.json.

``python -m tests.budget`` prints them and exits with 1 where one is over its budget; ``--update`` writes the counts of
this machine down as the budget of its CPython version. Three figures a row, for one repetition each:

- ours: instructions in the C runtime and in the artifact's code;
- all: these, Python's and the C library's;
- system calls.

On one build of everything, the first and the last repeat exactly. Counts differ with the compilers of Python and of the
runtime, so the budget names its build: on the same one, all three figures count; on another, "all" is for information
and "ours" gets more room.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from bench import synthetic
from bench.timing import table
from tests.budget.rows import EXPORTS, MANY_EXPORTS, ROWS, WAT, artifact_path
from wasmartifact import _native

ROOT: Final = Path(__file__).resolve().parents[2]
BUDGET_FILE: Final = ROOT / "tests" / "data" / "budget.json"
MARKS_PER_ROW: Final = 3
#: How far a count may go beyond its budget, and how far below it deserves a new one.
SAME_BUILD_ROOM: Final = 0.03
#: What Python's allocator happens to hold makes 2%.
ALL_ROOM: Final = 0.05
OTHER_BUILD_ROOM: Final = 0.25
WELL_BELOW: Final = 0.05

CALLGRIND: Final = ("valgrind", "-q", "--tool=callgrind")
OPTIONS: Final = (
    "--dump-before=getppid",
    "--collect-systime=yes",
    "--compress-strings=no",
    "--compress-pos=no",
    # A trap is looked up by the address of the instruction, which else is not up to date when a fault comes.
    "--vex-iropt-register-updates=allregs-at-mem-access",
)
#: The same functions of the C library whatever the processor; the same order of dicts and sets.
ENVIRONMENT: Final = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
}
#: Valgrind names no file for code that has no writable segment beside it: ours.
UNNAMED: Final = "???"


@dataclass(frozen=True)
class Counts:
    """What one repetition costs."""

    ours: int
    all: int
    system_calls: int


@dataclass(frozen=True)
class Budget:
    """Counts that were written down, and the build they are of."""

    build: str
    rows: Mapping[str, Counts]


def why_unusable() -> str | None:
    """Why there are no counts on this machine; None where valgrind runs."""
    if shutil.which(CALLGRIND[0]) is None:
        return "valgrind is missing (Debian: apt-get install valgrind), instruction counts are not compared"
    with tempfile.TemporaryDirectory() as directory:
        probe = [*CALLGRIND, f"--callgrind-out-file={directory}/probe", *OPTIONS, sys.executable, "-S", "-c", ""]
        run = subprocess.run(probe, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return None
    return f"valgrind does not run here, instruction counts are not compared: {run.stderr.strip()[-300:]}"


def build_name() -> str:
    """What counts depend on: Python, the C library, the compiler of the runtime, the processor's kind."""
    compiler = subprocess.run([os.environ.get("CC", "gcc"), "--version"], capture_output=True, text=True, check=True)
    libc = " ".join(platform.libc_ver())
    return "; ".join((f"CPython {sys.version}", libc, compiler.stdout.splitlines()[0], platform.machine()))


def python_version() -> str:
    """The key of a budget: counts of Python's own work change with every minor version."""
    return "{}.{}".format(*sys.version_info)


def pack_modules(directory: Path) -> None:
    """The artifacts that the rows load."""
    for module, wat in WAT.items():
        source = directory / f"{module}.wat"
        source.write_text(wat)
        wa.pack(source, artifact_path(directory, module))
    many = synthetic.exported_functions(1, EXPORTS)
    wa.pack(many, artifact_path(directory, MANY_EXPORTS), opt_level=0)


def read_dump(lines: Iterable[str], *, ours: frozenset[str]) -> Counts:
    """The sums of one dump of callgrind: of the objects that are ours, of all, and of system calls."""
    instructions: Counter[bool] = Counter()
    system_calls = 0
    is_ours = is_inclusive = False
    for line in lines:
        if line.startswith("ob="):
            is_ours = line[3:].rstrip() in ours
        elif line.startswith("calls="):
            is_inclusive = True  # the next line holds what the callee costs, which stands at the callee too
        elif line[:1].isdigit():
            costs = [int(cost) for cost in line.split()[1:]]
            if not is_inclusive:
                instructions[is_ours] += costs[0]
                system_calls += costs[1] if len(costs) > 1 else 0
            is_inclusive = False
    return Counts(instructions[True], instructions.total(), system_calls)


def per_repetition(once: Counts, twice: Counts, repetitions: int) -> Counts:
    """The difference between 2N and N repetitions, for one."""
    return Counts(
        *(
            round((more - less) / repetitions)
            for less, more in zip(asdict(once).values(), asdict(twice).values(), strict=True)
        )
    )


def count() -> dict[str, Counts]:
    """Count all rows in one run of valgrind. Raises RuntimeError where that fails."""
    with tempfile.TemporaryDirectory(prefix="wasmartifact-budget-") as temporary:
        directory = Path(temporary)
        pack_modules(directory)
        output = directory / "dump"
        command = [*CALLGRIND, f"--callgrind-out-file={output}", *OPTIONS, sys.executable, "-m", "tests.budget.rows"]
        environment = {**os.environ, **ENVIRONMENT}
        run = subprocess.run(
            [*command, str(directory)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        # The last dump is the one at exit.
        dumps = [Path(f"{output}.{number}") for number in range(1, len(ROWS) * MARKS_PER_ROW + 1)]
        if run.returncode != 0 or not all(path.exists() for path in (*dumps, output)):
            raise RuntimeError(
                f"valgrind ended with {run.returncode}, {len(list(directory.glob('dump*')))} dumps of "
                f"{len(dumps) + 1}: {run.stderr[-2000:]}"
            )
        ours = frozenset(
            [_native.__file__, UNNAMED, *(str(artifact_path(directory, module)) for module in (*WAT, MANY_EXPORTS))]
        )
        parsed = []
        for path in dumps:
            with path.open() as lines:
                parsed.append(read_dump(lines, ours=ours))
    # Each dump holds what came since the one before it.
    pairs = zip(parsed[1::MARKS_PER_ROW], parsed[2::MARKS_PER_ROW], strict=True)
    return {
        name: per_repetition(once, twice, row.repetitions)
        for (name, row), (once, twice) in zip(ROWS.items(), pairs, strict=True)
    }


def read_budget(path: Path = BUDGET_FILE) -> Budget | None:
    """The budget of this CPython version; None where there is none."""
    found = json.loads(path.read_text()).get(python_version())
    return found and Budget(found["build"], {name: Counts(**counts) for name, counts in found["rows"].items()})


def write_budget(counts: Mapping[str, Counts], path: Path = BUDGET_FILE) -> None:
    """Make these counts the budget of this CPython version."""
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept[python_version()] = {
        "build": build_name(),
        "rows": {name: asdict(row) for name, row in counts.items()},
    }
    path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")


def compare(counts: Mapping[str, Counts], budget: Budget, build: str) -> tuple[list[str], list[str]]:
    """What is over its budget, and what is so far below that the budget should be lowered.

    Parameters
    ----------
    counts : mapping
        By row.
    budget : Budget
        What they are compared with.
    build : str
        The build that was counted: on another than the budget's, "all" does not count and "ours" has more room.
    """
    over, below = [], []
    same = build == budget.build
    room = SAME_BUILD_ROOM if same else OTHER_BUILD_ROOM
    if counts.keys() != budget.rows.keys():
        differing = sorted(counts.keys() ^ budget.rows.keys())
        over.append(f"rows differ from those of the budget: {', '.join(differing)}")
    for name in counts.keys() & budget.rows.keys():
        found, allowed = asdict(counts[name]), asdict(budget.rows[name])
        for figure, rooms in (
            ("ours", room),
            ("all", ALL_ROOM if same else None),
            ("system_calls", 0 if same else room),
        ):
            if rooms is None:
                continue
            words = f"{name}: {figure.replace('_', ' ')} {found[figure]:,}, budget {allowed[figure]:,}"
            if found[figure] > allowed[figure] * (1 + rooms):
                over.append(words)
            elif same and found[figure] < allowed[figure] * (1 - WELL_BELOW):
                below.append(words)
    return sorted(over), sorted(below)


def report(counts: Mapping[str, Counts], budget: Budget | None) -> str:
    """The table that the command prints."""
    lines = []
    for name, found in counts.items():
        cells = [name]
        allowed = budget.rows.get(name) if budget else None
        for figure, value in asdict(found).items():
            limit = getattr(allowed, figure) if allowed else None
            cells += [f"{value:,}", "-" if limit is None else f"{limit:,}", f"{value / limit:.2f}" if limit else "-"]
        lines.append(cells)
    header = ("one repetition", "ours", "budget", "ratio", "all", "budget", "ratio", "system calls", "budget", "ratio")
    return table(header, lines)


def main() -> int:
    """Print the table; compare, or write the budget down."""
    parser = argparse.ArgumentParser(prog="python -m tests.budget", description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help=f"write the counts into {BUDGET_FILE.relative_to(ROOT)}")
    options = parser.parse_args()
    if reason := why_unusable():
        print(f"budget: {reason}")
        return 0
    counts = count()
    if options.update:
        write_budget(counts)
    budget = read_budget()
    print(report(counts, budget))
    if budget is None:
        print(f"There is no budget for CPython {python_version()}: --update writes one.")
        return 0
    build = build_name()
    if build != budget.build:
        print(f'Another build than the budget\'s, so "all" is not compared.\nhere:   {build}\nbudget: {budget.build}')
    over, below = compare(counts, budget, build)
    for words in below:
        print(f"well below, lower the budget with --update: {words}")
    for words in over:
        print(f"over budget: {words}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
