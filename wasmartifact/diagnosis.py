"""What is wrong with a file that is no sound artifact: one account of it for `load`, `open_metadata` and `verify`.

The C runtime finds the same faults when it loads (``native/runtime/artifact.c``), in time that does not depend on the
file; where it refuses a file, what the user reads comes from here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import MAP_PRIVATE, PROT_READ, mmap
from typing import Final

from wasmartifact import schema
from wasmartifact.elf.read import Segment, corrupt_elf, file_offset, find_section, read_segments
from wasmartifact.errors import ArtifactError, BadMagic, CorruptArtifact, IncompatibleHost, WasmArtifactError, with_path
from wasmartifact.metadata import Metadata, close_mapping, digests, faults
from wasmartifact.metadata.check_directory import check_directory
from wasmartifact.metadata.contract import check_contract

_ANCHOR: Final = schema.ANCHOR.packer()
_ANCHOR_BUILD_ID: Final = schema.ANCHOR.offsets()["build_id"]
_TEMPLATES: Final = {error.name: error.template for error in schema.NATIVE_ERRORS}
_MACHINES: Final = {number: name for name, number in schema.MACHINES.items()}


@contextmanager
def named(path: str | os.PathLike[str] | None) -> Iterator[None]:
    """Put the file's path before the message of an error about it, and among its attributes; None: it has none."""
    try:
        yield
    except ArtifactError as problem:
        told = with_path(problem, path)
        if told is problem:
            raise
        raise told from None


def check_front(data: memoryview) -> tuple[int, Metadata]:
    """Check what a load trusts, O(columns): ELF structure, metadata header, directory, the checksum of them.

    Parameters
    ----------
    data : memoryview
        The whole file.

    Returns
    -------
    tuple[int, Metadata]
        File offset of the metadata section, and a view of it.

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact
        What is wrong.
    """
    try:
        offset, size_bytes = find_section(data)
        metadata = Metadata(data[offset : offset + size_bytes])
        check_directory(metadata.columns.section)
        digests.check_load(data[: metadata.header.numbers["head_size_bytes"]], metadata.columns.section)
    except CorruptArtifact as problem:
        raise rewritten(data) or problem from None
    return offset, metadata


def check_code(data: memoryview, metadata: Metadata) -> None:
    """Check what is mapped for execution: it is what the build id says, and it holds what the metadata points to.

    Raises
    ------
    CorruptArtifact
        It is not.
    """
    numbers = metadata.header.numbers
    segments = read_segments(data)
    anchor_offset = file_offset(segments, "the anchor", numbers["anchor_vaddr"], schema.ANCHOR.size_bytes)
    build_id = metadata.header.digests["build_id"]
    anchor = _ANCHOR.unpack_from(data, anchor_offset)
    levels_offset = anchor[2]  # the contract's check looks at it
    expected = (schema.ANCHOR_MAGIC, numbers["runtime_abi"], levels_offset, build_id)
    if anchor != expected:
        raise corrupt_elf("the anchor", anchor, expected)
    _check_contract(data, segments, anchor_offset, metadata)
    file_offset(segments, ".text", numbers["text_vaddr"], numbers["text_size_bytes"])
    code = digests.mapped_code(
        data,
        head_size_bytes=numbers["head_size_bytes"],
        build_id_offset=anchor_offset + _ANCHOR_BUILD_ID,
        mapped_end=max(segment.offset + segment.size_bytes for segment in segments),
        page_size_bytes=numbers["page_size_bytes"],
    )
    digests.check_build_id(code, metadata.columns.section)


def _check_contract(data: memoryview, segments: list[Segment], anchor_offset: int, metadata: Metadata) -> None:
    """What the code says behind the anchor is what the metadata says."""
    numbers = metadata.header.numbers
    expected = numbers["anchor_vaddr"] + schema.TIED_ARRAYS_OFFSET
    if numbers["type_digests_vaddr"] != expected:
        raise faults.corrupt_header("type_digests_vaddr", numbers["type_digests_vaddr"], expected)
    segment = next(item for item in segments if item.offset <= anchor_offset < item.offset + item.size_bytes)
    mapped = data[anchor_offset : segment.offset + segment.size_bytes]
    check_contract(metadata.columns, mapped, data[: segment.offset + segment.size_bytes])


def rewritten(data: memoryview) -> CorruptArtifact | None:
    """The error for a file whose metadata section is whole and whose ELF structure is another than the packed one.

    None for any other file: then it was damaged.
    """
    try:
        offset, size_bytes = find_section(data, is_packed=False)
        metadata = Metadata(data[offset : offset + size_bytes])
        check_directory(metadata.columns.section)
        digests.check_section(metadata.columns.section)
        segments = read_segments(data)
        numbers = metadata.header.numbers
        start = file_offset(segments, ".text", numbers["text_vaddr"], numbers["text_size_bytes"])
        anchor = file_offset(segments, "the anchor", numbers["anchor_vaddr"], schema.ANCHOR.size_bytes)
    except (ArtifactError, IndexError, ValueError):
        return None
    is_ours = data[anchor + _ANCHOR_BUILD_ID : anchor + schema.ANCHOR.size_bytes] == metadata.header.digests["build_id"]
    if not is_ours or _is_as_packed(data, offset, metadata):
        return None
    found, expected = len(data), numbers["file_size_bytes"]
    return CorruptArtifact(
        f"the file was rewritten by a tool (objcopy, patchelf, LIEF, strip -g or the like): its metadata is whole, but "
        f"not where it was packed; code at {start:#x}, metadata at {offset:#x}, {found} bytes, packed were {expected}; "
        "use the file as packed: strip alone may go over it",
        what="layout of the file",
        found=found,
        expected=expected,
    )


def check_rest(data: memoryview, offset: int, metadata: Metadata) -> None:
    """Check the digest of the whole file, once that of its metadata is right.

    Raises
    ------
    CorruptArtifact
        It differs; the message tells where code and metadata are whole all the same.
    """
    try:
        digests.check_file(data, offset)
    except CorruptArtifact as problem:
        check_code(data, metadata)
        raise CorruptArtifact(
            "code and metadata are whole, but symbols or section headers are not as packed: the file was rewritten by "
            "a tool (objcopy, strip -g or the like) or damaged there; use the file as packed: strip alone may edit it",
            **problem.facts,
        ) from None


def _is_as_packed(data: memoryview, offset: int, metadata: Metadata) -> bool:
    """Whether sizes and places are still those of the packed file: then bytes were changed, and nothing was moved."""
    numbers = metadata.header.numbers
    try:
        return len(data) == numbers["file_size_bytes"] and find_section(data)[0] == offset
    except ArtifactError:
        return False


def explain(fd: int, path: str | None, problem: BaseException) -> BaseException:
    """What to raise in place of what the C runtime found wrong with an open file: the same fault in `verify`'s words.

    Faults that only a load can meet (another host, no memory) stay what they are.
    """
    if not isinstance(problem, ArtifactError | IncompatibleHost):
        return problem
    try:
        file = mmap(fd, 0, flags=MAP_PRIVATE, prot=PROT_READ)
    except (OSError, ValueError):  # empty, or not regular
        return no_file(fd, path) or problem
    try:
        check_front(memoryview(file))
    except ArtifactError as found:
        # Frames of its traceback hold views of the mapping, which shall be closed now. A context manager would keep
        # them in a cycle in CPython 3.13.
        found.__context__ = None
        return with_path(found, path).with_traceback(None)
    finally:
        close_mapping(file)
    return _with_names(problem, path) if problem.facts.get("error") == "machine" else problem


def no_file(fd: int, path: str | os.PathLike[str] | None) -> BadMagic | None:
    """The error for what can't hold an artifact at all: an empty file, a device; None for another file."""
    status = os.fstat(fd)
    is_regular = stat.S_ISREG(status.st_mode)
    if is_regular and status.st_size:
        return None
    found = "an empty file" if is_regular else "not a regular file"
    name = "the artifact" if path is None else os.fsdecode(path)
    facts = {} if path is None else {"path": name}
    return BadMagic(f"{name} is {found}, expected an artifact; give a file that `wasmartifact pack` wrote", **facts)


def _with_names(problem: WasmArtifactError, path: str | None) -> WasmArtifactError:
    """An error about the machine, with the machines' names beside their ELF numbers."""
    numbers = {key: problem.facts[key] for key in ("found", "expected")}
    words = {key: f"{_MACHINES.get(value, 'ELF machine')} ({value})" for key, value in numbers.items()}
    place = "" if path is None else f"{path}: "
    return type(problem)(place + _TEMPLATES["machine"].format(**words), **problem.facts)
