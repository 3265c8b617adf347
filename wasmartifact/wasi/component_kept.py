"""What of a component's objects of WASI 0.2 goes on from a snapshot: what every program can be given."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from wasmartifact.wasi.component_files import Descriptor, DirectoryEntryStream, preopened
from wasmartifact.wasi.component_io import (
    CallableInput,
    CallableOutput,
    DescriptorInput,
    DescriptorOutput,
    InputStream,
    OutputStream,
    Pollable,
)
from wasmartifact.wasi.preview2 import Network, Preview2, Terminal

#: Kind of an output, by its descriptor.
_OUTPUTS: Final = {1: "stdout", 2: "stderr"}


def kind_of(value: object) -> tuple[str, str] | None:
    """What an object is, one of `HOST_OBJECT_KINDS`, and the name of a directory; None where it is none of them."""
    if isinstance(value, Terminal):
        return "terminal", ""
    if isinstance(value, Network):
        return "network", ""
    if isinstance(value, Pollable):
        return _kind_of_pollable(value)
    if isinstance(value, Descriptor):
        return None if value.file.is_own else ("directory", _directory_name(value))
    if isinstance(value, InputStream):
        return ("stdin", "") if _is_standard_input(value) else None
    kind = _OUTPUTS.get(_descriptor_of(value)) if isinstance(value, OutputStream) else None
    return None if kind is None else (kind, "")


def _is_standard_input(value: InputStream) -> bool:
    if isinstance(value, CallableInput):
        return True
    return type(value) is DescriptorInput and value.keeps is None and value.descriptor == 0


def _descriptor_of(value: OutputStream) -> int:
    """Which of the program's outputs it is; -1: none of them."""
    is_given = isinstance(value, CallableOutput) or (type(value) is DescriptorOutput and value.keeps is None)
    return value.descriptor if is_given and isinstance(value, CallableOutput | DescriptorOutput) else -1


def _directory_name(value: Descriptor) -> str:
    program: Preview2 = value.file.host._component_interfaces()  # type: ignore[attr-defined]  # a Wasi is one
    return program._directories[value.file.number][0]


def _kind_of_pollable(value: Pollable) -> tuple[str, str] | None:
    if value.descriptor is None:
        return ("pollable", "") if value.due <= time.monotonic_ns() else None
    is_stdin = value.descriptor == 0 and not value.writes and value.keeps is None
    return ("pollable of stdin", "") if is_stdin else None


def words(value: object) -> str:
    """What an object is that no snapshot keeps, in words."""
    if isinstance(value, Descriptor):
        return "an open file"
    if isinstance(value, InputStream | OutputStream):
        return "a stream of an open file or of a request"
    if isinstance(value, DirectoryEntryStream):
        return "a listing of a directory"
    if isinstance(value, Pollable):
        return "a wait that is not over"
    return f"an object of the host of type {type(value).__name__}"


_MAKERS: Final[dict[str, Callable[[Preview2], object]]] = {
    "stdin": Preview2._input,
    "stdout": lambda program: program._output(1),
    "stderr": lambda program: program._output(2),
    "terminal": lambda program: Terminal(),
    "network": lambda program: Network(),
    "pollable": lambda program: Pollable(program._host),
    "pollable of stdin": lambda program: program._input().subscribe(),
}


def renew(program: Preview2, kind: str, name: str) -> object:
    """An object of the kind for another program.

    Raises
    ------
    UnlinkableModule
        The program has no such directory.
    """
    if kind != "directory":
        return _MAKERS[kind](program)
    for number, (found, is_read_only) in program._directories.items():
        if found == name:
            return preopened(program._host, number, is_read_only)
    from wasmartifact.errors import UnlinkableModule

    raise UnlinkableModule(
        f"the snapshot was taken of a component that had the directory {name!r}; give it one by that name: "
        f"wa.Wasi(preopens={{{name!r}: ...}})",
        module="wasi:filesystem/preopens",
        name=name,
        kind="directory",
        expected=None,
        found=str([found for found, _ in program._directories.values()]),
    )
