/* The load checksum: what a loader compares before anything of the file runs. See docs/FORMAT.md. */
#include "metadata.h"
#include "wa_xxh64.h"

int wa_load_checksum_check(const wa_artifact *artifact, uint8_t *head, wa_error *error)
{
    struct wa_schema_metadata_header header = *artifact->header;
    header.load_checksum = 0;
#define X(start, end) memset(head + start, 0, end - start);
    WA_HEAD_MASKED_RANGES(X)
#undef X
    uint64_t found = wa_xxh64(head, header.head_size_bytes, 0);
    found = wa_xxh64(&header, sizeof header, found);
    found = wa_xxh64(artifact->directory, header.directory_count * sizeof(struct wa_schema_directory_entry), found);
    if (found != artifact->header->load_checksum)
        return wa_fail(error, WA_ERROR_LOAD_CHECKSUM, 0, found, artifact->header->load_checksum, "");
    return 0;
}
