"""The code of functions, kept from pack to pack by the content of what each of them compiles from.

A function's code depends on its body, on the types that it names and on the signatures of what it calls, on options,
and on what the module has of memories, tables, globals, tags and imports. All of that is digested into its key; not
where the function stands, nor which indices the functions have that it calls: these are symbols of its object, which
are named by order of appearance as long as it is kept, and wasm offsets count from its own start.

One file holds the code of a whole module. Its name starts with a digest of what all functions depend on, so that the
next pack of a module finds the last one's.
"""

from __future__ import annotations

import os
import pickle
from _blake2 import blake2b  # what hashlib shows, without the import of OpenSSL
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from wasmartifact.codegen.compiled import AddressMap, CompiledGroup, GroupFacts
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.dataclass import replace
from wasmartifact.host.cache_folder import KEY_DIGITS, is_ours, size_limit
from wasmartifact.host.cache_upkeep import sweep
from wasmartifact.host.output import write_atomically
from wasmartifact.version import VERSION
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.instructions import decode_instructions, decode_locals
from wasmartifact.wasm.model import Instruction, Module

SUFFIX: Final = ".code"
#: A module with less code than this packs in the time that it takes to look.
MIN_CODE_BYTES: Final = 32 * 1024
#: Files of one kind of module that are looked at, and that are left: those that were written last.
MAX_FILES: Final = 4
_DIGEST_BYTES: Final = 32
_KEY_BYTES: Final = 16
#: Names a function that is called, while code is kept; ``f`` and an index otherwise.
_KEPT: Final = "#"
_OPCODES: Final = opcodes.OPCODE_BY_NAME
#: Instructions that call a function by a symbol. Each is one byte and an index. (``ref.func`` hands on the index.)
_FUNCTION_OPCODES: Final = frozenset(_OPCODES[name].code for name in ("call", "return_call"))
#: Instructions that name a type, by where it stands in the immediate.
_TYPE_OPCODES: Final = frozenset(_OPCODES[name].code for name in ("call_ref", "return_call_ref"))
_TYPE_PAIR_OPCODES: Final = frozenset(_OPCODES[name].code for name in ("call_indirect", "return_call_indirect"))
_BLOCK_OPCODES: Final = frozenset(
    code for code, op in opcodes.OPCODES.items() if op.immediate in (opcodes.BLOCK, opcodes.TRY_TABLE)
)
#: Features whose instructions may name any type in any way: functions with them depend on all types.
_TYPED_FEATURES: Final = frozenset({"gc"})
_TYPED_OPCODES: Final = frozenset(code for code, op in opcodes.OPCODES.items() if op.feature in _TYPED_FEATURES)


class KeptCode:
    """What is kept of one module, and of those like it.

    Parameters
    ----------
    folder : str
        One that only this user can write to: what is there runs.
    module : Module
        A valid module.
    context : ModuleContext
        What its functions compile with.
    """

    def __init__(self, folder: str, module: Module, context: ModuleContext) -> None:
        self._folder = folder
        self._module = module
        self._context = context
        self._is_worth_it = sum(code.end - code.start for code in module.codes) >= MIN_CODE_BYTES
        self._keys: list[bytes] = []
        self._callees: list[list[int]] = []
        self._common = b""
        self._kept: dict[bytes, bytes] = {}

    def find(self) -> dict[int, CompiledGroup]:
        """The functions whose code is there, by position among the defined ones."""
        if not self._is_worth_it:
            return {}
        self._common = _common(self._context)
        types = blake2b(
            repr((self._context.signatures, self._context.canonical, self._context.types)).encode()
        ).digest()
        for position in range(len(self._module.codes)):
            key, callees = _key(self._common, types, self._module, self._context, position)
            self._keys.append(key)
            self._callees.append(callees)
        wanted = set(self._keys)
        for path in self._files():
            self._kept |= {key: code for key, code in _read(path).items() if key in wanted}
            if len(self._kept) == len(wanted):
                break
        return {
            position: self._restore(position, self._kept[key])
            for position, key in enumerate(self._keys)
            if key in self._kept
        }

    def complete(self, there: Mapping[int, CompiledGroup], compiled: Iterable[CompiledGroup]) -> list[CompiledGroup]:
        """All functions in order: those that were there, and those that were compiled; LLVM's work is kept, too."""
        parts = dict(there)
        known = len(self._kept)
        for part in compiled:
            position = int(part.object.functions[0][0].removeprefix("f")) - self._module.imported_functions
            parts[position] = part
            if self._is_worth_it and part.is_by_llvm:
                self._kept[self._keys[position]] = self._portable(position, part)
        if len(self._kept) > known:
            with suppress(OSError, ValueError):  # a full disk, no such limit: the next pack compiles again
                self._write()
        return [part for _, part in sorted(parts.items())]

    def _files(self) -> list[str]:
        """Files of modules like this one, the newest first."""
        prefix = self._common.hex()[: KEY_DIGITS // 2]
        found = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(prefix) and entry.name.endswith(SUFFIX):
                    status = entry.stat(follow_symlinks=False)
                    if is_ours(status) and entry.is_file(follow_symlinks=False):
                        found.append((-status.st_mtime_ns, entry.path))
        return [path for _, path in sorted(found)[:MAX_FILES]]

    def _write(self) -> None:
        data = pickle.dumps(self._kept, protocol=pickle.HIGHEST_PROTOCOL)
        content = blake2b(b"".join(sorted(self._kept)), digest_size=_DIGEST_BYTES).hexdigest()
        name = self._common.hex()[: KEY_DIGITS // 2] + content[: KEY_DIGITS // 2] + SUFFIX
        older = self._files()[MAX_FILES - 1 :]
        write_atomically(
            os.path.join(self._folder, name), [_seal(data), data], check=lambda path: os.chmod(path, 0o600)
        )
        for path in older:
            os.unlink(path)
        sweep(self._folder, size_limit(None))

    def _portable(self, position: int, part: CompiledGroup) -> bytes:
        """A function's code without its place in the module."""
        own = self._module.imported_functions + position
        names = {f"f{callee}": f"{_KEPT}{number}" for number, callee in enumerate(self._callees[position])}
        names[f"f{own}"] = _KEPT
        code, facts = part.object, part.facts
        rows = part.address_map
        start = self._module.codes[position].start
        return pickle.dumps(
            (
                replace(
                    code,
                    functions=[(names[name], offset, size) for name, offset, size in code.functions],
                    symbol_names=[names.get(name, name) for name in code.symbol_names],
                ),
                rows.text_offsets,
                [offset and offset - start + 1 for offset in rows.wasm_offsets],  # 0: none is known
                rows.traps,
                sorted(facts.features),
                sorted(facts.indirect_types),
                sorted(facts.outward_types),
                bool(facts.short_functions),
            ),
            protocol=pickle.HIGHEST_PROTOCOL,
        )

    def _restore(self, position: int, data: bytes) -> CompiledGroup:
        """The other way."""
        code, text_offsets, wasm_offsets, traps, features, indirect, outward, is_short = pickle.loads(data)
        own = self._module.imported_functions + position
        names = {f"{_KEPT}{number}": f"f{callee}" for number, callee in enumerate(self._callees[position])}
        names[_KEPT] = f"f{own}"
        code.functions = [(names[name], *rest) for name, *rest in code.functions]
        code.symbol_names = [names.get(name, name) for name in code.symbol_names]
        start = self._module.codes[position].start
        rows = AddressMap(text_offsets, array("I", [offset and offset + start - 1 for offset in wasm_offsets]), traps)
        facts = GroupFacts(set(features), set(indirect), set(outward), [own] if is_short else [])
        return CompiledGroup(code, rows, facts)


# Keys ---------------------------------------------------------------------------------------------------------------


def _common(context: ModuleContext) -> bytes:
    """Digest of what every function depends on."""
    facts = (
        VERSION,
        context.options.generator,
        *_sources(),
        context.options,
        context.imported_functions,
        context.memories,
        context.tables,
        context.fixed_tables,
        context.globals,
        [(context.canonical[tag], context.signatures[tag]) for tag in context.tag_types],
        context.checks_exceptions,
        context.layout,
        context.convention,
    )
    return blake2b(repr(facts).encode(), digest_size=_DIGEST_BYTES).digest()


def _sources() -> Iterator[tuple[str, int, int]]:
    """What tells versions of this package's own code generator apart: in a source tree, VERSION does not."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in ("codegen", "elf", "wasm"):
        with suppress(OSError), os.scandir(os.path.join(root, folder)) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_file():
                    status = entry.stat()
                    yield entry.name, status.st_size, status.st_mtime_ns


def _key(
    common: bytes, all_types: bytes, module: Module, context: ModuleContext, position: int
) -> tuple[bytes, list[int]]:
    """Key of a function, and what it calls in the order of appearance."""
    code, data = module.codes[position], module.data
    _, body = decode_locals(data, code.start, code.end)
    instructions = decode_instructions(data, body, code.end)
    digest = blake2b(common, digest_size=_KEY_BYTES)
    numbers: dict[int, int] = {}
    at = code.start
    for which, (offset, opcode, callee) in enumerate(instructions):
        if opcode in _FUNCTION_OPCODES:
            behind = instructions[which + 1][0]
            digest.update(data[at : offset + 1])
            number = numbers.setdefault(callee, len(numbers))
            # Its size, too: it decides about the wasm offsets behind it.
            digest.update(b"%d %d;" % (number, behind - offset))
            at = behind
    digest.update(data[at : code.end])
    used, is_typed = _used_types(instructions)
    own = module.imported_functions + position
    types = [(index, context.canonical[index], context.signatures[index]) for index in sorted(used)]
    calls = [_callee(context, callee, own) for callee in numbers]
    copies = context.inlined[own].copies if own in context.inlined else 0
    digest.update(repr((context.function_signature(own), types, calls, copies)).encode())
    if is_typed:
        digest.update(all_types)
    return digest.digest(), list(numbers)


def _used_types(instructions: Sequence[Instruction]) -> tuple[set[int], bool]:
    """Types that instructions name, and whether there are some that may depend on any type."""
    used: set[int] = set()
    is_typed = False
    for _, opcode, immediate in instructions:
        if opcode in _TYPE_PAIR_OPCODES:
            used.add(immediate[0])
        elif opcode in _TYPE_OPCODES:
            used.add(immediate)
        elif opcode in _BLOCK_OPCODES:
            block: Any = immediate[0] if opcode == _TRY_TABLE else immediate
            if block[0] == "type":
                used.add(block[1])
        elif opcode in _TYPED_OPCODES:
            is_typed = True
    return used, is_typed


_TRY_TABLE: Final = _OPCODES["try_table"].code


def _callee(context: ModuleContext, callee: int, own: int) -> tuple[object, ...]:
    """All that code can depend on of a function that it calls: its type, and its place where it is imported."""
    place = callee if callee < context.imported_functions else "own" if callee == own else "defined"
    # A tail call to what is imported looks whose function it is, by its type.
    canonical = context.canonical[context.function_types[callee]] if context.convention is not None else None
    return place, canonical, context.function_signature(callee)


# Files --------------------------------------------------------------------------------------------------------------


def _seal(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _read(path: str) -> dict[bytes, bytes]:
    """What a file holds; nothing where it is damaged, or gone."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return {}
    data = content[_DIGEST_BYTES:]
    if _seal(data) != content[:_DIGEST_BYTES]:
        return {}
    kept: dict[bytes, bytes] = pickle.loads(data)
    return kept
