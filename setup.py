"""Builds the native parts, and by mypyc the Python files in which packing spends its time.

Everything else about the package stands in pyproject.toml. Without mypyc, or with WASMARTIFACT_PURE=1, those files stay
Python: packing gives the same bytes, at level 0 in 1.15 of the time.
"""

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import setup

COMPILED = Path(__file__).with_name("native") / "compiled_python.txt"

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise SystemExit(
        f"{sys.executable} is a free-threaded build of CPython, which wasmartifact does not support: its types rely on "
        f"the global interpreter lock. Use a build that has it."
    )


def stay_python(reason):
    """No extension modules of Python files, said in the build's output (pip shows it with -v)."""
    print(f"wasmartifact: {reason}: the files of {COMPILED.name} stay Python; packing takes up to 1.15 of the time")
    return []


def compiled_python():
    """Extension modules made of Python files; none where there is no mypyc."""
    if os.environ.get("WASMARTIFACT_PURE") == "1":
        return stay_python("WASMARTIFACT_PURE=1")
    try:
        from mypyc.build import mypycify
    except ImportError:
        return stay_python("mypy is not installed")
    # What packing needs may come later than the build. Level 3, the default, compiles twice as long for nothing.
    arguments = ["--ignore-missing-imports", *COMPILED.read_text(encoding="utf-8").split()]
    return mypycify(arguments, opt_level="1", debug_level="0", group_name="wasmartifact._compiled")


BUILDERS = ("ffibuilder", "onepass_builder", "onepass_aarch64_builder")
setup(cffi_modules=[f"native/build_native.py:{builder}" for builder in BUILDERS], ext_modules=compiled_python())
