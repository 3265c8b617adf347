"""Writes WebAssembly modules of any size as bytes, fast: inputs of the benchmarks and of their tests."""

from __future__ import annotations

from wasmartifact.wasm.encode import signed, unsigned

I32 = 0x7F
FUNC = 0x60
END = 0x0B
LOCAL_GET = 0x20
I32_LOAD = 0x28
I32_DIV_U = 0x6E
I32_CONST = 0x41
FUNCREF = 0x70
MAGIC = b"\0asm\1\0\0\0"
PAGE_BYTES = 65_536


def section(number: int, count: int, entries: bytes) -> bytes:
    """A section that is a vector of ``count`` entries (spec section 5.5.2)."""
    body = unsigned(count) + entries
    return bytes([number]) + unsigned(len(body)) + body


def exported_functions(count: int, exports_each: int = 1) -> bytes:
    """A module of ``count`` functions () -> i32, each returning its index, and exports of them: ``f0``, ``f1``, ..."""
    exports, codes = bytearray(), bytearray()
    for index in range(count * exports_each):
        name = b"f%d" % index
        exports += unsigned(len(name)) + name + b"\0" + unsigned(index // exports_each)
    for index in range(count):
        body = bytes([0, I32_CONST]) + signed(index) + bytes([END])
        codes += unsigned(len(body)) + body
    return b"".join(
        (
            MAGIC,
            section(1, 1, bytes([FUNC, 0, 1, I32])),
            section(3, count, bytes(count)),
            section(7, count * exports_each, bytes(exports)),
            section(10, count, bytes(codes)),
        )
    )


def tool_like(count: int) -> bytes:
    """A module shaped like a compiled tool: ``count`` functions of 64 types that load from memory, 16 exported.

    A third of them stand in a table, as the virtual functions of a C++ program do.
    """
    types = b"".join(bytes([FUNC, parameters]) + bytes([I32]) * parameters + b"\1\x7f" for parameters in range(1, 65))
    functions, exports, codes = bytearray(), bytearray(), bytearray()
    for index in range(count):
        functions.append(index % 64)
        body = bytes([0, LOCAL_GET, 0, I32_LOAD, 2]) + unsigned(index) + bytes([END])
        codes += unsigned(len(body)) + body
    exported, virtual = min(count, 16), count // 3
    elements = bytes([0, I32_CONST, 1, END]) + unsigned(virtual) + b"".join(map(unsigned, range(0, 3 * virtual, 3)))
    for index in range(exported):
        name = b"f%d" % index
        exports += unsigned(len(name)) + name + b"\0" + unsigned(index)
    return b"".join(
        (
            MAGIC,
            section(1, 64, types),
            section(3, count, bytes(functions)),
            section(4, 1, bytes([FUNCREF, 0]) + unsigned(virtual + 1)),
            section(5, 1, bytes([0, 16])),
            section(7, exported, bytes(exports)),
            section(9, 1, elements),
            section(10, count, bytes(codes)),
        )
    )


def data_segments(size_bytes: int) -> bytes:
    """A module whose active data segments, of a page each, fill ``size_bytes`` of memory with bytes other than zero."""
    pages = size_bytes // PAGE_BYTES
    page = bytes(1 + offset % 255 for offset in range(PAGE_BYTES))
    segments = bytearray()
    for index in range(pages):
        segments += bytes([0, I32_CONST]) + signed(index * PAGE_BYTES) + bytes([END]) + unsigned(PAGE_BYTES) + page
    return b"".join((MAGIC, section(5, 1, b"\0" + unsigned(pages)), section(11, pages, bytes(segments))))


def filled_table(length: int) -> bytes:
    """A module with one function and a table of ``length`` elements, which an active segment fills with it."""
    elements = bytes([0, I32_CONST, 0, END]) + unsigned(length) + bytes(length)
    return b"".join(
        (
            MAGIC,
            section(1, 1, bytes([FUNC, 0, 1, I32])),
            section(3, 1, b"\0"),
            section(4, 1, bytes([FUNCREF, 0]) + unsigned(length)),
            section(9, 1, elements),
            section(10, 1, bytes([4, 0, I32_CONST, 0, END])),
        )
    )


IMPORTED_FUNCTIONS = 4
FUNCTION_TYPES = 8


def text(value: str) -> bytes:
    """A name (spec section 5.2.4)."""
    data = value.encode()
    return unsigned(len(data)) + data


def described_functions(count: int) -> bytes:
    """A module of ``count`` functions with every kind of metadata: each is exported, has a name in the name section and
    can trap in two instructions; 8 types, 4 imported functions, a memory.

    Function *i* of the defined ones is exported as ``f<i>``, takes 2 + i mod 8 integers and divides what the first one
    points to by the second one.
    """
    types = b"".join(bytes([FUNC, 2 + extra, *[I32] * (2 + extra), 1, I32]) for extra in range(FUNCTION_TYPES))
    imports = b"".join(
        text("host") + text(f"import_{index}") + bytes([0, index]) for index in range(IMPORTED_FUNCTIONS)
    )
    body = bytes([0, LOCAL_GET, 0, I32_LOAD, 2, 0, LOCAL_GET, 1, I32_DIV_U, END])
    exports, names = bytearray(), bytearray()
    for index in range(count):
        func_index = unsigned(IMPORTED_FUNCTIONS + index)
        exports += text(f"f{index}") + b"\0" + func_index
        names += func_index + text(f"bench::described::function_{index}")
    name_map = unsigned(count) + names
    name_section = text("name") + b"\1" + unsigned(len(name_map)) + name_map
    return b"".join(
        (
            MAGIC,
            section(1, FUNCTION_TYPES, types),
            section(2, IMPORTED_FUNCTIONS, imports),
            section(3, count, bytes(index % FUNCTION_TYPES for index in range(count))),
            section(5, 1, b"\0\1"),
            section(7, count, bytes(exports)),
            section(10, count, (unsigned(len(body)) + body) * count),
            b"\0" + unsigned(len(name_section)) + name_section,
        )
    )
