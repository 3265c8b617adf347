"""Look into an artifact without loading it: map its metadata, or check every byte of it. Nothing of the file runs."""

from __future__ import annotations

import os
import stat
from mmap import ALLOCATIONGRANULARITY, MAP_PRIVATE, PROT_READ, mmap
from typing import Final

from wasmartifact import schema
from wasmartifact.elf.read import corrupt_elf, file_offset, find_section, is_stripped, read_segments
from wasmartifact.errors import BadMagic, LoadError
from wasmartifact.limits import limit_advice
from wasmartifact.metadata import digests
from wasmartifact.metadata.check_directory import check_directory
from wasmartifact.metadata.check_rows import check_rows
from wasmartifact.metadata.views import Metadata, close_mapping

_ANCHOR: Final = schema.ANCHOR.packer()
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
    LoadError
        The file can't be mapped here.
    OSError
        The file can't be opened.

    Examples
    --------
    >>> with wa.open_metadata("module.wasm.so") as metadata:
    ...     for row in metadata.exports:
    ...         print(row.kind, row.name)
    memory memory
    func add
    """
    fd = _open_regular(path)
    try:
        file = _map(fd, path)
        try:
            offset, size_bytes = find_section(memoryview(file))
        finally:
            close_mapping(file)
        # Mappings start where the host's pages do, which may be larger than the artifact's.
        skipped = offset % ALLOCATIONGRANULARITY
        mapping = _map(fd, path, skipped + size_bytes, offset - skipped)
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
    BadMagic, VersionMismatch, CorruptArtifact, LoadError, OSError
        As by `open_metadata`.

    Examples
    --------
    >>> wa.verify("module.wasm.so")
    """
    fd = _open_regular(path)
    try:
        file = _map(fd, path)
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
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO under the name must not hang us
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        os.close(fd)
        found = "an empty file" if stat.S_ISREG(status.st_mode) else "not a regular file"
        raise BadMagic(
            f"{os.fspath(path)} is {found}, expected an artifact; give a file that `wasmartifact pack` wrote"
        )
    return fd


def _map(fd: int, path: str | os.PathLike[str], size_bytes: int = 0, offset: int = 0) -> mmap:
    """A read-only mapping of a part of a file; 0 bytes are all of it.

    Private, as the loader maps it, since some file systems give no other (FUSE with direct_io).
    """
    try:
        return mmap(fd, size_bytes, flags=MAP_PRIVATE, prot=PROT_READ, offset=offset)
    except OSError as problem:
        advice = limit_advice(problem) or "copy the file to a file system that maps files"
        raise LoadError(f"{os.fspath(path)} can't be mapped: {problem.strerror}; {advice}", path=path) from problem


def _verify_digests(data: memoryview, offset: int, metadata: Metadata) -> None:
    """The digests that need nothing but the bytes. A stripped file is smaller and lacks its symbol table."""
    section, numbers = metadata.columns.section, metadata.header.numbers
    digests.check_load(data[: numbers["head_size_bytes"]], section)
    digests.check_section(section)
    if len(data) == numbers["file_size_bytes"]:
        digests.check_file(data, offset)
    elif not is_stripped(data):
        raise corrupt_elf("file size in bytes", len(data), numbers["file_size_bytes"])


def _verify_code(data: memoryview, metadata: Metadata) -> None:
    """What is mapped for execution: it is what the build id says, and it holds what the metadata points to."""
    numbers = metadata.header.numbers
    segments = read_segments(data)
    anchor_offset = file_offset(segments, "the anchor", numbers["anchor_vaddr"], schema.ANCHOR.size_bytes)
    build_id = metadata.header.digests["build_id"]
    anchor = _ANCHOR.unpack_from(data, anchor_offset)
    if anchor != (schema.ANCHOR_MAGIC, schema.RUNTIME_ABI, 0, build_id):
        raise corrupt_elf("the anchor", anchor, (schema.ANCHOR_MAGIC, schema.RUNTIME_ABI, 0, build_id))
    type_digests = metadata.column("type_digest")
    size_bytes = len(type_digests)
    start = file_offset(segments, "type digests in the code", numbers["type_digests_vaddr"], size_bytes)
    if data[start : start + size_bytes] != type_digests:
        raise corrupt_elf("type digests in the code", "others", "those of the metadata")
    file_offset(segments, ".text", numbers["text_vaddr"], numbers["text_size_bytes"])
    code = digests.mapped_code(
        data,
        head_size_bytes=numbers["head_size_bytes"],
        build_id_offset=anchor_offset + _ANCHOR_BUILD_ID,
        mapped_end=max(segment.offset + segment.size_bytes for segment in segments),
        page_size_bytes=numbers["page_size_bytes"],
    )
    digests.check_build_id(code, metadata.columns.section)
