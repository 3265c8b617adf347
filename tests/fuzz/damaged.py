"""Damaged modules and artifacts, and what may become of them: the promise of the design for hostile input.

``pack`` gives an error of ours, or an artifact that passes ``verify`` and loads. ``open_metadata``, the summary and
``verify`` give an error of ours, or an answer; ``verify`` rejects every changed byte. ``load`` rejects every change
that it promises to see, and instantiating with damaged rows gives an error of ours, or an instance.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import wasmartifact as wa
from tests.fuzz.plan import make_plan
from tests.fuzz.reference import compile_reference
from tests.fuzz.shape import Shape
from tests.fuzz.subject import Subject
from wasmartifact import schema
from wasmartifact.cli.summary import describe, page
from wasmartifact.constants import DIRECTORY_ENTRY_BYTES, HEADER_RANGES, METADATA_HEADER_BYTES
from wasmartifact.elf.read import find_section
from wasmartifact.metadata import digests, header
from wasmartifact.metadata.columns import Columns

#: What may be wrong with a module; a ToolchainError would be our own fault.
MODULE_ERRORS: Final = (wa.MalformedModule, wa.InvalidModule, wa.UnsupportedModule)
FILE_ERRORS: Final = (wa.ArtifactError, wa.LoadError)


class Finding(Exception):
    """The promise is broken."""


@dataclass(frozen=True)
class Original:
    """A sound artifact, the shape of its module, and where things lie in it (offsets in the file)."""

    data: bytes
    shape: Shape
    section: tuple[int, int]
    head: tuple[int, int]
    directory: tuple[int, int]
    columns: dict[str, tuple[int, int]]

    def protected(self) -> list[tuple[int, int]]:
        """What load promises to check: head, metadata header, directory; without what ``strip`` rewrites."""
        masked = schema.HEAD_MASKED_RANGES
        edges = [self.head[0], *(edge for range_ in masked for edge in range_), self.head[1]]
        parts = list(zip(edges[::2], edges[1::2], strict=True))
        start = self.section[0]
        # Of the digests, load looks at its own.
        unseen = [HEADER_RANGES[name] for name in ("section_digest", "file_digest")]
        return [
            *parts,
            (start, start + unseen[0][0]),
            (start + unseen[1][1], start + METADATA_HEADER_BYTES),
            self.directory,
        ]


def examine(module: bytes, directory: Path, opt_level: int = 0) -> Original:
    """Pack a module and look where everything lies in the artifact."""
    path = directory / "original.so"
    wa.pack(module, path, opt_level=opt_level, jobs=1)
    data = path.read_bytes()
    start, size_bytes = find_section(memoryview(data))
    columns = Columns(data[start : start + size_bytes])
    numbers = columns.header.numbers
    first = start + numbers["directory_offset"]
    names = {column.id: column.name for column in schema.ALL_COLUMNS}
    return Original(
        data=data,
        shape=compile_reference(module).shape,
        section=(start, start + size_bytes),
        head=(0, numbers["head_size_bytes"]),
        directory=(first, first + numbers["directory_count"] * DIRECTORY_ENTRY_BYTES),
        columns={
            names[entry.column_id]: (start + entry.offset, start + entry.end)
            for entry in columns.entries.values()
            if entry.count
        },
    )


# --------------------------------------------------------------------------------------------------------------------
# Damage

_BYTES: Final = (0x00, 0x01, 0x7F, 0x80, 0xFF)


def damage(data: bytes, rng: random.Random, within: tuple[int, int] | None = None) -> bytes:
    """Change some bytes, in place; all of them in a range if one is given."""
    start, end = within or (0, len(data))
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        position = rng.randrange(start, end)
        choice = rng.randrange(4)
        if choice == 0:
            damaged[position] ^= 1 << rng.randrange(8)
        elif choice == 1:
            damaged[position] = rng.choice(_BYTES)
        elif choice == 2:
            damaged[position] = rng.randrange(256)
        else:  # a number: all bits, the largest, or near to what it was
            size = rng.choice((1, 2, 4, 8))
            last = min(position + size, end)
            damaged[position:last] = rng.choice((b"\xff", b"\0", rng.randbytes(1))) * (last - position)
    return bytes(damaged)


def rearrange(data: bytes, rng: random.Random) -> bytes:
    """Cut off, cut out, insert, repeat or swap pieces."""
    first, second = sorted(rng.randrange(len(data)) for _ in range(2))
    choice = rng.randrange(5)
    if choice == 0:
        return data[:second]
    if choice == 1:
        return data[:first] + data[second:]
    if choice == 2:
        return data[:first] + rng.randbytes(rng.randrange(1, 40)) + data[first:]
    if choice == 3:
        return data[:second] + data[first:]
    size = rng.randrange(1, 200)
    one, other = data[first : first + size], data[second : second + size]
    return data[:first] + other + data[first + size : second] + one + data[second + size :]


def reseal(data: bytes, original: Original) -> bytes:
    """Make load_checksum right again."""
    sealed = bytearray(data)
    view = memoryview(sealed)
    section = view[slice(*original.section)]
    header.patch_header(section, load_checksum=digests.load_checksum(view[slice(*original.head)], section))
    return bytes(sealed)


# --------------------------------------------------------------------------------------------------------------------
# The promise


def check_pack(module: bytes, directory: Path) -> str:
    """Pack a damaged module."""
    path = directory / "packed.so"
    try:
        wa.pack(module, path, opt_level=0, jobs=1)
    except MODULE_ERRORS as error:
        if path.exists():
            raise Finding("a failed pack left a file") from error
        return type(error).__name__
    wa.verify(path)
    describe_file(path)
    wa.load(path)
    path.unlink()
    return "packed"


def check_bytes(data: bytes, original: Original, directory: Path) -> str:
    """Look into a damaged artifact, verify and load it."""
    path = _place(data, directory)
    _allowed(FILE_ERRORS, lambda: describe_file(path))
    if data != original.data and _allowed(FILE_ERRORS, lambda: wa.verify(path)) is None:
        raise Finding("verify accepts it")
    is_seen = len(data) != len(original.data) or any(
        data[start:end] != original.data[start:end] for start, end in original.protected()
    )
    error = _allowed(FILE_ERRORS, lambda: wa.load(path))
    if error is None and is_seen and len(data) == len(original.data):
        raise Finding("load accepts a change that it promises to see")
    return "loaded" if error is None else f"load: {type(error).__name__}"


def check_sealed(data: bytes, directory: Path) -> str:
    """Load an artifact whose header or directory was damaged and sealed again."""
    path = _place(data, directory)
    _allowed(FILE_ERRORS, lambda: describe_file(path))
    error = _allowed(FILE_ERRORS, lambda: wa.load(path).metadata.imports)
    return "loaded" if error is None else f"load: {type(error).__name__}"


def check_rows(data: bytes, original: Original, seed: str, directory: Path) -> str:
    """Load and instantiate an artifact with damaged rows, and look at its exports."""
    path = _place(data, directory)
    _allowed(FILE_ERRORS, lambda: describe_file(path))
    _allowed(FILE_ERRORS, lambda: wa.verify(path))

    def use() -> None:
        artifact = wa.load(path)
        subject = Subject([artifact], [original.shape.imports])
        subject.instantiate_or_raise(0, make_plan(seed, [original.shape]).imports[0])
        exports = subject.exports(0)
        for name in list(exports):
            # The hash index may say that there is no such name.
            _allowed((wa.WasmArtifactError, KeyError), partial(exports.__getitem__, name))

    error = _allowed((wa.WasmArtifactError,), use)
    gc.collect()  # what goes wrong on release shall be blamed on this input
    return "instantiated" if error is None else f"instantiate: {type(error).__name__}"


def _place(data: bytes, directory: Path) -> Path:
    """A new file: the last one may still be mapped, and who maps an artifact relies on nobody writing to it."""
    path = directory / "damaged.so"
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    return path


def describe_file(path: Path) -> None:
    """Look at all that an artifact says about itself."""
    with wa.open_metadata(path) as metadata:
        describe(metadata)
        list(page(metadata))


def _allowed(errors: Sequence[type[Exception]], action: Callable[[], object]) -> Exception | None:
    """The error that an action ends with, None where it succeeds; any other error is a finding."""
    try:
        action()
    except tuple(errors) as error:
        return error
    return None
