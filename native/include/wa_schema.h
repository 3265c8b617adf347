/* Layouts and codes shared by metadata, compiled code and runtime.
 * Generated from wasmartifact/schema.py by tools/generate.py: change the schema and run the tool. */

#ifndef WA_SCHEMA_H
#define WA_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

/* ---- constants ------------------------------------------------------------------------------------------------------- */

#define WA_FORMAT_MAJOR 2
#define WA_FORMAT_MINOR 5
#define WA_RUNTIME_ABI 6
#define WA_RUNTIME_ABI_OLDEST 2
#define WA_RUNTIME_ABI_OF_BARRIER 6
#define WA_METADATA_MAGIC 0xa747261776d7377UL
#define WA_ANCHOR_MAGIC 0xa7268636e617277UL
#define WA_COLUMN_ALIGN_BYTES 64
#define WA_BUILD_ID_BYTES 16
#define WA_NONE_U64 0xffffffffffffffffUL
#define WA_HEAD_MAX_BYTES 4096
#define WA_WASM_PAGE_BYTES 0x10000
#define WA_VALTYPE_I32 127
#define WA_VALTYPE_I64 126
#define WA_VALTYPE_F32 125
#define WA_VALTYPE_F64 124
#define WA_VALTYPE_V128 123
#define WA_VALTYPE_I8 120
#define WA_VALTYPE_I16 119
#define WA_VALTYPE_REF 100
#define WA_VALTYPE_REF_NULL 99
#define WA_HEAP_ABSTRACT 0x800000
#define WA_VALTYPE_FUNCREF 0x80007063U
#define WA_VALTYPE_EXTERNREF 0x80006f63U
#define WA_VALTYPE_EXNREF 0x80006963U
#define WA_KIND_FUNC 0
#define WA_KIND_TABLE 1
#define WA_KIND_MEMORY 2
#define WA_KIND_GLOBAL 3
#define WA_KIND_TAG 4
#define WA_LIMITS_HAS_MAX 1
#define WA_LIMITS_SHARED 2
#define WA_LIMITS_64 4
#define WA_GLOBAL_MUTABLE 1
#define WA_HEADER_READ_ONLY_DYNAMIC 1
#define WA_HEADER_CHECKS_EXCEPTIONS 2
#define WA_HEADER_FUEL 4
#define WA_HEADER_SNAPSHOT 8
#define WA_HEADER_COMPONENT 16
#define WA_HEADER_CPU_LEVELS 32
#define WA_HEADER_FLAGS 63
#define WA_MAX_CPU_LEVELS 8
#define WA_MAX_SECTIONS 64
#define WA_MAX_SECTION_NAMES_BYTES 2048
#define WA_MAX_MODULE_BYTES 0xffffffffU
#define WA_MAX_OPERANDS 1000
#define WA_OBJECT_MAX_BYTES 0x80000000U
#define WA_OBJECT_ALIGN_BYTES 16
#define WA_INLINE_CLASSES 8
#define WA_CHUNK_ROWS 32
#define WA_INLINED_MAX_DEPTH 16
#define WA_MAPPED_IMAGE_MIN_BYTES 16384
#define WA_MAX_TABLE_ELEMENTS 0x989680
#define WA_FUEL_PER_FUNCTION 1
#define WA_FUEL_PORTION 0x10000
#define WA_FUEL_COUNT_LIMIT 0x1000000000000UL
#define WA_FUEL_MAX 0x7fffffffffffffffUL
#define WA_REFERENCE_I31 2
#define WA_REFERENCE_HANDLE 4
#define WA_REFERENCE_TAGS 6
#define WA_I31_SHIFT 33
#define WA_TYPE_FUNC 0
#define WA_TYPE_STRUCT 1
#define WA_TYPE_ARRAY 2
#define WA_SUBTYPE_FINAL 1
#define WA_RTT_DISPLAY_MIN 8
#define WA_REFERENCES_FAR 0x80000000U
#define WA_CANON_LIFT 0
#define WA_CANON_HOST 1
#define WA_CANON_ADAPTER 2
#define WA_CANON_RESOURCE_NEW 3
#define WA_CANON_RESOURCE_REP 4
#define WA_CANON_RESOURCE_DROP 5
#define WA_MAX_FLAT_PARAMS 16
#define WA_MAX_FLAT_RESULTS 1
#define WA_MAX_VALUE_BYTES 0xfffffff
#define WA_NOTE_UNLIKE_WASI 0
#define WA_NOTE_IMPLEMENTS 1
#define WA_NOTE_EXTERNAL_ID 2
#define WA_NOTE_MODULE_TYPE 3
#define WA_TIED_ALIGN_BYTES 16
#define WA_TIED_ARRAYS_OFFSET 352
#define WA_GLIBC_MIN_MAJOR 2
#define WA_GLIBC_MIN_MINOR 35
#define WA_SECTION_NAME ".wasmartifact"
#define WA_ANCHOR_SYMBOL "wasmartifact_anchor"

/* ---- heap types, machines -------------------------------------------------------------------------------------------- */

#define WA_HEAP_EXN 0x800069
#define WA_HEAP_ARRAY 0x80006a
#define WA_HEAP_STRUCT 0x80006b
#define WA_HEAP_I31 0x80006c
#define WA_HEAP_EQ 0x80006d
#define WA_HEAP_ANY 0x80006e
#define WA_HEAP_EXTERN 0x80006f
#define WA_HEAP_FUNC 0x800070
#define WA_HEAP_NONE 0x800071
#define WA_HEAP_NOEXTERN 0x800072
#define WA_HEAP_NOFUNC 0x800073
#define WA_HEAP_NOEXN 0x800074
#define WA_MACHINE_X86_64 62
#define WA_MACHINE_AARCH64 183
/* X(start, end): bytes of the file's head that count as zero in load_checksum. */
#define WA_CTYPE_BOOL 0
#define WA_CTYPE_S8 1
#define WA_CTYPE_U8 2
#define WA_CTYPE_S16 3
#define WA_CTYPE_U16 4
#define WA_CTYPE_S32 5
#define WA_CTYPE_U32 6
#define WA_CTYPE_S64 7
#define WA_CTYPE_U64 8
#define WA_CTYPE_F32 9
#define WA_CTYPE_F64 10
#define WA_CTYPE_CHAR 11
#define WA_CTYPE_STRING 12
#define WA_CTYPE_LIST 13
#define WA_CTYPE_RECORD 14
#define WA_CTYPE_TUPLE 15
#define WA_CTYPE_VARIANT 16
#define WA_CTYPE_ENUM 17
#define WA_CTYPE_OPTION 18
#define WA_CTYPE_RESULT 19
#define WA_CTYPE_FLAGS 20
#define WA_CTYPE_OWN 21
#define WA_CTYPE_BORROW 22
#define WA_CTYPE_FUNC 23
#define WA_SORT_FUNC 0
#define WA_SORT_TYPE 1
#define WA_SORT_RESOURCE 2
#define WA_SORT_INSTANCE 3
#define WA_SORT_COMPONENT 4
#define WA_SORT_CORE_MODULE 5
#define WA_SORT_IMPORTED_FUNC 6
#define WA_ENCODING_UTF8 0
#define WA_ENCODING_UTF16 1
#define WA_ENCODING_LATIN1_UTF16 2
/* number of them */
#define WA_HOST_OBJECT_KINDS 8
#define WA_HEAD_MASKED_RANGES(X) \
    X(40, 48) \
    X(60, 64)

/* ---- traps ----------------------------------------------------------------------------------------------------------- */

/* unreachable */
#define WA_TRAP_UNREACHABLE 1
/* out of bounds memory access */
#define WA_TRAP_MEMORY_OUT_OF_BOUNDS 2
/* out of bounds table access */
#define WA_TRAP_TABLE_OUT_OF_BOUNDS 3
/* undefined element */
#define WA_TRAP_UNDEFINED_ELEMENT 4
/* uninitialized element */
#define WA_TRAP_UNINITIALIZED_ELEMENT 5
/* indirect call type mismatch */
#define WA_TRAP_INDIRECT_CALL_TYPE_MISMATCH 6
/* integer divide by zero */
#define WA_TRAP_INTEGER_DIVIDE_BY_ZERO 7
/* integer overflow */
#define WA_TRAP_INTEGER_OVERFLOW 8
/* invalid conversion to integer */
#define WA_TRAP_INVALID_CONVERSION_TO_INTEGER 9
/* call stack exhausted */
#define WA_TRAP_STACK_EXHAUSTED 10
/* null reference */
#define WA_TRAP_NULL_REFERENCE 11
/* null function reference */
#define WA_TRAP_NULL_FUNCTION_REFERENCE 12
/* unaligned atomic */
#define WA_TRAP_UNALIGNED_ATOMIC 13
/* expected shared memory */
#define WA_TRAP_EXPECTED_SHARED_MEMORY 14
/* interrupted */
#define WA_TRAP_INTERRUPTED 15
/* cast failure */
#define WA_TRAP_CAST_FAILURE 16
/* out of bounds array access */
#define WA_TRAP_ARRAY_OUT_OF_BOUNDS 17
/* null exception reference */
#define WA_TRAP_NULL_EXCEPTION_REFERENCE 18
/* out of memory in the runtime */
#define WA_TRAP_OUT_OF_MEMORY 19
/* deadline exceeded */
#define WA_TRAP_DEADLINE_EXCEEDED 20
/* out of fuel */
#define WA_TRAP_OUT_OF_FUEL 21
/* a call can't go on before a later call in the same store ends */
#define WA_TRAP_CALLS_INTERLEAVED 22
/* the artifact has no code for this call; it is damaged: pack the module again */
#define WA_TRAP_MISSING_TRAMPOLINE 23
/* null structure reference */
#define WA_TRAP_NULL_STRUCTURE_REFERENCE 24
/* null array reference */
#define WA_TRAP_NULL_ARRAY_REFERENCE 25
/* null i31 reference */
#define WA_TRAP_NULL_I31_REFERENCE 26
/* cannot leave component instance */
#define WA_TRAP_CANNOT_LEAVE_COMPONENT 32
/* cannot enter component instance */
#define WA_TRAP_CANNOT_ENTER_COMPONENT 33
/* unaligned pointer */
#define WA_TRAP_UNALIGNED_POINTER 34
/* unknown handle index */
#define WA_TRAP_UNKNOWN_HANDLE 35
/* handle index used with the wrong type */
#define WA_TRAP_WRONG_HANDLE_TYPE 36
/* invalid variant discriminant */
#define WA_TRAP_INVALID_VARIANT 37
/* invalid `char` bit pattern */
#define WA_TRAP_INVALID_CHAR 38
/* string pointer/length out of bounds of memory */
#define WA_TRAP_STRING_OUT_OF_BOUNDS 39
/* list content out-of-bounds */
#define WA_TRAP_LIST_OUT_OF_BOUNDS 40
/* pointer out of bounds of memory */
#define WA_TRAP_POINTER_OUT_OF_BOUNDS 41
/* realloc return: beyond end of memory */
#define WA_TRAP_REALLOC_OUT_OF_BOUNDS 42
/* realloc return: result not aligned */
#define WA_TRAP_REALLOC_UNALIGNED 43
/* invalid utf-8 */
#define WA_TRAP_INVALID_UTF8 44
/* incomplete utf-8 byte sequence */
#define WA_TRAP_INCOMPLETE_UTF8 45
/* unpaired surrogate in a utf-16 string */
#define WA_TRAP_INVALID_UTF16 46
/* cannot remove owned resource while borrowed */
#define WA_TRAP_RESOURCE_BORROWED 47
/* borrow handles still remain at the end of the call */
#define WA_TRAP_BORROWS_REMAIN 48
/* a string or list longer than the canonical ABI allows */
#define WA_TRAP_TOO_LONG 49
/* the component's description does not fit its code; it is damaged: pack it again */
#define WA_TRAP_DAMAGED_COMPONENT 50
/* string content out-of-bounds */
#define WA_TRAP_STRING_CONTENT_OUT_OF_BOUNDS 51
/* the values of one call take more bytes than the limit allows (value_bytes) */
#define WA_TRAP_VALUES_TOO_LARGE 52
/* more handles than the limit allows (handles) */
#define WA_TRAP_TOO_MANY_HANDLES 53

/* ---- errors of the runtime ------------------------------------------------------------------------------------------- */

/* BadMagic */
#define WA_ERROR_NOT_ELF 1
/* BadMagic */
#define WA_ERROR_NO_SECTION 2
/* BadMagic */
#define WA_ERROR_BAD_MAGIC 3
/* VersionMismatch */
#define WA_ERROR_FORMAT_VERSION 4
/* VersionMismatch */
#define WA_ERROR_RUNTIME_ABI 5
/* IncompatibleHost */
#define WA_ERROR_MACHINE 6
/* IncompatibleHost */
#define WA_ERROR_CPU_FEATURE 7
/* IncompatibleHost */
#define WA_ERROR_PAGE_SIZE 8
/* CorruptArtifact */
#define WA_ERROR_CORRUPT_ELF 9
/* CorruptArtifact */
#define WA_ERROR_CORRUPT_HEADER 10
/* CorruptArtifact */
#define WA_ERROR_CORRUPT_DIRECTORY 11
/* CorruptArtifact */
#define WA_ERROR_CORRUPT_ROW 12
/* CorruptArtifact */
#define WA_ERROR_BUILD_ID 13
/* LoadError */
#define WA_ERROR_SYSTEM 14
/* IncompatibleHost */
#define WA_ERROR_ADDRESS_SPACE 15
/* UnlinkableModule */
#define WA_ERROR_IMPORT_KIND 16
/* UnlinkableModule */
#define WA_ERROR_IMPORT_TYPE 17
/* LoadError */
#define WA_ERROR_NO_MEMORY 18
/* LoadError */
#define WA_ERROR_SIGNALS 19
/* LoadError */
#define WA_ERROR_STORE_BUSY 20
/* IncompatibleHost */
#define WA_ERROR_C_LIBRARY 21
/* CorruptArtifact */
#define WA_ERROR_LOAD_CHECKSUM 22
/* LoadError */
#define WA_ERROR_ADDRESS_SPACE_FULL 23
/* LoadError */
#define WA_ERROR_MAPPINGS 24
/* LoadError */
#define WA_ERROR_COMMIT 25
/* LoadError */
#define WA_ERROR_MEMORY_LIMIT 26
/* LoadError */
#define WA_ERROR_TABLE_LIMIT 27
/* LimitExceeded */
#define WA_ERROR_OVER_MEMORY_BYTES 28
/* LimitExceeded */
#define WA_ERROR_OVER_TABLE_ELEMENTS 29
/* LimitExceeded */
#define WA_ERROR_OVER_INSTANCES 30
/* CorruptArtifact */
#define WA_ERROR_CONTRACT 32
/* CorruptArtifact */
#define WA_ERROR_TYPE_CONFLICT 33
/* CorruptArtifact */
#define WA_ERROR_MISSING_TRAMPOLINE 34
/* LoadError */
#define WA_ERROR_WATCHER 45
/* UnlinkableModule */
#define WA_ERROR_FUEL 50

/* ---- structures ------------------------------------------------------------------------------------------------------ */

/* The first bytes of the metadata section. All offsets are relative to the start of the section unless said otherwise. */
struct wa_schema_metadata_header {
    /* METADATA_MAGIC */
    uint64_t magic;
    /* readers refuse another major version */
    uint16_t format_major;
    /* a newer minor adds columns only */
    uint16_t format_minor;
    /* loaders refuse another ABI */
    uint32_t runtime_abi;
    /* major << 16 | minor << 8 | patch of the packer */
    uint32_t library_version;
    /* ELF e_machine */
    uint32_t machine;
    /* alignment of page-aligned parts */
    uint32_t page_size_bytes;
    /* size of this header */
    uint32_t header_size_bytes;
    /* offset of the column directory */
    uint32_t directory_offset;
    /* number of directory entries */
    uint32_t directory_count;
    /* bytes from the file's start that load_checksum covers */
    uint32_t head_size_bytes;
    /* 1: the dynamic section is read-only, which takes glibc 2.35; 2: functions look for a pending exception after calls; 4: the code counts fuel; 8: a snapshot; 16: a component; 32: code for several CPU levels; other bits zero */
    uint32_t flags;
    /* size of the section, memory image included */
    uint64_t section_size_bytes;
    /* size of the whole file as packed, before any strip */
    uint64_t file_size_bytes;
    /* bit set of CPU_FEATURES that the code needs; where there are several CPU levels, the first */
    uint64_t cpu_features;
    /* bit set of WASM_FEATURES that the module uses */
    uint64_t wasm_features;
    /* virtual address of the anchor in the ELF image */
    uint64_t anchor_vaddr;
    /* virtual address of .text; every text_offset is relative to it */
    uint64_t text_vaddr;
    /* size of .text */
    uint64_t text_size_bytes;
    /* virtual address of the mapped copy of type_digest (16 bytes a type) */
    uint64_t type_digests_vaddr;
    /* digest of code and metadata; the anchor holds the same */
    uint8_t build_id[16];
    /* XXH64 chain of the file's head (masked), this header (itself zero), the directory */
    uint64_t load_checksum;
    /* zero */
    uint64_t load_reserved;
    /* BLAKE2b-256 of the section without its digests and signature */
    uint8_t section_digest[32];
    /* BLAKE2b-256 of the file without digests and signature */
    uint8_t file_digest[32];
    /* SHA-256 of the WebAssembly module that was packed */
    uint8_t wasm_digest[32];
    /* init function's text offset + 1, 0 where there is none */
    uint32_t init_text_offset;
    /* index of the start function + 1, 0 where there is none (init calls it) */
    uint32_t start_function;
    /* size of an instance record */
    uint32_t instance_size_bytes;
    /* offset in the record: memory_slot per memory */
    uint32_t instance_memories_offset;
    /* offset in the record: pointer to table_head per table */
    uint32_t instance_tables_offset;
    /* offset in the record: import_slot per imported function */
    uint32_t instance_imported_functions_offset;
    /* offset in the record: pointer to the cell per imported global */
    uint32_t instance_imported_globals_offset;
    /* offset in the record: pointer per tag */
    uint32_t instance_tags_offset;
    /* offset in the record: 16-byte cell per defined global */
    uint32_t instance_globals_offset;
    /* offset in the record: element_slot per element segment */
    uint32_t instance_elements_offset;
    /* offset in the record: one byte per data segment, 1 = dropped */
    uint32_t instance_data_dropped_offset;
    /* zero */
    uint32_t reserved;
    /* Ed25519 signature, zero where there is none */
    uint8_t signature[64];
    /* public key that it was made for, zero where there is none */
    uint8_t signing_key[32];
};
_Static_assert(sizeof(struct wa_schema_metadata_header) == 384, "size of metadata_header");
_Static_assert(offsetof(struct wa_schema_metadata_header, magic) == 0, "offset of metadata_header.magic");
_Static_assert(offsetof(struct wa_schema_metadata_header, format_major) == 8, "offset of metadata_header.format_major");
_Static_assert(offsetof(struct wa_schema_metadata_header, format_minor) == 10, "offset of metadata_header.format_minor");
_Static_assert(offsetof(struct wa_schema_metadata_header, runtime_abi) == 12, "offset of metadata_header.runtime_abi");
_Static_assert(offsetof(struct wa_schema_metadata_header, library_version) == 16, "offset of metadata_header.library_version");
_Static_assert(offsetof(struct wa_schema_metadata_header, machine) == 20, "offset of metadata_header.machine");
_Static_assert(offsetof(struct wa_schema_metadata_header, page_size_bytes) == 24, "offset of metadata_header.page_size_bytes");
_Static_assert(offsetof(struct wa_schema_metadata_header, header_size_bytes) == 28, "offset of metadata_header.header_size_bytes");
_Static_assert(offsetof(struct wa_schema_metadata_header, directory_offset) == 32, "offset of metadata_header.directory_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, directory_count) == 36, "offset of metadata_header.directory_count");
_Static_assert(offsetof(struct wa_schema_metadata_header, head_size_bytes) == 40, "offset of metadata_header.head_size_bytes");
_Static_assert(offsetof(struct wa_schema_metadata_header, flags) == 44, "offset of metadata_header.flags");
_Static_assert(offsetof(struct wa_schema_metadata_header, section_size_bytes) == 48, "offset of metadata_header.section_size_bytes");
_Static_assert(offsetof(struct wa_schema_metadata_header, file_size_bytes) == 56, "offset of metadata_header.file_size_bytes");
_Static_assert(offsetof(struct wa_schema_metadata_header, cpu_features) == 64, "offset of metadata_header.cpu_features");
_Static_assert(offsetof(struct wa_schema_metadata_header, wasm_features) == 72, "offset of metadata_header.wasm_features");
_Static_assert(offsetof(struct wa_schema_metadata_header, anchor_vaddr) == 80, "offset of metadata_header.anchor_vaddr");
_Static_assert(offsetof(struct wa_schema_metadata_header, text_vaddr) == 88, "offset of metadata_header.text_vaddr");
_Static_assert(offsetof(struct wa_schema_metadata_header, text_size_bytes) == 96, "offset of metadata_header.text_size_bytes");
_Static_assert(offsetof(struct wa_schema_metadata_header, type_digests_vaddr) == 104, "offset of metadata_header.type_digests_vaddr");
_Static_assert(offsetof(struct wa_schema_metadata_header, build_id) == 112, "offset of metadata_header.build_id");
_Static_assert(offsetof(struct wa_schema_metadata_header, load_checksum) == 128, "offset of metadata_header.load_checksum");
_Static_assert(offsetof(struct wa_schema_metadata_header, load_reserved) == 136, "offset of metadata_header.load_reserved");
_Static_assert(offsetof(struct wa_schema_metadata_header, section_digest) == 144, "offset of metadata_header.section_digest");
_Static_assert(offsetof(struct wa_schema_metadata_header, file_digest) == 176, "offset of metadata_header.file_digest");
_Static_assert(offsetof(struct wa_schema_metadata_header, wasm_digest) == 208, "offset of metadata_header.wasm_digest");
_Static_assert(offsetof(struct wa_schema_metadata_header, init_text_offset) == 240, "offset of metadata_header.init_text_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, start_function) == 244, "offset of metadata_header.start_function");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_size_bytes) == 248, "offset of metadata_header.instance_size_bytes");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_memories_offset) == 252, "offset of metadata_header.instance_memories_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_tables_offset) == 256, "offset of metadata_header.instance_tables_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_imported_functions_offset) == 260, "offset of metadata_header.instance_imported_functions_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_imported_globals_offset) == 264, "offset of metadata_header.instance_imported_globals_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_tags_offset) == 268, "offset of metadata_header.instance_tags_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_globals_offset) == 272, "offset of metadata_header.instance_globals_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_elements_offset) == 276, "offset of metadata_header.instance_elements_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, instance_data_dropped_offset) == 280, "offset of metadata_header.instance_data_dropped_offset");
_Static_assert(offsetof(struct wa_schema_metadata_header, reserved) == 284, "offset of metadata_header.reserved");
_Static_assert(offsetof(struct wa_schema_metadata_header, signature) == 288, "offset of metadata_header.signature");
_Static_assert(offsetof(struct wa_schema_metadata_header, signing_key) == 352, "offset of metadata_header.signing_key");

/* One column: where its values lie. Entries are sorted by column_id. */
struct wa_schema_directory_entry {
    /* id of the column; unknown ids are ignored */
    uint32_t column_id;
    /* size of one value */
    uint32_t element_size_bytes;
    /* offset of the first value, a multiple of 64 */
    uint64_t offset;
    /* number of values */
    uint64_t count;
};
_Static_assert(sizeof(struct wa_schema_directory_entry) == 24, "size of directory_entry");
_Static_assert(offsetof(struct wa_schema_directory_entry, column_id) == 0, "offset of directory_entry.column_id");
_Static_assert(offsetof(struct wa_schema_directory_entry, element_size_bytes) == 4, "offset of directory_entry.element_size_bytes");
_Static_assert(offsetof(struct wa_schema_directory_entry, offset) == 8, "offset of directory_entry.offset");
_Static_assert(offsetof(struct wa_schema_directory_entry, count) == 16, "offset of directory_entry.count");

/* Lies in the mapped, read-only code segment under the dynamic symbol wasmartifact_anchor; the contract follows it. */
struct wa_schema_anchor {
    /* ANCHOR_MAGIC */
    uint64_t magic;
    /* RUNTIME_ABI */
    uint32_t runtime_abi;
    /* bytes from the anchor to tied_levels; 0 where there is one CPU level */
    uint32_t levels_offset;
    /* same as in the metadata header */
    uint8_t build_id[16];
};
_Static_assert(sizeof(struct wa_schema_anchor) == 32, "size of anchor");
_Static_assert(offsetof(struct wa_schema_anchor, magic) == 0, "offset of anchor.magic");
_Static_assert(offsetof(struct wa_schema_anchor, runtime_abi) == 8, "offset of anchor.runtime_abi");
_Static_assert(offsetof(struct wa_schema_anchor, levels_offset) == 12, "offset of anchor.levels_offset");
_Static_assert(offsetof(struct wa_schema_anchor, build_id) == 16, "offset of anchor.build_id");

/* Follows the anchor: what compiled code and runtime rely on together. A tied_array for each of TIED_ARRAYS comes next. */
struct wa_schema_contract {
    /* as in the metadata header */
    uint64_t cpu_features;
    /* as in the metadata header */
    uint64_t anchor_vaddr;
    /* as in the metadata header */
    uint64_t text_vaddr;
    /* as in the metadata header */
    uint64_t text_size_bytes;
    /* as in the metadata header */
    uint64_t type_digests_vaddr;
    /* as in the metadata header */
    uint32_t machine;
    /* as in the metadata header */
    uint32_t page_size_bytes;
    /* as in the metadata header */
    uint32_t flags;
    /* as in the metadata header */
    uint32_t init_text_offset;
    /* as in the metadata header */
    uint32_t start_function;
    /* as in the metadata header */
    uint32_t instance_size_bytes;
    /* as in the metadata header */
    uint32_t instance_memories_offset;
    /* as in the metadata header */
    uint32_t instance_tables_offset;
    /* as in the metadata header */
    uint32_t instance_imported_functions_offset;
    /* as in the metadata header */
    uint32_t instance_imported_globals_offset;
    /* as in the metadata header */
    uint32_t instance_tags_offset;
    /* as in the metadata header */
    uint32_t instance_globals_offset;
    /* as in the metadata header */
    uint32_t instance_elements_offset;
    /* as in the metadata header */
    uint32_t instance_data_dropped_offset;
    /* number of imports */
    uint32_t imports;
    /* number of imported functions */
    uint32_t imported_functions;
    /* number of imported tables */
    uint32_t imported_tables;
    /* number of imported memories */
    uint32_t imported_memories;
    /* number of imported globals */
    uint32_t imported_globals;
    /* number of imported tags */
    uint32_t imported_tags;
    /* number of data segments */
    uint32_t data_segments;
    /* bytes from the anchor to a tied_subtype per type, and behind them a byte per value of type_values, 1 for a mutable field; 0: all types are function types that are final and have no supertype */
    uint32_t subtypes_offset;
};
_Static_assert(sizeof(struct wa_schema_contract) == 128, "size of contract");
_Static_assert(offsetof(struct wa_schema_contract, cpu_features) == 0, "offset of contract.cpu_features");
_Static_assert(offsetof(struct wa_schema_contract, anchor_vaddr) == 8, "offset of contract.anchor_vaddr");
_Static_assert(offsetof(struct wa_schema_contract, text_vaddr) == 16, "offset of contract.text_vaddr");
_Static_assert(offsetof(struct wa_schema_contract, text_size_bytes) == 24, "offset of contract.text_size_bytes");
_Static_assert(offsetof(struct wa_schema_contract, type_digests_vaddr) == 32, "offset of contract.type_digests_vaddr");
_Static_assert(offsetof(struct wa_schema_contract, machine) == 40, "offset of contract.machine");
_Static_assert(offsetof(struct wa_schema_contract, page_size_bytes) == 44, "offset of contract.page_size_bytes");
_Static_assert(offsetof(struct wa_schema_contract, flags) == 48, "offset of contract.flags");
_Static_assert(offsetof(struct wa_schema_contract, init_text_offset) == 52, "offset of contract.init_text_offset");
_Static_assert(offsetof(struct wa_schema_contract, start_function) == 56, "offset of contract.start_function");
_Static_assert(offsetof(struct wa_schema_contract, instance_size_bytes) == 60, "offset of contract.instance_size_bytes");
_Static_assert(offsetof(struct wa_schema_contract, instance_memories_offset) == 64, "offset of contract.instance_memories_offset");
_Static_assert(offsetof(struct wa_schema_contract, instance_tables_offset) == 68, "offset of contract.instance_tables_offset");
_Static_assert(offsetof(struct wa_schema_contract, instance_imported_functions_offset) == 72, "offset of contract.instance_imported_functions_offset");
_Static_assert(offsetof(struct wa_schema_contract, instance_imported_globals_offset) == 76, "offset of contract.instance_imported_globals_offset");
_Static_assert(offsetof(struct wa_schema_contract, instance_tags_offset) == 80, "offset of contract.instance_tags_offset");
_Static_assert(offsetof(struct wa_schema_contract, instance_globals_offset) == 84, "offset of contract.instance_globals_offset");
_Static_assert(offsetof(struct wa_schema_contract, instance_elements_offset) == 88, "offset of contract.instance_elements_offset");
_Static_assert(offsetof(struct wa_schema_contract, instance_data_dropped_offset) == 92, "offset of contract.instance_data_dropped_offset");
_Static_assert(offsetof(struct wa_schema_contract, imports) == 96, "offset of contract.imports");
_Static_assert(offsetof(struct wa_schema_contract, imported_functions) == 100, "offset of contract.imported_functions");
_Static_assert(offsetof(struct wa_schema_contract, imported_tables) == 104, "offset of contract.imported_tables");
_Static_assert(offsetof(struct wa_schema_contract, imported_memories) == 108, "offset of contract.imported_memories");
_Static_assert(offsetof(struct wa_schema_contract, imported_globals) == 112, "offset of contract.imported_globals");
_Static_assert(offsetof(struct wa_schema_contract, imported_tags) == 116, "offset of contract.imported_tags");
_Static_assert(offsetof(struct wa_schema_contract, data_segments) == 120, "offset of contract.data_segments");
_Static_assert(offsetof(struct wa_schema_contract, subtypes_offset) == 124, "offset of contract.subtypes_offset");

/* Where an array of the contract lies. */
struct wa_schema_tied_array {
    /* bytes from the anchor, a multiple of 16 */
    uint32_t offset;
    /* number of values */
    uint32_t count;
};
_Static_assert(sizeof(struct wa_schema_tied_array) == 8, "size of tied_array");
_Static_assert(offsetof(struct wa_schema_tied_array, offset) == 0, "offset of tied_array.offset");
_Static_assert(offsetof(struct wa_schema_tied_array, count) == 4, "offset of tied_array.count");

/* What the runtime takes from a row of the column function. */
struct wa_schema_tied_function {
    /* start of its code; 0 for imported ones */
    uint32_t text_offset;
    /* index of its type << 1 | 1 where it is short */
    uint32_t type_and_flags;
};
_Static_assert(sizeof(struct wa_schema_tied_function) == 8, "size of tied_function");
_Static_assert(offsetof(struct wa_schema_tied_function, text_offset) == 0, "offset of tied_function.text_offset");
_Static_assert(offsetof(struct wa_schema_tied_function, type_and_flags) == 4, "offset of tied_function.type_and_flags");

/* What a type definition says beside what it is made of. Fields of a struct and elements of an array stand in type_params. */
struct wa_schema_tied_subtype {
    /* 0 func, 1 struct, 2 array */
    uint32_t kind;
    /* index of the declared supertype + 1, 0 where there is none */
    uint32_t supertype;
    /* 1: final */
    uint32_t flags;
    /* number of supertypes, of those and so on */
    uint32_t depth;
};
_Static_assert(sizeof(struct wa_schema_tied_subtype) == 16, "size of tied_subtype");
_Static_assert(offsetof(struct wa_schema_tied_subtype, kind) == 0, "offset of tied_subtype.kind");
_Static_assert(offsetof(struct wa_schema_tied_subtype, supertype) == 4, "offset of tied_subtype.supertype");
_Static_assert(offsetof(struct wa_schema_tied_subtype, flags) == 8, "offset of tied_subtype.flags");
_Static_assert(offsetof(struct wa_schema_tied_subtype, depth) == 12, "offset of tied_subtype.depth");

/* The copy of a table image of MAPPED_IMAGE_MIN_BYTES or more that instances map; zeros for a smaller one. */
struct wa_schema_tied_image {
    /* where it starts in the file, page-aligned in the code segment; zeros up to the page's end */
    uint64_t file_offset;
    /* number of slots */
    uint64_t count;
};
_Static_assert(sizeof(struct wa_schema_tied_image) == 16, "size of tied_image");
_Static_assert(offsetof(struct wa_schema_tied_image, file_offset) == 0, "offset of tied_image.file_offset");
_Static_assert(offsetof(struct wa_schema_tied_image, count) == 8, "offset of tied_image.count");

/* Where code differs by CPU level. A tied_level for each one above the first comes next. */
struct wa_schema_tied_levels {
    /* number of levels above the first */
    uint32_t count;
    /* number of variants */
    uint32_t variants;
    /* bytes from the anchor to a tied_variant for each, ascending by text_offset */
    uint32_t variants_offset;
    /* where the last variant ends; what follows in .text is choices */
    uint32_t choices_text_offset;
};
_Static_assert(sizeof(struct wa_schema_tied_levels) == 16, "size of tied_levels");
_Static_assert(offsetof(struct wa_schema_tied_levels, count) == 0, "offset of tied_levels.count");
_Static_assert(offsetof(struct wa_schema_tied_levels, variants) == 4, "offset of tied_levels.variants");
_Static_assert(offsetof(struct wa_schema_tied_levels, variants_offset) == 8, "offset of tied_levels.variants_offset");
_Static_assert(offsetof(struct wa_schema_tied_levels, choices_text_offset) == 12, "offset of tied_levels.choices_text_offset");

/* A CPU level above the first. Each has all features of the one before it. */
struct wa_schema_tied_level {
    /* bit set of CPU_FEATURES that its code needs */
    uint64_t cpu_features;
    /* bytes from the anchor to its own array of tied_function, a multiple of 16 */
    uint32_t functions_offset;
    /* zero */
    uint32_t reserved;
};
_Static_assert(sizeof(struct wa_schema_tied_level) == 16, "size of tied_level");
_Static_assert(offsetof(struct wa_schema_tied_level, cpu_features) == 0, "offset of tied_level.cpu_features");
_Static_assert(offsetof(struct wa_schema_tied_level, functions_offset) == 8, "offset of tied_level.functions_offset");
_Static_assert(offsetof(struct wa_schema_tied_level, reserved) == 12, "offset of tied_level.reserved");

/* Code of a function that levels above the first have in place of the first one's. */
struct wa_schema_tied_variant {
    /* start of its code */
    uint32_t text_offset;
    /* the function */
    uint32_t func_index;
};
_Static_assert(sizeof(struct wa_schema_tied_variant) == 8, "size of tied_variant");
_Static_assert(offsetof(struct wa_schema_tied_variant, text_offset) == 0, "offset of tied_variant.text_offset");
_Static_assert(offsetof(struct wa_schema_tied_variant, func_index) == 4, "offset of tied_variant.func_index");

/* First bytes of an instance record; compiled functions get its address as their first argument. */
struct wa_schema_instance {
    /* lowest stack pointer at which a function may start; the runtime keeps it current */
    uint64_t stack_limit;
    /* table of runtime functions, indexed by RUNTIME_CALLS */
    void *calls;
    /* wa_store that owns the instance */
    void *store;
    /* wa_artifact of the code */
    void *artifact;
    /* private to the runtime: chunks of function_records, null until one is used */
    void *functions;
    /* address of .text */
    void *text;
    /* 16-byte slots of the store for values that no register holds; null without tail calls */
    void *operands;
    /* the store's store_cells, which are another one's should a call have joined two stores */
    void *exception;
    /* private part of the runtime */
    void *details;
    /* the store's cell with the fuel that no portion holds: a u64 */
    void *fuel;
    /* rtt of each type; null where no type is a struct, an array or a subtype */
    void *rtts;
    /* the CPU level whose functions it has: 0 for the first; choices compare with its first byte */
    uint32_t cpu_level;
    /* not 0: who puts a reference over another in an object tells the runtime before */
    uint32_t is_marking;
};
_Static_assert(sizeof(struct wa_schema_instance) == 96, "size of instance");
_Static_assert(offsetof(struct wa_schema_instance, stack_limit) == 0, "offset of instance.stack_limit");
_Static_assert(offsetof(struct wa_schema_instance, calls) == 8, "offset of instance.calls");
_Static_assert(offsetof(struct wa_schema_instance, store) == 16, "offset of instance.store");
_Static_assert(offsetof(struct wa_schema_instance, artifact) == 24, "offset of instance.artifact");
_Static_assert(offsetof(struct wa_schema_instance, functions) == 32, "offset of instance.functions");
_Static_assert(offsetof(struct wa_schema_instance, text) == 40, "offset of instance.text");
_Static_assert(offsetof(struct wa_schema_instance, operands) == 48, "offset of instance.operands");
_Static_assert(offsetof(struct wa_schema_instance, exception) == 56, "offset of instance.exception");
_Static_assert(offsetof(struct wa_schema_instance, details) == 64, "offset of instance.details");
_Static_assert(offsetof(struct wa_schema_instance, fuel) == 72, "offset of instance.fuel");
_Static_assert(offsetof(struct wa_schema_instance, rtts) == 80, "offset of instance.rtts");
_Static_assert(offsetof(struct wa_schema_instance, cpu_level) == 88, "offset of instance.cpu_level");
_Static_assert(offsetof(struct wa_schema_instance, is_marking) == 92, "offset of instance.is_marking");

/* A function as a value: what a funcref points to. Its address is its identity within a store. */
struct wa_schema_function_record {
    /* address to call with (context, parameters...), C convention; null: bind before the call */
    void *code;
    /* 16 bytes: digest of the type; within an artifact one address per canonical type */
    void *type;
    /* first argument: the instance of a wasm function, this record where code is a trampoline */
    void *context;
    /* host functions: void (*)(function_record *, uint64_t *slots) */
    void *invoke;
    /* wasm: the defining instance; host: the instance it is bound to, or null */
    void *instance;
    /* host functions: wa_host of the embedder; null for wasm functions */
    void *host;
    /* where code is an inward trampoline, the function itself; else null */
    void *tail_code;
    /* wasm functions: index in the defining instance's module */
    uint32_t func_index;
    /* zero */
    uint32_t reserved;
};
_Static_assert(sizeof(struct wa_schema_function_record) == 64, "size of function_record");
_Static_assert(offsetof(struct wa_schema_function_record, code) == 0, "offset of function_record.code");
_Static_assert(offsetof(struct wa_schema_function_record, type) == 8, "offset of function_record.type");
_Static_assert(offsetof(struct wa_schema_function_record, context) == 16, "offset of function_record.context");
_Static_assert(offsetof(struct wa_schema_function_record, invoke) == 24, "offset of function_record.invoke");
_Static_assert(offsetof(struct wa_schema_function_record, instance) == 32, "offset of function_record.instance");
_Static_assert(offsetof(struct wa_schema_function_record, host) == 40, "offset of function_record.host");
_Static_assert(offsetof(struct wa_schema_function_record, tail_code) == 48, "offset of function_record.tail_code");
_Static_assert(offsetof(struct wa_schema_function_record, func_index) == 56, "offset of function_record.func_index");
_Static_assert(offsetof(struct wa_schema_function_record, reserved) == 60, "offset of function_record.reserved");

/* A thrown exception, which an exnref points to. Its values follow, in slots as trampolines use them. */
struct wa_schema_exception {
    /* wa_tag; its address is its identity */
    void *tag;
    /* 1: an exnref may point here, so that only the collector may free it */
    uint64_t is_shared;
    /* place in the store's list */
    uint64_t position;
    /* of the collector */
    uint64_t mark;
};
_Static_assert(sizeof(struct wa_schema_exception) == 32, "size of exception");
_Static_assert(offsetof(struct wa_schema_exception, tag) == 0, "offset of exception.tag");
_Static_assert(offsetof(struct wa_schema_exception, is_shared) == 8, "offset of exception.is_shared");
_Static_assert(offsetof(struct wa_schema_exception, position) == 16, "offset of exception.position");
_Static_assert(offsetof(struct wa_schema_exception, mark) == 24, "offset of exception.mark");

/* A type at run time: one per process and type. Its supertypes follow, outermost first, then itself; null up to RTT_DISPLAY_MIN. */
struct wa_schema_rtt {
    /* number of supertypes */
    uint32_t depth;
    /* 0 func, 1 struct, 2 array */
    uint32_t kind;
    /* of an object of a struct type; of an element of an array type */
    uint32_t size_bytes;
    /* private to the runtime; bit i: the word i behind the type holds a reference; bit 31: others do */
    uint32_t references;
    /* private part of the runtime */
    void *details;
};
_Static_assert(sizeof(struct wa_schema_rtt) == 24, "size of rtt");
_Static_assert(offsetof(struct wa_schema_rtt, depth) == 0, "offset of rtt.depth");
_Static_assert(offsetof(struct wa_schema_rtt, kind) == 4, "offset of rtt.kind");
_Static_assert(offsetof(struct wa_schema_rtt, size_bytes) == 8, "offset of rtt.size_bytes");
_Static_assert(offsetof(struct wa_schema_rtt, references) == 12, "offset of rtt.references");
_Static_assert(offsetof(struct wa_schema_rtt, details) == 16, "offset of rtt.details");

/* First bytes of a struct or an array. Fields of a struct follow in order, each at a multiple of its size. */
struct wa_schema_object {
    /* its type */
    void *rtt;
};
_Static_assert(sizeof(struct wa_schema_object) == 8, "size of object");
_Static_assert(offsetof(struct wa_schema_object, rtt) == 0, "offset of object.rtt");

/* First bytes of an array; the elements follow. */
struct wa_schema_array {
    /* its type */
    void *rtt;
    /* number of elements */
    uint32_t length;
    /* zero */
    uint32_t reserved;
};
_Static_assert(sizeof(struct wa_schema_array) == 16, "size of array");
_Static_assert(offsetof(struct wa_schema_array, rtt) == 0, "offset of array.rtt");
_Static_assert(offsetof(struct wa_schema_array, length) == 8, "offset of array.length");
_Static_assert(offsetof(struct wa_schema_array, reserved) == 12, "offset of array.reserved");

/* What code of a store shares. INLINE_CLASSES runs and the runtime's own follow. */
struct wa_schema_store_cells {
    /* the pending exception, null if there is none */
    void *exception;
};
_Static_assert(sizeof(struct wa_schema_store_cells) == 8, "size of store_cells");
_Static_assert(offsetof(struct wa_schema_store_cells, exception) == 0, "offset of store_cells.exception");

/* Cells of one size in a row, free and zero. Who allocates takes the next one, and asks the runtime where there is none. */
struct wa_schema_run {
    /* the first cell */
    void *next;
    /* behind the last one */
    void *end;
};
_Static_assert(sizeof(struct wa_schema_run) == 16, "size of run");
_Static_assert(offsetof(struct wa_schema_run, next) == 0, "offset of run.next");
_Static_assert(offsetof(struct wa_schema_run, end) == 8, "offset of run.end");

/* An imported function in an instance record: code and context are copied here so that a call is two loads. */
struct wa_schema_import_slot {
    /* address to call */
    void *code;
    /* first argument */
    void *context;
    /* function_record of the import */
    void *record;
};
_Static_assert(sizeof(struct wa_schema_import_slot) == 24, "size of import_slot");
_Static_assert(offsetof(struct wa_schema_import_slot, code) == 0, "offset of import_slot.code");
_Static_assert(offsetof(struct wa_schema_import_slot, context) == 8, "offset of import_slot.context");
_Static_assert(offsetof(struct wa_schema_import_slot, record) == 16, "offset of import_slot.record");

/* A memory in an instance record. The base never changes while the instance lives. */
struct wa_schema_memory_slot {
    /* address of byte 0 */
    void *base;
    /* memory_head */
    void *memory;
};
_Static_assert(sizeof(struct wa_schema_memory_slot) == 16, "size of memory_slot");
_Static_assert(offsetof(struct wa_schema_memory_slot, base) == 0, "offset of memory_slot.base");
_Static_assert(offsetof(struct wa_schema_memory_slot, memory) == 8, "offset of memory_slot.memory");

/* First bytes of a wa_memory. */
struct wa_schema_memory_head {
    /* address of byte 0 */
    void *base;
    /* current size */
    uint64_t size_bytes;
};
_Static_assert(sizeof(struct wa_schema_memory_head) == 16, "size of memory_head");
_Static_assert(offsetof(struct wa_schema_memory_head, base) == 0, "offset of memory_head.base");
_Static_assert(offsetof(struct wa_schema_memory_head, size_bytes) == 8, "offset of memory_head.size_bytes");

/* First bytes of a wa_table. A slot is 8 bytes: 0 null; bit 0 set: func_index << 1 | 1 of the table's owner; else a reference. */
struct wa_schema_table_head {
    /* address of slot 0; changes when the table grows */
    void *slots;
    /* current number of slots */
    uint64_t size;
    /* instance that tagged slots refer to; null for host-made tables */
    void *owner;
};
_Static_assert(sizeof(struct wa_schema_table_head) == 24, "size of table_head");
_Static_assert(offsetof(struct wa_schema_table_head, slots) == 0, "offset of table_head.slots");
_Static_assert(offsetof(struct wa_schema_table_head, size) == 8, "offset of table_head.size");
_Static_assert(offsetof(struct wa_schema_table_head, owner) == 16, "offset of table_head.owner");

/* Start of a constant that calls through a table read in place of it, where nothing changes the table; the slots follow. */
struct wa_schema_fixed_table {
    /* number of slots */
    uint64_t size;
};
_Static_assert(sizeof(struct wa_schema_fixed_table) == 8, "size of fixed_table");
_Static_assert(offsetof(struct wa_schema_fixed_table, size) == 0, "offset of fixed_table.size");

/* A slot of such a constant: a function of the module, or all zero for null. */
struct wa_schema_fixed_slot {
    /* from the start of the constant to the code, signed */
    uint32_t code;
    /* 1 + the first type index that equals the function's type */
    uint32_t type;
};
_Static_assert(sizeof(struct wa_schema_fixed_slot) == 8, "size of fixed_slot");
_Static_assert(offsetof(struct wa_schema_fixed_slot, code) == 0, "offset of fixed_slot.code");
_Static_assert(offsetof(struct wa_schema_fixed_slot, type) == 4, "offset of fixed_slot.type");

/* An element segment in an instance record; a dropped one has size 0. */
struct wa_schema_element_slot {
    /* address of the first slot; tagged slots refer to this instance */
    void *slots;
    /* number of slots */
    uint64_t size;
};
_Static_assert(sizeof(struct wa_schema_element_slot) == 16, "size of element_slot");
_Static_assert(offsetof(struct wa_schema_element_slot, slots) == 0, "offset of element_slot.slots");
_Static_assert(offsetof(struct wa_schema_element_slot, size) == 8, "offset of element_slot.size");

/* A slot of the hash index of the exports. */
struct wa_schema_export_slot {
    /* index << 3 | kind + 1, as in export_index and export_kind; 0: the slot is empty */
    uint32_t item;
    /* hash of the name */
    uint32_t hash;
    /* where the name starts in export_name_bytes */
    uint32_t name_start;
    /* size of the name */
    uint32_t name_size_bytes;
};
_Static_assert(sizeof(struct wa_schema_export_slot) == 16, "size of export_slot");
_Static_assert(offsetof(struct wa_schema_export_slot, item) == 0, "offset of export_slot.item");
_Static_assert(offsetof(struct wa_schema_export_slot, hash) == 4, "offset of export_slot.hash");
_Static_assert(offsetof(struct wa_schema_export_slot, name_start) == 8, "offset of export_slot.name_start");
_Static_assert(offsetof(struct wa_schema_export_slot, name_size_bytes) == 12, "offset of export_slot.name_size_bytes");

/* What a call needs to know of a function. */
struct wa_schema_function_row {
    /* index of its type */
    uint32_t type;
    /* start of its code, ascending over the defined functions; 0 for imported ones */
    uint32_t text_offset;
    /* size of its code; 0 for imported ones */
    uint32_t code_size_bytes;
    /* bits; 1: short (no loop, no call), so that it may run without releasing the GIL */
    uint32_t flags;
};
_Static_assert(sizeof(struct wa_schema_function_row) == 16, "size of function_row");
_Static_assert(offsetof(struct wa_schema_function_row, type) == 0, "offset of function_row.type");
_Static_assert(offsetof(struct wa_schema_function_row, text_offset) == 4, "offset of function_row.text_offset");
_Static_assert(offsetof(struct wa_schema_function_row, code_size_bytes) == 8, "offset of function_row.code_size_bytes");
_Static_assert(offsetof(struct wa_schema_function_row, flags) == 12, "offset of function_row.flags");

/* Code of a function that levels above the first have in place of the first one's. */
struct wa_schema_cpu_variant {
    /* start of its code, ascending, behind that of all functions of the first level */
    uint32_t text_offset;
    /* size of its code */
    uint32_t code_size_bytes;
    /* the function, a defined one */
    uint32_t func_index;
    /* bit set of the levels that have it */
    uint32_t levels;
};
_Static_assert(sizeof(struct wa_schema_cpu_variant) == 16, "size of cpu_variant");
_Static_assert(offsetof(struct wa_schema_cpu_variant, text_offset) == 0, "offset of cpu_variant.text_offset");
_Static_assert(offsetof(struct wa_schema_cpu_variant, code_size_bytes) == 4, "offset of cpu_variant.code_size_bytes");
_Static_assert(offsetof(struct wa_schema_cpu_variant, func_index) == 8, "offset of cpu_variant.func_index");
_Static_assert(offsetof(struct wa_schema_cpu_variant, levels) == 12, "offset of cpu_variant.levels");

/* A type of a component. Types come after those that they consist of. */
struct wa_schema_component_type {
    /* place in COMPONENT_KINDS */
    uint32_t kind;
    /* its first item in component_item */
    uint32_t first_item;
    /* number of items: fields, cases, labels, parts; of a func its parameters, then its result */
    uint32_t item_count;
};
_Static_assert(sizeof(struct wa_schema_component_type) == 12, "size of component_type");
_Static_assert(offsetof(struct wa_schema_component_type, kind) == 0, "offset of component_type.kind");
_Static_assert(offsetof(struct wa_schema_component_type, first_item) == 4, "offset of component_type.first_item");
_Static_assert(offsetof(struct wa_schema_component_type, item_count) == 8, "offset of component_type.item_count");

/* A part of a type. */
struct wa_schema_component_item {
    /* row of component_name + 1 */
    uint32_t name;
    /* row of component_type + 1; of own and borrow, row of component_resource + 1 */
    uint32_t type;
};
_Static_assert(sizeof(struct wa_schema_component_item) == 8, "size of component_item");
_Static_assert(offsetof(struct wa_schema_component_item, name) == 0, "offset of component_item.name");
_Static_assert(offsetof(struct wa_schema_component_item, type) == 4, "offset of component_item.type");

/* A type of resources. */
struct wa_schema_component_resource {
    /* component instance that defines it + 1; 0: the embedder does */
    uint32_t owner;
    /* index of the function that ends one + 1 */
    uint32_t destructor;
    /* row of component_name + 1 */
    uint32_t name;
};
_Static_assert(sizeof(struct wa_schema_component_resource) == 12, "size of component_resource");
_Static_assert(offsetof(struct wa_schema_component_resource, owner) == 0, "offset of component_resource.owner");
_Static_assert(offsetof(struct wa_schema_component_resource, destructor) == 4, "offset of component_resource.destructor");
_Static_assert(offsetof(struct wa_schema_component_resource, name) == 8, "offset of component_resource.name");

/* A function of the canonical ABI. Those that are imported stand first, in the order of the imports. */
struct wa_schema_component_canon {
    /* 0 lift, 1 lower of a host function, 2 lower of a lifted one, 3 resource.new, 4 .rep, 5 .drop */
    uint32_t kind;
    /* component instance that it belongs to */
    uint32_t instance;
    /* row of component_type + 1 */
    uint32_t type;
    /* index of the function that is lifted, or of the import, + 1 */
    uint32_t function;
    /* memory index + 1 */
    uint32_t memory;
    /* function index + 1 */
    uint32_t realloc;
    /* function index + 1 */
    uint32_t post_return;
    /* of strings, place in STRING_ENCODINGS */
    uint32_t encoding;
    /* row + 1: of component_extern (kind 1), component_canon (2) or component_resource (3 to 5) */
    uint32_t target;
};
_Static_assert(sizeof(struct wa_schema_component_canon) == 36, "size of component_canon");
_Static_assert(offsetof(struct wa_schema_component_canon, kind) == 0, "offset of component_canon.kind");
_Static_assert(offsetof(struct wa_schema_component_canon, instance) == 4, "offset of component_canon.instance");
_Static_assert(offsetof(struct wa_schema_component_canon, type) == 8, "offset of component_canon.type");
_Static_assert(offsetof(struct wa_schema_component_canon, function) == 12, "offset of component_canon.function");
_Static_assert(offsetof(struct wa_schema_component_canon, memory) == 16, "offset of component_canon.memory");
_Static_assert(offsetof(struct wa_schema_component_canon, realloc) == 20, "offset of component_canon.realloc");
_Static_assert(offsetof(struct wa_schema_component_canon, post_return) == 24, "offset of component_canon.post_return");
_Static_assert(offsetof(struct wa_schema_component_canon, encoding) == 28, "offset of component_canon.encoding");
_Static_assert(offsetof(struct wa_schema_component_canon, target) == 32, "offset of component_canon.target");

/* What the component imports or exports, or what is in an instance that it does. */
struct wa_schema_component_extern {
    /* row of component_name + 1 */
    uint32_t name;
    /* place in COMPONENT_SORTS */
    uint32_t sort;
    /* row of the instance that it is in + 1 */
    uint32_t parent;
    /* 1 exported, 0 imported */
    uint32_t is_export;
    /* row + 1: of component_type (types, imported functions), component_canon (exported functions), component_resource (resources), component_extern (imported func) */
    uint32_t index;
};
_Static_assert(sizeof(struct wa_schema_component_extern) == 20, "size of component_extern");
_Static_assert(offsetof(struct wa_schema_component_extern, name) == 0, "offset of component_extern.name");
_Static_assert(offsetof(struct wa_schema_component_extern, sort) == 4, "offset of component_extern.sort");
_Static_assert(offsetof(struct wa_schema_component_extern, parent) == 8, "offset of component_extern.parent");
_Static_assert(offsetof(struct wa_schema_component_extern, is_export) == 12, "offset of component_extern.is_export");
_Static_assert(offsetof(struct wa_schema_component_extern, index) == 16, "offset of component_extern.index");

/* The handles that a component instance has. Its places follow those of the one before. */
struct wa_schema_component_table {
    /* number of its places; the first one, 0, is no handle */
    uint32_t place_count;
    /* place for the next handle, 0: a new one */
    uint32_t free;
};
_Static_assert(sizeof(struct wa_schema_component_table) == 8, "size of component_table");
_Static_assert(offsetof(struct wa_schema_component_table, place_count) == 0, "offset of component_table.place_count");
_Static_assert(offsetof(struct wa_schema_component_table, free) == 4, "offset of component_table.free");

/* A place in the handles of a component instance. All handles are owned. */
struct wa_schema_component_handle {
    /* row of component_resource + 1; 0: a free place */
    uint32_t resource;
    /* what the component calls the resource; of the embedder's, row of host_objects + 1; of a free place, the next free one, 0 where there is none */
    uint32_t rep;
};
_Static_assert(sizeof(struct wa_schema_component_handle) == 8, "size of component_handle");
_Static_assert(offsetof(struct wa_schema_component_handle, resource) == 0, "offset of component_handle.resource");
_Static_assert(offsetof(struct wa_schema_component_handle, rep) == 4, "offset of component_handle.rep");

/* Something that few imports and exports have. */
struct wa_schema_component_note {
    /* row of component_extern */
    uint32_t owner;
    /* 0 how the type of a function differs from the one that WASI 0.2 has, 1 implements, 2 external-id, 3 the type of a core module; others are to be ignored */
    uint32_t kind;
    /* row of component_name + 1; of 3, JSON */
    uint32_t text;
};
_Static_assert(sizeof(struct wa_schema_component_note) == 12, "size of component_note");
_Static_assert(offsetof(struct wa_schema_component_note, owner) == 0, "offset of component_note.owner");
_Static_assert(offsetof(struct wa_schema_component_note, kind) == 4, "offset of component_note.kind");
_Static_assert(offsetof(struct wa_schema_component_note, text) == 8, "offset of component_note.text");

/* ---- columns of the metadata section --------------------------------------------------------------------------------- */

#define WA_SHAPE_ROWS 0
#define WA_SHAPE_OFFSETS 1
#define WA_SHAPE_FLAT 2
#define WA_GROUP_TYPES 1
#define WA_GROUP_IMPORTS 2
#define WA_GROUP_EXPORTS 3
#define WA_GROUP_FUNCTIONS 4
#define WA_GROUP_CODE 5
#define WA_GROUP_FUNCTION_NAMES 6
#define WA_GROUP_TABLES 7
#define WA_GROUP_MEMORIES 8
#define WA_GROUP_GLOBALS 9
#define WA_GROUP_TAGS 10
#define WA_GROUP_ELEMENTS 11
#define WA_GROUP_DATA 12
#define WA_GROUP_IMAGE_RUNS 13
#define WA_GROUP_ADDRESS_MAP 14
#define WA_GROUP_CUSTOM_SECTIONS 15
#define WA_GROUP_INFO 16
#define WA_GROUP_SOURCE_LINES 17
#define WA_GROUP_SOURCE_FILES 18
#define WA_GROUP_INWARD_TRAMPOLINES 19
#define WA_GROUP_ADDRESS_BLOCKS 20
/* X(id, name, element_size, shape, group), ascending by id */
#define WA_COLUMNS(X) \
    X(32, type_kind, 1, WA_SHAPE_ROWS, WA_GROUP_TYPES) \
    X(33, type_digest, 16, WA_SHAPE_ROWS, WA_GROUP_TYPES) \
    X(34, type_canonical, 4, WA_SHAPE_ROWS, WA_GROUP_TYPES) \
    X(35, type_params, 4, WA_SHAPE_OFFSETS, WA_GROUP_TYPES) \
    X(36, type_results, 4, WA_SHAPE_OFFSETS, WA_GROUP_TYPES) \
    X(37, type_values, 4, WA_SHAPE_FLAT, WA_GROUP_TYPES) \
    X(38, type_entry, 4, WA_SHAPE_ROWS, WA_GROUP_TYPES) \
    X(39, type_host, 4, WA_SHAPE_ROWS, WA_GROUP_TYPES) \
    X(64, import_module, 4, WA_SHAPE_OFFSETS, WA_GROUP_IMPORTS) \
    X(65, import_module_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_IMPORTS) \
    X(66, import_name, 4, WA_SHAPE_OFFSETS, WA_GROUP_IMPORTS) \
    X(67, import_name_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_IMPORTS) \
    X(68, import_kind, 1, WA_SHAPE_ROWS, WA_GROUP_IMPORTS) \
    X(69, import_index, 4, WA_SHAPE_ROWS, WA_GROUP_IMPORTS) \
    X(96, export_name, 4, WA_SHAPE_OFFSETS, WA_GROUP_EXPORTS) \
    X(97, export_name_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_EXPORTS) \
    X(98, export_kind, 1, WA_SHAPE_ROWS, WA_GROUP_EXPORTS) \
    X(99, export_index, 4, WA_SHAPE_ROWS, WA_GROUP_EXPORTS) \
    X(100, export_slots, 16, WA_SHAPE_FLAT, WA_GROUP_EXPORTS) \
    X(128, function, 16, WA_SHAPE_ROWS, WA_GROUP_FUNCTIONS) \
    X(160, code_wasm_offset, 4, WA_SHAPE_ROWS, WA_GROUP_CODE) \
    X(161, code_wasm_size, 4, WA_SHAPE_ROWS, WA_GROUP_CODE) \
    X(192, function_name_index, 4, WA_SHAPE_ROWS, WA_GROUP_FUNCTION_NAMES) \
    X(193, function_name_offset, 8, WA_SHAPE_ROWS, WA_GROUP_FUNCTION_NAMES) \
    X(194, function_name_size, 4, WA_SHAPE_ROWS, WA_GROUP_FUNCTION_NAMES) \
    X(224, table_type, 4, WA_SHAPE_ROWS, WA_GROUP_TABLES) \
    X(225, table_min, 8, WA_SHAPE_ROWS, WA_GROUP_TABLES) \
    X(226, table_max, 8, WA_SHAPE_ROWS, WA_GROUP_TABLES) \
    X(227, table_flags, 1, WA_SHAPE_ROWS, WA_GROUP_TABLES) \
    X(228, table_image_offset, 8, WA_SHAPE_ROWS, WA_GROUP_TABLES) \
    X(229, table_image_count, 8, WA_SHAPE_ROWS, WA_GROUP_TABLES) \
    X(256, memory_min_pages, 8, WA_SHAPE_ROWS, WA_GROUP_MEMORIES) \
    X(257, memory_max_pages, 8, WA_SHAPE_ROWS, WA_GROUP_MEMORIES) \
    X(258, memory_flags, 1, WA_SHAPE_ROWS, WA_GROUP_MEMORIES) \
    X(259, memory_page_log2, 1, WA_SHAPE_ROWS, WA_GROUP_MEMORIES) \
    X(260, memory_guard, 1, WA_SHAPE_ROWS, WA_GROUP_MEMORIES) \
    X(288, global_type, 4, WA_SHAPE_ROWS, WA_GROUP_GLOBALS) \
    X(289, global_flags, 1, WA_SHAPE_ROWS, WA_GROUP_GLOBALS) \
    X(290, global_image, 16, WA_SHAPE_FLAT, WA_GROUP_GLOBALS) \
    X(291, global_init, 4, WA_SHAPE_OFFSETS, WA_GROUP_GLOBALS) \
    X(292, global_init_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_GLOBALS) \
    X(320, tag_type, 4, WA_SHAPE_ROWS, WA_GROUP_TAGS) \
    X(352, element_mode, 1, WA_SHAPE_ROWS, WA_GROUP_ELEMENTS) \
    X(353, element_type, 4, WA_SHAPE_ROWS, WA_GROUP_ELEMENTS) \
    X(354, element_table, 4, WA_SHAPE_ROWS, WA_GROUP_ELEMENTS) \
    X(355, element_offset, 8, WA_SHAPE_ROWS, WA_GROUP_ELEMENTS) \
    X(356, element_in_image, 1, WA_SHAPE_ROWS, WA_GROUP_ELEMENTS) \
    X(357, element_slots, 8, WA_SHAPE_OFFSETS, WA_GROUP_ELEMENTS) \
    X(358, element_slot_values, 8, WA_SHAPE_FLAT, WA_GROUP_ELEMENTS) \
    X(384, data_mode, 1, WA_SHAPE_ROWS, WA_GROUP_DATA) \
    X(385, data_memory, 4, WA_SHAPE_ROWS, WA_GROUP_DATA) \
    X(386, data_offset, 8, WA_SHAPE_ROWS, WA_GROUP_DATA) \
    X(387, data_in_image, 1, WA_SHAPE_ROWS, WA_GROUP_DATA) \
    X(388, data_size, 8, WA_SHAPE_ROWS, WA_GROUP_DATA) \
    X(389, data_start, 8, WA_SHAPE_OFFSETS, WA_GROUP_DATA) \
    X(390, data_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_DATA) \
    X(416, run_memory, 4, WA_SHAPE_ROWS, WA_GROUP_IMAGE_RUNS) \
    X(417, run_memory_offset, 8, WA_SHAPE_ROWS, WA_GROUP_IMAGE_RUNS) \
    X(418, run_section_offset, 8, WA_SHAPE_ROWS, WA_GROUP_IMAGE_RUNS) \
    X(419, run_size, 8, WA_SHAPE_ROWS, WA_GROUP_IMAGE_RUNS) \
    X(448, address_text, 2, WA_SHAPE_ROWS, WA_GROUP_ADDRESS_MAP) \
    X(449, address_wasm, 2, WA_SHAPE_ROWS, WA_GROUP_ADDRESS_MAP) \
    X(450, address_trap, 1, WA_SHAPE_ROWS, WA_GROUP_ADDRESS_MAP) \
    X(480, custom_name, 4, WA_SHAPE_OFFSETS, WA_GROUP_CUSTOM_SECTIONS) \
    X(481, custom_name_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_CUSTOM_SECTIONS) \
    X(482, custom_data, 8, WA_SHAPE_OFFSETS, WA_GROUP_CUSTOM_SECTIONS) \
    X(483, custom_data_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_CUSTOM_SECTIONS) \
    X(512, info_key, 4, WA_SHAPE_OFFSETS, WA_GROUP_INFO) \
    X(513, info_key_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_INFO) \
    X(514, info_value, 4, WA_SHAPE_OFFSETS, WA_GROUP_INFO) \
    X(515, info_value_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_INFO) \
    X(544, source_wasm_offset, 4, WA_SHAPE_ROWS, WA_GROUP_SOURCE_LINES) \
    X(545, source_line, 4, WA_SHAPE_ROWS, WA_GROUP_SOURCE_LINES) \
    X(546, source_file, 4, WA_SHAPE_ROWS, WA_GROUP_SOURCE_LINES) \
    X(576, source_file_name, 4, WA_SHAPE_OFFSETS, WA_GROUP_SOURCE_FILES) \
    X(577, source_file_name_bytes, 1, WA_SHAPE_FLAT, WA_GROUP_SOURCE_FILES) \
    X(608, type_inward, 4, WA_SHAPE_ROWS, WA_GROUP_INWARD_TRAMPOLINES) \
    X(640, address_block_row, 4, WA_SHAPE_ROWS, WA_GROUP_ADDRESS_BLOCKS) \
    X(641, address_block_text, 4, WA_SHAPE_ROWS, WA_GROUP_ADDRESS_BLOCKS) \
    X(642, address_block_wasm, 4, WA_SHAPE_ROWS, WA_GROUP_ADDRESS_BLOCKS)
/* of components only */
#define WA_COLUMN_COMPONENT_NAME 768
/* of components only */
#define WA_COLUMN_COMPONENT_NAME_BYTES 769
/* of components only */
#define WA_COLUMN_COMPONENT_TYPE 800
/* of components only */
#define WA_COLUMN_COMPONENT_ITEM 832
/* of components only */
#define WA_COLUMN_COMPONENT_RESOURCE 864
/* of components only */
#define WA_COLUMN_COMPONENT_CANON 896
/* of components only */
#define WA_COLUMN_COMPONENT_EXTERN 928
/* of components only */
#define WA_COLUMN_COMPONENT_TABLE 960
/* of components only */
#define WA_COLUMN_COMPONENT_HANDLE 992
/* of components only */
#define WA_COLUMN_HOST_OBJECT_KIND 1024
/* of components only */
#define WA_COLUMN_HOST_OBJECT_NAME 1025
/* of components only */
#define WA_COLUMN_HOST_OBJECT_NAME_BYTES 1026
/* of components only */
#define WA_COLUMN_COMPONENT_NOTE 1056
/* 16 bytes as the value of a column: a digest, a cell. */
struct wa_schema_u8x16 {
    uint8_t bytes[16];
};
/* A column by the type of its values: count of them at data. */
struct wa_schema_column_u8 {
    const uint8_t *data;
    uint64_t count;
};
struct wa_schema_column_u8x16 {
    const struct wa_schema_u8x16 *data;
    uint64_t count;
};
struct wa_schema_column_u32 {
    const uint32_t *data;
    uint64_t count;
};
struct wa_schema_column_export_slot {
    const struct wa_schema_export_slot *data;
    uint64_t count;
};
struct wa_schema_column_function_row {
    const struct wa_schema_function_row *data;
    uint64_t count;
};
struct wa_schema_column_u64 {
    const uint64_t *data;
    uint64_t count;
};
struct wa_schema_column_u16 {
    const uint16_t *data;
    uint64_t count;
};
/* The columns of a mapped section. */
struct wa_schema_columns {
    /* 0 func, 1 struct, 2 array; code */
    struct wa_schema_column_u8 type_kind;
    /* BLAKE2b-128 of the type's structure; equal digests are equal types; bytes */
    struct wa_schema_column_u8x16 type_digest;
    /* first type of the module with the same digest; type index */
    struct wa_schema_column_u32 type_canonical;
    /* parameters of a func type; index */
    struct wa_schema_column_u32 type_params;
    /* results of a func type; index */
    struct wa_schema_column_u32 type_results;
    /* value types; valtype */
    struct wa_schema_column_u32 type_values;
    /* entry trampoline, 0 where there is none; text offset + 1 */
    struct wa_schema_column_u32 type_entry;
    /* host-call trampoline, 0 where there is none; text offset + 1 */
    struct wa_schema_column_u32 type_host;
    /* module name, UTF-8; byte */
    struct wa_schema_column_u32 import_module;
    /* module names; bytes */
    struct wa_schema_column_u8 import_module_bytes;
    /* name, UTF-8; byte */
    struct wa_schema_column_u32 import_name;
    /* names; bytes */
    struct wa_schema_column_u8 import_name_bytes;
    /* 0 func, 1 table, 2 memory, 3 global, 4 tag; kind */
    struct wa_schema_column_u8 import_kind;
    /* index in the index space of its kind, where its type stands; index */
    struct wa_schema_column_u32 import_index;
    /* name, UTF-8; byte */
    struct wa_schema_column_u32 export_name;
    /* names; bytes */
    struct wa_schema_column_u8 export_name_bytes;
    /* as import_kind; kind */
    struct wa_schema_column_u8 export_kind;
    /* index in the index space of its kind; index */
    struct wa_schema_column_u32 export_index;
    /* hash index: a power of two of slots, linear probing; slot */
    struct wa_schema_column_export_slot export_slots;
    /* the function index space, imported functions first; row */
    struct wa_schema_column_function_row function;
    /* file offset of a defined function's code entry, after its size; wasm offset */
    struct wa_schema_column_u32 code_wasm_offset;
    /* size of the code entry; bytes */
    struct wa_schema_column_u32 code_wasm_size;
    /* ascending; functions that the name section names; func index */
    struct wa_schema_column_u32 function_name_index;
    /* where the name starts in custom_data_bytes, which holds the name section; UTF-8; byte */
    struct wa_schema_column_u64 function_name_offset;
    /* size of the name; bytes */
    struct wa_schema_column_u32 function_name_size;
    /* element type; valtype */
    struct wa_schema_column_u32 table_type;
    /* minimum size; elements */
    struct wa_schema_column_u64 table_min;
    /* maximum size, 2**64-1 where there is none; elements */
    struct wa_schema_column_u64 table_max;
    /* 1 has maximum, 2 shared, 4 64-bit index; bits */
    struct wa_schema_column_u8 table_flags;
    /* initial slots, page-aligned; 0 where there is no image; section offset */
    struct wa_schema_column_u64 table_image_offset;
    /* number of initial slots in the image; elements */
    struct wa_schema_column_u64 table_image_count;
    /* minimum size; pages */
    struct wa_schema_column_u64 memory_min_pages;
    /* maximum size, 2**64-1 where there is none; pages */
    struct wa_schema_column_u64 memory_max_pages;
    /* 1 has maximum, 2 shared, 4 64-bit index; bits */
    struct wa_schema_column_u8 memory_flags;
    /* page size, 16 by default; log2 bytes */
    struct wa_schema_column_u8 memory_page_log2;
    /* 0: code relies on 8 GiB reserved from the base; 1: code checks every access; code */
    struct wa_schema_column_u8 memory_guard;
    /* value type, imported globals first; valtype */
    struct wa_schema_column_u32 global_type;
    /* 1 mutable; bits */
    struct wa_schema_column_u8 global_flags;
    /* initial cell of each defined global; zero where init code computes it; a function of a snapshot as its slot; bytes */
    struct wa_schema_column_u8x16 global_image;
    /* initialiser of each global as WebAssembly bytes, empty for imports; byte */
    struct wa_schema_column_u32 global_init;
    /* constant expressions; bytes */
    struct wa_schema_column_u8 global_init_bytes;
    /* type of each tag, imported ones first; type index */
    struct wa_schema_column_u32 tag_type;
    /* 0 active, 1 passive, 2 declarative; code */
    struct wa_schema_column_u8 element_mode;
    /* element type; valtype */
    struct wa_schema_column_u32 element_type;
    /* target of an active segment; table index */
    struct wa_schema_column_u32 element_table;
    /* constant target offset, 2**64-1 where it is computed; elements */
    struct wa_schema_column_u64 element_offset;
    /* 1: it starts dropped: the table image holds it, or it was dropped before the snapshot; flag */
    struct wa_schema_column_u8 element_in_image;
    /* initial slots; computed values stand as 0; index */
    struct wa_schema_column_u64 element_slots;
    /* 0 null, func_index << 1 | 1; slot */
    struct wa_schema_column_u64 element_slot_values;
    /* 0 active, 1 passive; code */
    struct wa_schema_column_u8 data_mode;
    /* target of an active segment; memory index */
    struct wa_schema_column_u32 data_memory;
    /* constant target offset, 2**64-1 where it is computed; bytes */
    struct wa_schema_column_u64 data_offset;
    /* 1: it starts dropped and data_bytes lacks it: the memory image holds it, or it was dropped before the snapshot; flag */
    struct wa_schema_column_u8 data_in_image;
    /* size of the segment; bytes */
    struct wa_schema_column_u64 data_size;
    /* bytes of the segments that are not in the image; byte */
    struct wa_schema_column_u64 data_start;
    /* segment contents; bytes */
    struct wa_schema_column_u8 data_bytes;
    /* defined memory that the run belongs to, ascending; memory index */
    struct wa_schema_column_u32 run_memory;
    /* page-aligned offset in the memory, ascending within it; bytes */
    struct wa_schema_column_u64 run_memory_offset;
    /* page-aligned offset of the run; section offset */
    struct wa_schema_column_u64 run_section_offset;
    /* multiple of the page size; bytes */
    struct wa_schema_column_u64 run_size;
    /* up to format 2.3: start of a range of instructions, from address_block_text of its block, ascending; bytes */
    struct wa_schema_column_u16 address_text;
    /* the WebAssembly instruction it came from, from address_block_wasm of its block; 0 where unknown; bytes + 1 */
    struct wa_schema_column_u16 address_wasm;
    /* trap that the range can raise; 0 none; trap code */
    struct wa_schema_column_u8 address_trap;
    /* name, UTF-8; the packer leaves .debug_* out unless they are asked for; byte */
    struct wa_schema_column_u32 custom_name;
    /* names; bytes */
    struct wa_schema_column_u8 custom_name_bytes;
    /* contents; byte */
    struct wa_schema_column_u64 custom_data;
    /* contents; bytes */
    struct wa_schema_column_u8 custom_data_bytes;
    /* what: module_name, opt_level, cpu, target, packer, llvmlite, and libllvm where that generated the code; of a snapshot, too, snapshot_of: the build id of the artifact that it is of; byte */
    struct wa_schema_column_u32 info_key;
    /* keys; bytes */
    struct wa_schema_column_u8 info_key_bytes;
    /* value, UTF-8; byte */
    struct wa_schema_column_u32 info_value;
    /* values; bytes */
    struct wa_schema_column_u8 info_value_bytes;
    /* up to format 2.3: start of a range of instructions, strictly ascending; wasm offset */
    struct wa_schema_column_u32 source_wasm_offset;
    /* line in the source file, 0 where unknown; line */
    struct wa_schema_column_u32 source_line;
    /* the file, a row of source_files; 0 where unknown; row + 1 */
    struct wa_schema_column_u32 source_file;
    /* path as the compiler wrote it, relative to where it ran; UTF-8; byte */
    struct wa_schema_column_u32 source_file_name;
    /* paths; bytes */
    struct wa_schema_column_u8 source_file_name_bytes;
    /* per type, if the module has tail calls: the trampoline from C to functions whose values registers don't hold, 0 where there is none; else no rows; text offset + 1 */
    struct wa_schema_column_u32 type_inward;
    /* up to format 2.3: the block's first row in the address map, strictly ascending; the first one's is 0; row */
    struct wa_schema_column_u32 address_block_row;
    /* where its first row starts, ascending; text offset */
    struct wa_schema_column_u32 address_block_text;
    /* what its rows count WebAssembly offsets from; wasm offset */
    struct wa_schema_column_u32 address_block_wasm;
};

/* ---- the contract ---------------------------------------------------------------------------------------------------- */

/* X(name): header fields that the contract repeats */
#define WA_TIED_HEADER_FIELDS(X) \
    X(cpu_features) \
    X(anchor_vaddr) \
    X(text_vaddr) \
    X(text_size_bytes) \
    X(type_digests_vaddr) \
    X(machine) \
    X(page_size_bytes) \
    X(flags) \
    X(init_text_offset) \
    X(start_function) \
    X(instance_size_bytes) \
    X(instance_memories_offset) \
    X(instance_tables_offset) \
    X(instance_imported_functions_offset) \
    X(instance_imported_globals_offset) \
    X(instance_tags_offset) \
    X(instance_globals_offset) \
    X(instance_elements_offset) \
    X(instance_data_dropped_offset)
/* X(position, name): columns that the contract repeats */
#define WA_TIED_COLUMNS(X) \
    X(0, type_digest) \
    X(1, type_canonical) \
    X(2, type_params) \
    X(3, type_results) \
    X(4, type_values) \
    X(5, type_entry) \
    X(6, type_host) \
    X(7, type_inward) \
    X(8, table_type) \
    X(9, table_min) \
    X(10, table_max) \
    X(11, table_flags) \
    X(12, memory_min_pages) \
    X(13, memory_max_pages) \
    X(14, memory_flags) \
    X(15, memory_page_log2) \
    X(16, memory_guard) \
    X(17, global_type) \
    X(18, global_flags) \
    X(19, global_image) \
    X(20, tag_type) \
    X(21, element_type)
/* position of an array of tied_function */
#define WA_TIED_FUNCTIONS 22
/* position of an array of tied_image */
#define WA_TIED_TABLE_IMAGES 23

/* ---- functions that compiled code calls ------------------------------------------------------------------------------ */

/* What instance.calls points to. References cross as uint64_t. */
struct wa_schema_calls {
    /* (memory, delta_pages) -> old size in pages, or -1 */
    uint64_t (*memory_grow)(struct wa_schema_instance *instance, uint32_t, uint64_t);
    /* (dst_memory, src_memory, dst, src, size_bytes); traps */
    void (*memory_copy)(struct wa_schema_instance *instance, uint32_t, uint32_t, uint64_t, uint64_t, uint64_t);
    /* (memory, dst, value, size_bytes); traps */
    void (*memory_fill)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint32_t, uint64_t);
    /* (memory, data_segment, dst, src, size_bytes); traps */
    void (*memory_init)(struct wa_schema_instance *instance, uint32_t, uint32_t, uint64_t, uint64_t, uint64_t);
    /* (data_segment) */
    void (*data_drop)(struct wa_schema_instance *instance, uint32_t);
    /* (table, index) -> reference, materialised; traps */
    uint64_t (*table_get)(struct wa_schema_instance *instance, uint32_t, uint64_t);
    /* (table, index, reference); traps */
    void (*table_set)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint64_t);
    /* (table, reference, delta) -> old size, or -1 */
    uint64_t (*table_grow)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint64_t);
    /* (table, index, reference, count); traps */
    void (*table_fill)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint64_t, uint64_t);
    /* (dst_table, src_table, dst, src, count); traps */
    void (*table_copy)(struct wa_schema_instance *instance, uint32_t, uint32_t, uint64_t, uint64_t, uint64_t);
    /* (table, element_segment, dst, src, count); traps */
    void (*table_init)(struct wa_schema_instance *instance, uint32_t, uint32_t, uint64_t, uint64_t, uint64_t);
    /* (element_segment) */
    void (*element_drop)(struct wa_schema_instance *instance, uint32_t);
    /* (element_segment, index, reference): init code fills a computed segment */
    void (*element_set)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint64_t);
    /* (func_index) -> address of the function record */
    uint64_t (*function_reference)(struct wa_schema_instance *instance, uint32_t);
    /* (table, index) -> record for a tagged slot; stores it in the slot */
    uint64_t (*resolve_slot)(struct wa_schema_instance *instance, uint32_t, uint64_t);
    /* (record, type digest address) -> record to call where the addresses of the types differ; traps */
    uint64_t (*resolve_call)(struct wa_schema_instance *instance, uint64_t, uint64_t);
    /* (tag) -> exception with room for the tag's values; traps */
    uint64_t (*exception_new)(struct wa_schema_instance *instance, uint32_t);
    /* (exception): it was caught, and no exnref to it was made by this catch */
    void (*exception_done)(struct wa_schema_instance *instance, uint64_t);
    /* (trap code): for traps that code does not raise by an instruction */
    void (*trap)(struct wa_schema_instance *instance, uint32_t);
    /* (memory, offset, address, expected, timeout in ns) -> 0 woken, 1 not equal, 2 timed out; traps */
    uint32_t (*memory_wait32)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint64_t, uint32_t, uint64_t);
    /* likewise */
    uint32_t (*memory_wait64)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint64_t, uint64_t, uint64_t);
    /* (memory, offset, address, count) -> how many were woken; traps */
    uint32_t (*memory_notify)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint64_t, uint32_t);
    /* (type) -> struct whose fields are zero; traps */
    uint64_t (*struct_new)(struct wa_schema_instance *instance, uint32_t);
    /* (type, length) -> array whose elements are zero; traps */
    uint64_t (*array_new)(struct wa_schema_instance *instance, uint32_t, uint32_t);
    /* (type, data_segment, offset, length) -> array; traps */
    uint64_t (*array_new_data)(struct wa_schema_instance *instance, uint32_t, uint32_t, uint32_t, uint32_t);
    /* (type, element_segment, offset, length) -> array; traps */
    uint64_t (*array_new_elem)(struct wa_schema_instance *instance, uint32_t, uint32_t, uint32_t, uint32_t);
    /* (array, index, value, count, upper half of the value if that is a v128); traps */
    void (*array_fill)(struct wa_schema_instance *instance, uint64_t, uint32_t, uint64_t, uint32_t, uint64_t);
    /* (dst_array, dst, src_array, src, count); traps */
    void (*array_copy)(struct wa_schema_instance *instance, uint64_t, uint32_t, uint64_t, uint32_t, uint32_t);
    /* (data_segment, array, dst, src, count); traps */
    void (*array_init_data)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint32_t, uint32_t, uint32_t);
    /* (element_segment, array, dst, src, count); traps */
    void (*array_init_elem)(struct wa_schema_instance *instance, uint32_t, uint64_t, uint32_t, uint32_t, uint32_t);
    /* (type, function) -> 1 where its type is that or a subtype, else 0 */
    uint32_t (*function_matches)(struct wa_schema_instance *instance, uint32_t, uint64_t);
    /* (address of a field or an element): the reference there is about to be overwritten */
    void (*reference_changes)(struct wa_schema_instance *instance, uint64_t);
};
_Static_assert(sizeof(struct wa_schema_calls) == 256, "one pointer per runtime call");

/* ---- CPU features ---------------------------------------------------------------------------------------------------- */

#define WA_CPU_X86_64_SSE3 1
#define WA_CPU_X86_64_SSSE3 2
#define WA_CPU_X86_64_SSE4_1 4
#define WA_CPU_X86_64_SSE4_2 8
#define WA_CPU_X86_64_POPCNT 16
#define WA_CPU_X86_64_CX16 32
#define WA_CPU_X86_64_SAHF 64
#define WA_CPU_X86_64_AVX 128
#define WA_CPU_X86_64_AVX2 256
#define WA_CPU_X86_64_BMI 512
#define WA_CPU_X86_64_BMI2 1024
#define WA_CPU_X86_64_F16C 2048
#define WA_CPU_X86_64_FMA 4096
#define WA_CPU_X86_64_LZCNT 8192
#define WA_CPU_X86_64_MOVBE 16384
#define WA_CPU_X86_64_ADX 32768
#define WA_CPU_X86_64_AVX512F 0x10000
#define WA_CPU_X86_64_AVX512BW 0x20000
#define WA_CPU_X86_64_AVX512CD 0x40000
#define WA_CPU_X86_64_AVX512DQ 0x80000
#define WA_CPU_X86_64_AVX512VL 0x100000
#define WA_CPU_X86_64_AVX512IFMA 0x200000
#define WA_CPU_X86_64_AVX512VBMI 0x400000
#define WA_CPU_X86_64_AVX512VBMI2 0x800000
#define WA_CPU_X86_64_AVX512VNNI 0x1000000
#define WA_CPU_X86_64_AVX512BITALG 0x2000000
#define WA_CPU_X86_64_AVX512VPOPCNTDQ 0x4000000
#define WA_CPU_X86_64_GFNI 0x8000000
#define WA_CPU_X86_64_VAES 0x10000000
#define WA_CPU_X86_64_VPCLMULQDQ 0x20000000
#define WA_CPU_X86_64_AES 0x40000000
#define WA_CPU_X86_64_PCLMUL 0x80000000U
#define WA_CPU_X86_64_SHA 0x100000000UL
/* X(mask, name, "LLVM name"): all features of x86_64 that code may need */
#define WA_CPU_FEATURES_X86_64(X) \
    X(WA_CPU_X86_64_SSE3, sse3, "sse3") \
    X(WA_CPU_X86_64_SSSE3, ssse3, "ssse3") \
    X(WA_CPU_X86_64_SSE4_1, sse4_1, "sse4.1") \
    X(WA_CPU_X86_64_SSE4_2, sse4_2, "sse4.2") \
    X(WA_CPU_X86_64_POPCNT, popcnt, "popcnt") \
    X(WA_CPU_X86_64_CX16, cx16, "cx16") \
    X(WA_CPU_X86_64_SAHF, sahf, "sahf") \
    X(WA_CPU_X86_64_AVX, avx, "avx") \
    X(WA_CPU_X86_64_AVX2, avx2, "avx2") \
    X(WA_CPU_X86_64_BMI, bmi, "bmi") \
    X(WA_CPU_X86_64_BMI2, bmi2, "bmi2") \
    X(WA_CPU_X86_64_F16C, f16c, "f16c") \
    X(WA_CPU_X86_64_FMA, fma, "fma") \
    X(WA_CPU_X86_64_LZCNT, lzcnt, "lzcnt") \
    X(WA_CPU_X86_64_MOVBE, movbe, "movbe") \
    X(WA_CPU_X86_64_ADX, adx, "adx") \
    X(WA_CPU_X86_64_AVX512F, avx512f, "avx512f") \
    X(WA_CPU_X86_64_AVX512BW, avx512bw, "avx512bw") \
    X(WA_CPU_X86_64_AVX512CD, avx512cd, "avx512cd") \
    X(WA_CPU_X86_64_AVX512DQ, avx512dq, "avx512dq") \
    X(WA_CPU_X86_64_AVX512VL, avx512vl, "avx512vl") \
    X(WA_CPU_X86_64_AVX512IFMA, avx512ifma, "avx512ifma") \
    X(WA_CPU_X86_64_AVX512VBMI, avx512vbmi, "avx512vbmi") \
    X(WA_CPU_X86_64_AVX512VBMI2, avx512vbmi2, "avx512vbmi2") \
    X(WA_CPU_X86_64_AVX512VNNI, avx512vnni, "avx512vnni") \
    X(WA_CPU_X86_64_AVX512BITALG, avx512bitalg, "avx512bitalg") \
    X(WA_CPU_X86_64_AVX512VPOPCNTDQ, avx512vpopcntdq, "avx512vpopcntdq") \
    X(WA_CPU_X86_64_GFNI, gfni, "gfni") \
    X(WA_CPU_X86_64_VAES, vaes, "vaes") \
    X(WA_CPU_X86_64_VPCLMULQDQ, vpclmulqdq, "vpclmulqdq") \
    X(WA_CPU_X86_64_AES, aes, "aes") \
    X(WA_CPU_X86_64_PCLMUL, pclmul, "pclmul") \
    X(WA_CPU_X86_64_SHA, sha, "sha")
#define WA_CPU_AARCH64_FP_ARMV8 1
#define WA_CPU_AARCH64_NEON 2
#define WA_CPU_AARCH64_LSE 4
#define WA_CPU_AARCH64_FULLFP16 8
#define WA_CPU_AARCH64_DOTPROD 16
#define WA_CPU_AARCH64_RDM 32
#define WA_CPU_AARCH64_SHA2 64
#define WA_CPU_AARCH64_AES 128
#define WA_CPU_AARCH64_CRC 256
/* X(mask, name, "LLVM name"): all features of aarch64 that code may need */
#define WA_CPU_FEATURES_AARCH64(X) \
    X(WA_CPU_AARCH64_FP_ARMV8, fp_armv8, "fp-armv8") \
    X(WA_CPU_AARCH64_NEON, neon, "neon") \
    X(WA_CPU_AARCH64_LSE, lse, "lse") \
    X(WA_CPU_AARCH64_FULLFP16, fullfp16, "fullfp16") \
    X(WA_CPU_AARCH64_DOTPROD, dotprod, "dotprod") \
    X(WA_CPU_AARCH64_RDM, rdm, "rdm") \
    X(WA_CPU_AARCH64_SHA2, sha2, "sha2") \
    X(WA_CPU_AARCH64_AES, aes, "aes") \
    X(WA_CPU_AARCH64_CRC, crc, "crc")

#endif
