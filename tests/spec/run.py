"""The command that runs the spec suite: ``python -m tests.spec.run [--opt-level N] [--cpu C] [FILES...]``.

Prints passed, failed and expected-to-fail assertions per script and in total; exits with 1 where anything failed, a
surprise pass of something on the list of expected failures included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from tests.spec.convert import convert
from tests.spec.expected import COMMANDS
from tests.spec.script import EXPECTED, FAILED, PASSED, Outcome
from tests.spec.worker import Worker
from tests.support.suites import find_suite

PROCESSES = 2
SUITE_VARIABLE = "WASM_SPECTEST"


@dataclass(frozen=True)
class ScriptResult:
    """Outcomes of one script, with the list of expected failures applied."""

    name: str
    outcomes: list[Outcome]

    def counted(self) -> Counter[str]:
        """Assertions by result; a command that is no assertion counts only where it did not pass."""
        return Counter(
            outcome.result
            for outcome in self.outcomes
            if outcome.command.startswith("assert_") or outcome.result != PASSED
        )

    def reasons(self) -> set[str]:
        """Why failures are expected."""
        return {outcome.detail for outcome in self.outcomes if outcome.result == EXPECTED}


def suite_directory() -> Path:
    """Root of the suite; FileNotFoundError says what to do where it is not there."""
    here = Path(__file__).resolve().with_name("suite")
    return find_suite(SUITE_VARIABLE, here, "spectest", "i32.wast", "the directory with the spec suite's .wast files")


def all_scripts(suite: Path) -> list[Path]:
    """The core scripts, those of the proposals and of the legacy exception encoding."""
    return [path for pattern in ("*", "proposals/*/*", "legacy/*") for path in sorted(suite.glob(f"{pattern}.wast"))]


def apply_expected(name: str, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Turn failures on the list into expected ones, and passes on the list into failures."""
    listed = COMMANDS.get(name, {})
    for outcome in outcomes:
        reason = listed.get(outcome.line)
        if reason is None:
            yield outcome
        elif outcome.result == PASSED:
            yield replace(outcome, result=FAILED, detail=f"passes now: take it off tests/spec/expected.py ({reason})")
        else:
            yield replace(outcome, result=EXPECTED, detail=reason)


def run_scripts(scripts: Sequence[Path], suite: Path, *, opt_level: int, cpu: str) -> Iterator[ScriptResult]:
    """Convert and run scripts in parallel processes; results come in the order of ``scripts``."""
    with tempfile.TemporaryDirectory() as temporary:
        converted = convert(scripts, suite, Path(temporary))
        idle: SimpleQueue[Worker] = SimpleQueue()
        workers = []
        for index in range(PROCESSES):
            artifacts = Path(temporary, f"artifacts-{index}")
            artifacts.mkdir()
            workers.append(Worker(artifacts, opt_level=opt_level, cpu=cpu))
            idle.put(workers[-1])

        def one(name: str, path: Path) -> ScriptResult:
            worker = idle.get()
            try:
                return ScriptResult(name, list(apply_expected(name, worker.run(path))))
            finally:
                idle.put(worker)

        try:
            with ThreadPoolExecutor(PROCESSES) as pool:
                yield from pool.map(one, converted.keys(), converted.values())
        finally:
            for worker in workers:
                worker.close()


def report(results: Iterator[ScriptResult], *, verbose: bool) -> Counter[str]:
    """Print a line per script, and its failures. Returns totals."""
    totals: Counter[str] = Counter()
    print(f"{'script':44}{PASSED:>8}{FAILED:>8}{EXPECTED:>10}")
    for result in results:
        counted, reasons = result.counted(), result.reasons()
        totals += counted
        columns = f"{counted[PASSED]:8}{counted[FAILED]:8}{counted[EXPECTED]:10}"
        print(f"{result.name:44}{columns}  {', '.join(sorted(reasons))}".rstrip(), flush=True)
        failures = [outcome for outcome in result.outcomes if outcome.result == FAILED]
        for outcome in failures if verbose else failures[:5]:
            print(f"    line {outcome.line}: {outcome.command}: {outcome.detail[:300]}")
        if len(failures) > 5 and not verbose:
            print(f"    ... and {len(failures) - 5} more (--verbose)")
    print(f"{'total':44}{totals[PASSED]:8}{totals[FAILED]:8}{totals[EXPECTED]:10}")
    return totals


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the runner."""
    parser = argparse.ArgumentParser(prog="tests.spec.run", description="run the WebAssembly spec suite")
    parser.add_argument("files", nargs="*", metavar="FILES", help="names of scripts, such as i32 (default: all)")
    parser.add_argument("--opt-level", type=int, default=2, choices=range(4))
    parser.add_argument("--cpu", default="baseline", help="one, or several levels with commas between")
    parser.add_argument("--verbose", action="store_true", help="print every failure")
    options = parser.parse_args(arguments)
    try:
        suite = suite_directory()
    except FileNotFoundError as error:
        parser.error(str(error))
    scripts = [suite / f"{name.removesuffix('.wast')}.wast" for name in options.files] or all_scripts(suite)
    totals = report(run_scripts(scripts, suite, opt_level=options.opt_level, cpu=options.cpu), verbose=options.verbose)
    return 1 if totals[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
