"""The metadata header as numbers and digests, and the entries of the directory behind it: read them, patch fields.

The layouts are ``schema.METADATA_HEADER`` and ``schema.DIRECTORY_ENTRY``.
"""

from __future__ import annotations

from wasmartifact.constants import COLUMN_IDS, HEADER_RANGES, METADATA_HEADER_BYTES
from wasmartifact.record import NamedTuple

_PLACES = {name: slice(*place) for name, place in HEADER_RANGES.items()}
_NUMBERS = {name: place for name, place in _PLACES.items() if place.stop - place.start <= 8}
_DIGESTS = {name: place for name, place in _PLACES.items() if name not in _NUMBERS}


class Header(NamedTuple):
    """The decoded header: integer fields and digest fields by the names of ``schema.METADATA_HEADER``."""

    numbers: dict[str, int]
    digests: dict[str, bytes]


class Entry(NamedTuple):
    """A directory entry, as it stands there: ``number`` counts entries, the rest are the fields of directory_entry."""

    number: int
    column_id: int
    element_size_bytes: int
    offset: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which no entry needs

    @property
    def name(self) -> str:
        """Name of the column, which must be a known one."""
        return next(name for name, column_id in COLUMN_IDS.items() if column_id == self.column_id)

    @property
    def end(self) -> int:
        """Offset behind the last value."""
        return self.offset + self.count * self.element_size_bytes


def read_header(section: memoryview) -> Header:
    """Decode the header without judging its values.

    Raises
    ------
    CorruptArtifact
        Where the section is shorter than a header.
    """
    if len(section) < METADATA_HEADER_BYTES:
        from wasmartifact.metadata import faults

        raise faults.corrupt_header("section size in bytes", len(section), f"at least {METADATA_HEADER_BYTES}")
    data = bytes(section[:METADATA_HEADER_BYTES])
    numbers = {name: int.from_bytes(data[place], "little") for name, place in _NUMBERS.items()}
    return Header(numbers, {name: data[place] for name, place in _DIGESTS.items()})


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
        if name not in HEADER_RANGES:
            raise ValueError(f"no header field {name!r}")
        start, end = HEADER_RANGES[name]
        data = value if isinstance(value, bytes) else value.to_bytes(end - start, "little")
        if len(data) != end - start:
            raise ValueError(f"header field {name} takes {end - start} bytes, not {len(data)}")
        section[start:end] = data
