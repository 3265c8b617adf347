"""Look into an artifact without loading it: map its metadata, or check every byte of it. Nothing of the file runs."""

from __future__ import annotations

import os
import stat
import struct
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from typing import Final, NamedTuple

from wasmartifact import schema
from wasmartifact.elf.read import find_section, is_stripped
from wasmartifact.errors import BadMagic, CorruptArtifact
from wasmartifact.metadata import digests
from wasmartifact.metadata.check_directory import check_directory
from wasmartifact.metadata.check_rows import check_rows
from wasmartifact.metadata.views import Metadata, close_mapping

#: O_NONBLOCK: a FIFO under the name must not hang us; regular files ignore it.
_OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
_PROGRAM_HEADER: Final = struct.Struct("<IIQQQQQQ")
_PT_LOAD: Final = 1
_ANCHOR: Final = struct.Struct("<QII16s")
_ANCHOR_BUILD_ID: Final = schema.ANCHOR.offsets()["build_id"]


def open_metadata(path: str | os.PathLike[str]) -> Metadata:
    """Map the metadata section of an artifact, and nothing else of it.

    Header and directory are checked at once, rows when they are used; digests only by `verify`.

    Parameters
    ----------
    path : str | os.PathLike
        A file that `pack` wrote. Replace artifacts by renaming: a file that is cut short while it is mapped kills the
        process that reads beyond its end.

    Returns
    -------
    Metadata
        A context manager, which closes the mapping.

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact
        What is wrong with the file.
    OSError
        The file can't be opened.
    """
    fd = _open_regular(path)
    try:
        file = mmap(fd, 0, access=ACCESS_READ)
        try:
            offset, size_bytes = find_section(memoryview(file))
        finally:
            close_mapping(file)
        # Mappings start where the host's pages do, which may be larger than the artifact's.
        skipped = offset % ALLOCATIONGRANULARITY
        mapping = mmap(fd, skipped + size_bytes, access=ACCESS_READ, offset=offset - skipped)
    finally:
        os.close(fd)
    metadata = Metadata(memoryview(mapping)[skipped:], owner=mapping)
    try:
        check_directory(metadata.columns.section)
    except BaseException:
        metadata.close()
        raise
    return metadata


def verify(path: str | os.PathLike[str]) -> None:
    """Check every byte of an artifact: digests, rows, and that its code and metadata belong together. O(size).

    Of a file that `strip` went over, the symbol table and the section headers are beyond any digest; all that is ever
    mapped is checked.

    Parameters
    ----------
    path : str | os.PathLike
        A file that `pack` wrote, stripped or not.

    Raises
    ------
    BadMagic, VersionMismatch, CorruptArtifact, OSError
        As by `open_metadata`.
    """
    fd = _open_regular(path)
    try:
        file = mmap(fd, 0, access=ACCESS_READ)
    finally:
        os.close(fd)
    try:
        data = memoryview(file)
        offset, size_bytes = find_section(data)
        metadata = Metadata(data[offset : offset + size_bytes])
        check_directory(metadata.columns.section)
        _verify_digests(data, offset, metadata)
        check_rows(metadata.columns.section)
        _verify_code(data, metadata)
    finally:
        close_mapping(file)


def _open_regular(path: str | os.PathLike[str]) -> int:
    """A descriptor of a file that can be mapped."""
    fd = os.open(path, _OPEN_FLAGS)
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        os.close(fd)
        found = "an empty file" if stat.S_ISREG(status.st_mode) else "not a regular file"
        raise BadMagic(
            f"{os.fspath(path)} is {found}, expected an artifact; give a file that `wasmartifact pack` wrote"
        )
    return fd


def _verify_digests(data: memoryview, offset: int, metadata: Metadata) -> None:
    """The digests that need nothing but the bytes. A stripped file is smaller and lacks its symbol table."""
    section, numbers = metadata.columns.section, metadata.header.numbers
    digests.check_load(data[: numbers["head_size_bytes"]], section)
    digests.check_section(section)
    if len(data) == numbers["file_size_bytes"]:
        digests.check_file(data, offset)
    elif not is_stripped(data):
        raise _corrupt("file size in bytes", len(data), numbers["file_size_bytes"])


class _Segment(NamedTuple):
    """A loadable segment: where its bytes lie in the file and in memory."""

    offset: int
    vaddr: int
    size_bytes: int


def _verify_code(data: memoryview, metadata: Metadata) -> None:
    """What is mapped for execution: it is what the build id says, and it holds what the metadata points to."""
    numbers = metadata.header.numbers
    segments = _segments(data)
    anchor_offset = _file_offset(segments, "the anchor", numbers["anchor_vaddr"], schema.ANCHOR.size_bytes)
    build_id = metadata.header.digests["build_id"]
    anchor = _ANCHOR.unpack_from(data, anchor_offset)
    if anchor != (schema.ANCHOR_MAGIC, schema.RUNTIME_ABI, 0, build_id):
        raise _corrupt("the anchor", anchor, (schema.ANCHOR_MAGIC, schema.RUNTIME_ABI, 0, build_id))
    type_digests = metadata.column("type_digest")
    size_bytes = len(type_digests)
    start = _file_offset(segments, "type digests in the code", numbers["type_digests_vaddr"], size_bytes)
    if data[start : start + size_bytes] != type_digests:
        raise _corrupt("type digests in the code", "others", "those of the metadata")
    _file_offset(segments, ".text", numbers["text_vaddr"], numbers["text_size_bytes"])
    end = max(segment.offset + segment.size_bytes for segment in segments)
    hole = anchor_offset + _ANCHOR_BUILD_ID
    padding = bytes(-end % numbers["page_size_bytes"])
    code = (
        data[numbers["head_size_bytes"] : hole],
        bytes(digests.BUILD_ID_BYTES),
        data[hole + digests.BUILD_ID_BYTES : end],
        padding,
    )
    digests.check_build_id(code, metadata.columns.section)


def _segments(data: memoryview) -> list[_Segment]:
    """The loadable segments, from the program headers, which load_checksum has covered."""
    start, count = int.from_bytes(data[32:40], "little"), int.from_bytes(data[56:58], "little")
    if start + count * _PROGRAM_HEADER.size > len(data):
        raise _corrupt("end of the program headers", start + count * _PROGRAM_HEADER.size, f"at most {len(data)}")
    segments = []
    for kind, _, offset, vaddr, _, size_bytes, _, _ in _PROGRAM_HEADER.iter_unpack(
        data[start : start + count * _PROGRAM_HEADER.size]
    ):
        if kind == _PT_LOAD:
            if offset + size_bytes > len(data):
                raise _corrupt("end of a loadable segment", offset + size_bytes, f"at most {len(data)}")
            segments.append(_Segment(offset, vaddr, size_bytes))
    return segments


def _file_offset(segments: list[_Segment], what: str, vaddr: int, size_bytes: int) -> int:
    """Where the bytes at a virtual address lie in the file."""
    for segment in segments:
        if segment.vaddr <= vaddr and vaddr + size_bytes <= segment.vaddr + segment.size_bytes:
            return segment.offset + vaddr - segment.vaddr
    raise _corrupt(f"address of {what}", f"{vaddr:#x}", "an address in a loadable segment")


def _corrupt(what: str, found: object, expected: object) -> CorruptArtifact:
    template = next(error.template for error in schema.NATIVE_ERRORS if error.name == "corrupt_elf")
    return CorruptArtifact(
        template.format(text=what, found=found, expected=expected), what=what, found=found, expected=expected
    )
