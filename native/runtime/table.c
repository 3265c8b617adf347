/* Tables of references. Slots of a table that a module defines start as an image: tagged function indices that become
 * function records when they are first looked at. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "instance.h"
#include "thread.h"

static uint64_t table_limit(const wa_table *table)
{
    return table->max < WA_MAX_TABLE_ELEMENTS ? table->max : WA_MAX_TABLE_ELEMENTS;
}

static wa_table *new_table(uint32_t valtype, uint64_t min, uint64_t max, uint32_t flags, wa_error *error)
{
    wa_table *table = min > WA_MAX_TABLE_ELEMENTS ? NULL : calloc(1, sizeof *table);
    if (table == NULL) {
        if (min > WA_MAX_TABLE_ELEMENTS)
            wa_fail(error, WA_ERROR_TABLE_LIMIT, 0, min, WA_MAX_TABLE_ELEMENTS, "");
        else
            wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "table");
        return NULL;
    }
    table->references = 1;
    table->valtype.code = valtype;
    table->flags = flags;
    table->max = flags & WA_LIMITS_HAS_MAX ? max : UINT64_MAX;
    table->head.size = min;
    return table;
}

/* Slots on the heap; calloc takes fresh zero pages for large ones. */
static int allocate_slots(wa_table *table, wa_error *error)
{
    table->capacity = table->head.size;
    table->head.slots = calloc(table->capacity ? table->capacity : 1, sizeof(uint64_t));
    return table->head.slots != NULL ? 0 : wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "table");
}

wa_table *wa_table_new(uint32_t valtype, uint64_t min, uint64_t max, uint32_t flags, uint64_t init, wa_error *error)
{
    wa_table *table = new_table(valtype, min, max, flags, error);
    if (table != NULL && allocate_slots(table, error) < 0) {
        free(table);
        return NULL;
    }
    for (uint64_t i = 0; table != NULL && init != 0 && i < min; i++)
        ((uint64_t *)table->head.slots)[i] = init;
    return table;
}

/* Zero pages for all slots, with the image mapped copy-on-write over the first ones. Compiled code follows what is there, so
 * the image is the one in the code segment. */
static int map_slots(wa_table *table, const wa_artifact *artifact, const struct wa_schema_tied_image *image, wa_error *error)
{
    uint64_t page = artifact->contract->page_size_bytes;
    uint64_t bytes = (table->head.size * 8 + page - 1) & ~(page - 1), image_bytes = (image->count * 8 + page - 1) & ~(page - 1);
    uint8_t *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return wa_fail_system(error, WA_ERROR_SYSTEM, 0, "mmap of a table");
    table->head.slots = base;
    table->mapped_bytes = bytes;
    table->capacity = bytes / 8;
    if (mmap(base, image_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, artifact->fd,
             (off_t)image->file_offset) == MAP_FAILED)
        return wa_fail_system(error, WA_ERROR_SYSTEM, 0, "mmap of the table image");
    return 0;
}

uint64_t wa_table_image(const wa_artifact *artifact, uint32_t table_index, uint64_t size, const uint64_t **slots, wa_error *error)
{
    uint64_t offset = WA_COLUMN(artifact, table_image_offset)[table_index];
    uint64_t count = WA_COLUMN(artifact, table_image_count)[table_index], size_bytes = artifact->section_size_bytes;
    if (count > size) {
        wa_fail(error, WA_ERROR_CORRUPT_ROW, table_index, count, size, "table_image_count");
        return UINT64_MAX;
    }
    if (offset % sizeof(uint64_t) != 0 || offset > size_bytes || count > (size_bytes - offset) / sizeof(uint64_t)) {
        wa_fail(error, WA_ERROR_CORRUPT_ROW, table_index, offset, size_bytes, "table_image_offset");
        return UINT64_MAX;
    }
    *slots = (const void *)(artifact->section + offset);
    return count;
}

/* A small image is copied from the section, tags and null only: anything else would be a pointer out of a file. What tags
 * name is checked when they are looked at. */
static int copy_slots(wa_table *table, const wa_artifact *artifact, uint32_t table_index, wa_error *error)
{
    const uint64_t *image;
    uint64_t count = wa_table_image(artifact, table_index, table->head.size, &image, error);
    if (count == UINT64_MAX || allocate_slots(table, error) < 0)
        return -1;
    uint64_t *slots = table->head.slots;
    if (wa_valtype_is_function(artifact, table->valtype.code))
        for (uint64_t i = 0; i < count; i++)
            slots[i] = wa_file_slot(image[i]);
    return 0;
}

static int fill_from_image(wa_table *table, const wa_artifact *artifact, uint32_t table_index, wa_error *error)
{
    const struct wa_schema_tied_image *mapped = &artifact->table_images[table_index];
    return mapped->count != 0 ? map_slots(table, artifact, mapped, error) : copy_slots(table, artifact, table_index, error);
}

static void free_slots(void *slots, uint64_t mapped_bytes)
{
    if (mapped_bytes != 0)
        munmap(slots, mapped_bytes);
    else
        free(slots);
}

static void free_table(void *object)
{
    wa_table *table = object;
    free_slots(table->head.slots, table->mapped_bytes);
    free(table);
}

static wa_table *build_image(wa_artifact *artifact, uint32_t table_index, wa_error *error)
{
    wa_table *table =
        new_table(WA_COLUMN(artifact, table_type)[table_index], WA_COLUMN(artifact, table_min)[table_index],
                  WA_COLUMN(artifact, table_max)[table_index], WA_COLUMN(artifact, table_flags)[table_index], error);
    if (table != NULL)
        table->valtype = wa_valtype_of(artifact, table->valtype.code);
    if (table != NULL && fill_from_image(table, artifact, table_index, error) < 0) {
        free_table(table);
        return NULL;
    }
    return table;
}

wa_table *wa_table_new_image(wa_artifact *artifact, uint32_t table_index, wa_error *error)
{
    wa_table *table = wa_pool_take(artifact, WA_KIND_TABLE, table_index);
    if (table == NULL) {
        table = build_image(artifact, table_index, error);
        if (table == NULL || table->mapped_bytes == 0)
            return table; /* a small one is made anew each time */
        table->spare = (wa_spare){.artifact = artifact,
                                  .kind = WA_KIND_TABLE,
                                  .index = table_index,
                                  .size_bytes = table->mapped_bytes,
                                  .object = table,
                                  .free = free_table};
    }
    table->references = 1;
    wa_artifact_retain(artifact);
    return table;
}

void wa_table_retain(wa_table *table)
{
    atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
}

/* As build_image made it. A table that outgrew its mapping is on the heap now, and can't be used again. */
static int clean(wa_table *table)
{
    if (table->mapped_bytes == 0 || madvise(table->head.slots, table->mapped_bytes, MADV_DONTNEED) != 0)
        return -1;
    table->head.size = WA_COLUMN(table->spare.artifact, table_min)[table->spare.index];
    return 0;
}

void wa_table_release(wa_table *table)
{
    if (table == NULL || atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) != 1)
        return;
    wa_artifact *artifact = table->spare.artifact;
    if (table->quota != NULL) {
        wa_quota_give_back(table->quota, WA_COUNTED_TABLE_ELEMENTS, table->head.size);
        wa_quota_release(table->quota);
        table->quota = NULL;
    }
    if (artifact != NULL && clean(table) == 0)
        wa_pool_put(&table->spare);
    else
        free_table(table);
    wa_artifact_release(artifact);
}

uint64_t wa_table_size(const wa_table *table)
{
    return table->head.size;
}

uint32_t wa_table_valtype(const wa_table *table)
{
    return table->valtype.code;
}

uint64_t wa_table_max(const wa_table *table)
{
    return table->max;
}

uint32_t wa_table_flags(const wa_table *table)
{
    return table->flags;
}

uint32_t wa_table_get(wa_table *table, uint64_t index, uint64_t *reference)
{
    if (index >= table->head.size)
        return WA_TRAP_TABLE_OUT_OF_BOUNDS;
    uint64_t *slot = (uint64_t *)table->head.slots + index;
    if (*slot & 1) { /* other references than those to functions are even */
        if (table->head.owner == NULL) /* the instance is gone */
            *slot = 0;
        else if (!wa_instance_reference(table->head.owner, *slot, slot))
            return WA_TRAP_OUT_OF_MEMORY;
    }
    *reference = *slot;
    return 0;
}

int wa_table_set(wa_table *table, uint64_t index, uint64_t reference)
{
    if (index >= table->head.size)
        return -1;
    ((uint64_t *)table->head.slots)[index] = reference;
    return 0;
}

/* How many elements are copied or filled before a look whether the call is to end. */
enum { STEP_ELEMENTS = 1 << 17 };

/* Copy in steps, as far as the call that this is for may go on: whether it did to the end. */
static bool copy(uint64_t *to, const uint64_t *from, uint64_t count)
{
    for (uint64_t done = 0; done < count; done += STEP_ELEMENTS) {
        if (wa_interrupt_is_due())
            return false;
        uint64_t left = count - done;
        memcpy(to + done, from + done, (left < STEP_ELEMENTS ? left : STEP_ELEMENTS) * sizeof *to);
    }
    return true;
}

static int reserve_slots(wa_table *table, uint64_t needed)
{
    if (needed <= table->capacity)
        return 0;
    uint64_t capacity = table->capacity * 2 > needed ? table->capacity * 2 : needed;
    if (capacity > table_limit(table))
        capacity = table_limit(table);
    uint64_t *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL || !copy(slots, table->head.slots, table->head.size)) {
        free(slots);
        return -1;
    }
    free_slots(table->head.slots, table->mapped_bytes);
    table->head.slots = slots;
    table->mapped_bytes = 0;
    table->capacity = capacity;
    return 0;
}

/* Likewise. */
static bool fill(uint64_t *slots, uint64_t count, uint64_t value)
{
    for (uint64_t i = 0; i < count; i++) {
        if (i % STEP_ELEMENTS == 0 && wa_interrupt_is_due())
            return false;
        slots[i] = value;
    }
    return true;
}

int64_t wa_table_grow(wa_table *table, uint64_t delta, uint64_t init)
{
    uint64_t old = table->head.size, limit = table_limit(table);
    if (delta > limit || old > limit - delta)
        return -1;
    if (table->quota != NULL && !wa_quota_take(table->quota, WA_COUNTED_TABLE_ELEMENTS, delta))
        return -1;
    if (reserve_slots(table, old + delta) < 0 || !fill((uint64_t *)table->head.slots + old, delta, init)) {
        if (table->quota != NULL)
            wa_quota_give_back(table->quota, WA_COUNTED_TABLE_ELEMENTS, delta);
        return -1;
    }
    table->head.size = old + delta;
    return (int64_t)old;
}

void wa_table_count(wa_table *table, wa_quota *quota)
{
    if (table->quota != NULL)
        return;
    wa_quota_count(quota, WA_COUNTED_TABLE_ELEMENTS, table->head.size);
    table->quota = wa_quota_retain(quota);
}
