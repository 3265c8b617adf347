"""The tests of the C runtime under AddressSanitizer and UndefinedBehaviorSanitizer, or under ThreadSanitizer.

``python -m tests.sanitize [--inputs N] [--seed S]`` runs them, a part of the spec suite where there is one, N mutated
inputs and as many artifacts whose metadata lies; ``--only-tests PATH ...`` runs these tests and nothing else.
``--threads`` runs those of shared memories under ThreadSanitizer. ``--objects`` runs those of structs and arrays with a
collector that runs at each allocation and overwrites what it frees, ``--steps`` with one that is always at work, a few
references at each allocation, and ends the process where it has lost an object.

The package is copied into a scratch directory and built there with WASMARTIFACT_SANITIZE=1, so that the ordinary build
stays as it is. Python's allocator is replaced by malloc, so that what happens to Python objects is seen too. Exits with
1 where a test fails or a sanitizer reports anything.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Final

import tests.component.run
import tests.spec.run

ROOT: Final = Path(__file__).resolve().parents[1]
PARTS: Final = ("bench", "docs", "native", "tests", "tools", "wasmartifact", "pyproject.toml")
#: What reaches the C runtime in depth.
TESTS: Final = (
    "tests/unit/runtime",
    "tests/unit/native",
    "tests/unit/wasi",
    "tests/component",
    "tests/fuzz/test_signatures.py",
    "tests/unit/codegen/test_fuel.py",
    "tests/unit/metadata/test_contract.py",
    "tests/flows/test_load.py",
    "tests/flows/test_images.py",
)
#: Greenlet copies stacks, redzones and all; ASan keeps memory that was freed, so that counts of it say nothing.
LEFT_OUT: Final = (
    "tests/unit/native/test_greenlets.py",
    "tests/unit/native/test_stops.py::test_nothing_is_left_behind",
)
#: Counts resident memory, of which ASan's allocator keeps for a while what was freed: here it may keep little.
COUNTING_TESTS: Final = ("tests/flows/test_instances.py",)
SMALL_QUARANTINE: Final = ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
SCRIPTS: Final = (
    "bulk", "call", "call_indirect", "conversions", "data", "data_drop0", "elem", "endianness", "exports", "fac",
    "float_memory", "func_ptrs", "global", "i64", "imports", "linking", "linking1", "linking2", "linking3",
    "load", "memory", "memory_copy", "memory_fill", "memory_grow", "memory_init", "memory_trap", "ref_func",
    "ref_is_null", "skip-stack-guard-page", "stack", "start", "store", "table", "table_copy", "table_fill",
    "table_get", "table_grow", "table_init", "table_set", "tag", "throw", "throw_ref", "traps", "try_table", "unwind",
)  # fmt: skip
#: What threads share. ThreadSanitizer holds signals back until the next call of a function that it knows, so that none
#: ends a guest; it does not know of the atomic instructions of guests, which order what they do to their memory.
THREAD_TESTS: Final = (
    "tests/unit/runtime/test_shared_memory.py",
    "tests/unit/runtime/test_threads.py",
    "tests/unit/runtime/test_limits.py",
    "tests/unit/wasi/test_threads.py::test_a_thread_gets_its_number_and_its_argument",
    "tests/unit/wasi/test_threads.py::test_who_returns_ends_no_other",
)
NEED_SIGNALS: Final = ("ends_a_wait", "the_waits_of_others", "ctrl_c", "a_child", "deadline", "interrupt")
#: What makes structs and arrays, and the spec suite's scripts that do.
OBJECT_TESTS: Final = (
    "tests/unit/runtime/test_gc_objects.py",
    "tests/unit/runtime/test_gc_roots.py",
    "tests/unit/runtime/test_gc_rewriting.py",
)
OBJECT_SCRIPTS: Final = (
    "array", "array_copy", "array_fill", "array_init_data", "array_init_elem", "array_new_data", "array_new_elem",
    "binary-gc", "br_on_cast", "br_on_cast_fail", "extern", "i31", "ref_cast", "ref_eq", "ref_null", "ref_test",
    "struct", "type-equivalence", "type-rec", "type-subtyping",
)  # fmt: skip
#: Its findings end the run; the runtime takes faults over.
THREAD_OPTIONS: Final = {
    "TSAN_OPTIONS": "exitcode=86:report_signal_unsafe=0:handle_segv=0:handle_sigbus=0:handle_sigill=0",
    "PYTHONMALLOC": "malloc",
}
#: Allocations of CPython that live to its end are no leaks of ours; the runtime takes faults and alternate stacks over.
OPTIONS: Final = {
    "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigill=0:use_sigaltstack=0:exitcode=86",
    "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=86",
    "PYTHONMALLOC": "malloc",
}


def compiler_file(name: str) -> str:
    """Path of a library of the compiler that builds the extension."""
    asked = [os.environ.get("CC", "gcc"), f"-print-file-name={name}"]
    path = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not os.path.isabs(path):
        raise SystemExit(f"{asked[0]} has no {name}; install the sanitizers of this compiler")
    return os.path.realpath(path)


def copy_and_build(scratch: Path, sanitizers: str = "1") -> None:
    """A copy of the package and its tests with a sanitized extension. ``sanitizers``: of WASMARTIFACT_SANITIZE."""
    ignored = shutil.ignore_patterns("*.so", "*.o", "__pycache__", "_native.c")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, scratch / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, scratch / part)
    environment = {**os.environ, "WASMARTIFACT_SANITIZE": sanitizers}
    subprocess.run([sys.executable, "native/build_native.py"], cwd=scratch, env=environment, check=True)


def run(scratch: Path, *arguments: str, asan_options: str = "") -> bool:
    """Run a module of Python in the scratch directory under the sanitizers; True where it succeeds."""
    # The C++ library too: LLVM's exceptions pass through the sanitizer's wrapper, which looks it up at start.
    preloaded = " ".join(map(compiler_file, ("libasan.so", "libubsan.so", "libstdc++.so")))
    environment = {**os.environ, **OPTIONS, "LD_PRELOAD": preloaded, "PYTHONPATH": str(scratch)}
    environment["ASAN_OPTIONS"] += asan_options
    print("sanitized:", " ".join(arguments), flush=True)
    return subprocess.run([sys.executable, "-m", *arguments], cwd=scratch, env=environment, check=False).returncode == 0


def run_threads(scratch: Path) -> bool:
    """The tests of what threads share, under ThreadSanitizer."""
    preloaded = " ".join(map(compiler_file, ("libtsan.so", "libstdc++.so")))
    environment = {**os.environ, **THREAD_OPTIONS, "LD_PRELOAD": preloaded, "PYTHONPATH": str(scratch)}
    unwanted = " and ".join(f"not {name}" for name in NEED_SIGNALS)
    options = ("-q", "-p", "no:cacheprovider", "--no-header", "--capture=sys", "-n0", "-k", unwanted)
    command = [sys.executable, "-m", "pytest", *options, *THREAD_TESTS]
    return subprocess.run(command, cwd=scratch, env=environment, check=False).returncode == 0


def run_objects(scratch: Path, collector: str) -> bool:
    """The tests of what makes objects, without a sanitizer. ``collector``: of WASMARTIFACT_SANITIZE."""
    environment = {**os.environ, "PYTHONPATH": str(scratch), "WASMARTIFACT_SANITIZE": collector}
    commands = [["pytest", "-q", "-p", "no:cacheprovider", "--no-header", "-n0", *OBJECT_TESTS]]
    if tell_of(tests.spec.run):
        environment[tests.spec.run.SUITE_VARIABLE] = os.environ[tests.spec.run.SUITE_VARIABLE]
        commands += [["tests.spec.run", "--opt-level", level, *OBJECT_SCRIPTS] for level in ("0", "2")]
    return all(
        [  # a list: each runs
            subprocess.run([sys.executable, "-m", *command], cwd=scratch, env=environment, check=False).returncode == 0
            for command in commands
        ]
    )


def tell_of(suite: ModuleType) -> bool:
    """Let the copy, which has none beside it, find a suite; where there is none, say so. Whether there is one."""
    try:
        os.environ[suite.SUITE_VARIABLE] = str(suite.suite_directory())
    except FileNotFoundError as error:
        print(f"sanitized: without a suite: {error}", flush=True)
        return False
    return True


def run_inputs(scratch: Path, given: argparse.Namespace) -> list[bool]:
    """Mutated inputs, and artifacts whose metadata lies."""
    chosen = ("--save", str(ROOT / "build" / "fuzz"), "--seed", given.seed, "--jobs", given.jobs)
    return [
        run(scratch, module, "--seconds", "100000", number, str(given.inputs), *chosen)
        for module, number in (("tests.fuzz.mutate", "--inputs"), ("tests.fuzz.lies", "--changes"))
    ]


def run_tests(scratch: Path, *tests: str, asan_options: str = "") -> bool:
    """Tests by their paths."""
    options = ("-q", "-p", "no:cacheprovider", "--no-header", *(f"--deselect={test}" for test in LEFT_OUT))
    return run(scratch, "pytest", *options, *tests, asan_options=asan_options)


def main() -> int:
    """Build, run the tests, a part of the spec suite and mutated inputs."""
    parser = argparse.ArgumentParser(prog="python -m tests.sanitize", description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=2000, metavar="N", help="mutated inputs; default: 2000")
    parser.add_argument("--seed", default="1", help="chooses the inputs")
    parser.add_argument("--jobs", default="2", help="processes that read mutated inputs")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--only-inputs", action="store_true", help="leave the tests and the spec suite out")
    only.add_argument("--threads", action="store_true", help="run the tests of shared memories under ThreadSanitizer")
    only.add_argument("--objects", action="store_true", help="run the tests of objects, collecting at each allocation")
    only.add_argument("--steps", action="store_true", help="likewise, with a collector that is always at work")
    only.add_argument("--only-tests", nargs="+", metavar="PATH", help="run these tests only")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wasmartifact-sanitized-") as directory:
        scratch = Path(directory)
        kind = "thread" if given.threads else "collect" if given.objects else "step" if given.steps else "1"
        copy_and_build(scratch, kind)
        if kind != "1":
            return 0 if (run_threads(scratch) if given.threads else run_objects(scratch, kind)) else 1
        tell_of(tests.component.run)
        has_scripts = tell_of(tests.spec.run)
        passed = []
        if not given.only_inputs:
            passed.append(run_tests(scratch, *(given.only_tests or TESTS)))
        if not given.only_inputs and not given.only_tests:
            passed.append(run_tests(scratch, *COUNTING_TESTS, asan_options=SMALL_QUARANTINE))
            passed += [run(scratch, "tests.spec.run", *SCRIPTS)] if has_scripts else []
        if not given.only_tests:
            passed += run_inputs(scratch, given)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
