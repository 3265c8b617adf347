"""Artifacts as files to be changed: in the header with fresh digests, or byte by byte."""

from __future__ import annotations

from pathlib import Path

from wasmartifact.elf.read import find_section
from wasmartifact.metadata import digests
from wasmartifact.metadata.header import patch_header, read_header


def header_numbers(contents: bytes) -> dict[str, int]:
    """The integer fields of the metadata header."""
    offset, size = find_section(contents)
    return read_header(memoryview(contents)[offset : offset + size]).numbers


def resealed(contents: bytes, **fields: int | bytes) -> bytes:
    """The artifact with other header fields and digests that fit them: only the fields differ from a sound one."""
    offset, size = find_section(contents)
    file = bytearray(contents)
    section = memoryview(file)[offset : offset + size]
    patch_header(section, **fields)
    head = bytes(file[: header_numbers(contents)["head_size_bytes"]])
    digests.seal(head, section, [bytes(file[:offset]), section, bytes(file[offset + size :])])
    section.release()
    return bytes(file)


def write(path: Path, contents: bytes) -> Path:
    """Write a file under a new inode: one that is mapped somewhere is not touched."""
    path.unlink(missing_ok=True)
    path.write_bytes(contents)
    return path
