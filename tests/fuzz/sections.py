"""Edits the sections of a generated module so that a test gets at everything.

smith exports neither the fuel nor the globals in which it gathers the values that it drops, so all globals get an
export, and so do tags. Two imports of one name, which smith makes, can't get different values from a mapping, so names
become unique.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from wasmartifact.wasm.encode import unsigned

#: Export names that are added here: of the fuel, and of global or tag number i (prefix + i).
FUEL_NAME: Final = "fuzz:fuel"
GLOBAL_PREFIX: Final = "fuzz:global:"
TAG_PREFIX: Final = "fuzz:tag:"
#: Export of the global in which our own programs count what they catch.
CAUGHT_NAME: Final = "fuzz:caught"

_IMPORT, _GLOBAL, _EXPORT, _TAG = 2, 6, 7, 13
#: Section ids in the order of a module; custom sections, 0, may stand anywhere.
_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
_KIND_FUNC, _KIND_TABLE, _KIND_MEMORY, _KIND_GLOBAL, _KIND_TAG = range(5)
#: Prefixes of reference types that a heap type follows.
_LONG_REFERENCES: Final = (0x63, 0x64)


def make_testable(data: bytes) -> bytes:
    """A module with unique imports, exports of all globals and tags; the last global, the fuel, is FUEL_NAME too."""
    sections = list(read_sections(data))
    contents = dict(sections)
    imports, imported = _unique_imports(contents.get(_IMPORT, b"\0"))
    global_count, tag_count = (
        imported[kind] + read_leb(contents.get(id_, b"\0"), 0)[0]
        for kind, id_ in ((_KIND_GLOBAL, _GLOBAL), (_KIND_TAG, _TAG))
    )
    exports = _more_exports(contents.get(_EXPORT, b"\0"), global_count, tag_count)
    edited = [(id_, imports if id_ == _IMPORT else content) for id_, content in sections if id_ != _EXPORT]
    before = set(_ORDER[: _ORDER.index(_EXPORT)])
    position = max((index + 1 for index, (id_, _) in enumerate(edited) if id_ in before), default=0)
    edited.insert(position, (_EXPORT, exports))
    return data[:8] + b"".join(bytes([id_]) + unsigned(len(content)) + content for id_, content in edited)


def write_sections(sections: Mapping[int, bytes]) -> bytes:
    """Sections in the order of a module; without custom ones."""
    return b"".join(
        bytes([id_]) + unsigned(len(content)) + content
        for id_, content in sorted(sections.items(), key=lambda item: _ORDER.index(item[0]) if item[0] else -1)
        if id_
    )


def read_sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Ids and contents."""
    position = 8
    while position < len(data):
        size_bytes, start = read_leb(data, position + 1)
        yield data[position], data[start : start + size_bytes]
        position = start + size_bytes


def _more_exports(content: bytes, global_count: int, tag_count: int) -> bytes:
    added = [(f"{GLOBAL_PREFIX}{index}", _KIND_GLOBAL, index) for index in range(global_count)]
    added += [(FUEL_NAME, _KIND_GLOBAL, global_count - 1)] if global_count else []
    added += [(f"{TAG_PREFIX}{index}", _KIND_TAG, index) for index in range(tag_count)]
    count, start = read_leb(content, 0)
    entries = [encode_name(name.encode()) + bytes([kind]) + unsigned(index) for name, kind, index in added]
    return unsigned(count + len(entries)) + content[start:] + b"".join(entries)


def _unique_imports(content: bytes) -> tuple[bytes, Counter[int]]:
    """The import section with a number at the end of names that were used before, and how many it has of each kind."""
    count, position = read_leb(content, 0)
    seen: set[tuple[bytes, bytes]] = set()
    entries, kinds = [], Counter[int]()
    for number in range(count):
        module, position = _read_name(content, position)
        name, position = _read_name(content, position)
        if (module, name) in seen:
            name += f"#{number}".encode()
        seen.add((module, name))
        end = _skip_import_type(content, position)
        kinds[content[position]] += 1
        entries.append(encode_name(module) + encode_name(name) + content[position:end])
        position = end
    return unsigned(count) + b"".join(entries), kinds


def _skip_import_type(content: bytes, position: int) -> int:
    """Offset of the end of a kind and the type behind it."""
    kind, position = content[position], position + 1
    if kind == _KIND_FUNC:
        return read_leb(content, position)[1]
    if kind == _KIND_TAG:
        return read_leb(content, position + 1)[1]
    if kind == _KIND_GLOBAL:
        return _skip_value_type(content, position) + 1
    if kind == _KIND_TABLE:
        position = _skip_value_type(content, position)
    flags, position = read_leb(content, position)
    # Limits: minimum, maximum (bit 0), logarithm of the page size (bit 3).
    for _ in range(1 + (flags & 1) + (flags >> 3 & 1)):
        position = read_leb(content, position)[1]
    return position


def _skip_value_type(content: bytes, position: int) -> int:
    return read_leb(content, position + 1)[1] if content[position] in _LONG_REFERENCES else position + 1


def encode_name(name: bytes) -> bytes:
    """A name behind its size."""
    return unsigned(len(name)) + name


def _read_name(content: bytes, position: int) -> tuple[bytes, int]:
    size_bytes, start = read_leb(content, position)
    return content[start : start + size_bytes], start + size_bytes


def read_leb(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned number in LEB128, and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:
            return value, position
