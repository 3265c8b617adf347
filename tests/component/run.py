"""The command that runs the component model's test suite: ``python -m tests.component.run [--opt-level N] [FILES...]``.

Prints passed, failed and expected-to-fail assertions per script and in total; exits with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.component.script import Script
from tests.spec.convert import convert
from tests.spec.script import EXPECTED, FAILED, PASSED, Outcome
from tests.support.suites import find_suite

SUITE_VARIABLE = "WASM_COMPONENT_TESTS"
#: Folders of the suite but that of the asynchronous ABI.
FOLDERS = ("binary", "linking", "resources", "validation", "values")


def suite_directory() -> Path:
    """Root of the suite; FileNotFoundError says what to do where it is not there."""
    here = Path(__file__).resolve().with_name("suite")
    what = "the folder test/ of WebAssembly/component-model"
    return find_suite(SUITE_VARIABLE, here, "component-tests", "values", what)


def run_scripts(scripts: Sequence[Path], suite: Path, *, opt_level: int = 0) -> Iterator[tuple[str, list[Outcome]]]:
    """Name and outcomes of each script."""
    with tempfile.TemporaryDirectory() as temporary:
        for name, path in convert(scripts, suite, Path(temporary)).items():
            yield name, list(Script(path.parent, Path(temporary), opt_level).run(path))


def counted(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Assertions by result; a command that is no assertion counts only where it failed."""
    return Counter(
        outcome.result for outcome in outcomes if outcome.command.startswith("assert_") or outcome.result == FAILED
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the runner."""
    parser = argparse.ArgumentParser(prog="tests.component.run", description="run the component model's tests")
    parser.add_argument("files", nargs="*", metavar="FILES", help="names of scripts, such as values/strings")
    parser.add_argument("--opt-level", type=int, default=0, choices=range(4))
    parser.add_argument("--verbose", action="store_true", help="print what is expected to fail, too")
    options = parser.parse_args(arguments)
    try:
        suite = suite_directory()
    except FileNotFoundError as error:
        parser.error(str(error))
    chosen = [suite / f"{name.removesuffix('.wast')}.wast" for name in options.files]
    scripts = chosen or [path for folder in FOLDERS for path in sorted((suite / folder).glob("*.wast"))]
    totals: Counter[str] = Counter()
    for name, outcomes in run_scripts(scripts, suite, opt_level=options.opt_level):
        counts = counted(outcomes)
        totals += counts
        print(f"{name:40}{counts[PASSED]:8}{counts[FAILED]:8}{counts[EXPECTED]:8}", flush=True)
        for outcome in outcomes:
            if outcome.result == FAILED or (options.verbose and outcome.result == EXPECTED):
                print(f"    line {outcome.line}: {outcome.command}: {outcome.detail[:400]}")
    print(f"{'total':40}{totals[PASSED]:8}{totals[FAILED]:8}{totals[EXPECTED]:8}")
    return 1 if totals[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
