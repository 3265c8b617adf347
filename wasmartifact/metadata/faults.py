"""Errors about a damaged metadata section, worded as the C runtime words them (``schema.NATIVE_ERRORS``)."""

from __future__ import annotations

from wasmartifact import schema
from wasmartifact.errors import BadMagic, CorruptArtifact, VersionMismatch

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final

_TEMPLATES: Final = {error.name: error.template for error in schema.NATIVE_ERRORS}


def corrupt_header(field: str, found: object, expected: object) -> CorruptArtifact:
    """A header field, or the size of the section, has a value that no packer writes."""
    message = _TEMPLATES["corrupt_header"].format(text=field, found=found, expected=expected)
    return CorruptArtifact(message, field=field, found=found, expected=expected)


def corrupt_directory(entry: int, what: str, found: object, expected: object) -> CorruptArtifact:
    """Entry number ``entry`` of the directory is wrong."""
    message = _TEMPLATES["corrupt_directory"].format(where=entry, text=what, found=found, expected=expected)
    return CorruptArtifact(message, entry=entry, what=what, found=found, expected=expected)


def corrupt_row(column: str, row: int, found: object, expected: object) -> CorruptArtifact:
    """A value of a column is wrong."""
    message = _TEMPLATES["corrupt_row"].format(where=row, text=column, found=found, expected=expected)
    return CorruptArtifact(message, column=column, row=row, found=found, expected=expected)


def contract(what: str, found: object, expected: object) -> CorruptArtifact:
    """The metadata says something else than the code was compiled with."""
    message = _TEMPLATES["contract"].format(text=what, found=found, expected=expected)
    return CorruptArtifact(message, error="contract", found=found, expected=expected)


def bad_magic(found: int) -> BadMagic:
    """The section does not start with METADATA_MAGIC."""
    expected = schema.METADATA_MAGIC
    message = _TEMPLATES["bad_magic"].format(found=found, expected=expected)
    return BadMagic(message, found=found, expected=expected)


def version_mismatch(name: str, found: int, expected: int) -> VersionMismatch:
    """``name`` is format_version or runtime_abi, as in ``schema.NATIVE_ERRORS``."""
    message = _TEMPLATES[name].format(found=found, expected=expected)
    return VersionMismatch(message, found=found, expected=expected)
