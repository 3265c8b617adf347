"""What the emission of any function needs to know of its module: signatures, index spaces, record offsets."""

from __future__ import annotations

from array import array
from collections.abc import Container, Mapping, Sequence
from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.convention import Convention, convention_of
from wasmartifact.codegen.options import CodegenOptions
from wasmartifact.codegen.recursion import INLINING_LEVEL, Inlining, inlined_functions
from wasmartifact.codegen.signature import Signature, letter_of, metered, signature_of
from wasmartifact.dataclass import dataclass
from wasmartifact.dataclass import field as dataclass_field
from wasmartifact.wasm.initial import InitialState
from wasmartifact.wasm.model import ArrayType, CompositeType, FuncType, Module, fields, kind_of


@dataclass(frozen=True, slots=True)
class MemoryFacts:
    """``checked``: code compares every access with the size, as metadata column memory_guard says with 1."""

    index: str  # type letter of an address
    page_log2: int
    checked: bool
    shared: bool


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
class FieldFacts:
    """``letter``: type letter of what it gives; ``bits``: width in the object; ``offset``: from the object's start.

    ``has_objects``: it may refer to one, so that the collector looks at it.
    """

    valtype: int
    letter: str
    bits: int
    offset: int
    has_objects: bool


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """A type of a module with subtypes: ``kind`` as the schema has it, ``depth`` the number of its supertypes.

    ``params`` and ``results`` are the value types of a function type.
    """

    kind: int
    depth: int
    final: bool
    fields: tuple[FieldFacts, ...]
    params: tuple[int, ...]
    results: tuple[int, ...]


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
    fixed_tables: tuple[bool, ...]  # which of them never change, so that calls read constants in place of them
    globals: tuple[GlobalFacts, ...]
    tag_types: array[int]  # type index of each tag
    checks_exceptions: bool  # functions look for a pending exception after each call
    layout: schema.InstanceLayout
    convention: Convention | None = None
    types: tuple[TypeFacts, ...] = ()  # empty where all are plain function types
    inlined: Mapping[int, Inlining] = dataclass_field(default_factory=dict)  # functions that hold copies of their body

    def is_function_type(self, type_index: int) -> bool:
        """Whether a type of the module is a function's."""
        return not self.types or self.types[type_index].kind == schema.TYPE_FUNC

    def tag_letters(self, tag: int) -> str:
        """Type letters of the values that exceptions of a tag carry."""
        return self.signatures[self.tag_types[tag]].params

    def function_signature(self, func_index: int) -> Signature:
        """Signature of a function of the index space."""
        return self.signatures[self.function_types[func_index]]

    def called(self, signature: Signature) -> Signature:
        """How functions of this signature are called: with fuel, if code counts it."""
        return metered(signature) if self.options.fuel else signature

    def llvm_type(self, signature: Signature) -> tuple[str, str]:
        """Result type and parameter types of the module's own functions of this signature."""
        signature = self.called(signature)
        if self.convention is None:
            return signature.llvm_result, signature.llvm_params
        return self.convention.llvm_result(signature), self.convention.llvm_params


def build_context(
    module: Module,
    initial: InitialState,
    options: CodegenOptions,
    type_canonical: Sequence[int],
    call_features: frozenset[str] = frozenset(),
    fixed_tables: Container[int] = (),
) -> ModuleContext:
    """Gather the context of a module; parameters as for ``compile_module``.

    Raises
    ------
    UnsupportedModule
        A type of the module needs a feature that is not compiled.
    """
    layout = module.instance_layout
    signatures = tuple(signature_of(item if isinstance(item, FuncType) else FuncType((), ())) for item in module.types)
    # LLVM makes calls of tail calls in what it inlines.
    inlines = options.opt_level >= INLINING_LEVEL and "tail-call" not in call_features
    throws = not call_features.isdisjoint(("exceptions", "legacy-exceptions"))
    return ModuleContext(
        options=options,
        signatures=signatures,
        canonical=array("I", type_canonical),
        function_types=array("I", module.function_types),
        imported_functions=module.imported_functions,
        memories=tuple(
            MemoryFacts(
                "l" if memory.limits.is64 else "i",
                memory.page_log2,
                checks_accesses(memory.limits.is64, memory.page_log2),
                memory.limits.shared,
            )
            for memory in module.memory_types
        ),
        tables=tuple("l" if table.limits.is64 else "i" for table in module.table_types),
        fixed_tables=tuple(table in fixed_tables for table in range(len(module.table_types))),
        globals=_global_facts(module, initial, layout),
        tag_types=array("I", module.tag_types),
        checks_exceptions=throws or bool(module.tag_types),
        layout=layout,
        convention=_convention(signatures, options) if "tail-call" in call_features else None,
        types=tuple(
            _type_facts(module, index, item) for index, item in enumerate(module.types if module.subtypes else ())
        ),
        inlined=inlined_functions(module) if inlines else {},
    )


def _type_facts(module: Module, index: int, item: CompositeType) -> TypeFacts:
    params, results = (item.params, item.results) if isinstance(item, FuncType) else ((), ())
    depth, final = module.depth(index), module.subtypes[index].final
    return TypeFacts(kind_of(item), depth, final, _field_facts(module, item), tuple(params), tuple(results))


_STORAGE_BITS: Final = {
    schema.VALTYPE_I8: 8, schema.VALTYPE_I16: 16, schema.VALTYPE_I32: 32, schema.VALTYPE_F32: 32,
    schema.VALTYPE_V128: 128,
}  # fmt: skip


#: Types whose values may be structs or arrays.
_OBJECT_HEAPS: Final = frozenset(schema.HEAP_TYPES[name] for name in ("any", "eq", "struct", "array", "extern"))


def _has_objects(module: Module, storage: int) -> bool:
    if storage & 0xFF not in (schema.VALTYPE_REF, schema.VALTYPE_REF_NULL):
        return False
    heap = storage >> 8
    if heap < schema.HEAP_ABSTRACT:
        return not isinstance(module.types[heap], FuncType)
    return heap in _OBJECT_HEAPS


def _field_facts(module: Module, item: CompositeType) -> tuple[FieldFacts, ...]:
    """Fields in order, each at a multiple of its size; ``native/runtime/rtt.c`` has the same."""
    offset = schema.ARRAY.size_bytes if isinstance(item, ArrayType) else schema.OBJECT.size_bytes
    facts = []
    for field in fields(item):
        bits = _STORAGE_BITS.get(field.storage, 64)
        offset = schema.align_up(offset, bits // 8)
        letter = "i" if bits < 32 else letter_of(field.storage)
        facts.append(FieldFacts(field.storage, letter, bits, offset, _has_objects(module, field.storage)))
        offset += bits // 8
    return tuple(facts)


def _convention(signatures: tuple[Signature, ...], options: CodegenOptions) -> Convention:
    called = map(metered, signatures) if options.fuel else signatures
    return convention_of(called, options.target.machine)


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
