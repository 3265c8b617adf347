"""What the load and call paths need of the schema, as literals: importing the schema costs more than a load.

Generated from wasmartifact/schema.py by tools/generate.py: change the schema and run the tool.
"""

# ruff: noqa: E501
# fmt: off

ELF_MAGIC = b'\x7fELF'
SECTION_NAME = ".wasmartifact"
TEMPORARY_PREFIX = ".wasmartifact."
ANCHOR_SYMBOL = "wasmartifact_anchor"
HEAD_MASKED_RANGES = ((40, 48), (60, 64))
METADATA_HEADER_BYTES = 384
DIRECTORY_ENTRY_BYTES = 24
KINDS = ("func", "table", "memory", "global", "tag")
FORMAT_VERSION = (1, 1)
RUNTIME_ABI = 2
#: Start and end offset of each field of the metadata header.
HEADER_RANGES = {
    "magic": (0, 8),
    "format_major": (8, 10),
    "format_minor": (10, 12),
    "runtime_abi": (12, 16),
    "library_version": (16, 20),
    "machine": (20, 24),
    "page_size_bytes": (24, 28),
    "header_size_bytes": (28, 32),
    "directory_offset": (32, 36),
    "directory_count": (36, 40),
    "head_size_bytes": (40, 44),
    "flags": (44, 48),
    "section_size_bytes": (48, 56),
    "file_size_bytes": (56, 64),
    "cpu_features": (64, 72),
    "wasm_features": (72, 80),
    "anchor_vaddr": (80, 88),
    "text_vaddr": (88, 96),
    "text_size_bytes": (96, 104),
    "type_digests_vaddr": (104, 112),
    "build_id": (112, 128),
    "load_checksum": (128, 136),
    "load_reserved": (136, 144),
    "section_digest": (144, 176),
    "file_digest": (176, 208),
    "wasm_digest": (208, 240),
    "init_text_offset": (240, 244),
    "start_function": (244, 248),
    "instance_size_bytes": (248, 252),
    "instance_memories_offset": (252, 256),
    "instance_tables_offset": (256, 260),
    "instance_imported_functions_offset": (260, 264),
    "instance_imported_globals_offset": (264, 268),
    "instance_tags_offset": (268, 272),
    "instance_globals_offset": (272, 276),
    "instance_elements_offset": (276, 280),
    "instance_data_dropped_offset": (280, 284),
    "reserved": (284, 288),
    "signature": (288, 352),
    "signing_key": (352, 384),
}
#: Name and message of each trap code.
TRAPS = {
    1: ("unreachable", "unreachable"),
    2: ("memory_out_of_bounds", "out of bounds memory access"),
    3: ("table_out_of_bounds", "out of bounds table access"),
    4: ("undefined_element", "undefined element"),
    5: ("uninitialized_element", "uninitialized element"),
    6: ("indirect_call_type_mismatch", "indirect call type mismatch"),
    7: ("integer_divide_by_zero", "integer divide by zero"),
    8: ("integer_overflow", "integer overflow"),
    9: ("invalid_conversion_to_integer", "invalid conversion to integer"),
    10: ("stack_exhausted", "call stack exhausted"),
    11: ("null_reference", "null reference"),
    12: ("null_function_reference", "null function reference"),
    13: ("unaligned_atomic", "unaligned atomic"),
    14: ("expected_shared_memory", "expected shared memory"),
    15: ("interrupted", "interrupted"),
    16: ("cast_failure", "cast failure"),
    17: ("array_out_of_bounds", "out of bounds array access"),
    18: ("null_exception_reference", "null exception reference"),
    19: ("out_of_memory", "out of memory in the runtime"),
    20: ("deadline_exceeded", "deadline exceeded"),
    21: ("out_of_fuel", "out of fuel"),
    22: ("calls_interleaved", "a call can't go on before a later call in the same store ends"),
}
#: Name, exception and message template of each error of the C runtime.
NATIVE_ERRORS = {
    1: ("not_elf", "BadMagic", "not an ELF file: found {found:#x} at offset 0, expected {expected:#x}; give a file that `wasmartifact pack` wrote"),
    2: ("no_section", "BadMagic", "an ELF file without a .wasmartifact section; give a file that `wasmartifact pack` wrote"),
    3: ("bad_magic", "BadMagic", "the .wasmartifact section starts with {found:#x}, expected {expected:#x}; the file is damaged or not an artifact"),
    4: ("format_version", "VersionMismatch", "artifact format {found}, this version reads {expected}; pack the module again"),
    5: ("runtime_abi", "VersionMismatch", "artifact runtime ABI {found}, this version has {expected}; pack the module again"),
    6: ("machine", "IncompatibleHost", "the artifact is for ELF machine {found}, this host is {expected}; pack the module for this host"),
    7: ("cpu_feature", "IncompatibleHost", 'the artifact needs CPU features that this host lacks: {text}; pack it with cpu="baseline" or on this machine'),
    8: ("page_size", "IncompatibleHost", "the host's pages have {found} bytes, the artifact is aligned to {expected}; pack the module for this host"),
    9: ("corrupt_elf", "CorruptArtifact", "damaged ELF structure: {text} is {found}, expected {expected}; pack the module again"),
    10: ("corrupt_header", "CorruptArtifact", "damaged metadata header: {text} is {found}, expected {expected}; pack the module again"),
    11: ("corrupt_directory", "CorruptArtifact", "damaged column directory: entry {where}: {text} is {found}, expected {expected}; pack the module again"),
    12: ("corrupt_row", "CorruptArtifact", "damaged metadata: {text}, row {where}, is {found}, expected {expected}; pack the module again"),
    13: ("build_id", "CorruptArtifact", "the mapped code has another build id than the metadata; the file was replaced while it was loaded"),
    14: ("system", "LoadError", "{text} failed: {strerror}"),
    15: ("address_space", "IncompatibleHost", "can't reserve {expected} bytes of address space for a memory: the process is limited to {found} bytes; raise the limit on virtual memory (ulimit -v)"),
    16: ("import_kind", "UnlinkableModule", "incompatible import type: {import_name} is a {expected_kind}, found a {found_kind}"),
    17: ("import_type", "UnlinkableModule", "incompatible import type: {import_name} ({expected_kind}) has another type: {text}"),
    18: ("no_memory", "LoadError", "out of memory: {text}"),
    19: ("signals", "LoadError", "another library replaced the signal handlers that turn faults into traps, and they can't be put back"),
    20: ("store_busy", "LoadError", "a store that another thread runs in can't be joined with this one; give both one wa.Store"),
    21: ("c_library", "IncompatibleHost", "the artifact needs glibc 2.35 or newer, this host has {text}; pack the module with a lower min_glibc (--min-glibc)"),
    22: ("load_checksum", "CorruptArtifact", "the content's load_checksum is {found:#x}, the header records {expected:#x}; the file was damaged or changed: pack the module again"),
    23: ("address_space_full", "LoadError", "can't reserve {expected} bytes of address space for a memory: the process has no free range of this size, since {found} memories hold theirs; let instances go that are not needed any more"),
    24: ("mappings", "LoadError", "can't map a memory: the process has as many mappings as the kernel lets it have; let instances go that are not needed any more, or raise the limit (sysctl vm.max_map_count)"),
    25: ("commit", "LoadError", "can't make {expected} bytes of a memory accessible: {strerror}; raise the limits on data (ulimit -d) and on committed memory (sysctl vm.overcommit_memory), or declare a smaller memory"),
    26: ("memory_limit", "LoadError", "a memory of {found} pages is more than is supported, {expected} pages of this size; declare a smaller memory"),
    27: ("table_limit", "LoadError", "a table of {found} elements is more than is supported, {expected} elements; declare a smaller table"),
    28: ("over_memory_bytes", "LimitExceeded", "the store would hold {found} bytes of memory, its limits allow {expected} (memory_bytes); raise them, or use another store"),
    29: ("over_table_elements", "LimitExceeded", "the store would hold {found} table elements, its limits allow {expected} (table_elements); raise them, or use another store"),
    30: ("over_instances", "LimitExceeded", "the store would hold {found} instances, its limits allow {expected} (instances); raise them, or use another store"),
    32: ("contract", "CorruptArtifact", "the metadata does not fit the code: {text} is {found}, the code was compiled with {expected}; the file was changed after it was packed: pack the module again"),
    33: ("type_conflict", "CorruptArtifact", "two function types that differ have one digest; one of the artifacts was not packed by `wasmartifact pack`: pack the modules again"),
    45: ("watcher", "LoadError", "can't start the thread that ends calls at their deadlines and interrupts: {strerror}; raise the limit on threads (ulimit -u)"),
    50: ("fuel", "UnlinkableModule", "code that counts fuel and code that does not can't be in one store: {text}; pack all modules with fuel=True, or none"),
}
