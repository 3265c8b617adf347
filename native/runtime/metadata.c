/* Reading the mapped metadata section: header and directory are checked before anything else looks at them. What the contract
 * in the code has is taken from there once that is mapped, all other rows are checked where they are used. See docs/FORMAT.md. */
#include <elf.h>

#include "metadata.h"

/* Above every WA_GROUP_*. */
enum { GROUP_LIMIT = 32 };

static int check_header(const wa_artifact *artifact, wa_error *error)
{
    const struct wa_schema_metadata_header *header = artifact->header;
    if (header->magic != WA_METADATA_MAGIC)
        return wa_fail(error, WA_ERROR_BAD_MAGIC, 0, header->magic, WA_METADATA_MAGIC, "");
    if (header->format_major != WA_FORMAT_MAJOR)
        return wa_fail(error, WA_ERROR_FORMAT_VERSION, 0, header->format_major, WA_FORMAT_MAJOR, "");
    if (header->runtime_abi < WA_RUNTIME_ABI_OLDEST || header->runtime_abi > WA_RUNTIME_ABI)
        return wa_fail(error, WA_ERROR_RUNTIME_ABI, 0, header->runtime_abi, WA_RUNTIME_ABI, "");
    if (header->machine != wa_host_machine())
        return wa_fail(error, WA_ERROR_MACHINE, 0, header->machine, wa_host_machine(), "");
    if (header->header_size_bytes != sizeof *header)
        return wa_fail(error, WA_ERROR_CORRUPT_HEADER, 0, header->header_size_bytes, sizeof *header, "header_size_bytes");
    if (header->section_size_bytes != artifact->section_size_bytes)
        return wa_fail(error, WA_ERROR_CORRUPT_HEADER, 0, header->section_size_bytes, artifact->section_size_bytes,
                       "section_size_bytes");
    if (header->head_size_bytes < sizeof(Elf64_Ehdr) || header->head_size_bytes > WA_HEAD_MAX_BYTES)
        return wa_fail(error, WA_ERROR_CORRUPT_HEADER, 0, header->head_size_bytes, WA_HEAD_MAX_BYTES, "head_size_bytes");
    if (header->directory_offset < sizeof *header || header->directory_offset % 8 != 0 ||
        header->directory_offset > artifact->section_size_bytes ||
        header->directory_count >
            (artifact->section_size_bytes - header->directory_offset) / sizeof(struct wa_schema_directory_entry))
        return wa_fail(error, WA_ERROR_CORRUPT_HEADER, 0, header->directory_count, 0, "directory");
    return 0;
}

/* What the schema says of a column, and where it is kept. */
typedef struct known_column {
    uint16_t place; /* offset in the columns */
    uint8_t element_size; /* 0: no such column */
    uint8_t shape, group;
} known_column;

/* A column whose values have any type. */
typedef struct __attribute__((may_alias)) any_column {
    const void *data;
    uint64_t count;
} any_column;
_Static_assert(sizeof(any_column) == sizeof(struct wa_schema_column_u8), "all columns are laid out alike");

/* By id. Ids that are not there belong to newer minor versions. */
static const known_column known_columns[] = {
#define X(id, name, size, shape, group) [id] = {offsetof(struct wa_schema_columns, name), size, shape, group},
    WA_COLUMNS(X)
#undef X
};
enum { KNOWN_LIMIT = sizeof known_columns / sizeof known_columns[0] };

/* A part of the section that lies within its bounds: in the copy of its front where that holds all of it. */
static const uint8_t *at(const wa_artifact *artifact, uint64_t offset, uint64_t size_bytes)
{
    return (offset + size_bytes <= artifact->front_size_bytes ? artifact->front : artifact->section) + offset;
}

/* `group_rows`: rows of each group + 1, known once its first "rows" or "offsets" column was seen. */
static int check_entry(wa_artifact *artifact, uint32_t index, uint64_t *group_rows, wa_error *error)
{
    const struct wa_schema_directory_entry *entry = artifact->directory + index;
    uint64_t size_bytes;
    if (index > 0 && entry[-1].column_id >= entry->column_id)
        return wa_fail(error, WA_ERROR_CORRUPT_DIRECTORY, index, entry->column_id, entry[-1].column_id + 1, "column_id");
    if (__builtin_mul_overflow(entry->count, entry->element_size_bytes, &size_bytes) ||
        entry->offset > artifact->section_size_bytes || size_bytes > artifact->section_size_bytes - entry->offset)
        return wa_fail(error, WA_ERROR_CORRUPT_DIRECTORY, index, entry->count, 0, "count");
    if (entry->offset % WA_COLUMN_ALIGN_BYTES != 0)
        return wa_fail(error, WA_ERROR_CORRUPT_DIRECTORY, index, entry->offset % WA_COLUMN_ALIGN_BYTES, 0, "alignment");
    if (entry->column_id >= KNOWN_LIMIT || known_columns[entry->column_id].element_size == 0)
        return 0;
    known_column known = known_columns[entry->column_id];
    if (entry->element_size_bytes != known.element_size)
        return wa_fail(error, WA_ERROR_CORRUPT_DIRECTORY, index, entry->element_size_bytes, known.element_size,
                       "element_size_bytes");
    uint64_t count = entry->count; /* read once: the column may alias it */
    any_column *column = (any_column *)(void *)((uint8_t *)&artifact->columns + known.place);
    column->data = at(artifact, entry->offset, size_bytes);
    column->count = count;
    if (known.shape == WA_SHAPE_FLAT)
        return 0;
    if (known.shape == WA_SHAPE_OFFSETS && count == 0)
        return wa_fail(error, WA_ERROR_CORRUPT_DIRECTORY, index, 0, 1, "count");
    uint64_t rows = known.shape == WA_SHAPE_OFFSETS ? count - 1 : count;
    uint64_t expected = group_rows[known.group];
    if (expected != 0 && expected != rows + 1)
        return wa_fail(error, WA_ERROR_CORRUPT_DIRECTORY, index, rows, expected - 1, "rows");
    group_rows[known.group] = rows + 1;
    return 0;
}

static int check_counts(const wa_artifact *artifact, wa_error *error)
{
    const struct wa_schema_columns *columns = &artifact->columns;
    uint64_t slots = columns->export_slots.count;
    if ((slots & (slots - 1)) != 0 || slots > UINT32_MAX || (columns->export_kind.count != 0 && slots == 0))
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, 0, slots, 0, "export_slots");
    return 0;
}

int wa_metadata_check(wa_artifact *artifact, wa_error *error)
{
    if (artifact->section_size_bytes < sizeof *artifact->header)
        return wa_fail(error, WA_ERROR_CORRUPT_HEADER, 0, artifact->section_size_bytes, sizeof *artifact->header,
                       "section size");
    artifact->header = (const void *)artifact->front;
    if (check_header(artifact, error) < 0)
        return -1;
    artifact->directory = (const void *)at(artifact, artifact->header->directory_offset,
                                           artifact->header->directory_count * sizeof *artifact->directory);
    uint64_t group_rows[GROUP_LIMIT] = {0};
    for (uint32_t index = 0; index < artifact->header->directory_count; index++)
        if (check_entry(artifact, index, group_rows, error) < 0)
            return -1;
#define X(id, name, element_size, shape, group) \
    if (WA_COLUMN(artifact, name) == NULL) \
        return wa_fail(error, WA_ERROR_CORRUPT_DIRECTORY, id, 0, 1, #name);
    WA_COLUMNS(X)
#undef X
    return check_counts(artifact, error);
}

/* ---- the contract ----------------------------------------------------------------------------------------------- */

/* What the section says, and what the code was compiled with. */
static inline int check_tied(uint64_t found, uint64_t expected, const char *what, wa_error *error)
{
    return found == expected ? 0 : wa_fail(error, WA_ERROR_CONTRACT, 0, found, expected, what);
}

/* All that header and directory say of what is tied. */
static int check_contract(const wa_artifact *artifact, const struct wa_schema_contract *contract, wa_error *error)
{
    const struct wa_schema_metadata_header *header = artifact->header;
    const struct wa_schema_tied_array *arrays = (const void *)(contract + 1);
#define X(name) \
    if (check_tied(header->name, contract->name, #name, error) < 0) \
        return -1;
    WA_TIED_HEADER_FIELDS(X)
#undef X
#define X(position, name) \
    if (check_tied(WA_ROWS(artifact, name), arrays[position].count, "the count of " #name, error) < 0) \
        return -1;
    WA_TIED_COLUMNS(X)
#undef X
    uint64_t defined = WA_ROWS(artifact, function) - contract->imported_functions;
    if (check_tied(WA_ROWS(artifact, function), arrays[WA_TIED_FUNCTIONS].count, "the count of function", error) < 0 ||
        check_tied(WA_ROWS(artifact, import_kind), contract->imports, "the number of imports", error) < 0 ||
        check_tied(WA_ROWS(artifact, code_wasm_offset), defined, "the number of defined functions", error) < 0)
        return -1;
    return check_tied(WA_ROWS(artifact, data_mode), contract->data_segments, "the number of data segments", error);
}

/* Take the functions of the last level all of whose features this host has. It has the first one's: see wa_host_check. */
static void choose_level(wa_artifact *artifact, const struct wa_schema_anchor *anchor)
{
    const uint8_t *base = (const void *)anchor;
    const struct wa_schema_tied_levels *levels = (const void *)(base + anchor->levels_offset);
    const struct wa_schema_tied_level *above = (const void *)(levels + 1);
    uint64_t features = wa_host_cpu_features();
    artifact->levels = levels;
    for (uint32_t i = 0; i < levels->count && (above[i].cpu_features & ~features) == 0; i++) {
        artifact->cpu_level = i + 1;
        artifact->functions = (const void *)(base + above[i].functions_offset);
    }
}

int wa_contract_bind(wa_artifact *artifact, const struct wa_schema_anchor *anchor, wa_error *error)
{
    const struct wa_schema_contract *contract = (const void *)(anchor + 1);
    const struct wa_schema_tied_array *arrays = (const void *)(contract + 1);
    const uint8_t *base = (const void *)anchor;
    if (check_contract(artifact, contract, error) < 0)
        return -1; /* with nothing changed: the caller may have another library to try */
#define X(position, name) WA_COLUMN(artifact, name) = (const void *)(base + arrays[position].offset);
    WA_TIED_COLUMNS(X)
#undef X
    artifact->contract = contract;
    artifact->functions = (const void *)(base + arrays[WA_TIED_FUNCTIONS].offset);
    artifact->table_images = (const void *)(base + arrays[WA_TIED_TABLE_IMAGES].offset);
    if (contract->subtypes_offset != 0) {
        artifact->subtypes = (const void *)(base + contract->subtypes_offset);
        artifact->mutable_fields = (const void *)(artifact->subtypes + WA_ROWS(artifact, type_digest));
    }
    if (anchor->levels_offset != 0)
        choose_level(artifact, anchor);
    artifact->text = base - contract->anchor_vaddr + contract->text_vaddr;
    return 0;
}

const struct wa_schema_columns *wa_artifact_columns(const wa_artifact *artifact)
{
    return &artifact->columns;
}

/* ---- rows, of tied columns ------------------------------------------------------------------------------------------- */

uint32_t wa_function_type(const wa_artifact *artifact, uint32_t func_index)
{
    if (func_index >= WA_ROWS(artifact, function))
        return UINT32_MAX;
    return wa_canonical_type(artifact, artifact->functions[func_index].type_and_flags >> 1);
}

static const uint32_t *read_values(const wa_artifact *artifact, const uint32_t *offsets, uint32_t type, uint32_t *count)
{
    *count = offsets[type + 1] - offsets[type];
    return WA_COLUMN(artifact, type_values) + offsets[type];
}

wa_signature wa_type_signature(const wa_artifact *artifact, uint32_t type)
{
    wa_signature signature = {.digest = wa_type_digest(artifact, type)};
    signature.params = read_values(artifact, WA_COLUMN(artifact, type_params), type, &signature.param_count);
    signature.results = read_values(artifact, WA_COLUMN(artifact, type_results), type, &signature.result_count);
    return signature;
}
