/* Private to native/: an artifact, and typed access to the columns of its mapped metadata. */
#ifndef WA_RUNTIME_METADATA_H
#define WA_RUNTIME_METADATA_H

#include <stdatomic.h>

#include "error.h"

/* Room for the header, the column directory, which has 24 bytes for each of some 80 columns, and the columns of a few
 * values, which come first. */
enum { WA_FRONT_BYTES = 8192 };

struct wa_artifact {
    atomic_uint references;
    int fd;
    const uint8_t *section; /* mapped, read-only */
    uint64_t section_size_bytes;
    uint64_t section_file_offset;
    const struct wa_schema_metadata_header *header; /* the copy in front */
    const struct wa_schema_directory_entry *directory; /* in front, or in the section where that has no room */
    struct wa_schema_columns columns;
    void *dl_handle;
    const uint8_t *text; /* NULL until bound */
    const struct wa_schema_u8x16 *type_digests; /* the mapped copy: the address of one stands for a type within the artifact */
    size_t front_size_bytes;
    _Alignas(8) uint8_t front[WA_FRONT_BYTES]; /* the first bytes of the section; columns that end here are read here */
};

/* The values of a column; the caller has bounds-checked the row. */
#define WA_COLUMN(artifact, name) ((artifact)->columns.name.data)
#define WA_ROWS(artifact, name) ((artifact)->columns.name.count)

/* The digest of a type: 16 bytes in the metadata. */
static inline const uint8_t *wa_type_digest(const wa_artifact *artifact, uint32_t type)
{
    return WA_COLUMN(artifact, type_digest)[type].bytes;
}

/* Code at a place as columns and header give it, text offset + 1; NULL where there is none, or it would lie outside. */
static inline const uint8_t *wa_code(const wa_artifact *artifact, uint32_t place)
{
    return place == 0 || place > artifact->header->text_size_bytes ? NULL : artifact->text + place - 1;
}

/* Functions that come before those with code. */
static inline uint64_t wa_imported_functions(const wa_artifact *artifact)
{
    return WA_ROWS(artifact, function) - WA_ROWS(artifact, code_wasm_offset);
}

/* Whether compiled code of the artifact returns when an exception is pending. */
static inline bool wa_checks_exceptions(const wa_artifact *artifact)
{
    return (artifact->header->flags & WA_HEADER_CHECKS_EXCEPTIONS) != 0;
}

/* ---- metadata.c ------------------------------------------------------------------------------------------------- */

/* Header and directory of the mapped section: fills in artifact->columns. */
int wa_metadata_check(wa_artifact *artifact, wa_error *error);
uint32_t wa_canonical_type(const wa_artifact *artifact, uint32_t type_index);

/* ---- checksum.c ------------------------------------------------------------------------------------------------- */

/* Compare load_checksum. head: the first head_size_bytes of the file; what strip rewrites becomes zero. */
int wa_load_checksum_check(const wa_artifact *artifact, uint8_t *head, wa_error *error);

/* ---- host.c ----------------------------------------------------------------------------------------------------- */

/* ELF e_machine. */
uint32_t wa_host_machine(void);
/* Whether this host can run the artifact. */
int wa_host_check(const wa_artifact *artifact, wa_error *error);

/* ---- valtype.c -------------------------------------------------------------------------------------------------- */

/* A value type that means the same in every artifact: a concrete heap type is known by its digest, not by its index. */
typedef struct wa_valtype {
    uint32_t code;
    uint8_t digest[16]; /* zero for all other types */
} wa_valtype;

/* The value type of a column, with its digest where it has one. */
wa_valtype wa_valtype_of(const wa_artifact *artifact, uint32_t code);
/* Spec section 3.3.3, as far as types without declared subtypes go: found is a subtype of wanted. */
bool wa_valtype_matches(const wa_valtype *found, const wa_valtype *wanted);
bool wa_valtype_is_externref(uint32_t valtype);

#endif
