"""The metadata header as numbers and digests, and the entries of the directory behind it: read them, patch fields.

The layouts are ``schema.METADATA_HEADER`` and ``schema.DIRECTORY_ENTRY``.
"""

from __future__ import annotations

from _struct import Struct  # what struct shows, without its file
from _struct import error as StructError  # type: ignore[attr-defined]

from wasmartifact.constants import COLUMN_IDS, HEADER_RANGES, METADATA_HEADER_BYTES
from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing costs more than reading a header
if TYPE_CHECKING:
    from collections.abc import Mapping

_SIZES = {name: end - start for name, (start, end) in HEADER_RANGES.items()}
_CODES = {size: {2: "H", 4: "I", 8: "Q"}.get(size, f"{size}s") for size in _SIZES.values()}
_PACKERS = {size: Struct(f"<{code}") for size, code in _CODES.items()}
#: Start of each field, and what writes it.
_PLACES = {name: (start, _PACKERS[end - start]) for name, (start, end) in HEADER_RANGES.items()}
_NUMBERS = tuple(name for name, size in _SIZES.items() if size <= 8)
_DIGESTS = tuple(name for name, size in _SIZES.items() if size > 8)


def _reader(names: tuple[str, ...]) -> Struct:
    """What reads these fields and passes over the others."""
    return Struct("<" + "".join([_CODES[size] if name in names else f"{size}x" for name, size in _SIZES.items()]))


_HEADER = _reader(tuple(_SIZES))
_ZEROS: dict[str, int | bytes] = {name: bytes(size) if name in _DIGESTS else 0 for name, size in _SIZES.items()}
_read_numbers = _reader(_NUMBERS).unpack_from
_read_digests = _reader(_DIGESTS).unpack_from


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
    return Header(
        dict(zip(_NUMBERS, _read_numbers(section), strict=True)),
        dict(zip(_DIGESTS, _read_digests(section), strict=True)),
    )


def encode_header(fields: Mapping[str, int | bytes]) -> bytes:
    """A header with these fields; all others are zero. Raises ValueError as `patch_header` does."""
    values = {**_ZEROS, **fields}
    if len(values) != len(_ZEROS):
        raise ValueError(f"no header fields {sorted(values.keys() - _ZEROS.keys())}")
    for name in _DIGESTS:
        _check_size(name, values[name])
    try:
        return _HEADER.pack(*values.values())
    except StructError as problem:
        raise ValueError(f"a header field does not fit: {problem}") from None


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
        place = _PLACES.get(name)
        if place is None:
            raise ValueError(f"no header field {name!r}")
        start, packer = place
        _check_size(name, value)
        try:
            packer.pack_into(section, start, value)
        except StructError as problem:
            raise ValueError(f"header field {name}: {problem}") from None


def _check_size(name: str, value: int | bytes) -> None:
    """A structure would cut off or fill up bytes of another size."""
    if isinstance(value, bytes) and len(value) != _SIZES[name]:
        raise ValueError(f"header field {name} takes {_SIZES[name]} bytes, not {len(value)}")
