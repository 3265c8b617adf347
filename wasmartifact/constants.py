"""What loads, calls and views of metadata need of the schema, as literals: its import costs more than those.

Generated from wasmartifact/schema.py by tools/generate.py: change the schema and run the tool.
"""

# ruff: noqa: E501
# fmt: off

FORMAT_MAJOR = 2
FORMAT_MINOR = 3
RUNTIME_ABI = 5
RUNTIME_ABI_OLDEST = 2
METADATA_MAGIC = 753352800618771319
ANCHOR_MAGIC = 752778863987225207
COLUMN_ALIGN_BYTES = 64
BUILD_ID_BYTES = 16
NONE_U64 = 18446744073709551615
HEAD_MAX_BYTES = 4096
WASM_PAGE_BYTES = 65536
VALTYPE_I32 = 127
VALTYPE_I64 = 126
VALTYPE_F32 = 125
VALTYPE_F64 = 124
VALTYPE_V128 = 123
VALTYPE_I8 = 120
VALTYPE_I16 = 119
VALTYPE_REF = 100
VALTYPE_REF_NULL = 99
HEAP_ABSTRACT = 8388608
VALTYPE_FUNCREF = 2147512419
VALTYPE_EXTERNREF = 2147512163
VALTYPE_EXNREF = 2147510627
KIND_FUNC = 0
KIND_TABLE = 1
KIND_MEMORY = 2
KIND_GLOBAL = 3
KIND_TAG = 4
LIMITS_HAS_MAX = 1
LIMITS_SHARED = 2
LIMITS_64 = 4
GLOBAL_MUTABLE = 1
HEADER_READ_ONLY_DYNAMIC = 1
HEADER_CHECKS_EXCEPTIONS = 2
HEADER_FUEL = 4
HEADER_SNAPSHOT = 8
HEADER_COMPONENT = 16
HEADER_CPU_LEVELS = 32
HEADER_FLAGS = 63
MAX_CPU_LEVELS = 8
MAX_SECTIONS = 64
MAX_SECTION_NAMES_BYTES = 2048
MAX_MODULE_BYTES = 4294967295
MAX_OPERANDS = 1000
OBJECT_MAX_BYTES = 2147483648
OBJECT_ALIGN_BYTES = 16
INLINE_CLASSES = 8
MAPPED_IMAGE_MIN_BYTES = 16384
MAX_TABLE_ELEMENTS = 10000000
FUEL_PER_FUNCTION = 1
FUEL_PORTION = 65536
FUEL_COUNT_LIMIT = 281474976710656
FUEL_MAX = 9223372036854775807
REFERENCE_I31 = 2
REFERENCE_HANDLE = 4
REFERENCE_TAGS = 6
I31_SHIFT = 33
TYPE_FUNC = 0
TYPE_STRUCT = 1
TYPE_ARRAY = 2
SUBTYPE_FINAL = 1
RTT_DISPLAY_MIN = 8
REFERENCES_FAR = 2147483648
CANON_LIFT = 0
CANON_HOST = 1
CANON_ADAPTER = 2
CANON_RESOURCE_NEW = 3
CANON_RESOURCE_REP = 4
CANON_RESOURCE_DROP = 5
MAX_FLAT_PARAMS = 16
MAX_FLAT_RESULTS = 1
MAX_VALUE_BYTES = 268435455
TIED_ALIGN_BYTES = 16
TIED_ARRAYS_OFFSET = 352
ELF_MAGIC = b'\x7fELF'
SECTION_NAME = ".wasmartifact"
TEMPORARY_PREFIX = ".wasmartifact."
ANCHOR_SYMBOL = "wasmartifact_anchor"
HEAD_MASKED_RANGES = ((40, 48), (60, 64))
METADATA_HEADER_BYTES = 384
DIRECTORY_ENTRY_BYTES = 24
KINDS = ("func", "table", "memory", "global", "tag")
COMPONENT_KINDS = ("bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64", "char", "string", "list", "record", "tuple", "variant", "enum", "option", "result", "flags", "own", "borrow", "func")
COMPONENT_SORTS = ("func", "type", "resource", "instance", "component", "core module", "imported func")
HOST_OBJECT_KINDS = ("stdin", "stdout", "stderr", "terminal", "directory", "network", "pollable", "pollable of stdin")
FORMAT_VERSION = (2, 3)
#: Code of each abstract heap type.
HEAP_TYPES = {
    "exn": 8388713,
    "array": 8388714,
    "struct": 8388715,
    "i31": 8388716,
    "eq": 8388717,
    "any": 8388718,
    "extern": 8388719,
    "func": 8388720,
    "none": 8388721,
    "noextern": 8388722,
    "nofunc": 8388723,
    "noexn": 8388724,
}
#: Start and end offset of each field of the header.
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
#: Start and end offset of each field of a directory entry.
ENTRY_RANGES = {
    "column_id": (0, 4),
    "element_size_bytes": (4, 8),
    "offset": (8, 16),
    "count": (16, 24),
}
#: Id, size of a value, target of offsets.
COLUMNS = {
    "type_kind": (32, 1, ""),
    "type_digest": (33, 16, ""),
    "type_canonical": (34, 4, ""),
    "type_params": (35, 4, "type_values"),
    "type_results": (36, 4, "type_values"),
    "type_values": (37, 4, ""),
    "type_entry": (38, 4, ""),
    "type_host": (39, 4, ""),
    "import_module": (64, 4, "import_module_bytes"),
    "import_module_bytes": (65, 1, ""),
    "import_name": (66, 4, "import_name_bytes"),
    "import_name_bytes": (67, 1, ""),
    "import_kind": (68, 1, ""),
    "import_index": (69, 4, ""),
    "export_name": (96, 4, "export_name_bytes"),
    "export_name_bytes": (97, 1, ""),
    "export_kind": (98, 1, ""),
    "export_index": (99, 4, ""),
    "export_slots": (100, 16, ""),
    "function": (128, 16, ""),
    "code_wasm_offset": (160, 4, ""),
    "code_wasm_size": (161, 4, ""),
    "function_name_index": (192, 4, ""),
    "function_name_offset": (193, 8, ""),
    "function_name_size": (194, 4, ""),
    "table_type": (224, 4, ""),
    "table_min": (225, 8, ""),
    "table_max": (226, 8, ""),
    "table_flags": (227, 1, ""),
    "table_image_offset": (228, 8, ""),
    "table_image_count": (229, 8, ""),
    "memory_min_pages": (256, 8, ""),
    "memory_max_pages": (257, 8, ""),
    "memory_flags": (258, 1, ""),
    "memory_page_log2": (259, 1, ""),
    "memory_guard": (260, 1, ""),
    "global_type": (288, 4, ""),
    "global_flags": (289, 1, ""),
    "global_image": (290, 16, ""),
    "global_init": (291, 4, "global_init_bytes"),
    "global_init_bytes": (292, 1, ""),
    "tag_type": (320, 4, ""),
    "element_mode": (352, 1, ""),
    "element_type": (353, 4, ""),
    "element_table": (354, 4, ""),
    "element_offset": (355, 8, ""),
    "element_in_image": (356, 1, ""),
    "element_slots": (357, 8, "element_slot_values"),
    "element_slot_values": (358, 8, ""),
    "data_mode": (384, 1, ""),
    "data_memory": (385, 4, ""),
    "data_offset": (386, 8, ""),
    "data_in_image": (387, 1, ""),
    "data_size": (388, 8, ""),
    "data_start": (389, 8, "data_bytes"),
    "data_bytes": (390, 1, ""),
    "run_memory": (416, 4, ""),
    "run_memory_offset": (417, 8, ""),
    "run_section_offset": (418, 8, ""),
    "run_size": (419, 8, ""),
    "address_text": (448, 2, ""),
    "address_wasm": (449, 2, ""),
    "address_trap": (450, 1, ""),
    "custom_name": (480, 4, "custom_name_bytes"),
    "custom_name_bytes": (481, 1, ""),
    "custom_data": (482, 8, "custom_data_bytes"),
    "custom_data_bytes": (483, 1, ""),
    "info_key": (512, 4, "info_key_bytes"),
    "info_key_bytes": (513, 1, ""),
    "info_value": (514, 4, "info_value_bytes"),
    "info_value_bytes": (515, 1, ""),
    "source_wasm_offset": (544, 4, ""),
    "source_line": (545, 4, ""),
    "source_file": (546, 4, ""),
    "source_file_name": (576, 4, "source_file_name_bytes"),
    "source_file_name_bytes": (577, 1, ""),
    "type_inward": (608, 4, ""),
    "address_block_row": (640, 4, ""),
    "address_block_text": (641, 4, ""),
    "address_block_wasm": (642, 4, ""),
    "cpu_level_features": (672, 8, ""),
    "cpu_level_name": (673, 4, "cpu_level_name_bytes"),
    "cpu_level_name_bytes": (674, 1, ""),
    "cpu_variant": (704, 16, ""),
    "component_name": (768, 4, "component_name_bytes"),
    "component_name_bytes": (769, 1, ""),
    "component_type": (800, 12, ""),
    "component_item": (832, 8, ""),
    "component_resource": (864, 12, ""),
    "component_canon": (896, 36, ""),
    "component_extern": (928, 20, ""),
    "component_table": (960, 8, ""),
    "component_handle": (992, 8, ""),
    "host_object_kind": (1024, 4, ""),
    "host_object_name": (1025, 4, "host_object_name_bytes"),
    "host_object_name_bytes": (1026, 1, ""),
}
#: Column of structures, place among its u32, number of them.
COLUMN_FIELDS = {
    "export_slots.item": ("export_slots", 0, 4),
    "export_slots.hash": ("export_slots", 1, 4),
    "export_slots.name_start": ("export_slots", 2, 4),
    "export_slots.name_size_bytes": ("export_slots", 3, 4),
    "function.type": ("function", 0, 4),
    "function.text_offset": ("function", 1, 4),
    "function.code_size_bytes": ("function", 2, 4),
    "function.flags": ("function", 3, 4),
    "cpu_variant.text_offset": ("cpu_variant", 0, 4),
    "cpu_variant.code_size_bytes": ("cpu_variant", 1, 4),
    "cpu_variant.func_index": ("cpu_variant", 2, 4),
    "cpu_variant.levels": ("cpu_variant", 3, 4),
    "component_type.kind": ("component_type", 0, 3),
    "component_type.first_item": ("component_type", 1, 3),
    "component_type.item_count": ("component_type", 2, 3),
    "component_item.name": ("component_item", 0, 2),
    "component_item.type": ("component_item", 1, 2),
    "component_resource.owner": ("component_resource", 0, 3),
    "component_resource.destructor": ("component_resource", 1, 3),
    "component_resource.name": ("component_resource", 2, 3),
    "component_canon.kind": ("component_canon", 0, 9),
    "component_canon.instance": ("component_canon", 1, 9),
    "component_canon.type": ("component_canon", 2, 9),
    "component_canon.function": ("component_canon", 3, 9),
    "component_canon.memory": ("component_canon", 4, 9),
    "component_canon.realloc": ("component_canon", 5, 9),
    "component_canon.post_return": ("component_canon", 6, 9),
    "component_canon.encoding": ("component_canon", 7, 9),
    "component_canon.target": ("component_canon", 8, 9),
    "component_extern.name": ("component_extern", 0, 5),
    "component_extern.sort": ("component_extern", 1, 5),
    "component_extern.parent": ("component_extern", 2, 5),
    "component_extern.is_export": ("component_extern", 3, 5),
    "component_extern.index": ("component_extern", 4, 5),
    "component_table.place_count": ("component_table", 0, 2),
    "component_table.free": ("component_table", 1, 2),
    "component_handle.resource": ("component_handle", 0, 2),
    "component_handle.rep": ("component_handle", 1, 2),
}
#: Column that tells the rows of a group, values it has more.
ROW_COLUMNS = {
    "cpu_variants": ("cpu_variant", 0),
    "cpu_levels": ("cpu_level_features", 0),
    "address_blocks": ("address_block_row", 0),
    "inward_trampolines": ("type_inward", 0),
    "source_files": ("source_file_name", 1),
    "source_lines": ("source_wasm_offset", 0),
    "info": ("info_key", 1),
    "custom_sections": ("custom_name", 1),
    "address_map": ("address_text", 0),
    "image_runs": ("run_memory", 0),
    "data": ("data_mode", 0),
    "elements": ("element_mode", 0),
    "tags": ("tag_type", 0),
    "globals": ("global_type", 0),
    "memories": ("memory_min_pages", 0),
    "tables": ("table_type", 0),
    "function_names": ("function_name_index", 0),
    "code": ("code_wasm_offset", 0),
    "functions": ("function", 0),
    "exports": ("export_name", 1),
    "imports": ("import_module", 1),
    "types": ("type_kind", 0),
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
    23: ("missing_trampoline", "the artifact has no code for this call; it is damaged: pack the module again"),
    24: ("null_structure_reference", "null structure reference"),
    25: ("null_array_reference", "null array reference"),
    26: ("null_i31_reference", "null i31 reference"),
    32: ("cannot_leave_component", "cannot leave component instance"),
    33: ("cannot_enter_component", "cannot enter component instance"),
    34: ("unaligned_pointer", "unaligned pointer"),
    35: ("unknown_handle", "unknown handle index"),
    36: ("wrong_handle_type", "handle index used with the wrong type"),
    37: ("invalid_variant", "invalid variant discriminant"),
    38: ("invalid_char", "invalid `char` bit pattern"),
    39: ("string_out_of_bounds", "string pointer/length out of bounds of memory"),
    40: ("list_out_of_bounds", "list content out-of-bounds"),
    41: ("pointer_out_of_bounds", "pointer out of bounds of memory"),
    42: ("realloc_out_of_bounds", "realloc return: beyond end of memory"),
    43: ("realloc_unaligned", "realloc return: result not aligned"),
    44: ("invalid_utf8", "invalid utf-8"),
    45: ("incomplete_utf8", "incomplete utf-8 byte sequence"),
    46: ("invalid_utf16", "unpaired surrogate in a utf-16 string"),
    47: ("resource_borrowed", "cannot remove owned resource while borrowed"),
    48: ("borrows_remain", "borrow handles still remain at the end of the call"),
    49: ("too_long", "a string or list longer than the canonical ABI allows"),
    50: ("damaged_component", "the component's description does not fit its code; it is damaged: pack it again"),
    51: ("string_content_out_of_bounds", "string content out-of-bounds"),
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
    34: ("missing_trampoline", "CorruptArtifact", "{import_name} can't be called: its trampoline is missing here, or in the artifact that it comes from; pack both modules again"),
    45: ("watcher", "LoadError", "can't start the thread that ends calls at their deadlines and interrupts: {strerror}; raise the limit on threads (ulimit -u)"),
    50: ("fuel", "UnlinkableModule", "code that counts fuel and code that does not can't be in one store: {text}; pack all modules with fuel=True, or none"),
}
