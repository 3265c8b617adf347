/* An instance of a snapshot goes on where that one was: functions in its globals, and what its imports held. */
#include "instance.h"

/* What a slot of an image says: a function of the instance, or null. */
static int read_slot(const wa_details *details, uint64_t slot, const char *what, uint64_t row, uint64_t *reference, wa_error *error)
{
    *reference = 0;
    if (slot & 1 && !wa_instance_reference(details->instance, slot, reference))
        return wa_fail(error, WA_ERROR_NO_MEMORY, row, 0, 0, what);
    if (slot != 0 && *reference == 0)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, row, slot, 0, what);
    return 0;
}

/* References in globals are slots in the image. */
static int resume_globals(const wa_details *details, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    wa_cell *cells = wa_global_cells(details->instance);
    for (uint64_t i = details->imported_globals; i < WA_ROWS(artifact, global_type); i++) {
        wa_cell *cell = &cells[i - details->imported_globals];
        uint32_t valtype = WA_COLUMN(artifact, global_type)[i];
        uint64_t slot, reference;
        if (!wa_valtype_is_reference(valtype) || !wa_valtype_is_function(artifact, valtype))
            continue;
        memcpy(&slot, cell, sizeof slot);
        if (read_slot(details, slot, "global_image", i, &reference, error) < 0)
            return -1;
        memcpy(cell, &reference, sizeof reference);
    }
    return 0;
}

/* An imported table gets the functions that were in it, as it got those of element segments. */
static int resume_tables(const wa_details *details, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    for (uint32_t i = 0; i < details->imported_tables; i++) {
        wa_table *table = wa_table_slots(details->instance)[i];
        const uint64_t *image;
        uint64_t count = wa_table_image(artifact, i, table->head.size, &image, error);
        if (count == UINT64_MAX)
            return -1;
        for (uint64_t slot = 0; slot < count && wa_valtype_is_function(artifact, table->valtype.code); slot++)
            if (read_slot(details, wa_file_slot(image[slot]), "table_image_offset", i, (uint64_t *)table->head.slots + slot,
                          error) < 0)
                return -1;
    }
    return 0;
}

/* An imported memory gets what was in it, as it got data segments. */
static int resume_memories(const wa_details *details, wa_error *error)
{
    const wa_artifact *artifact = details->artifact;
    for (uint64_t row = 0; row < WA_ROWS(artifact, run_memory); row++) {
        uint32_t memory = WA_COLUMN(artifact, run_memory)[row];
        if (memory < details->imported_memories &&
            wa_memory_put_run(wa_memory_slots(details->instance)[memory].memory, artifact, row, error) < 0)
            return -1;
    }
    return 0;
}

int wa_instance_resume(wa_details *details, wa_error *error)
{
    if (resume_globals(details, error) < 0 || resume_tables(details, error) < 0)
        return -1;
    return resume_memories(details, error);
}
