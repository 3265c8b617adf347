"""What Emscripten's JavaScript does for a module with C++ exceptions and threads: a thread has an instance of its own.

One memory is all that they share. A function that throws unwinds through Python: `invoke_...` calls it by its index,
and catches. See src/lib/libexceptions.js and src/lib/libpthread.js of Emscripten.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from typing import Any

import wasmartifact as wa
from wasmartifact.externtypes import MemoryType

#: Offsets in the structure of a thread, in bytes.
STACK_HIGH, STACK_SIZE = 52, 56
#: A thrown object has its type, whether it was caught, and its adjusted address in front of it.
TYPE, IS_CAUGHT, IS_RETHROWN, ADJUSTED = -20, -12, -11, -8


class Thrown(Exception):
    """An exception of C++ on its way."""

    def __init__(self, address: int) -> None:
        super().__init__(address)
        self.address = address


class Program:
    """A module's instances over one memory. handlers: functions for what C++ asks of JavaScript, by its text."""

    def __init__(self, artifact: wa.Artifact, handlers: dict[str, Callable[..., None]]) -> None:
        (limits,) = (row.type for row in artifact.metadata.imports if isinstance(row.type, MemoryType))
        self.memory = wa.Memory(limits.min_pages, limits.max_pages, shared=True)
        self.artifact, self.handlers = artifact, handlers
        self.output = b""
        self.threads: list[threading.Thread] = []
        self.problems: list[BaseException] = []
        self.main = Thread(self)
        self.main.exports.emscripten_stack_init()
        self.main.exports["__wasm_call_ctors"]()

    def start(self, pthread: int, routine: int, argument: int) -> None:
        """Run a new thread."""

        def run() -> None:
            try:
                Thread(self, pthread).run(routine, argument)
            except BaseException as problem:
                self.problems.append(problem)

        thread = threading.Thread(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()

    def number(self, address: int) -> int:
        return int.from_bytes(self.memory[address : address + 4], "little")

    def put(self, address: int, number: int) -> None:
        self.memory[address : address + 4] = number.to_bytes(4, "little")

    def place(self, text: str) -> int:
        """Address of a text, in memory that the guest allocated."""
        data = text.encode() + b"\0"
        address = int(self.main.exports.malloc(len(data))) & 0xFFFFFFFF
        self.memory[address : address + len(data)] = data
        return address


class Thread:
    """One instance. pthread: the structure of its thread; 0: the main one, which makes its own."""

    def __init__(self, program: Program, pthread: int = 0) -> None:
        self.program, self.memory = program, program.memory
        self.last = 0  # the exception that is on its way, or was
        self.caught: list[int] = []
        self.uncaught = 0
        imports: dict[str, dict[str, Any]] = {"env": {"memory": program.memory}}
        for row in program.artifact.metadata.imports:
            if row.kind == "func":
                imports.setdefault(row.module, {})[row.name] = self._function(row.name)
        self.exports: Any = program.artifact.instantiate(imports, store=wa.Store()).exports
        self.table = self.exports["__indirect_function_table"]
        if pthread:
            self.exports._emscripten_thread_init(pthread, 0, 0, 1, 0, 0)
            high, size = program.number(pthread + STACK_HIGH), program.number(pthread + STACK_SIZE)
            self.exports.emscripten_stack_set_limits(high, high - size)
            self.exports._emscripten_stack_restore(high)
            self.exports._emscripten_tls_init()

    def run(self, routine: int, argument: int) -> None:
        """The start routine of a thread."""
        self.exports._emscripten_thread_exit(self.table[routine](argument))

    def _function(self, name: str) -> Callable[..., Any]:
        if name.startswith("invoke_v"):
            return self._invoke_nothing
        if name.startswith("invoke_"):
            return self._invoke
        if name.startswith("__cxa_find_matching_catch_"):
            return self._find_matching_catch
        found = getattr(self, name.lstrip("_"), None)
        if found is not None:
            return found  # type: ignore[no-any-return]

        def refuse(*arguments: Any) -> Any:
            raise NotImplementedError(f"{name}{arguments}")

        return refuse

    # ---- exceptions

    def _invoke(self, index: int, *arguments: Any) -> Any:
        stack = self.exports.emscripten_stack_get_current()
        try:
            return self.table[index](*arguments)
        except Thrown:
            self.exports._emscripten_stack_restore(stack)
            self.exports.setThrew(1, 0)
            return 0

    def _invoke_nothing(self, index: int, *arguments: Any) -> None:
        self._invoke(index, *arguments)

    def _throw(self, address: int) -> None:
        self.last = address
        raise Thrown(address)

    def cxa_throw(self, address: int, kind: int, destructor: int) -> None:
        address &= 0xFFFFFFFF
        for offset, number in ((ADJUSTED, 0), (TYPE, kind), (TYPE + 4, destructor)):
            self.program.put(address + offset, number & 0xFFFFFFFF)
        self.uncaught += 1
        self._throw(address)

    def cxa_rethrow(self) -> None:
        address = self.caught.pop()
        if not self.memory[address + IS_RETHROWN]:
            self.caught.append(address)
            self.memory[address + IS_RETHROWN] = 1
            self.memory[address + IS_CAUGHT] = 0
            self.uncaught += 1
        self._throw(address)

    def resumeException(self, address: int) -> None:
        self._throw(self.last or address & 0xFFFFFFFF)

    def _find_matching_catch(self, *kinds: int) -> int:
        kind = 0 if not self.last else self.program.number(self.last + TYPE)
        if self.last:
            self.program.put(self.last + ADJUSTED, self.last)
        found = kind
        for wanted in kinds if kind else ():
            if wanted in (0, kind):
                break
            if self.exports["__cxa_can_catch"](wanted, kind, self.last + ADJUSTED):
                found = wanted
                break
        self.exports._emscripten_tempret_set(found)
        return self.last

    def llvm_eh_typeid_for(self, kind: int) -> int:
        return kind

    def cxa_begin_catch(self, address: int) -> int:
        address &= 0xFFFFFFFF
        if not self.memory[address + IS_CAUGHT]:
            self.memory[address + IS_CAUGHT] = 1
            self.uncaught -= 1
        self.memory[address + IS_RETHROWN] = 0
        self.caught.append(address)
        self.exports["__cxa_increment_exception_refcount"](address)
        return int(self.exports["__cxa_get_exception_ptr"](address))

    def cxa_end_catch(self) -> None:
        self.exports.setThrew(0, 0)
        self.exports["__cxa_decrement_exception_refcount"](self.caught.pop())
        self.last = 0

    def cxa_uncaught_exceptions(self) -> int:
        return self.uncaught

    # ---- threads

    def emscripten_init_main_thread_js(self, pthread: int) -> None:
        self.exports._emscripten_thread_init(pthread, 1, 1, 1, 20 << 20, 0)
        self.exports._emscripten_tls_init()

    def pthread_create_js(self, pthread: int, _attributes: int, routine: int, argument: int) -> int:
        self.program.start(pthread & 0xFFFFFFFF, routine, argument)
        return 0

    def emscripten_thread_mailbox_await(self, pthread: int) -> None:
        """Mail is not asked for: nothing is proxied to a thread that has no loop."""

    emscripten_thread_cleanup = emscripten_thread_set_strongref = emscripten_thread_mailbox_await

    def emscripten_check_blocking_allowed(self) -> None:
        """It is."""

    def emscripten_asm_const_int(self, code: int, kinds: int, arguments: int) -> int:
        self.emscripten_asm_const_async_on_main_thread(code, kinds, arguments)
        return 0

    def emscripten_asm_const_async_on_main_thread(self, code: int, kinds: int, arguments: int) -> None:
        text = self.memory.read_cstring(code).decode().strip("{ }")
        count = len(self.memory.read_cstring(kinds))
        self.program.handlers[text](*(self.program.number(arguments + 4 * index) for index in range(count)))

    # ---- the system

    def emscripten_date_now(self) -> float:
        return 0.0

    emscripten_get_now = emscripten_date_now

    def emscripten_get_now_is_monotonic(self) -> int:
        return 1

    def fd_write(self, _descriptor: int, vectors: int, count: int, written: int) -> int:
        pairs = [struct.unpack("<II", self.memory[at : at + 8]) for at in range(vectors, vectors + 8 * count, 8)]
        data = b"".join(self.memory[address : address + size] for address, size in pairs)
        self.program.output += data
        self.program.put(written, len(data))
        return 0

    def environ_sizes_get(self, count: int, size: int) -> int:
        self.program.put(count, 0)
        self.program.put(size, 0)
        return 0

    def environ_get(self, _environ: int, _buffer: int) -> int:
        return 0

    def tzset_js(self, *_addresses: int) -> None:
        """The time zone is UTC."""
