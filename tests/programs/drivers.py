"""How reactors are driven: their exports instead of a command line. One driver serves every engine."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Exports:
    """What a driver needs of an instance: functions by name, and writes into its memory (offsets in bytes)."""

    function: Callable[[str], Callable[..., Any]]
    write: Callable[[int, bytes], None]


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


DRIVERS = {"quickjs": quickjs, "itk": itk}
