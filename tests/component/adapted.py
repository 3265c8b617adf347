"""A guest of WASI 0.2 that is driven from Python as the one of preview 1 is, and commands of preview 1 as components.

Both are made by the public adapter, which turns what a module of preview 1 calls into calls of WASI 0.2.
"""

from __future__ import annotations

import os
import select
import struct
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import wasmtime
import wasmtime.component

import wasmartifact as wa
from tests.programs.packages import folder, module_path
from tests.programs.scenario import ModuleSource
from tests.programs.support import available
from tests.unit.wasi.guest import MEMORY_BYTES, PAGES, TRAPPED, Guest
from wasmartifact.wasi import abi
from wasmartifact.wasm.wasm_tools import run_wasm_tools

ADAPTER: Final = ModuleSource(
    registry="npm",
    package="@bytecodealliance/jco",
    version="1.35.0",
    path="lib/wasi_snapshot_preview1.command.wasm",
    sha256="2a652d711c1fff34f9d5a0e073e50ef7eeb8fe7d8a6d559eae643a4c049a7b94",
)
_FUNCTIONS: Final = [function for function in abi.FUNCTIONS if function.results]
_NUMBERS: Final = {function.name: number for number, function in enumerate(_FUNCTIONS)}
_TYPES: Final = {"i": "i32", "l": "i64"}
_ARGUMENTS_MAX: Final = 9
#: So often somebody who waits for the guest looks whether it is still there.
ALIVE_SECONDS: Final = 1
_TRAPS: Final = (wa.Trap, wasmtime.Trap, wasmtime.WasmtimeError)
_CALL, _READ, _WRITE, _END = range(4)
#: A request: what, function or address, size, arguments.
_REQUEST: Final = struct.Struct(f"<IIIxxxx{_ARGUMENTS_MAX}Q")


def adapt(module: bytes) -> bytes:
    """A command of preview 1 as a component of WASI 0.2."""
    adapter = available(module_path, ADAPTER)
    answer = run_wasm_tools(module, "component", "new", "--adapt", f"wasi_snapshot_preview1={adapter}")
    assert answer.exit_code == 0, answer
    return answer.output


def _guest_wat() -> str:
    """A command that does what it reads, and writes what that gave; the guest's memory is its first pages."""
    imports, branches = [], []
    for number, function in enumerate(_FUNCTIONS):
        params = " ".join(_TYPES[letter] for letter in function.params)
        imports.append(
            f'(import "{abi.MODULE}" "{function.name}" (func ${function.name} (param {params}) (result i32)))'
        )
        arguments = " ".join(
            f"({_TYPES[letter]}.load (i32.const {MEMORY_BYTES + 80 + 8 * place}))"
            for place, letter in enumerate(function.params)
        )
        branches.append(
            f"(if (i32.eq (i32.load (i32.const {MEMORY_BYTES + 68})) (i32.const {number}))"
            f" (then (i32.store (i32.const {MEMORY_BYTES + 16}) (call ${function.name} {arguments}))))"
        )
    buffer = f"""
      (i32.store (i32.const {MEMORY_BYTES}) (local.get 0)) (i32.store (i32.const {MEMORY_BYTES + 4}) (local.get 1))"""
    step = f"(i32.load (i32.const {MEMORY_BYTES + 8}))"
    move = """(func $NAME (param i32 i32) (loop $more (if (local.get 1) (then BUFFER
      (if (call $FUNCTION (i32.const FD) (i32.const AT) (i32.const 1) (i32.const COUNT)) (then unreachable))
      (if (i32.eqz STEP) (then unreachable))
      (local.set 0 (i32.add (local.get 0) STEP)) (local.set 1 (i32.sub (local.get 1) STEP)) (br $more)))))"""
    for key, value in (("BUFFER", buffer), ("STEP", step), ("AT", str(MEMORY_BYTES)), ("COUNT", str(MEMORY_BYTES + 8))):
        move = move.replace(key, value)
    get = move.replace("NAME", "get").replace("FUNCTION", "fd_read").replace("FD", "0")
    put = move.replace("NAME", "put").replace("FUNCTION", "fd_write").replace("FD", "1")
    address, size = (f"(i32.load (i32.const {MEMORY_BYTES + place}))" for place in (68, 72))
    return f"""(module {" ".join(imports)} (memory (export "memory") {PAGES + 1}) {get} {put}
      (func (export "_start") (local $what i32) (loop $next
        (call $get (i32.const {MEMORY_BYTES + 64}) (i32.const {_REQUEST.size}))
        (local.set $what (i32.load (i32.const {MEMORY_BYTES + 64})))
        (if (i32.eq (local.get $what) (i32.const {_CALL})) (then {" ".join(branches)}
          (call $put (i32.const {MEMORY_BYTES + 16}) (i32.const 4)) (br $next)))
        (if (i32.eq (local.get $what) (i32.const {_READ})) (then (call $put {address} {size}) (br $next)))
        (if (i32.eq (local.get $what) (i32.const {_WRITE})) (then (call $get {address} {size}) (br $next))))))"""


@lru_cache
def _packed() -> wa.Component:
    path = folder() / f"guest-{os.getpid()}.so"
    wa.pack(_component(), path, opt_level=0)
    loaded = wa.load(path)
    path.unlink()
    assert isinstance(loaded, wa.Component)
    return loaded


@lru_cache
def _component() -> bytes:
    return adapt(bytes(wasmtime.wat2wasm(_guest_wat())))


class Remote:
    """The guest as a component: an `Engine` for `Guest`. Its streams are the way to it; it runs on a thread.

    Parameters
    ----------
    run : callable
        Runs the component, with these descriptors as its input and its output.
    """

    def __init__(self, run: Callable[[int, int], None]) -> None:
        self._guest_input, self._input = os.pipe()
        self._output, self._guest_output = os.pipe()
        self.problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(run,), daemon=True)
        self._thread.start()

    def _run(self, run: Callable[[int, int], None]) -> None:
        try:
            run(self._guest_input, self._guest_output)
        except BaseException as problem:  # pytest's, too, or who waits for an answer waits for ever
            self.problem = problem
        os.close(self._guest_output)
        os.close(self._guest_input)

    def _ask(self, what: int, number: int, size: int, arguments: tuple[int, ...] = (), data: bytes = b"") -> None:
        masked = [argument & (1 << 64) - 1 for argument in arguments]
        request = _REQUEST.pack(what, number, size, *masked, *[0] * (_ARGUMENTS_MAX - len(masked)))
        rest = memoryview(request + data)
        while rest:
            rest = rest[os.write(self._input, rest) :]

    def _answer(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            # What failed may keep the other end of the pipe open.
            while not select.select([self._output], [], [], ALIVE_SECONDS)[0]:
                if not self._thread.is_alive():
                    raise EOFError
            part = os.read(self._output, size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def call(self, name: str, *args: int) -> int:
        try:
            self._ask(_CALL, _NUMBERS[name], 0, args)
            return int.from_bytes(self._answer(4), "little")
        except (EOFError, BrokenPipeError):
            self._thread.join()
            if self.problem is None or isinstance(self.problem, _TRAPS):
                return TRAPPED
            raise self.problem from None

    def read(self, address: int, size_bytes: int) -> bytes:
        self._ask(_READ, address, size_bytes)
        return self._answer(size_bytes)

    def write(self, address: int, data: bytes) -> None:
        self._ask(_WRITE, address, len(data), (), data)

    def close(self) -> None:
        """End it, once: its numbers are others' afterwards."""
        if self._input < 0:
            return
        if self._thread.is_alive():
            self._ask(_END, 0, 0)
            self._thread.join()
        os.close(self._input)
        os.close(self._output)
        self._input = self._output = -1

    def __del__(self) -> None:
        self.close()


def ours(directory: Path, *, walks: bool = False, **options: Any) -> Guest:
    """As tests.unit.wasi.guest.ours, but a component."""
    component = _packed()

    def run(stdin: int, stdout: int) -> None:
        wasi = wa.Wasi(preopens={"/": options.pop("preopen", directory)}, stdin=stdin, stdout=stdout, **options)
        if walks:
            wasi._avoid_openat2()
        component.instantiate(wasi).run.run()

    return Guest(Remote(run))


def theirs(directory: Path) -> Guest:
    """The same component under wasmtime."""
    contents = _component()

    def run(stdin: int, stdout: int) -> None:
        engine = wasmtime.Engine()
        store = wasmtime.Store(engine)
        config = wasmtime.WasiConfig()
        config.preopen_dir(str(directory), "/")
        config.stdin_file = f"/proc/self/fd/{stdin}"
        config.stdout_file = f"/proc/self/fd/{stdout}"
        store.set_wasi(config)
        linker = wasmtime.component.Linker(engine)
        linker.add_wasip2()
        component = wasmtime.component.Component(engine, contents)
        instance = linker.instantiate(store, component)
        interface = next(
            index
            for version in range(20)
            if (index := instance.get_export_index(store, f"wasi:cli/run@0.2.{version}")) is not None
        )
        index = instance.get_export_index(store, "run", interface)
        assert index is not None
        function = instance.get_func(store, index)
        assert function is not None
        function(store)

    return Guest(Remote(run))
