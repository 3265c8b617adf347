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
    /* All of the loaded code segment, and NULL until bound. From then on, tied columns are the contract's arrays, too: the
     * section has no say in what code and runtime rely on together. */
    const uint8_t *text;
    const struct wa_schema_contract *contract;
    const struct wa_schema_tied_function *functions; /* per function of the index space, at cpu_level */
    const struct wa_schema_tied_image *table_images; /* per table of the index space */
    const struct wa_schema_tied_levels *levels; /* NULL where there is one CPU level */
    uint32_t cpu_level; /* that of functions: 0 for the first */
    const struct wa_schema_tied_subtype *subtypes; /* per type; NULL where all are plain function types */
    const uint8_t *mutable_fields;                 /* per value of type_values */
    struct wa_rtt **rtts;                          /* owned; per type; NULL until an instance is made, or without subtypes */
    size_t front_size_bytes;
    _Alignas(8) uint8_t front[WA_FRONT_BYTES]; /* the first bytes of the section; columns that end here are read here */
};

/* The values of a column; the caller has bounds-checked the row. */
#define WA_COLUMN(artifact, name) ((artifact)->columns.name.data)
#define WA_ROWS(artifact, name) ((artifact)->columns.name.count)

/* The digest of a type: 16 bytes, whose address stands for a canonical type within the artifact. */
static inline const uint8_t *wa_type_digest(const wa_artifact *artifact, uint32_t type)
{
    return WA_COLUMN(artifact, type_digest)[type].bytes;
}

/* Code at a place as the contract gives it, text offset + 1; NULL where there is none. */
static inline const uint8_t *wa_code(const wa_artifact *artifact, uint32_t place)
{
    return place == 0 ? NULL : artifact->text + place - 1;
}

static inline const uint8_t *wa_anchor_of(const wa_artifact *artifact)
{
    return (const uint8_t *)artifact->contract - sizeof(struct wa_schema_anchor);
}

/* The functions of the first CPU level, which lie in order. */
static inline const struct wa_schema_tied_function *wa_first_functions(const wa_artifact *artifact)
{
    const struct wa_schema_tied_array *arrays = (const void *)(artifact->contract + 1);
    return (const void *)(wa_anchor_of(artifact) + arrays[WA_TIED_FUNCTIONS].offset);
}

/* What a slot of a table image or an element segment says where it comes from the section: a tagged function, or null. */
static inline uint64_t wa_file_slot(uint64_t slot)
{
    return slot & 1 ? slot : 0;
}

/* Whether compiled code of the artifact returns when an exception is pending. */
static inline bool wa_checks_exceptions(const wa_artifact *artifact)
{
    return (artifact->contract->flags & WA_HEADER_CHECKS_EXCEPTIONS) != 0;
}

/* Whether its code counts fuel: then its functions take and return their portion of it. */
static inline bool wa_is_metered(const wa_artifact *artifact)
{
    return (artifact->contract->flags & WA_HEADER_FUEL) != 0;
}

/* ---- metadata.c ------------------------------------------------------------------------------------------------- */

/* Header and directory of the mapped section: fills in artifact->columns. */
int wa_metadata_check(wa_artifact *artifact, wa_error *error);
/* Once the code is mapped and the anchor is right: the section must say what the contract behind the anchor says, as far as
 * header and directory tell; the rest is taken from the contract. */
int wa_contract_bind(wa_artifact *artifact, const struct wa_schema_anchor *anchor, wa_error *error);
/* The first type of the module that equals it. */
static inline uint32_t wa_canonical_type(const wa_artifact *artifact, uint32_t type_index)
{
    return WA_COLUMN(artifact, type_canonical)[type_index];
}

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
    const struct wa_rtt *rtt; /* of a concrete one; NULL for a function type that is final and has no supertype */
} wa_valtype;

static inline bool wa_valtype_is_reference(uint32_t valtype)
{
    return (valtype & 0xff) == WA_VALTYPE_REF || (valtype & 0xff) == WA_VALTYPE_REF_NULL;
}

/* Of a type of a module. */
static inline bool wa_valtype_is_concrete(uint32_t valtype)
{
    return wa_valtype_is_reference(valtype) && valtype >> 8 < WA_HEAP_ABSTRACT;
}

/* The value type of a column, with its digest where it has one. */
wa_valtype wa_valtype_of(const wa_artifact *artifact, uint32_t code);
/* Spec section 3.3.3: found is a subtype of wanted. */
bool wa_valtype_matches(const wa_valtype *found, const wa_valtype *wanted);
/* Whether values of a type are references to functions, null aside. */
bool wa_valtype_is_function(const wa_artifact *artifact, uint32_t valtype);
/* Whether a function is of the type of this digest, or of a subtype. */
bool wa_function_is_of(const wa_function *function, const uint8_t *digest);

/* ---- rtt.c ------------------------------------------------------------------------------------------------------ */

/* Find or make the types of the artifact, which is bound: before its first instance. */
int wa_artifact_make_rtts(wa_artifact *artifact, wa_error *error);

#endif
