"""Runs what `wasmartifact.codegen` emits without the rest of the project: gcc links it with a few lines of C runtime.

The C side gives linear memory with a guard, a table, the runtime calls that the tests need, and protected calls that
return the trap code found in the trapping instruction.
"""

from __future__ import annotations

import bisect
import ctypes
import itertools
import struct
import subprocess
from array import array
from pathlib import Path

import wasmtime

from wasmartifact import schema
from wasmartifact.codegen.compiled import INIT_SYMBOL, FunctionGroup
from wasmartifact.codegen.context import ModuleContext, build_context
from wasmartifact.codegen.emit_group import emit_group
from wasmartifact.codegen.llvm import compile_text, emit_object
from wasmartifact.codegen.options import CodegenOptions, resolve_target
from wasmartifact.codegen.support import TrampolineTypes, has_init, init_text, trampoline_texts
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.initial import InitialState
from wasmartifact.wasm.model import Module

_numbers = itertools.count()

C_SOURCE = r"""
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN const uint8_t wa_type_digests[TYPES + 1][16] = {{0}};
static sigjmp_buf jump;
static int is_inside;
uint64_t trap_pc;
struct { uint8_t *base; uint64_t size; } memory_head;
#define memory_base memory_head.base
#define memory_size memory_head.size

static void on_signal(int number, siginfo_t *info, void *context) {
    const uint8_t *pc = (const uint8_t *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (!is_inside) { signal(number, SIG_DFL); return; }
    trap_pc = (uint64_t)pc;
    uint8_t *address = info->si_addr;
    if (number == SIGSEGV && address >= memory_base && address < memory_base + (9ull << 30))
        siglongjmp(jump, MEMORY_OUT_OF_BOUNDS);
    if (number == SIGILL && pc[0] == 0x67 && pc[1] == 0x0f && pc[2] == 0xb9 && pc[3] == 0x40)
        siglongjmp(jump, pc[4]);
    siglongjmp(jump, 1000 + number);
}

uint8_t *new_memory(uint64_t size) {
    memory_size = size;
    memory_base = mmap(0, 9ull << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(memory_base, size, PROT_READ | PROT_WRITE);
    return memory_base;
}

int call(void (*entry)(void *, void *, uint64_t *), void *code, void *context, uint64_t *slots) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK}, ill, segv;
    sigaction(SIGILL, &action, &ill);
    sigaction(SIGSEGV, &action, &segv);
    int trap = sigsetjmp(jump, 0);
    if (!trap) { is_inside = 1; entry(code, context, slots); }
    is_inside = 0;
    sigaction(SIGILL, &ill, 0);
    sigaction(SIGSEGV, &segv, 0);
    return trap;
}

uint64_t stack_pointer(void) { return (uint64_t)__builtin_frame_address(0); }

int64_t memory_grow(void *instance, int32_t memory, int64_t delta) {
    int64_t old = memory_size >> 16;
    if (mprotect(memory_base, memory_size + (delta << 16), PROT_READ | PROT_WRITE)) return -1;
    memory_size += delta << 16;
    return old;
}
void memory_fill(void *instance, int32_t memory, int64_t to, int32_t value, int64_t size) {
    memset(memory_base + to, value, size);
}
extern void *functions[];
struct record { void *code; const void *type; void *context; void *rest[5]; };
struct table { uint64_t *slots; uint64_t size; };
extern const uint32_t function_types[];
static struct record *new_record(void *instance, int32_t index) {
    struct record *made = calloc(1, sizeof *made);
    *made = (struct record){functions[index], wa_type_digests[function_types[index]], instance};
    return made;
}
void *function_reference(void *instance, int32_t index) { return new_record(instance, index); }
void *resolve_slot(char *instance, int32_t table, int64_t index) {
    struct table *head = *(struct table **)(instance + TABLES_OFFSET + 8 * table);
    return (void *)(head->slots[index] = (uint64_t)new_record(instance, head->slots[index] >> 1));
}
void *resolve_call(void *instance, struct record *record, const void *type) {
    siglongjmp(jump, INDIRECT_CALL_TYPE_MISMATCH);
}
"""

RUNTIME_CALLS = ("memory_grow", "memory_fill", "function_reference", "resolve_slot", "resolve_call")


def module_from_wat(wat: str) -> Module:
    """Decode a module given as text."""
    return decode_module(bytes(wasmtime.wat2wasm(wat)))


def context_of(module: Module, opt_level: int, cpu: str = "baseline", target: str | None = None) -> ModuleContext:
    """Context of a module all of whose globals start with constants of the image, or zero."""
    canonical = [module.types.index(func_type) for func_type in module.types]
    return build_context(
        module, initial_state(module), CodegenOptions(opt_level, resolve_target(target, cpu)), canonical
    )


def initial_state(module: Module) -> InitialState:
    """Nothing in images: every global is computed by init code."""
    actions = tuple(("global", index) for index in range(len(module.globals)))
    return InitialState((), (), bytes(16 * len(module.globals)), frozenset(), frozenset(), actions)


def whole_group(module: Module) -> FunctionGroup:
    """All functions of a module as one group."""
    base = module.codes[0].start
    first, count = module.imported_functions, len(module.codes)
    return FunctionGroup(
        array("I", range(first, first + count)),
        module.data[base : module.codes[-1].end],
        array("I", [code.start - base for code in module.codes]),
        array("I", [code.end - base for code in module.codes]),
        array("I", [base] * count),
    )


class Reference:
    """A module without imports in wasmtime."""

    def __init__(self, wat: str) -> None:
        self.store = wasmtime.Store()
        self.instance = wasmtime.Instance(self.store, wasmtime.Module(self.store.engine, wat), [])

    def call(self, name: str, *arguments: int) -> int:
        """Call an export that takes integers and returns one, signed as wasmtime has them."""
        function = self.instance.exports(self.store)[name]
        assert isinstance(function, wasmtime.Func)
        result = function(self.store, *arguments)
        assert isinstance(result, int)
        return result


class Program:
    """A module without imports, compiled and linked; ``invoke`` calls its exports."""

    def __init__(self, module: Module, folder: Path, opt_level: int, cpu: str = "baseline") -> None:
        self.module = module
        self.context = context_of(module, opt_level, cpu)
        used = sorted(set(self.context.canonical))
        self.text = emit_group(self.context, whole_group(module))[0]
        initial = initial_state(module)
        support = trampoline_texts(self.context, TrampolineTypes(used, used, [], []))
        init = INIT_SYMBOL if has_init(module, initial) else None
        if init:
            support.append(init_text(self.context, module, initial))
        self.library = self._link(folder, [self.text, *support], used, init)
        self.instance = self._instantiate()
        if init:
            trap = self.library.call(self._pointer("entry_init"), self._pointer("init_code"), self.instance, None)
            assert not trap, trap

    def _link(self, folder: Path, texts: list[str], used: list[int], init: str | None) -> ctypes.CDLL:
        folder = folder / f"program{next(_numbers)}"
        folder.mkdir()
        objects = []
        for number, text in enumerate(texts):
            objects.append(folder / f"{number}.o")
            objects[-1].write_bytes(emit_object(self.context.options, text))
        types = self.module.function_types
        canonical = ", ".join(str(self.context.canonical[index]) for index in types)
        entries = ", ".join(f"entry_{index}" if index in used else "0" for index in range(len(self.module.types)))
        lines = [
            f"#define TYPES {len(self.module.types)}",
            f"#define TABLES_OFFSET {self.context.layout.tables_offset}",
            *(f"#define {name.upper()} {code}" for name, code in schema.TRAP_BY_NAME.items()),
            C_SOURCE,
            *(f"HIDDEN void f{index}(void);" for index in range(len(types))),
            *(f"HIDDEN void entry_{index}(void);" for index in used),
            f"void *functions[] = {{ {', '.join(f'f{index}' for index in range(len(types)))} }};",
            f"const uint32_t function_types[] = {{ {canonical} }};",
            f"void *entries[] = {{ {entries} }};",
            "static void run_init(void *code, void *instance, uint64_t *slots) { ((void (*)(void *))code)(instance); }",
            "void *entry_init = run_init;",
            "HIDDEN void init(void);\nvoid *init_code = init;" if init else "void *init_code;",
        ]
        source = folder / "runtime.c"
        source.write_text("\n".join(lines))
        library = folder / "program.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-w", "-o", library, source, *objects], check=True)
        return ctypes.CDLL(str(library))

    def _pointer(self, name: str) -> ctypes.c_void_p:
        return ctypes.c_void_p.in_dll(self.library, name)

    def _instantiate(self) -> ctypes.c_void_p:
        layout = self.context.layout
        self._keep: list[object] = []
        record = self._buffer(layout.size_bytes + 16)
        fields = schema.INSTANCE_HEADER.offsets()

        def put(buffer: int, offset: int, value: int) -> None:
            ctypes.memmove(buffer + offset, struct.pack("<Q", value), 8)

        calls = self._buffer(8 * len(schema.RUNTIME_CALLS))
        for name in RUNTIME_CALLS:
            put(
                calls,
                8 * schema.RUNTIME_CALL_INDEX[name],
                ctypes.cast(getattr(self.library, name), ctypes.c_void_p).value or 0,
            )
        put(record, fields["calls"], calls)
        self.library.new_memory.restype = ctypes.c_void_p
        for index, memory in enumerate(self.module.memory_types):
            base = self.library.new_memory(ctypes.c_uint64(memory.limits.min << memory.page_log2))
            head = ctypes.addressof(ctypes.c_uint64.in_dll(self.library, "memory_head"))
            put(record, layout.memories_offset + 16 * index, base)
            put(record, layout.memories_offset + 16 * index + 8, head)
            self.memory = (ctypes.c_char * (memory.limits.min << memory.page_log2)).from_address(base)
        for data in self.module.datas:
            if data.offset is not None:
                ctypes.memmove(
                    base + data.offset.instructions[0][2],
                    self.module.data[data.start : data.end],
                    data.end - data.start,
                )
        for index, table in enumerate(self.module.table_types):
            slots, head = self._buffer(8 * table.limits.min + 8), self._buffer(24)
            put(head, 0, slots)
            put(head, 8, table.limits.min)
            put(record, layout.tables_offset + 8 * index, head)
            for segment in self.module.elements:
                if segment.table == index and segment.offset is not None:
                    start = segment.offset.instructions[0][2]
                    for position, item in enumerate(segment.items):
                        put(slots, 8 * (start + position), item << 1 | 1 if isinstance(item, int) else 0)
        return ctypes.c_void_p(record)

    def _buffer(self, size_bytes: int) -> int:
        buffer = ctypes.create_string_buffer(size_bytes + 64)
        self._keep.append(buffer)
        return (ctypes.addressof(buffer) + 63) & -64

    def trap_wasm_offset(self) -> tuple[int, int]:
        """Wasm offset and trap code that the address map gives for the last trap."""
        (code,) = compile_text(self.context.options, self.text)
        functions = (ctypes.c_void_p * len(self.module.function_types)).in_dll(self.library, "functions")
        base = (functions[self.module.imported_functions] or 0) - code.object.functions[0][1]
        row = (
            bisect.bisect(code.address_map.text_offsets, ctypes.c_uint64.in_dll(self.library, "trap_pc").value - base)
            - 1
        )
        return code.address_map.wasm_offsets[row], code.address_map.traps[row]

    def memory_bytes(self, start: int, end: int) -> bytes:
        """Bytes of the memory."""
        return bytes(self.memory)[start:end]

    def global_cell(self, index: int) -> int:
        """Bits in the low 8 bytes of a defined global's cell."""
        assert self.instance.value is not None
        return ctypes.c_uint64.from_address(self.instance.value + self.context.layout.globals_offset + 16 * index).value

    def stack_pointer(self) -> int:
        """About where the stack of this thread is."""
        self.library.stack_pointer.restype = ctypes.c_uint64
        return int(self.library.stack_pointer())

    def set_stack_limit(self, limit: int) -> None:
        """Set the instance's stack limit."""
        assert self.instance.value is not None
        ctypes.c_uint64.from_address(self.instance.value).value = limit

    def invoke(self, name: str, *slots: int) -> tuple[str | None, list[int]]:
        """Call an export with 64-bit slots; return the trap's name or None, and the result slots."""
        func_index = next(export.index for export in self.module.exports if export.name == name and export.kind == 0)
        func_type = self.module.func_type(func_index)
        size = max(len(slots), len(func_type.results), 1)
        values = (ctypes.c_uint64 * size)(*slots)
        entries = (ctypes.c_void_p * len(self.module.types)).in_dll(self.library, "entries")
        functions = (ctypes.c_void_p * len(self.module.function_types)).in_dll(self.library, "functions")
        entry = entries[self.context.canonical[self.module.function_types[func_index]]]
        trap = self.library.call(ctypes.c_void_p(entry), ctypes.c_void_p(functions[func_index]), self.instance, values)
        names = {code: name for name, code in schema.TRAP_BY_NAME.items()}
        return (names.get(trap, f"signal {trap - 1000}") if trap else None), list(values[: len(func_type.results)])
