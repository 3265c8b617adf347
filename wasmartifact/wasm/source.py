"""Reading the input of a pack: a file or bytes, in the binary or the text format, to a binary module."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Final

from wasmartifact.errors import MalformedModule, ToolchainError
from wasmartifact.host.input import check_size, read_input
from wasmartifact.wasm.wasm_tools import is_early, run_wasm_tools, wasmtime_package

#: Where, as wasmtime's parser says it: in a line below the message and above an excerpt, or, for long lines, behind it.
_PLACE: Final = re.compile(r"(?:\n *-->| at) <(?:anon|stdin)>:(\d+):(\d+)(?=\n|$)")

#: Characters of an excerpt that is still worth showing: a module may be one long line.
MAX_EXCERPT: Final = 1000


def read_source(source: str | os.PathLike[str] | bytes) -> bytes:
    """Get a binary module from a path or from bytes.

    Parameters
    ----------
    source : str | os.PathLike | bytes
        Path of a file, or contents. Contents that start with a zero byte are taken for the binary format, others for
        text.

    Returns
    -------
    bytes
        The binary module, not checked yet.

    Raises
    ------
    UnsupportedModule
        More than 4 GiB.
    MalformedModule
        Empty, not UTF-8, or not WebAssembly text: then ``line`` and ``column`` say where.
    OSError
        The file can't be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        contents, name = bytes(source), getattr(source, "name", "input")
        check_size(len(contents), name)
    else:
        name = os.fsdecode(source)
        with open(name, "rb") as file:
            contents = read_input(file, name)
    if not contents:
        raise MalformedModule(f"{name} is empty: expected a WebAssembly module, binary or text", wasm_offset=0)
    # \0asm; with the zero alone, decoding has the better words for what is wrong.
    if contents.startswith(b"\0"):
        return contents
    return _assemble(contents, name)


def _assembled(text: str) -> tuple[bytes | None, str]:
    """The binary module of a text, or None and what is wrong with it."""
    if is_early(len(text)):
        with suppress(ToolchainError):
            return _parsed(text)
    wasmtime = wasmtime_package()
    if wasmtime is None:
        return _parsed(text)
    try:
        return bytes(wasmtime.wat2wasm(text)), ""
    except wasmtime.WasmtimeError as error:
        return None, str(error)


def _parsed(text: str) -> tuple[bytes | None, str]:
    """The same by ``wasm-tools``."""
    exit_code, output, message = run_wasm_tools(text.encode(), "parse")
    return (None, message.removeprefix("error: ")) if exit_code else (output, "")


def _assemble(contents: bytes, name: str) -> bytes:
    """Binary module of WebAssembly text."""
    try:
        text = contents.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedModule(
            f"{name} is no WebAssembly module: magic header not detected: it starts with {contents[:4]!r}, expected "
            f"b'\\x00asm' or text in UTF-8 (byte {error.start:#x}: {error.reason})",
            wasm_offset=0,
        ) from None
    binary, message = _assembled(text)
    if binary is not None:
        return binary
    match = _PLACE.search(message)
    if match is None:
        raise MalformedModule(f"{name}: malformed WebAssembly text: {message}", line=None, column=None, excerpt="")
    line, column = int(match[1]), int(match[2])
    problem, excerpt = message[: match.start()], message[match.end() :]
    raise MalformedModule(
        f"{name}:{line}:{column}: malformed WebAssembly text: {problem}",
        line=line,
        column=column,
        excerpt=excerpt.replace("\t", " ") if len(excerpt) < MAX_EXCERPT else "",
    )
