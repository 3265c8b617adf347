"""THE layouts: metadata header, column groups, instance record, trap codes, runtime calls, CPU features.

Every number that two parts of the project must agree on is written here once, as plain data. ``tools/generate.py``
turns it into the C header that ``native/`` compiles against and into the tables of ``docs/FORMAT.md``; a test
regenerates both and fails on any difference. Nothing here imports anything but how a record is written.
"""

from __future__ import annotations

import struct

from wasmartifact.record import NamedTuple

TYPE_CHECKING = False  # importing typing and dataclasses costs more than all the rest here
if TYPE_CHECKING:
    from typing import Final

#: The bytes of an artifact, or a part of them.
Buffer = bytes | bytearray | memoryview

# --------------------------------------------------------------------------------------------------------------------
# Versions and magic numbers

FORMAT_MAJOR: Final = 2  # an unknown major is refused
FORMAT_MINOR: Final = 5  # a newer minor only adds columns, which are ignored
RUNTIME_ABI: Final = 6  # contract, instance record, function records, runtime calls, trampolines
#: What code of this ABI takes is a part of the newest: it runs as ever. An artifact states the oldest that it can do with.
RUNTIME_ABI_OLDEST: Final = 2
#: The first ABI that has what code of a feature needs; code of the others can do with the oldest.
RUNTIME_ABI_OF_FEATURE: Final = {"threads": 3, "gc": 6}
#: From this one on, code tells the collector what it overwrites. Where older code has objects, marking is done at once.
RUNTIME_ABI_OF_BARRIER: Final = 6
ELF_MAGIC: Final = b"\x7fELF"
SECTION_NAME: Final = ".wasmartifact"
TEMPORARY_PREFIX: Final = ".wasmartifact."  # of files that do not have their names yet
ANCHOR_SYMBOL: Final = "wasmartifact_anchor"
METADATA_MAGIC: Final = 0x0A74726177_6D7377  # "wsmwart\n" as little-endian bytes
ANCHOR_MAGIC: Final = 0x0A726863_6E617277  # "wranchr\n"
COLUMN_ALIGN_BYTES: Final = 64
BUILD_ID_BYTES: Final = 16
#: What a signature is made over starts with this, so that no signature of anything else is one of an artifact.
SIGNATURE_PREFIX: Final = b"wasmartifact signature 1\0"
#: "No value" in a u64 column: no maximum, no constant offset.
NONE_U64: Final = 2**64 - 1
#: The ELF header, program headers, notes, dynamic section, symbol table and hash of an artifact end within this many
#: bytes, so that one read gets all that dlopen looks at first.
HEAD_MAX_BYTES: Final = 4096
#: Bytes of the ELF header that ``strip`` rewrites (e_shoff, e_shnum and e_shstrndx); they count as zero in load_checksum.
HEAD_MASKED_RANGES: Final = ((40, 48), (60, 64))
WASM_PAGE_BYTES: Final = 65536
MACHINES: Final = {"x86_64": 62, "aarch64": 183}  # ELF e_machine
#: The largest page size of a machine: page-aligned parts of an artifact are aligned to it.
PAGE_BYTES: Final = {"x86_64": 4096, "aarch64": 65536}

# --------------------------------------------------------------------------------------------------------------------
# Value types: one u32. Low byte: the code of the binary format; a reference carries its heap type in the bits above.

VALTYPE_I32: Final = 0x7F
VALTYPE_I64: Final = 0x7E
VALTYPE_F32: Final = 0x7D
VALTYPE_F64: Final = 0x7C
VALTYPE_V128: Final = 0x7B
VALTYPE_I8: Final = 0x78  # of a field or of elements only, as the next
VALTYPE_I16: Final = 0x77
VALTYPE_REF: Final = 0x64  # non-null reference
VALTYPE_REF_NULL: Final = 0x63  # nullable reference
#: Added to an abstract heap type's code; below it, a heap type is the index of a concrete type.
HEAP_ABSTRACT: Final = 0x800000
HEAP_TYPES: Final = {
    "exn": HEAP_ABSTRACT | 0x69,
    "array": HEAP_ABSTRACT | 0x6A,
    "struct": HEAP_ABSTRACT | 0x6B,
    "i31": HEAP_ABSTRACT | 0x6C,
    "eq": HEAP_ABSTRACT | 0x6D,
    "any": HEAP_ABSTRACT | 0x6E,
    "extern": HEAP_ABSTRACT | 0x6F,
    "func": HEAP_ABSTRACT | 0x70,
    "none": HEAP_ABSTRACT | 0x71,
    "noextern": HEAP_ABSTRACT | 0x72,
    "nofunc": HEAP_ABSTRACT | 0x73,
    "noexn": HEAP_ABSTRACT | 0x74,
}
VALTYPE_FUNCREF: Final = VALTYPE_REF_NULL | HEAP_TYPES["func"] << 8
VALTYPE_EXTERNREF: Final = VALTYPE_REF_NULL | HEAP_TYPES["extern"] << 8
VALTYPE_EXNREF: Final = VALTYPE_REF_NULL | HEAP_TYPES["exn"] << 8

#: Kinds of imports and exports, with the codes of the binary format.
KINDS: Final = ("func", "table", "memory", "global", "tag")
KIND_FUNC, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL, KIND_TAG = range(5)

LIMITS_HAS_MAX: Final = 1
LIMITS_SHARED: Final = 2
LIMITS_64: Final = 4
GLOBAL_MUTABLE: Final = 1

#: Header flag: one segment with a read-only dynamic section, into which C libraries before GLIBC_MIN write.
HEADER_READ_ONLY_DYNAMIC: Final = 1
#: Header flag: after a call, functions look for a pending exception and return at once where there is one.
HEADER_CHECKS_EXCEPTIONS: Final = 2
#: Header flag: the code counts fuel; its functions take and return the portion that they have left.
HEADER_FUEL: Final = 4
#: Header flag: the images are the state of an instance; functions in its globals stand in the image as slots.
HEADER_SNAPSHOT: Final = 8
#: Header flag: a component, whose core modules are one module here; the component columns tell the rest.
HEADER_COMPONENT: Final = 16
#: Header flag: code for more than one CPU level; the columns ``cpu_*`` tell which, and the anchor where the contract does.
HEADER_CPU_LEVELS: Final = 32
HEADER_FLAGS: Final = (
    HEADER_READ_ONLY_DYNAMIC | HEADER_CHECKS_EXCEPTIONS | HEADER_FUEL | HEADER_SNAPSHOT | HEADER_COMPONENT
    | HEADER_CPU_LEVELS
)  # fmt: skip
#: CPU levels that an artifact can have code for: a variant's row has a bit for each.
MAX_CPU_LEVELS: Final = 8
GLIBC_MIN: Final = (2, 35)
#: Limits of what a reader looks at to find the metadata section. An artifact has about a dozen sections; strip adds none.
MAX_SECTIONS: Final = 64
MAX_SECTION_NAMES_BYTES: Final = 2048
#: A larger module, or text of one, is refused: wasm offsets are u32.
MAX_MODULE_BYTES: Final = 2**32 - 1

#: Slots of ``instance.operands``: the validator's limit of parameters and of results of a function.
MAX_OPERANDS: Final = 1000

#: A larger struct or array is not made: the guest traps. What engines allow differs, and is less in most.
OBJECT_MAX_BYTES: Final = 2**31
#: Where an object may start; sizes are rounded up to it.
OBJECT_ALIGN_BYTES: Final = 16
#: Code allocates objects of so many sizes itself: run i has cells of i + 1 times OBJECT_ALIGN_BYTES.
INLINE_CLASSES: Final = 8

#: Rows of a chunk of the address map or of source lines; the last chunk may have fewer.
CHUNK_ROWS: Final = 32
#: So many calls deep copies of a body go at most.
INLINED_MAX_DEPTH: Final = 16

#: A table image of this size or more is mapped, which costs less than copying it (docs/RATIONALE.md).
MAPPED_IMAGE_MIN_BYTES: Final = 16384

#: Larger tables are refused, and growing beyond it fails: the limit that JavaScript engines agreed on.
MAX_TABLE_ELEMENTS: Final = 10_000_000

# --------------------------------------------------------------------------------------------------------------------
# Fuel: what code that counts it pays. FORMAT.md has the rules.

#: Operators that cost nothing, by their names in the text format; every other one costs 1.
FUEL_FREE_OPERATORS: Final = (
    "nop", "drop", "unreachable", "return", "block", "loop", "else", "end", "catch", "catch_all", "delegate",
)  # fmt: skip
#: Operators that are the last of their block.
FUEL_BLOCK_ENDS: Final = (
    "loop", "if", "else", "end", "catch", "catch_all", "delegate", "br", "br_if", "br_table", "br_on_null",
    "br_on_non_null", "br_on_cast", "br_on_cast_fail", "return", "return_call", "return_call_indirect",
    "return_call_ref", "throw", "throw_ref", "rethrow", "unreachable",
)  # fmt: skip
#: What a function costs beside its operators; it is paid with its first block.
FUEL_PER_FUNCTION: Final = 1
#: Units that code takes from the store at a time, if the store has them and no block needs more.
FUEL_PORTION: Final = 65_536
#: A count of this many bytes or elements costs nothing: nothing is so large, so the operator traps at once.
FUEL_COUNT_LIMIT: Final = 2**48
#: The most that a store can have.
FUEL_MAX: Final = 2**63 - 1

# --------------------------------------------------------------------------------------------------------------------
# Traps. A code is the payload of the trap instruction (x86-64: 67 0f b9 40 NN; aarch64: brk), hence below 128.


class TrapCode(NamedTuple):
    """One way to trap: ``code`` in compiled code and in metadata, ``name`` in Python, ``message`` as the spec words it."""

    code: int
    name: str
    message: str


TRAP_CODES: Final = (
    TrapCode(1, "unreachable", "unreachable"),
    TrapCode(2, "memory_out_of_bounds", "out of bounds memory access"),
    TrapCode(3, "table_out_of_bounds", "out of bounds table access"),
    TrapCode(4, "undefined_element", "undefined element"),
    TrapCode(5, "uninitialized_element", "uninitialized element"),
    TrapCode(6, "indirect_call_type_mismatch", "indirect call type mismatch"),
    TrapCode(7, "integer_divide_by_zero", "integer divide by zero"),
    TrapCode(8, "integer_overflow", "integer overflow"),
    TrapCode(9, "invalid_conversion_to_integer", "invalid conversion to integer"),
    TrapCode(10, "stack_exhausted", "call stack exhausted"),
    TrapCode(11, "null_reference", "null reference"),
    TrapCode(12, "null_function_reference", "null function reference"),
    TrapCode(13, "unaligned_atomic", "unaligned atomic"),
    TrapCode(14, "expected_shared_memory", "expected shared memory"),
    TrapCode(15, "interrupted", "interrupted"),
    TrapCode(16, "cast_failure", "cast failure"),
    TrapCode(17, "array_out_of_bounds", "out of bounds array access"),
    TrapCode(18, "null_exception_reference", "null exception reference"),
    TrapCode(19, "out_of_memory", "out of memory in the runtime"),
    TrapCode(20, "deadline_exceeded", "deadline exceeded"),
    TrapCode(21, "out_of_fuel", "out of fuel"),
    TrapCode(22, "calls_interleaved", "a call can't go on before a later call in the same store ends"),
    TrapCode(23, "missing_trampoline", "the artifact has no code for this call; it is damaged: pack the module again"),
    TrapCode(24, "null_structure_reference", "null structure reference"),
    TrapCode(25, "null_array_reference", "null array reference"),
    TrapCode(26, "null_i31_reference", "null i31 reference"),
    TrapCode(32, "cannot_leave_component", "cannot leave component instance"),
    TrapCode(33, "cannot_enter_component", "cannot enter component instance"),
    TrapCode(34, "unaligned_pointer", "unaligned pointer"),
    TrapCode(35, "unknown_handle", "unknown handle index"),
    TrapCode(36, "wrong_handle_type", "handle index used with the wrong type"),
    TrapCode(37, "invalid_variant", "invalid variant discriminant"),
    TrapCode(38, "invalid_char", "invalid `char` bit pattern"),
    TrapCode(39, "string_out_of_bounds", "string pointer/length out of bounds of memory"),
    TrapCode(40, "list_out_of_bounds", "list content out-of-bounds"),
    TrapCode(41, "pointer_out_of_bounds", "pointer out of bounds of memory"),
    TrapCode(42, "realloc_out_of_bounds", "realloc return: beyond end of memory"),
    TrapCode(43, "realloc_unaligned", "realloc return: result not aligned"),
    TrapCode(44, "invalid_utf8", "invalid utf-8"),
    TrapCode(45, "incomplete_utf8", "incomplete utf-8 byte sequence"),
    TrapCode(46, "invalid_utf16", "unpaired surrogate in a utf-16 string"),
    TrapCode(47, "resource_borrowed", "cannot remove owned resource while borrowed"),
    TrapCode(48, "borrows_remain", "borrow handles still remain at the end of the call"),
    TrapCode(49, "too_long", "a string or list longer than the canonical ABI allows"),
    TrapCode(
        50, "damaged_component", "the component's description does not fit its code; it is damaged: pack it again"
    ),
    TrapCode(51, "string_content_out_of_bounds", "string content out-of-bounds"),
    TrapCode(52, "values_too_large", "the values of one call take more bytes than the limit allows (value_bytes)"),
    TrapCode(53, "too_many_handles", "more handles than the limit allows (handles)"),
)
TRAP_BY_NAME: Final = {trap.name: trap.code for trap in TRAP_CODES}

# --------------------------------------------------------------------------------------------------------------------
# Structures: ordered fields with fixed offsets, shared by Python, C and compiled code. Natural alignment, checked below.

TYPE_SIZES: Final = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "ptr": 8, "u8x16": 16, "u8x32": 32, "u8x64": 64}
_PACK_CODES: Final = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "u8x16": "16s", "u8x32": "32s", "u8x64": "64s"}


def align_up(value: int, alignment: int) -> int:
    """The next multiple of a power of two."""
    return (value + alignment - 1) & -alignment


class Field(NamedTuple):
    """A field of a structure: ``type`` is a key of TYPE_SIZES."""

    name: str
    type: str
    doc: str


class Struct(NamedTuple):
    """A structure with fields laid out in order without padding; ``size_bytes`` may leave room for growth."""

    name: str
    doc: str
    size_bytes: int
    fields: tuple[Field, ...]

    def offsets(self) -> dict[str, int]:
        """Byte offset of each field. Raises ValueError where natural alignment or the size is violated."""
        offset, found = 0, {}
        for field in self.fields:
            size = TYPE_SIZES[field.type]
            align = 1 if field.type.startswith("u8") else size
            if offset % align:
                raise ValueError(f"{self.name}.{field.name} at {offset} is not aligned to {align}")
            found[field.name] = offset
            offset += size
        if offset > self.size_bytes:
            raise ValueError(f"{self.name} needs {offset} bytes, has {self.size_bytes}")
        return found

    def packer(self) -> struct.Struct:
        """What packs and unpacks the fields, in order; room for growth stays out of it."""
        return struct.Struct("<" + "".join(_PACK_CODES[field.type] for field in self.fields))


METADATA_HEADER: Final = Struct(
    "metadata_header",
    "The first bytes of the metadata section. All offsets are relative to the start of the section unless said otherwise.",
    384,
    (
        Field("magic", "u64", "METADATA_MAGIC"),
        Field("format_major", "u16", "readers refuse another major version"),
        Field("format_minor", "u16", "a newer minor adds columns only"),
        Field("runtime_abi", "u32", "loaders refuse another ABI"),
        Field("library_version", "u32", "major << 16 | minor << 8 | patch of the packer"),
        Field("machine", "u32", "ELF e_machine"),
        Field("page_size_bytes", "u32", "alignment of page-aligned parts"),
        Field("header_size_bytes", "u32", "size of this header"),
        Field("directory_offset", "u32", "offset of the column directory"),
        Field("directory_count", "u32", "number of directory entries"),
        Field("head_size_bytes", "u32", "bytes from the file's start that load_checksum covers"),
        Field(
            "flags",
            "u32",
            "1: the dynamic section is read-only, which takes glibc 2.35; 2: functions look for a pending exception "
            "after calls; 4: the code counts fuel; 8: a snapshot; 16: a component; 32: code for several CPU levels; other "
            "bits zero",
        ),
        Field("section_size_bytes", "u64", "size of the section, memory image included"),
        Field("file_size_bytes", "u64", "size of the whole file as packed, before any strip"),
        Field(
            "cpu_features",
            "u64",
            "bit set of CPU_FEATURES that the code needs; where there are several CPU levels, the first",
        ),
        Field("wasm_features", "u64", "bit set of WASM_FEATURES that the module uses"),
        Field("anchor_vaddr", "u64", "virtual address of the anchor in the ELF image"),
        Field("text_vaddr", "u64", "virtual address of .text; every text_offset is relative to it"),
        Field("text_size_bytes", "u64", "size of .text"),
        Field("type_digests_vaddr", "u64", "virtual address of the mapped copy of type_digest (16 bytes a type)"),
        Field("build_id", "u8x16", "digest of code and metadata; the anchor holds the same"),
        Field(
            "load_checksum", "u64", "XXH64 chain of the file's head (masked), this header (itself zero), the directory"
        ),
        Field("load_reserved", "u64", "zero"),
        Field("section_digest", "u8x32", "BLAKE2b-256 of the section without its digests and signature"),
        Field("file_digest", "u8x32", "BLAKE2b-256 of the file without digests and signature"),
        Field("wasm_digest", "u8x32", "SHA-256 of the WebAssembly module that was packed"),
        Field("init_text_offset", "u32", "init function's text offset + 1, 0 where there is none"),
        Field("start_function", "u32", "index of the start function + 1, 0 where there is none (init calls it)"),
        Field("instance_size_bytes", "u32", "size of an instance record"),
        Field("instance_memories_offset", "u32", "offset in the record: memory_slot per memory"),
        Field("instance_tables_offset", "u32", "offset in the record: pointer to table_head per table"),
        Field("instance_imported_functions_offset", "u32", "offset in the record: import_slot per imported function"),
        Field(
            "instance_imported_globals_offset", "u32", "offset in the record: pointer to the cell per imported global"
        ),
        Field("instance_tags_offset", "u32", "offset in the record: pointer per tag"),
        Field("instance_globals_offset", "u32", "offset in the record: 16-byte cell per defined global"),
        Field("instance_elements_offset", "u32", "offset in the record: element_slot per element segment"),
        Field("instance_data_dropped_offset", "u32", "offset in the record: one byte per data segment, 1 = dropped"),
        Field("reserved", "u32", "zero"),
        Field("signature", "u8x64", "Ed25519 signature, zero where there is none"),
        Field("signing_key", "u8x32", "public key that it was made for, zero where there is none"),
    ),
)

DIRECTORY_ENTRY: Final = Struct(
    "directory_entry",
    "One column: where its values lie. Entries are sorted by column_id.",
    24,
    (
        Field("column_id", "u32", "id of the column; unknown ids are ignored"),
        Field("element_size_bytes", "u32", "size of one value"),
        Field("offset", "u64", "offset of the first value, a multiple of 64"),
        Field("count", "u64", "number of values"),
    ),
)

ANCHOR: Final = Struct(
    "anchor",
    "Lies in the mapped, read-only code segment under the dynamic symbol wasmartifact_anchor; the contract follows it.",
    32,
    (
        Field("magic", "u64", "ANCHOR_MAGIC"),
        Field("runtime_abi", "u32", "RUNTIME_ABI"),
        Field("levels_offset", "u32", "bytes from the anchor to tied_levels; 0 where there is one CPU level"),
        Field("build_id", "u8x16", "same as in the metadata header"),
    ),
)

# What compiled code and the C runtime rely on together lies in the code segment: metadata can't lie about it.

#: Header fields that the contract repeats: a loader refuses a file where one of them differs.
TIED_HEADER_FIELDS: Final = (
    "cpu_features", "anchor_vaddr", "text_vaddr", "text_size_bytes", "type_digests_vaddr", "machine", "page_size_bytes",
    "flags", "init_text_offset", "start_function", "instance_size_bytes", "instance_memories_offset",
    "instance_tables_offset", "instance_imported_functions_offset", "instance_imported_globals_offset",
    "instance_tags_offset", "instance_globals_offset", "instance_elements_offset", "instance_data_dropped_offset",
)  # fmt: skip
_HEADER_FIELD: Final = {field.name: field for field in METADATA_HEADER.fields}

CONTRACT: Final = Struct(
    "contract",
    "Follows the anchor: what compiled code and runtime rely on together. A tied_array for each of TIED_ARRAYS comes next.",
    128,
    (
        *(Field(name, _HEADER_FIELD[name].type, "as in the metadata header") for name in TIED_HEADER_FIELDS),
        Field("imports", "u32", "number of imports"),
        Field("imported_functions", "u32", "number of imported functions"),
        Field("imported_tables", "u32", "number of imported tables"),
        Field("imported_memories", "u32", "number of imported memories"),
        Field("imported_globals", "u32", "number of imported globals"),
        Field("imported_tags", "u32", "number of imported tags"),
        Field("data_segments", "u32", "number of data segments"),
        Field(
            "subtypes_offset",
            "u32",
            "bytes from the anchor to a tied_subtype per type, and behind them a byte per value of type_values, 1 for a "
            "mutable field; 0: all types are function types that are final and have no supertype",
        ),
    ),
)

TIED_ARRAY: Final = Struct(
    "tied_array",
    "Where an array of the contract lies.",
    8,
    (
        Field("offset", "u32", "bytes from the anchor, a multiple of 16"),
        Field("count", "u32", "number of values"),
    ),
)

TIED_FUNCTION: Final = Struct(
    "tied_function",
    "What the runtime takes from a row of the column function.",
    8,
    (
        Field("text_offset", "u32", "start of its code; 0 for imported ones"),
        Field("type_and_flags", "u32", "index of its type << 1 | 1 where it is short"),
    ),
)

TIED_SUBTYPE: Final = Struct(
    "tied_subtype",
    "What a type definition says beside what it is made of. Fields of a struct and elements of an array stand in type_params.",
    16,
    (
        Field("kind", "u32", "0 func, 1 struct, 2 array"),
        Field("supertype", "u32", "index of the declared supertype + 1, 0 where there is none"),
        Field("flags", "u32", "1: final"),
        Field("depth", "u32", "number of supertypes, of those and so on"),
    ),
)

TIED_IMAGE: Final = Struct(
    "tied_image",
    "The copy of a table image of MAPPED_IMAGE_MIN_BYTES or more that instances map; zeros for a smaller one.",
    16,
    (
        Field(
            "file_offset",
            "u64",
            "where it starts in the file, page-aligned in the code segment; zeros up to the page's end",
        ),
        Field("count", "u64", "number of slots"),
    ),
)


TIED_LEVELS: Final = Struct(
    "tied_levels",
    "Where code differs by CPU level. A tied_level for each one above the first comes next.",
    16,
    (
        Field("count", "u32", "number of levels above the first"),
        Field("variants", "u32", "number of variants"),
        Field("variants_offset", "u32", "bytes from the anchor to a tied_variant for each, ascending by text_offset"),
        Field("choices_text_offset", "u32", "where the last variant ends; what follows in .text is choices"),
    ),
)

TIED_LEVEL: Final = Struct(
    "tied_level",
    "A CPU level above the first. Each has all features of the one before it.",
    16,
    (
        Field("cpu_features", "u64", "bit set of CPU_FEATURES that its code needs"),
        Field("functions_offset", "u32", "bytes from the anchor to its own array of tied_function, a multiple of 16"),
        Field("reserved", "u32", "zero"),
    ),
)

TIED_VARIANT: Final = Struct(
    "tied_variant",
    "Code of a function that levels above the first have in place of the first one's.",
    8,
    (
        Field("text_offset", "u32", "start of its code"),
        Field("func_index", "u32", "the function"),
    ),
)


class TiedArray(NamedTuple):
    """An array of the contract: a column as it is, or what ``type``, a structure, says of each row."""

    name: str
    type: str
    doc: str


# What compiled code and the C runtime share -----------------------------------------------------------------------------

INSTANCE_HEADER: Final = Struct(
    "instance",
    "First bytes of an instance record; compiled functions get its address as their first argument.",
    96,
    (
        Field("stack_limit", "u64", "lowest stack pointer at which a function may start; the runtime keeps it current"),
        Field("calls", "ptr", "table of runtime functions, indexed by RUNTIME_CALLS"),
        Field("store", "ptr", "wa_store that owns the instance"),
        Field("artifact", "ptr", "wa_artifact of the code"),
        Field("functions", "ptr", "private to the runtime: chunks of function_records, null until one is used"),
        Field("text", "ptr", "address of .text"),
        Field(
            "operands", "ptr", "16-byte slots of the store for values that no register holds; null without tail calls"
        ),
        Field(
            "exception", "ptr", "the store's store_cells, which are another one's should a call have joined two stores"
        ),
        Field("details", "ptr", "private part of the runtime"),
        Field("fuel", "ptr", "the store's cell with the fuel that no portion holds: a u64"),
        Field("rtts", "ptr", "rtt of each type; null where no type is a struct, an array or a subtype"),
        Field(
            "cpu_level",
            "u32",
            "the CPU level whose functions it has: 0 for the first; choices compare with its first byte",
        ),
        Field("is_marking", "u32", "not 0: who puts a reference over another in an object tells the runtime before"),
    ),
)

FUNCTION_RECORD: Final = Struct(
    "function_record",
    "A function as a value: what a funcref points to. Its address is its identity within a store.",
    64,
    (
        Field("code", "ptr", "address to call with (context, parameters...), C convention; null: bind before the call"),
        Field("type", "ptr", "16 bytes: digest of the type; within an artifact one address per canonical type"),
        Field(
            "context", "ptr", "first argument: the instance of a wasm function, this record where code is a trampoline"
        ),
        Field("invoke", "ptr", "host functions: void (*)(function_record *, uint64_t *slots)"),
        Field("instance", "ptr", "wasm: the defining instance; host: the instance it is bound to, or null"),
        Field("host", "ptr", "host functions: wa_host of the embedder; null for wasm functions"),
        Field("tail_code", "ptr", "where code is an inward trampoline, the function itself; else null"),
        Field("func_index", "u32", "wasm functions: index in the defining instance's module"),
        Field("reserved", "u32", "zero"),
    ),
)

EXCEPTION: Final = Struct(
    "exception",
    "A thrown exception, which an exnref points to. Its values follow, in slots as trampolines use them.",
    32,
    (
        Field("tag", "ptr", "wa_tag; its address is its identity"),
        Field("is_shared", "u64", "1: an exnref may point here, so that only the collector may free it"),
        Field("position", "u64", "place in the store's list"),
        Field("mark", "u64", "of the collector"),
    ),
)

# References of the hierarchy of any, and of extern, whose values are the same: 0 null; a multiple of 16: the address of an object;
# else the low bits say what it is.
REFERENCE_I31: Final = 2  #: the number in the upper 31 bits
REFERENCE_HANDLE: Final = 4  #: a handle of the embedder
REFERENCE_TAGS: Final = REFERENCE_I31 | REFERENCE_HANDLE
I31_SHIFT: Final = 33

#: Kinds of types.
TYPE_FUNC, TYPE_STRUCT, TYPE_ARRAY = range(3)
#: The only flag of a tied_subtype.
SUBTYPE_FINAL: Final = 1
#: Places for supertypes that every rtt has.
RTT_DISPLAY_MIN: Final = 8
REFERENCES_FAR: Final = 2**31  #: of ``rtt.references``: not all that an object refers to has a bit

RTT: Final = Struct(
    "rtt",
    "A type at run time: one per process and type. Its supertypes follow, outermost first, then itself; null up to RTT_DISPLAY_MIN.",
    24,
    (
        Field("depth", "u32", "number of supertypes"),
        Field("kind", "u32", "0 func, 1 struct, 2 array"),
        Field("size_bytes", "u32", "of an object of a struct type; of an element of an array type"),
        Field(
            "references",
            "u32",
            "private to the runtime; bit i: the word i behind the type holds a reference; bit 31: others do",
        ),
        Field("details", "ptr", "private part of the runtime"),
    ),
)

OBJECT: Final = Struct(
    "object",
    "First bytes of a struct or an array. Fields of a struct follow in order, each at a multiple of its size.",
    8,
    (Field("rtt", "ptr", "its type"),),
)

ARRAY: Final = Struct(
    "array",
    "First bytes of an array; the elements follow.",
    16,
    (
        Field("rtt", "ptr", "its type"),
        Field("length", "u32", "number of elements"),
        Field("reserved", "u32", "zero"),
    ),
)

STORE_CELLS: Final = Struct(
    "store_cells",
    "What code of a store shares. INLINE_CLASSES runs and the runtime's own follow.",
    8,
    (Field("exception", "ptr", "the pending exception, null if there is none"),),
)

RUN: Final = Struct(
    "run",
    "Cells of one size in a row, free and zero. Who allocates takes the next one, and asks the runtime where there is none.",
    16,
    (
        Field("next", "ptr", "the first cell"),
        Field("end", "ptr", "behind the last one"),
    ),
)

IMPORT_SLOT: Final = Struct(
    "import_slot",
    "An imported function in an instance record: code and context are copied here so that a call is two loads.",
    24,
    (
        Field("code", "ptr", "address to call"),
        Field("context", "ptr", "first argument"),
        Field("record", "ptr", "function_record of the import"),
    ),
)

MEMORY_SLOT: Final = Struct(
    "memory_slot",
    "A memory in an instance record. The base never changes while the instance lives.",
    16,
    (
        Field("base", "ptr", "address of byte 0"),
        Field("memory", "ptr", "memory_head"),
    ),
)

MEMORY_HEAD: Final = Struct(
    "memory_head",
    "First bytes of a wa_memory.",
    16,
    (
        Field("base", "ptr", "address of byte 0"),
        Field("size_bytes", "u64", "current size"),
    ),
)

TABLE_HEAD: Final = Struct(
    "table_head",
    "First bytes of a wa_table. A slot is 8 bytes: 0 null; bit 0 set: func_index << 1 | 1 of the table's owner; else a reference.",
    24,
    (
        Field("slots", "ptr", "address of slot 0; changes when the table grows"),
        Field("size", "u64", "current number of slots"),
        Field("owner", "ptr", "instance that tagged slots refer to; null for host-made tables"),
    ),
)

FIXED_TABLE: Final = Struct(
    "fixed_table",
    "Start of a constant that calls through a table read in place of it, where nothing changes the table; the slots follow.",
    8,
    (Field("size", "u64", "number of slots"),),
)
FIXED_SLOT: Final = Struct(
    "fixed_slot",
    "A slot of such a constant: a function of the module, or all zero for null.",
    8,
    (
        Field("code", "u32", "from the start of the constant to the code, signed"),
        Field("type", "u32", "1 + the first type index that equals the function's type"),
    ),
)

ELEMENT_SLOT: Final = Struct(
    "element_slot",
    "An element segment in an instance record; a dropped one has size 0.",
    16,
    (
        Field("slots", "ptr", "address of the first slot; tagged slots refer to this instance"),
        Field("size", "u64", "number of slots"),
    ),
)

# What one look-up reads together lies together: each column of a large module that is touched for the first time is a page
# fault, which takes longer than all the rest of the look-up.

EXPORT_SLOT: Final = Struct(
    "export_slot",
    "A slot of the hash index of the exports.",
    16,
    (
        Field("item", "u32", "index << 3 | kind + 1, as in export_index and export_kind; 0: the slot is empty"),
        Field("hash", "u32", "hash of the name"),
        Field("name_start", "u32", "where the name starts in export_name_bytes"),
        Field("name_size_bytes", "u32", "size of the name"),
    ),
)

FUNCTION_ROW: Final = Struct(
    "function_row",
    "What a call needs to know of a function.",
    16,
    (
        Field("type", "u32", "index of its type"),
        Field("text_offset", "u32", "start of its code, ascending over the defined functions; 0 for imported ones"),
        Field("code_size_bytes", "u32", "size of its code; 0 for imported ones"),
        Field("flags", "u32", "bits; 1: short (no loop, no call), so that it may run without releasing the GIL"),
    ),
)

# Components: what the columns that only they have are made of. "+ 1": 0 stands for none.

#: Types of the component model; those up to "string" have no items. An own or borrow has one, its resource.
COMPONENT_KINDS: Final = (
    "bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string", "list", "record",
    "tuple", "variant", "enum", "option", "result", "flags", "own", "borrow", "func",
)  # fmt: skip
#: Sorts of what is imported and exported. An "imported func" is one that is exported again as it came.
COMPONENT_SORTS: Final = ("func", "type", "resource", "instance", "component", "core module", "imported func")
#: What a function of the canonical ABI does: exports are lifted; the rest is imported by the flattened module.
CANON_LIFT, CANON_HOST, CANON_ADAPTER, CANON_RESOURCE_NEW, CANON_RESOURCE_REP, CANON_RESOURCE_DROP = range(6)
STRING_ENCODINGS: Final = ("utf8", "utf16", "latin1+utf16")
#: Values that are passed in registers, at most, as parameters and as results; more lie in memory.
MAX_FLAT_PARAMS: Final = 16
MAX_FLAT_RESULTS: Final = 1
#: What the canonical ABI calls MAX_LIST_BYTE_LENGTH and MAX_STRING_BYTE_LENGTH.
MAX_VALUE_BYTES: Final = 2**28 - 1

COMPONENT_TYPE: Final = Struct(
    "component_type",
    "A type of a component. Types come after those that they consist of.",
    12,
    (
        Field("kind", "u32", "place in COMPONENT_KINDS"),
        Field("first_item", "u32", "its first item in component_item"),
        Field(
            "item_count",
            "u32",
            "number of items: fields, cases, labels, parts; of a func its parameters, then its result",
        ),
    ),
)

COMPONENT_ITEM: Final = Struct(
    "component_item",
    "A part of a type.",
    8,
    (
        Field("name", "u32", "row of component_name + 1"),
        Field("type", "u32", "row of component_type + 1; of own and borrow, row of component_resource + 1"),
    ),
)

COMPONENT_RESOURCE: Final = Struct(
    "component_resource",
    "A type of resources.",
    12,
    (
        Field("owner", "u32", "component instance that defines it + 1; 0: the embedder does"),
        Field("destructor", "u32", "index of the function that ends one + 1"),
        Field("name", "u32", "row of component_name + 1"),
    ),
)

COMPONENT_CANON: Final = Struct(
    "component_canon",
    "A function of the canonical ABI. Those that are imported stand first, in the order of the imports.",
    36,
    (
        Field(
            "kind",
            "u32",
            "0 lift, 1 lower of a host function, 2 lower of a lifted one, 3 resource.new, 4 .rep, 5 .drop",
        ),
        Field("instance", "u32", "component instance that it belongs to"),
        Field("type", "u32", "row of component_type + 1"),
        Field("function", "u32", "index of the function that is lifted, or of the import, + 1"),
        Field("memory", "u32", "memory index + 1"),
        Field("realloc", "u32", "function index + 1"),
        Field("post_return", "u32", "function index + 1"),
        Field("encoding", "u32", "of strings, place in STRING_ENCODINGS"),
        Field(
            "target", "u32", "row + 1: of component_extern (kind 1), component_canon (2) or component_resource (3 to 5)"
        ),
    ),
)

COMPONENT_EXTERN: Final = Struct(
    "component_extern",
    "What the component imports or exports, or what is in an instance that it does.",
    20,
    (
        Field("name", "u32", "row of component_name + 1"),
        Field("sort", "u32", "place in COMPONENT_SORTS"),
        Field("parent", "u32", "row of the instance that it is in + 1"),
        Field("is_export", "u32", "1 exported, 0 imported"),
        Field(
            "index",
            "u32",
            "row + 1: of component_type (types, imported functions), component_canon (exported functions), "
            "component_resource (resources), component_extern (imported func)",
        ),
    ),
)

#: What a note says of an import or export: how its type differs from the one that WASI 0.2 has; its attributes.
NOTE_UNLIKE_WASI, NOTE_IMPLEMENTS, NOTE_EXTERNAL_ID, NOTE_MODULE_TYPE = range(4)

COMPONENT_NOTE: Final = Struct(
    "component_note",
    "Something that few imports and exports have.",
    12,
    (
        Field("owner", "u32", "row of component_extern"),
        Field(
            "kind",
            "u32",
            "0 how the type of a function differs from the one that WASI 0.2 has, 1 implements, 2 external-id, 3 the type "
            "of a core module; others are to be ignored",
        ),
        Field("text", "u32", "row of component_name + 1; of 3, JSON"),
    ),
)

CPU_VARIANT: Final = Struct(
    "cpu_variant",
    "Code of a function that levels above the first have in place of the first one's.",
    16,
    (
        Field("text_offset", "u32", "start of its code, ascending, behind that of all functions of the first level"),
        Field("code_size_bytes", "u32", "size of its code"),
        Field("func_index", "u32", "the function, a defined one"),
        Field("levels", "u32", "bit set of the levels that have it"),
    ),
)
# What snapshots of components have beside.

#: What an object of the embedder is, that a snapshot keeps a handle of: who instantiates it makes it anew.
HOST_OBJECT_KINDS: Final = (
    "stdin", "stdout", "stderr", "terminal", "directory", "network", "pollable", "pollable of stdin",
)  # fmt: skip

COMPONENT_TABLE: Final = Struct(
    "component_table",
    "The handles that a component instance has. Its places follow those of the one before.",
    8,
    (
        Field("place_count", "u32", "number of its places; the first one, 0, is no handle"),
        Field("free", "u32", "place for the next handle, 0: a new one"),
    ),
)

COMPONENT_HANDLE: Final = Struct(
    "component_handle",
    "A place in the handles of a component instance. All handles are owned.",
    8,
    (
        Field("resource", "u32", "row of component_resource + 1; 0: a free place"),
        Field(
            "rep",
            "u32",
            "what the component calls the resource; of the embedder's, row of host_objects + 1; of a free place, the next "
            "free one, 0 where there is none",
        ),
    ),
)
COMPONENT_STRUCTS: Final = (
    COMPONENT_TYPE, COMPONENT_ITEM, COMPONENT_RESOURCE, COMPONENT_CANON, COMPONENT_EXTERN, COMPONENT_TABLE,
    COMPONENT_HANDLE, COMPONENT_NOTE,
)  # fmt: skip

#: Structures whose fields are all u32, that columns are made of.
ROW_STRUCTS: Final = (EXPORT_SLOT, FUNCTION_ROW, CPU_VARIANT, *COMPONENT_STRUCTS)
#: Size of a value of a column or an array of the contract, by its type.
VALUE_SIZES: Final = TYPE_SIZES | {
    struct.name: struct.size_bytes for struct in (*ROW_STRUCTS, TIED_FUNCTION, TIED_IMAGE, TIED_VARIANT)
}

STRUCTS: Final = (
    METADATA_HEADER,
    DIRECTORY_ENTRY,
    ANCHOR,
    CONTRACT,
    TIED_ARRAY,
    TIED_FUNCTION,
    TIED_SUBTYPE,
    TIED_IMAGE,
    TIED_LEVELS,
    TIED_LEVEL,
    TIED_VARIANT,
    INSTANCE_HEADER,
    FUNCTION_RECORD,
    EXCEPTION,
    RTT,
    OBJECT,
    ARRAY,
    STORE_CELLS,
    RUN,
    IMPORT_SLOT,
    MEMORY_SLOT,
    MEMORY_HEAD,
    TABLE_HEAD,
    FIXED_TABLE,
    FIXED_SLOT,
    ELEMENT_SLOT,
    *ROW_STRUCTS,
)


class InstanceLayout(NamedTuple):
    """Byte offsets of the variable part of an instance record; names match the header fields ``instance_*``."""

    memories_offset: int
    tables_offset: int
    imported_functions_offset: int
    imported_globals_offset: int
    tags_offset: int
    globals_offset: int
    elements_offset: int
    data_dropped_offset: int
    size_bytes: int


def instance_layout(
    *, memories: int, tables: int, imported_functions: int, imported_globals: int, tags: int, defined_globals: int,
    elements: int, data_segments: int,
) -> InstanceLayout:  # fmt: skip
    """Lay out an instance record for a module with these counts; the only place where this is computed."""
    # Memories first: their bases are the hottest loads and share the header's cache lines.
    offset = INSTANCE_HEADER.size_bytes
    offsets = []
    for count, size, align in (
        (memories, MEMORY_SLOT.size_bytes, 16),
        (tables, 8, 8),
        (imported_functions, IMPORT_SLOT.size_bytes, 8),
        (imported_globals, 8, 8),
        (tags, 8, 8),
        (defined_globals, 16, 16),
        (elements, ELEMENT_SLOT.size_bytes, 16),
        (data_segments, 1, 1),
    ):
        offset = align_up(offset, align)
        offsets.append(offset)
        offset += count * size
    offsets.append(align_up(offset, 64))
    return InstanceLayout(*offsets)


class RuntimeCall(NamedTuple):
    """A C function that compiled code calls through ``instance.calls``.

    ``signature`` is result, then parameters after the leading instance pointer: p pointer or reference (64 bits),
    i i32, l i64, v nothing. Every reference crosses as 64 bits.
    """

    name: str
    signature: str
    doc: str


RUNTIME_CALLS: Final = (
    RuntimeCall("memory_grow", "lil", "(memory, delta_pages) -> old size in pages, or -1"),
    RuntimeCall("memory_copy", "viilll", "(dst_memory, src_memory, dst, src, size_bytes); traps"),
    RuntimeCall("memory_fill", "vilil", "(memory, dst, value, size_bytes); traps"),
    RuntimeCall("memory_init", "viilll", "(memory, data_segment, dst, src, size_bytes); traps"),
    RuntimeCall("data_drop", "vi", "(data_segment)"),
    RuntimeCall("table_get", "pil", "(table, index) -> reference, materialised; traps"),
    RuntimeCall("table_set", "vilp", "(table, index, reference); traps"),
    RuntimeCall("table_grow", "lipl", "(table, reference, delta) -> old size, or -1"),
    RuntimeCall("table_fill", "vilpl", "(table, index, reference, count); traps"),
    RuntimeCall("table_copy", "viilll", "(dst_table, src_table, dst, src, count); traps"),
    RuntimeCall("table_init", "viilll", "(table, element_segment, dst, src, count); traps"),
    RuntimeCall("element_drop", "vi", "(element_segment)"),
    RuntimeCall("element_set", "vilp", "(element_segment, index, reference): init code fills a computed segment"),
    RuntimeCall("function_reference", "pi", "(func_index) -> address of the function record"),
    RuntimeCall("resolve_slot", "pil", "(table, index) -> record for a tagged slot; stores it in the slot"),
    RuntimeCall(
        "resolve_call",
        "ppp",
        "(record, type digest address) -> record to call where the addresses of the types differ; traps",
    ),
    RuntimeCall("exception_new", "pi", "(tag) -> exception with room for the tag's values; traps"),
    RuntimeCall("exception_done", "vp", "(exception): it was caught, and no exnref to it was made by this catch"),
    RuntimeCall("trap", "vi", "(trap code): for traps that code does not raise by an instruction"),
    # From ABI 3 on, for shared memories.
    RuntimeCall(
        "memory_wait32",
        "iillil",
        "(memory, offset, address, expected, timeout in ns) -> 0 woken, 1 not equal, 2 timed out; traps",
    ),
    RuntimeCall("memory_wait64", "iillll", "likewise"),
    RuntimeCall("memory_notify", "iilli", "(memory, offset, address, count) -> how many were woken; traps"),
    # From ABI 4 on, for garbage collection.
    RuntimeCall("struct_new", "pi", "(type) -> struct whose fields are zero; traps"),
    RuntimeCall("array_new", "pii", "(type, length) -> array whose elements are zero; traps"),
    RuntimeCall("array_new_data", "piiii", "(type, data_segment, offset, length) -> array; traps"),
    RuntimeCall("array_new_elem", "piiii", "(type, element_segment, offset, length) -> array; traps"),
    RuntimeCall(
        "array_fill", "vpilil", "(array, index, value, count, upper half of the value if that is a v128); traps"
    ),
    RuntimeCall("array_copy", "vpipii", "(dst_array, dst, src_array, src, count); traps"),
    RuntimeCall("array_init_data", "vipiii", "(data_segment, array, dst, src, count); traps"),
    RuntimeCall("array_init_elem", "vipiii", "(element_segment, array, dst, src, count); traps"),
    RuntimeCall("function_matches", "iip", "(type, function) -> 1 where its type is that or a subtype, else 0"),
    # From ABI 6 on, which code calls where is_marking says so.
    RuntimeCall(
        "reference_changes", "vp", "(address of a field or an element): the reference there is about to be overwritten"
    ),
)
RUNTIME_CALL_INDEX: Final = {call.name: index for index, call in enumerate(RUNTIME_CALLS)}

# --------------------------------------------------------------------------------------------------------------------
# Errors of the C runtime: the code in wa_error, the exception in errors.py, the message with its facts.


class NativeError(NamedTuple):
    """``template`` may use {where}, {found}, {expected} (numbers) and {text} of the wa_error."""

    code: int
    name: str
    exception: str
    template: str


NATIVE_ERRORS: Final = (
    NativeError(
        1,
        "not_elf",
        "BadMagic",
        "not an ELF file: found {found:#x} at offset 0, expected {expected:#x}; give a file that `wasmartifact pack` wrote, "
        "or a module to wa.compile",
    ),
    NativeError(
        2,
        "no_section",
        "BadMagic",
        "an ELF file without a .wasmartifact section; give a file that `wasmartifact pack` wrote",
    ),
    NativeError(
        3,
        "bad_magic",
        "BadMagic",
        "the .wasmartifact section starts with {found:#x}, expected {expected:#x}; the file is damaged or not an artifact",
    ),
    NativeError(
        4,
        "format_version",
        "VersionMismatch",
        "artifact format {found}, this version reads {expected}; pack the module again",
    ),
    NativeError(
        5,
        "runtime_abi",
        "VersionMismatch",
        "artifact runtime ABI {found}, this version has {expected}; pack the module again",
    ),
    NativeError(
        6,
        "machine",
        "IncompatibleHost",
        "the artifact is for ELF machine {found}, this host is {expected}; pack the module for this host",
    ),
    NativeError(
        7,
        "cpu_feature",
        "IncompatibleHost",
        'the artifact needs CPU features that this host lacks: {text}; pack it with cpu="baseline" or on this machine',
    ),
    NativeError(
        8,
        "page_size",
        "IncompatibleHost",
        "the host's pages have {found} bytes, the artifact is aligned to {expected}; pack the module for this host",
    ),
    NativeError(
        9,
        "corrupt_elf",
        "CorruptArtifact",
        "damaged ELF structure: {text} is {found}, expected {expected}; pack the module again",
    ),
    NativeError(
        10,
        "corrupt_header",
        "CorruptArtifact",
        "damaged metadata header: {text} is {found}, expected {expected}; pack the module again",
    ),
    NativeError(
        11,
        "corrupt_directory",
        "CorruptArtifact",
        "damaged column directory: entry {where}: {text} is {found}, expected {expected}; pack the module again",
    ),
    NativeError(
        12,
        "corrupt_row",
        "CorruptArtifact",
        "damaged metadata: {text}, row {where}, is {found}, expected {expected}; pack the module again",
    ),
    NativeError(
        13,
        "build_id",
        "CorruptArtifact",
        "the mapped code has another build id than the metadata; the file was replaced while it was loaded",
    ),
    NativeError(14, "system", "LoadError", "{text} failed: {strerror}"),
    NativeError(
        15,
        "address_space",
        "IncompatibleHost",
        "can't reserve {expected} bytes of address space for a memory: the process is limited to {found} bytes; raise the "
        "limit on virtual memory (ulimit -v)",
    ),
    NativeError(
        16,
        "import_kind",
        "UnlinkableModule",
        "incompatible import type: {import_name} is a {expected_kind}, found a {found_kind}",
    ),
    NativeError(
        17,
        "import_type",
        "UnlinkableModule",
        "incompatible import type: {import_name} ({expected_kind}) has another type: {text}",
    ),
    NativeError(18, "no_memory", "LoadError", "out of memory: {text}"),
    NativeError(
        19,
        "signals",
        "LoadError",
        "another library replaced the signal handlers that turn faults into traps, and they can't be put back",
    ),
    NativeError(
        20,
        "store_busy",
        "LoadError",
        "a store that another thread runs in can't be joined with this one; give both one wa.Store",
    ),
    NativeError(
        21,
        "c_library",
        "IncompatibleHost",
        "the artifact needs glibc 2.35 or newer, this host has {text}; pack the module with a lower min_glibc (--min-glibc)",
    ),
    NativeError(
        22,
        "load_checksum",
        "CorruptArtifact",
        "the content's load_checksum is {found:#x}, the header records {expected:#x}; the file was damaged or changed: "
        "pack the module again",
    ),
    NativeError(
        23,
        "address_space_full",
        "LoadError",
        "can't reserve {expected} bytes of address space for a memory: the process has no free range of this size, since "
        "{found} memories hold theirs; let instances go that are not needed any more",
    ),
    NativeError(
        24,
        "mappings",
        "LoadError",
        "can't map a memory: the process has as many mappings as the kernel lets it have; let instances go that are not "
        "needed any more, or raise the limit (sysctl vm.max_map_count)",
    ),
    NativeError(
        25,
        "commit",
        "LoadError",
        "can't make {expected} bytes of a memory accessible: {strerror}; raise the limits on data (ulimit -d) and on "
        "committed memory (sysctl vm.overcommit_memory), or declare a smaller memory",
    ),
    NativeError(
        26,
        "memory_limit",
        "LoadError",
        "a memory of {found} pages is more than is supported, {expected} pages of this size; declare a smaller memory",
    ),
    NativeError(
        27,
        "table_limit",
        "LoadError",
        "a table of {found} elements is more than is supported, {expected} elements; declare a smaller table",
    ),
    NativeError(
        28,
        "over_memory_bytes",
        "LimitExceeded",
        "the store would hold {found} bytes of memory, its limits allow {expected} (memory_bytes); raise them, or use "
        "another store",
    ),
    NativeError(
        29,
        "over_table_elements",
        "LimitExceeded",
        "the store would hold {found} table elements, its limits allow {expected} (table_elements); raise them, or use "
        "another store",
    ),
    NativeError(
        30,
        "over_instances",
        "LimitExceeded",
        "the store would hold {found} instances, its limits allow {expected} (instances); raise them, or use another store",
    ),
    NativeError(
        32,
        "contract",
        "CorruptArtifact",
        "the metadata does not fit the code: {text} is {found}, the code was compiled with {expected}; the file was changed "
        "after it was packed: pack the module again",
    ),
    NativeError(
        33,
        "type_conflict",
        "CorruptArtifact",
        "two function types that differ have one digest; one of the artifacts was not packed by `wasmartifact pack`: pack "
        "the modules again",
    ),
    NativeError(
        34,
        "missing_trampoline",
        "CorruptArtifact",
        "{import_name} can't be called: its trampoline is missing here, or in the artifact that it comes from; pack both "
        "modules again",
    ),
    NativeError(
        45,
        "watcher",
        "LoadError",
        "can't start the thread that ends calls at their deadlines and interrupts: {strerror}; raise the limit on threads "
        "(ulimit -u)",
    ),
    NativeError(
        50,
        "fuel",
        "UnlinkableModule",
        "code that counts fuel and code that does not can't be in one store: {text}; pack all modules with fuel=True, or "
        "none",
    ),
)

# --------------------------------------------------------------------------------------------------------------------
# Features: bit i of a feature word is entry i.

#: WebAssembly features beyond 1.0, as named by the proposals.
WASM_FEATURES: Final = (
    "sign-extension", "saturating-float-to-int", "multi-value", "bulk-memory", "reference-types", "mutable-globals",
    "simd", "relaxed-simd", "exceptions", "legacy-exceptions", "tail-call", "multi-memory", "memory64", "extended-const",
    "function-references", "gc", "threads", "custom-page-sizes", "wide-arithmetic",
)  # fmt: skip

#: LLVM feature names, per machine, whose presence the loader can test. Code is generated with exactly these on or off.
CPU_FEATURES: Final = {
    "x86_64": (
        "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "sahf", "avx", "avx2", "bmi", "bmi2", "f16c", "fma",
        "lzcnt", "movbe", "adx", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512ifma",
        "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bitalg", "avx512vpopcntdq", "gfni", "vaes", "vpclmulqdq",
        "aes", "pclmul", "sha",
    ),
    "aarch64": ("fp-armv8", "neon", "lse", "fullfp16", "dotprod", "rdm", "sha2", "aes", "crc"),
}  # fmt: skip
BASELINE_FEATURES: Final = {
    "x86_64": ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "sahf"),
    "aarch64": ("fp-armv8", "neon"),
}

# --------------------------------------------------------------------------------------------------------------------
# Columns. A group is a table; its columns have the same number of rows, but for "offsets" (rows + 1 entries, ascending,
# into the flat column named by `target`) and "flat" columns (any number).


class Column(NamedTuple):
    """One little-endian array of the metadata section.

    ``type``: a key of VALUE_SIZES. ``shape``: "rows" (one value a row), "offsets" (rows + 1 values into the column ``target``), "flat" (a heap).
    """

    id: int
    group: str
    name: str
    type: str
    shape: str
    unit: str
    doc: str
    target: str = ""


def _group(number: int, group: str, *columns: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(Column(number * 32 + index, group, *column) for index, column in enumerate(columns))


COLUMNS: Final = (
    *_group(
        1, "types",
        ("type_kind", "u8", "rows", "code", "0 func, 1 struct, 2 array"),
        ("type_digest", "u8x16", "rows", "bytes", "BLAKE2b-128 of the type's structure; equal digests are equal types"),
        ("type_canonical", "u32", "rows", "type index", "first type of the module with the same digest"),
        ("type_params", "u32", "offsets", "index", "parameters of a func type", "type_values"),
        ("type_results", "u32", "offsets", "index", "results of a func type", "type_values"),
        ("type_values", "u32", "flat", "valtype", "value types"),
        ("type_entry", "u32", "rows", "text offset + 1", "entry trampoline, 0 where there is none"),
        ("type_host", "u32", "rows", "text offset + 1", "host-call trampoline, 0 where there is none"),
    ),
    *_group(
        2, "imports",
        ("import_module", "u32", "offsets", "byte", "module name, UTF-8", "import_module_bytes"),
        ("import_module_bytes", "u8", "flat", "bytes", "module names"),
        ("import_name", "u32", "offsets", "byte", "name, UTF-8", "import_name_bytes"),
        ("import_name_bytes", "u8", "flat", "bytes", "names"),
        ("import_kind", "u8", "rows", "kind", "0 func, 1 table, 2 memory, 3 global, 4 tag"),
        ("import_index", "u32", "rows", "index", "index in the index space of its kind, where its type stands"),
    ),
    *_group(
        3, "exports",
        ("export_name", "u32", "offsets", "byte", "name, UTF-8", "export_name_bytes"),
        ("export_name_bytes", "u8", "flat", "bytes", "names"),
        ("export_kind", "u8", "rows", "kind", "as import_kind"),
        ("export_index", "u32", "rows", "index", "index in the index space of its kind"),
        ("export_slots", "export_slot", "flat", "slot", "hash index: a power of two of slots, linear probing"),
    ),
    *_group(
        4, "functions",
        ("function", "function_row", "rows", "row", "the function index space, imported functions first"),
    ),
    *_group(
        5, "code",
        ("code_wasm_offset", "u32", "rows", "wasm offset", "file offset of a defined function's code entry, after its size"),
        ("code_wasm_size", "u32", "rows", "bytes", "size of the code entry"),
    ),
    *_group(
        6, "function_names",
        ("function_name_index", "u32", "rows", "func index", "ascending; functions that the name section names"),
        ("function_name_offset", "u64", "rows", "byte", "where the name starts in custom_data_bytes, which holds the name section; UTF-8"),
        ("function_name_size", "u32", "rows", "bytes", "size of the name"),
    ),
    *_group(
        7, "tables",
        ("table_type", "u32", "rows", "valtype", "element type"),
        ("table_min", "u64", "rows", "elements", "minimum size"),
        ("table_max", "u64", "rows", "elements", "maximum size, 2**64-1 where there is none"),
        ("table_flags", "u8", "rows", "bits", "1 has maximum, 2 shared, 4 64-bit index"),
        ("table_image_offset", "u64", "rows", "section offset", "initial slots, page-aligned; 0 where there is no image"),
        ("table_image_count", "u64", "rows", "elements", "number of initial slots in the image"),
    ),
    *_group(
        8, "memories",
        ("memory_min_pages", "u64", "rows", "pages", "minimum size"),
        ("memory_max_pages", "u64", "rows", "pages", "maximum size, 2**64-1 where there is none"),
        ("memory_flags", "u8", "rows", "bits", "1 has maximum, 2 shared, 4 64-bit index"),
        ("memory_page_log2", "u8", "rows", "log2 bytes", "page size, 16 by default"),
        ("memory_guard", "u8", "rows", "code", "0: code relies on 8 GiB reserved from the base; 1: code checks every access"),
    ),
    *_group(
        9, "globals",
        ("global_type", "u32", "rows", "valtype", "value type, imported globals first"),
        ("global_flags", "u8", "rows", "bits", "1 mutable"),
        ("global_image", "u8x16", "flat", "bytes", "initial cell of each defined global; zero where init code computes it; a function of a snapshot as its slot"),
        ("global_init", "u32", "offsets", "byte", "initialiser of each global as WebAssembly bytes, empty for imports", "global_init_bytes"),
        ("global_init_bytes", "u8", "flat", "bytes", "constant expressions"),
    ),
    *_group(
        10, "tags",
        ("tag_type", "u32", "rows", "type index", "type of each tag, imported ones first"),
    ),
    *_group(
        11, "elements",
        ("element_mode", "u8", "rows", "code", "0 active, 1 passive, 2 declarative"),
        ("element_type", "u32", "rows", "valtype", "element type"),
        ("element_table", "u32", "rows", "table index", "target of an active segment"),
        ("element_offset", "u64", "rows", "elements", "constant target offset, 2**64-1 where it is computed"),
        ("element_in_image", "u8", "rows", "flag", "1: it starts dropped: the table image holds it, or it was dropped before the snapshot"),
        ("element_slots", "u64", "offsets", "index", "initial slots; computed values stand as 0", "element_slot_values"),
        ("element_slot_values", "u64", "flat", "slot", "0 null, func_index << 1 | 1"),
    ),
    *_group(
        12, "data",
        ("data_mode", "u8", "rows", "code", "0 active, 1 passive"),
        ("data_memory", "u32", "rows", "memory index", "target of an active segment"),
        ("data_offset", "u64", "rows", "bytes", "constant target offset, 2**64-1 where it is computed"),
        ("data_in_image", "u8", "rows", "flag", "1: it starts dropped and data_bytes lacks it: the memory image holds it, or it was dropped before the snapshot"),
        ("data_size", "u64", "rows", "bytes", "size of the segment"),
        ("data_start", "u64", "offsets", "byte", "bytes of the segments that are not in the image", "data_bytes"),
        ("data_bytes", "u8", "flat", "bytes", "segment contents"),
    ),
    *_group(
        13, "image_runs",
        ("run_memory", "u32", "rows", "memory index", "defined memory that the run belongs to, ascending"),
        ("run_memory_offset", "u64", "rows", "bytes", "page-aligned offset in the memory, ascending within it"),
        ("run_section_offset", "u64", "rows", "section offset", "page-aligned offset of the run"),
        ("run_size", "u64", "rows", "bytes", "multiple of the page size"),
    ),
    *_group(
        14, "address_map",  # this group, address_blocks and source_lines had the rows of address_chunks and source_chunks
        ("address_text", "u16", "rows", "bytes", "up to format 2.3: start of a range of instructions, from address_block_text of its block, ascending"),
        ("address_wasm", "u16", "rows", "bytes + 1", "the WebAssembly instruction it came from, from address_block_wasm of its block; 0 where unknown"),
        ("address_trap", "u8", "rows", "trap code", "trap that the range can raise; 0 none"),
    ),
    *_group(
        15, "custom_sections",
        ("custom_name", "u32", "offsets", "byte", "name, UTF-8; the packer leaves .debug_* out unless they are asked for", "custom_name_bytes"),
        ("custom_name_bytes", "u8", "flat", "bytes", "names"),
        ("custom_data", "u64", "offsets", "byte", "contents", "custom_data_bytes"),
        ("custom_data_bytes", "u8", "flat", "bytes", "contents"),
    ),
    *_group(
        16, "info",
        ("info_key", "u32", "offsets", "byte", "what: module_name, opt_level, cpu, target, packer, llvmlite, and libllvm where that generated the code; of a snapshot, too, snapshot_of: the build id of the artifact that it is of", "info_key_bytes"),
        ("info_key_bytes", "u8", "flat", "bytes", "keys"),
        ("info_value", "u32", "offsets", "byte", "value, UTF-8", "info_value_bytes"),
        ("info_value_bytes", "u8", "flat", "bytes", "values"),
    ),
    *_group(
        17, "source_lines",
        ("source_wasm_offset", "u32", "rows", "wasm offset", "up to format 2.3: start of a range of instructions, strictly ascending"),
        ("source_line", "u32", "rows", "line", "line in the source file, 0 where unknown"),
        ("source_file", "u32", "rows", "row + 1", "the file, a row of source_files; 0 where unknown"),
    ),
    *_group(
        18, "source_files",
        ("source_file_name", "u32", "offsets", "byte", "path as the compiler wrote it, relative to where it ran; UTF-8", "source_file_name_bytes"),
        ("source_file_name_bytes", "u8", "flat", "bytes", "paths"),
    ),
    *_group(
        19, "inward_trampolines",
        ("type_inward", "u32", "rows", "text offset + 1", "per type, if the module has tail calls: the trampoline from C to functions whose values registers don't hold, 0 where there is none; else no rows"),
    ),
    *_group(
        20, "address_blocks",
        ("address_block_row", "u32", "rows", "row", "up to format 2.3: the block's first row in the address map, strictly ascending; the first one's is 0"),
        ("address_block_text", "u32", "rows", "text offset", "where its first row starts, ascending"),
        ("address_block_wasm", "u32", "rows", "wasm offset", "what its rows count WebAssembly offsets from"),
    ),
)  # fmt: skip
#: Columns that only components have. Readers of other artifacts never meet them.
COMPONENT_COLUMNS: Final = (
    *_group(
        24, "component_names",
        ("component_name", "u32", "offsets", "byte", "names, UTF-8, each once", "component_name_bytes"),
        ("component_name_bytes", "u8", "flat", "bytes", "their bytes"),
    ),
    *_group(25, "component_types", ("component_type", "component_type", "rows", "row", "types; those that names are given to have a row for each name")),
    *_group(26, "component_items", ("component_item", "component_item", "rows", "row", "items of types")),
    *_group(27, "component_resources", ("component_resource", "component_resource", "rows", "row", "types of resources")),
    *_group(28, "component_canons", ("component_canon", "component_canon", "rows", "row", "functions of the canonical ABI")),
    *_group(29, "component_externs", ("component_extern", "component_extern", "rows", "row", "imports and exports")),
)  # fmt: skip
#: Columns that only components with notes have.
COMPONENT_NOTE_COLUMNS: Final = (
    *_group(33, "component_notes", ("component_note", "component_note", "rows", "row", "notes on imports and exports, ascending by kind")),
)  # fmt: skip
#: Columns that only snapshots of components have.
COMPONENT_STATE_COLUMNS: Final = (
    *_group(30, "component_tables", ("component_table", "component_table", "rows", "row", "per component instance: its handles")),
    *_group(31, "component_handles", ("component_handle", "component_handle", "rows", "row", "places of handles")),
    *_group(
        32, "host_objects",
        ("host_object_kind", "u32", "rows", "kind", "place in HOST_OBJECT_KINDS of an object of the embedder that is made anew"),
        ("host_object_name", "u32", "offsets", "byte", "of a directory: what the program calls it, UTF-8; else empty", "host_object_name_bytes"),
        ("host_object_name_bytes", "u8", "flat", "bytes", "names"),
    ),
)  # fmt: skip
#: Columns that only artifacts with code for several CPU levels have.
CPU_LEVEL_COLUMNS: Final = (
    *_group(
        21, "cpu_levels",
        ("cpu_level_features", "u64", "rows", "bits", "bit set of CPU_FEATURES that a level's code needs, all of the level before it among them; the first one's are cpu_features of the header"),
        ("cpu_level_name", "u32", "offsets", "byte", "what the level is called, UTF-8", "cpu_level_name_bytes"),
        ("cpu_level_name_bytes", "u8", "flat", "bytes", "names"),
    ),
    *_group(22, "cpu_variants", ("cpu_variant", "cpu_variant", "rows", "row", "code that differs from the first level's")),
)  # fmt: skip
#: Columns that files before format 2.4 don't have: rows in chunks, of ascending keys and two values each.
CHUNK_COLUMNS: Final = (
    *_group(
        34, "address_chunks",
        ("address_chunk_key", "u32", "rows", "text offset", "key of the chunk's first row, ascending"),
        ("address_chunk", "u32", "offsets", "byte", "rows of the address map: the start of a range of instructions; the wasm offset of what it came from, 0 where unknown; the trap that it can raise, 0 none", "address_chunk_bytes"),
        ("address_chunk_bytes", "u8", "flat", "bytes", "rows"),
    ),
    *_group(
        35, "source_chunks",
        ("source_chunk_key", "u32", "rows", "wasm offset", "key of the chunk's first row, ascending"),
        ("source_chunk", "u32", "offsets", "byte", "rows from the module's DWARF: the start of a range of instructions; the line, 0 where unknown; the file, a row of source_files + 1, 0 where unknown", "source_chunk_bytes"),
        ("source_chunk_bytes", "u8", "flat", "bytes", "rows"),
    ),
)  # fmt: skip
#: Columns that only artifacts have whose functions hold copies of their own body.
INLINED_CALL_COLUMNS: Final = (
    *_group(
        36, "inlined_calls",
        ("inlined_call_func", "u32", "rows", "func_index", "a function that holds copies of its body, ascending"),
        ("inlined_call_offset", "u32", "rows", "wasm offset", "a call of itself in it, ascending"),
    ),
)  # fmt: skip
#: Optional columns, and the bits of ``flags`` that tell of them.
OPTIONAL_COLUMNS: Final = (
    (HEADER_CPU_LEVELS, CPU_LEVEL_COLUMNS),
    (HEADER_COMPONENT, COMPONENT_COLUMNS),
    (HEADER_COMPONENT | HEADER_SNAPSHOT, COMPONENT_STATE_COLUMNS),
    (HEADER_COMPONENT, COMPONENT_NOTE_COLUMNS),
    (0, CHUNK_COLUMNS),
    (0, INLINED_CALL_COLUMNS),
)
ALL_COLUMNS: Final = (
    *COLUMNS, *CPU_LEVEL_COLUMNS, *COMPONENT_COLUMNS, *COMPONENT_STATE_COLUMNS, *COMPONENT_NOTE_COLUMNS, *CHUNK_COLUMNS,
    *INLINED_CALL_COLUMNS,
)  # fmt: skip
COLUMN_BY_NAME: Final = {column.name: column for column in ALL_COLUMNS}
STRUCT_BY_NAME: Final = {struct.name: struct for struct in STRUCTS}

#: Columns that the contract repeats: the runtime reads them there, readers in the section.
TIED_COLUMNS: Final = (
    "type_digest", "type_canonical", "type_params", "type_results", "type_values", "type_entry", "type_host",
    "type_inward", "table_type", "table_min", "table_max", "table_flags", "memory_min_pages", "memory_max_pages",
    "memory_flags", "memory_page_log2", "memory_guard", "global_type", "global_flags", "global_image", "tag_type",
    "element_type",
)  # fmt: skip
#: In the order in which they lie. The digests come first: compiled code knows their addresses.
TIED_ARRAYS: Final = (
    *(TiedArray(name, COLUMN_BY_NAME[name].type, f"the column {name}") for name in TIED_COLUMNS),
    TiedArray("functions", TIED_FUNCTION.name, "per function of the index space"),
    TiedArray("table_images", TIED_IMAGE.name, "per table of the index space"),
)
TIED_ALIGN_BYTES: Final = 16
#: Where the arrays begin, in bytes from the anchor.
TIED_ARRAYS_OFFSET: Final = align_up(
    ANCHOR.size_bytes + CONTRACT.size_bytes + len(TIED_ARRAYS) * TIED_ARRAY.size_bytes, TIED_ALIGN_BYTES
)
