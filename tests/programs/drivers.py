"""How reactors are driven: their exports instead of a command line. One driver serves every engine."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Exports:
    """What a driver needs of an instance: functions by name, its memory by offset, a place for output."""

    function: Callable[[str], Callable[..., Any]]
    write: Callable[[int, bytes], None]
    read: Callable[[int, int], bytes]
    emit: Callable[[bytes], None]

    def place(self, allocator: str, data: bytes) -> int:
        """Offset of a copy of the data, in memory that a function of the guest allocated."""
        offset = int(self.function(allocator)(len(data)))
        self.write(offset, data)
        return offset

    def emit_packed(self, packed: int) -> None:
        """Emit what a function returned as offset (upper half) and size."""
        packed &= (1 << 64) - 1
        self.emit(self.read(packed >> 32, packed & 0xFFFFFFFF))


def quickjs(exports: Exports, args: Sequence[str]) -> int:
    """QuickJS: evaluates what its command line says; returns its status."""
    exports.function("_initialize")()
    malloc = exports.function("malloc")
    strings = [arg.encode() + b"\0" for arg in args]
    text = malloc(sum(map(len, strings)))
    vector = malloc(4 * (len(strings) + 1))
    pointers = itertools.accumulate(map(len, strings), initial=text)
    exports.write(text, b"".join(strings))
    exports.write(vector, struct.pack(f"<{len(strings) + 1}I", *itertools.islice(pointers, len(strings)), 0))
    status = int(exports.function("qjs_init_argv")(len(strings), vector))
    if status == 0:
        exports.function("qjs_destroy")()
    return status


def itk(exports: Exports, args: Sequence[str]) -> int:
    """A filter of ITK-Wasm: reads its command line through WASI; returns its status."""
    exports.function("_initialize")()
    return int(exports.function("itk_wasm_delayed_start")())


def graphviz(exports: Exports, args: Sequence[str]) -> int:
    """Graphviz: output format, engine, graph; emits the drawing, or the message of what is wrong and returns 1."""
    places = [exports.place("malloc", arg.encode() + b"\0") for arg in (args[2], args[0], args[1])]
    size_place = exports.place("malloc", bytes(4))
    drawing = exports.function("graphviz_render")(*places, size_place)
    if drawing == 0:
        exports.emit(exports.read(exports.function("graphviz_last_error")(), 200).partition(b"\0")[0])
        return 1
    exports.emit(exports.read(drawing, int.from_bytes(exports.read(size_place, 4), "little")))
    exports.function("graphviz_free")(drawing)
    return 0


def pii_shield(exports: Exports, args: Sequence[str]) -> int:
    """PII-Shield, Go: its settings as JSON, then texts of which it redacts each."""
    exports.function("_initialize")()
    settings, *texts = (arg.encode() for arg in args)
    exports.function("init_config")(exports.place("allocate", settings), len(settings))
    for text in texts:
        exports.emit_packed(exports.function("redact")(exports.place("allocate", text), len(text)))
        exports.emit(b"\n")
    return 0


def terminal(exports: Exports, args: Sequence[str]) -> int:
    """A terminal's screen, 4 by 20: shows what is left there of what was written to it, plain and with its escapes."""
    screen = exports.function("create")(4, 20, 10)
    for arg in args:
        text = arg.encode().decode("unicode_escape").encode()
        exports.function("process")(screen, exports.place("wasm_alloc", text), len(text))
    for name in ("screen_contents", "screen_contents_formatted"):
        exports.emit_packed(exports.function(name)(screen))
        exports.emit(b"\n")
    exports.function("destroy")(screen)
    return 0


DRIVERS = {"quickjs": quickjs, "itk": itk, "graphviz": graphviz, "pii_shield": pii_shield, "terminal": terminal}
