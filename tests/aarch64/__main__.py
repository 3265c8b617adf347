"""Tests of the runtime, WASI, the spec suite, generated modules on aarch64, in QEMU's user mode: ``make test-aarch64``.

``python -m tests.aarch64 [--quick | --tests PATH ... | --python ARGUMENT ...]`` makes an emulated Python
(``tools/aarch64.py``), unpacks the wheel for aarch64 of ``build/aarch64/wheels`` beside a copy of the tests, and runs
them there. Modules are packed by this Python, which compiles for aarch64 (``packing.py``), and loaded, called and
trapped in the emulator. ``--quick`` runs what takes two minutes, ``--tests`` these tests alone; ``--python`` starts the
emulated interpreter with what follows, in the copy.

Exits with 1 where something fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from typing import Final
from zipfile import ZipFile

import tests.spec.run
from tests.aarch64.packing import COMMAND_VARIABLE
from tools import aarch64
from tools.aarch64 import TREE

WHEELS: Final = aarch64.FOLDER / "wheels"
#: Beside the package, which comes from the wheel.
PARTS: Final = ("bench", "examples", "native", "tests", "tools", "pyproject.toml")
TESTS: Final = (
    "tests/unit/runtime",
    "tests/unit/native",
    "tests/unit/wasi",
    "tests/unit/codegen/test_fixed_tables.py",
    "tests/unit/codegen/test_one_pass.py",
)
#: What others than the machine decide, with the reason.
LEFT_OUT: Final = {
    "tests/unit/runtime/test_stubs.py": "type checkers say the same of every machine",
    "tests/unit/native/test_stacks.py": "a program of its own, which the kernel can't start",
    "tests/unit/native/test_address_space.py::test_limit_on_virtual_memory": "the emulator keeps no such limit",
    "tests/unit/codegen/test_fixed_tables.py::test_code_for_several_levels_of_cpus_calls_the_best_one": "of x86-64",
    # QEMU 10 lets an x86-64 host read with LDAR before what STLR wrote is seen; a program in C shows it, too.
    "tests/unit/runtime/test_litmus.py::test_nothing_forbidden_is_seen[store buffering-0]": "the emulator's order",
    "tests/unit/runtime/test_litmus.py::test_nothing_forbidden_is_seen[store buffering-2]": "the emulator's order",
}
#: Each takes seconds.
QUICK_TESTS: Final = (
    "tests/unit/runtime/test_calls.py",
    "tests/unit/runtime/test_gc_roots.py",
    "tests/unit/runtime/test_shared_memory.py",
    "tests/unit/native/test_stack.py",
    "tests/unit/wasi/test_streams.py",
)
QUICK_SCRIPTS: Final = ("call", "memory_trap", "stack", "traps", "try_table", "struct", "proposals/threads/atomic")
#: Generated modules; the reference runs on this machine.
FUZZED: Final = ("-m", "tests.fuzz.differential", "--target", "aarch64", "--opt-level", "0", "--modules", "200",
    "--seconds", "1200", "--seed", "aarch64")  # fmt: skip
#: Packs in the emulator, too: this machine's CPU is found, LLVM runs, and the result is loaded.
PACKS_HERE: Final = """
import wasmartifact as wa
text = b'(module (func (export "f") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 6))))'
for level, cpu in ((0, "baseline"), (2, "native")):
    report = wa.pack(text, "packed_here.so", opt_level=level, cpu=cpu, jobs=1)
    assert report.machine == "aarch64" and wa.load("packed_here.so").instantiate().exports.f(7) == 42
"""


def prepare() -> None:
    """The emulated Python, with the package and the tests."""
    aarch64.prepare()
    unpack()


def unpack() -> None:
    """The package of the newest wheel and a copy of the tests, in the place of what was there."""
    wheels = sorted(WHEELS.glob("*_aarch64.whl"), key=lambda path: path.stat().st_mtime)
    if not wheels:
        raise SystemExit(f"no wheel for aarch64 in {WHEELS}; make test-aarch64 builds one")
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    for part in PARTS:
        if (aarch64.ROOT / part).is_dir():
            shutil.copytree(aarch64.ROOT / part, TREE / part, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        else:
            shutil.copy(aarch64.ROOT / part, TREE / part)
    with ZipFile(wheels[-1]) as wheel:
        wheel.extractall(TREE)
    for extension in (TREE / "wasmartifact").rglob("*.so"):
        extension.touch()  # an archive keeps times to two seconds: no file shall seem older than its source
    # Every emulated Python, that of a test's child, too, finds the copy, and has the host pack for it.
    (aarch64.site_packages() / "wasmartifact_tests.pth").write_text(f"{TREE}\nimport tests.aarch64.packing\n")


def run(*arguments: str, packs_here: bool = False) -> bool:
    """Run the emulated Python in the copy; whether it succeeded."""
    environment = {**os.environ, "PYTHONPATH": ""}
    environment.pop(COMMAND_VARIABLE, None)
    if not packs_here:
        environment[COMMAND_VARIABLE] = os.pathsep.join((sys.executable, str(aarch64.ROOT / "tests/aarch64/packer.py")))
    command = [str(aarch64.FOLDER / "bin" / "python"), *arguments]
    print("aarch64:", " ".join(arguments) if arguments[:1] != ("-c",) else "packing in the emulator", flush=True)
    return subprocess.run(command, cwd=TREE, env=environment, check=False).returncode == 0


def run_tests(*tests: str) -> bool:
    """Tests by their paths."""
    options = ("-q", "-p", "no:cacheprovider", "--no-header", "-n", "2")
    return run("-m", "pytest", *options, *(f"--deselect={test}" for test in LEFT_OUT), *tests)


def run_scripts(*scripts: str) -> list[bool]:
    """The spec suite at both levels, or these scripts of it."""
    try:
        os.environ[tests.spec.run.SUITE_VARIABLE] = str(tests.spec.run.suite_directory())
    except FileNotFoundError as error:
        print(f"aarch64: without a suite: {error}", flush=True)
        return []
    return [run("-m", "tests.spec.run", "--opt-level", level, *scripts) for level in ("0", "2")]


def main() -> int:
    """Prepare, and run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.aarch64", description=__doc__.splitlines()[0])
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--quick", action="store_true", help="a part that takes two minutes")
    chosen.add_argument("--tests", nargs="+", metavar="PATH", help="run these tests and nothing else")
    chosen.add_argument("--python", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="start the emulated Python")
    given = parser.parse_args()
    prepare()
    if given.python is not None:
        return 0 if run(*given.python) else 1
    if given.tests:
        return 0 if run_tests(*given.tests) else 1
    passed = [run("-c", PACKS_HERE, packs_here=True)]
    passed.append(run_tests(*(QUICK_TESTS if given.quick else TESTS)))
    passed += run_scripts(*(QUICK_SCRIPTS if given.quick else ()))
    if not given.quick:
        passed.append(subprocess.run([sys.executable, *FUZZED], cwd=aarch64.ROOT, check=False).returncode == 0)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
