"""The metadata header as numbers and digests: read it, patch fields. The layout is ``schema.METADATA_HEADER``."""

from __future__ import annotations

from wasmartifact import schema
from wasmartifact.metadata import faults
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final

_OFFSETS: Final = schema.METADATA_HEADER.offsets()
_TYPES: Final = {field.name: field.type for field in schema.METADATA_HEADER.fields}
_HEADER: Final = schema.METADATA_HEADER.packer()
SIZE_BYTES: Final = schema.METADATA_HEADER.size_bytes


class Header(NamedTuple):
    """The decoded header: integer fields and digest fields by the names of ``schema.METADATA_HEADER``."""

    numbers: dict[str, int]
    digests: dict[str, bytes]


def read_header(section: memoryview) -> Header:
    """Decode the header without judging its values.

    Raises
    ------
    CorruptArtifact
        Where the section is shorter than a header.
    """
    if len(section) < SIZE_BYTES:
        raise faults.corrupt_header("section size in bytes", len(section), f"at least {SIZE_BYTES}")
    values = dict(zip(_TYPES, _HEADER.unpack_from(section), strict=True))
    return Header(
        {name: value for name, value in values.items() if isinstance(value, int)},
        {name: value for name, value in values.items() if isinstance(value, bytes)},
    )


def field_range(name: str) -> tuple[int, int]:
    """Start and end offset of a header field."""
    start = _OFFSETS[name]
    return start, start + schema.TYPE_SIZES[_TYPES[name]]


def patch_header(section: bytearray | memoryview, **fields: int | bytes) -> None:
    """Overwrite header fields in place, for instance ``file_size_bytes`` once the file is laid out.

    Parameters
    ----------
    section : bytearray | memoryview
        The section, writable.
    **fields : int | bytes
        Values by field name; a digest needs its exact size.

    Raises
    ------
    ValueError
        Where a name is unknown or a value does not fit its field: a defect of the caller.
    """
    for name, value in fields.items():
        if name not in _OFFSETS:
            raise ValueError(f"no header field {name!r}")
        start, end = field_range(name)
        data = value if isinstance(value, bytes) else value.to_bytes(end - start, "little")
        if len(data) != end - start:
            raise ValueError(f"header field {name} takes {end - start} bytes, not {len(data)}")
        section[start:end] = data
