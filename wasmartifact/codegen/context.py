"""What the emission of any function needs to know of its module: signatures, index spaces, record offsets."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasmartifact import schema
from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.wasm.initial import InitialState
from wasmartifact.wasm.model import FuncType, Module

if TYPE_CHECKING:
    from wasmartifact.codegen.convention import Convention

#: One letter per LLVM type: how operands are named, and the keys of most tables. References are ``l``, 0 is null.
LLVM_TYPES: Final = {"i": "i32", "l": "i64", "f": "float", "d": "double", "v": "<2 x i64>"}
#: The integer with the bits of a float.
FLOAT_BITS: Final = {"f": "i", "d": "l"}
#: A value outside of registers fills the low bytes of one slot; v128 fills two.
SLOT_SIZE_BYTES: Final = 8
SLOTS_OF: Final = {"i": 1, "l": 1, "f": 1, "d": 1, "v": 2}
#: Floats that a call returns as floats; vectors take from the same registers.
_FLOAT_RESULTS: Final = 2
_LETTERS: Final = {
    schema.VALTYPE_I32: "i",
    schema.VALTYPE_I64: "l",
    schema.VALTYPE_F32: "f",
    schema.VALTYPE_F64: "d",
    schema.VALTYPE_V128: "v",
    schema.VALTYPE_REF: "l",
    schema.VALTYPE_REF_NULL: "l",
}


def letter_of(valtype: int) -> str:
    """Type letter of a value type of the schema."""
    return _LETTERS[valtype & 0xFF]


@dataclass(frozen=True, slots=True)
class Signature:
    """A function type as type letters, and in LLVM's words.

    ``returned`` are the letters of the results on their way out: x86-64 returns two floats in SSE registers and the
    next ones in x87 registers, which make signalling NaNs quiet, so these go as integers. ``llvm_result`` is void, a
    type, or a literal struct for several results. ``llvm_params`` includes the leading instance (or context) pointer.
    """

    params: str
    results: str
    returned: str
    llvm_result: str
    llvm_params: str


def signature_of(func_type: FuncType) -> Signature:
    """Signature of a function type."""
    params = "".join(map(letter_of, func_type.params))
    results = "".join(map(letter_of, func_type.results))
    returned = "".join(_returned_letters(results))
    types = [LLVM_TYPES[letter] for letter in returned]
    return Signature(
        params,
        results,
        returned,
        "void" if not types else types[0] if len(types) == 1 else f"{{ {', '.join(types)} }}",
        ", ".join(["ptr", *(LLVM_TYPES[letter] for letter in params)]),
    )


def slot_places(letters: str) -> list[tuple[str, int]]:
    """Type letter and byte offset of each value in slots."""
    offset, places = 0, []
    for letter in letters:
        places.append((letter, offset))
        offset += SLOT_SIZE_BYTES * SLOTS_OF[letter]
    return places


def _returned_letters(results: str) -> Iterator[str]:
    floats = 0
    for letter in results:
        floats += letter in "fdv"
        yield FLOAT_BITS.get(letter, letter) if floats > _FLOAT_RESULTS else letter


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """``checked``: code compares every access with the size, as metadata column memory_guard says with 1."""

    index: str  # type letter of an address
    page_log2: int
    checked: bool


@dataclass(frozen=True, slots=True)
class GlobalFacts:
    """``offset``: of the cell in the instance record, or of the pointer to it where the global is imported.

    ``constant`` is the value as the bytes of the cell where it never changes, else None.
    """

    letter: str
    imported: bool
    offset: int
    constant: bytes | None


@dataclass(frozen=True, slots=True)
class ModuleContext:
    """Everything that the workers get of a module, but for the function bodies. Sent once to each of them.

    ``convention`` is how its functions are called where it has tail calls; None: as in C, by their own signatures.
    """

    options: CodegenOptions
    signatures: tuple[Signature, ...]  # by type index
    canonical: array[int]  # by type index: first type that equals it
    function_types: array[int]  # type index of each function, imported ones first
    imported_functions: int
    memories: tuple[MemoryFacts, ...]
    tables: tuple[str, ...]  # type letter of the index
    globals: tuple[GlobalFacts, ...]
    tag_types: array[int]  # type index of each tag
    checks_exceptions: bool  # functions look for a pending exception after each call
    layout: schema.InstanceLayout
    convention: Convention | None = None

    def tag_letters(self, tag: int) -> str:
        """Type letters of the values that exceptions of a tag carry."""
        return self.signatures[self.tag_types[tag]].params

    def function_signature(self, func_index: int) -> Signature:
        """Signature of a function of the index space."""
        return self.signatures[self.function_types[func_index]]

    def llvm_type(self, signature: Signature) -> tuple[str, str]:
        """Result type and parameter types of the module's own functions of this signature."""
        if self.convention is None:
            return signature.llvm_result, signature.llvm_params
        return self.convention.llvm_result(signature), self.convention.llvm_params


def build_context(
    module: Module, initial: InitialState, options: CodegenOptions, type_canonical: Sequence[int]
) -> ModuleContext:
    """Gather the context of a module.

    Raises
    ------
    UnsupportedModule
        A type of the module needs a feature that is not compiled.
    """
    layout = module.instance_layout
    return ModuleContext(
        options=options,
        signatures=tuple(map(signature_of, module.types)),
        canonical=array("I", type_canonical),
        function_types=array("I", module.function_types),
        imported_functions=module.imported_functions,
        memories=tuple(
            MemoryFacts(
                "l" if memory.limits.is64 else "i",
                memory.page_log2,
                checks_accesses(memory.limits.is64, memory.page_log2),
            )
            for memory in module.memory_types
        ),
        tables=tuple("l" if table.limits.is64 else "i" for table in module.table_types),
        globals=_global_facts(module, initial, layout),
        tag_types=array("I", module.tag_types),
        checks_exceptions=bool(module.tag_types),
        layout=layout,
    )


def checks_accesses(is64: bool, page_log2: int) -> bool:
    """Whether code checks every access to such a memory; else the runtime reserves all that an access can reach."""
    return is64 or page_log2 != 16


def _global_facts(module: Module, initial: InitialState, layout: schema.InstanceLayout) -> tuple[GlobalFacts, ...]:
    computed = {index for kind, index in initial.actions if kind == "global"}
    imported = module.imported_globals
    facts = []
    for index, global_type in enumerate(module.global_types):
        letter = letter_of(global_type.valtype)
        if index < imported:
            facts.append(GlobalFacts(letter, True, layout.imported_globals_offset + 8 * index, None))
            continue
        cell = 16 * (index - imported)
        is_constant = not global_type.mutable and index - imported not in computed
        value = initial.global_image[cell : cell + 16] if is_constant else None
        facts.append(GlobalFacts(letter, False, layout.globals_offset + cell, value))
    return tuple(facts)
