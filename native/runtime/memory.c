/* Linear memories: each reserves its address range once and never moves; pages become accessible as it grows. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "forks.h"
#include "objects.h"

/* A 32-bit index plus a 32-bit offset plus the widest access stay below this, so that compiled code needs no check. */
static const uint64_t guard_reservation_bytes = (UINT64_C(8) << 30) + (UINT64_C(64) << 10);
/* Memories whose accesses are checked (64-bit indices, custom page sizes) can grow up to this. */
static const uint64_t checked_limit_bytes = UINT64_C(64) << 30;

static uint64_t round_to_host_pages(uint64_t size_bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (size_bytes + page - 1) & ~(page - 1);
}

/* Whether compiled code checks every access to such a memory; else it relies on a reservation for all that it can reach. */
static bool is_checked(uint32_t flags, uint32_t page_log2)
{
    return (flags & WA_LIMITS_64) != 0 || page_log2 != 16;
}

/* Most pages that a memory can ever have: declared maximum, index range and our own limit. */
static uint64_t page_limit(const wa_memory *memory)
{
    uint64_t range = is_checked(memory->flags, memory->page_log2) ? checked_limit_bytes : UINT64_C(1) << 32;
    if (!(memory->flags & WA_LIMITS_64) && range > UINT64_C(1) << 32)
        range = UINT64_C(1) << 32;
    uint64_t pages = range >> memory->page_log2;
    return memory->max_pages < pages ? memory->max_pages : pages;
}

static int commit(wa_memory *memory, uint64_t new_size_bytes)
{
    uint64_t old_end = round_to_host_pages(memory->head.size_bytes), new_end = round_to_host_pages(new_size_bytes);
    if (new_end > old_end &&
        mprotect((uint8_t *)memory->head.base + old_end, new_end - old_end, PROT_READ | PROT_WRITE) != 0)
        return -1;
    __atomic_store_n(&memory->head.size_bytes, new_size_bytes, __ATOMIC_SEQ_CST);
    return 0;
}

/* Address space for a memory, none of it accessible. What the pool holds goes when there is no other room. */
static void *reserve(uint64_t size_bytes)
{
    void *base;
    do
        base = mmap(NULL, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    while (base == MAP_FAILED && errno == ENOMEM && wa_pool_drop(NULL));
    return base;
}

/* Memories that have a range, for the words of an error. */
static atomic_uint reserved_count;

/* Bytes of address space that the process may have, 0: no limit. */
static uint64_t address_space_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : 0;
}

/* Whether a lack of memory is one of mappings: not even one more page has a place among them. */
static bool has_all_mappings(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (errno != ENOMEM || address_space_limit() != 0)
        return false;
    void *one = mmap(NULL, page, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* shared: joins no neighbour */
    if (one != MAP_FAILED)
        munmap(one, page);
    errno = ENOMEM;
    return one == MAP_FAILED;
}

static int fail_to_reserve(uint64_t size_bytes, wa_error *error)
{
    if (errno != ENOMEM)
        return wa_fail_system(error, WA_ERROR_SYSTEM, size_bytes, "mmap of a memory");
    if (address_space_limit() != 0)
        return wa_fail(error, WA_ERROR_ADDRESS_SPACE, 0, address_space_limit(), size_bytes, "");
    if (has_all_mappings())
        return wa_fail(error, WA_ERROR_MAPPINGS, 0, 0, 0, "");
    return wa_fail(error, WA_ERROR_ADDRESS_SPACE_FULL, 0, reserved_count, size_bytes, "");
}

static int fail_to_commit(uint64_t size_bytes, wa_error *error)
{
    return has_all_mappings() ? wa_fail(error, WA_ERROR_MAPPINGS, 0, 0, 0, "")
                              : wa_fail_system(error, WA_ERROR_COMMIT, size_bytes, "");
}

/* Reserve the range of a memory that is described, and make its first pages accessible. */
static int build(wa_memory *memory, uint64_t min_pages, wa_error *error)
{
    uint64_t limit = page_limit(memory), min_bytes = min_pages << memory->page_log2;
    if (min_pages > limit)
        return wa_fail(error, WA_ERROR_MEMORY_LIMIT, 0, min_pages, limit, "");
    memory->reserved_bytes = is_checked(memory->flags, memory->page_log2)
                                 ? round_to_host_pages((limit << memory->page_log2) + 1)
                                 : guard_reservation_bytes;
    void *base = reserve(memory->reserved_bytes);
    if (base == MAP_FAILED)
        return fail_to_reserve(memory->reserved_bytes, error);
    memory->head.base = base;
    if (commit(memory, min_bytes) != 0) {
        fail_to_commit(min_bytes, error);
        munmap(base, memory->reserved_bytes);
        return -1;
    }
    atomic_fetch_add_explicit(&reserved_count, 1, memory_order_relaxed);
    return 0;
}

wa_memory *wa_memory_new(uint64_t min_pages, uint64_t max_pages, uint32_t flags, uint32_t page_log2, wa_error *error)
{
    wa_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL || page_log2 > 16) {
        wa_fail(error, memory == NULL ? WA_ERROR_NO_MEMORY : WA_ERROR_CORRUPT_ROW, 0, page_log2, 16,
                memory == NULL ? "memory" : "memory_page_log2");
        free(memory);
        return NULL;
    }
    memory->references = 1;
    memory->flags = flags;
    memory->page_log2 = page_log2;
    memory->max_pages = flags & WA_LIMITS_HAS_MAX ? max_pages : UINT64_MAX;
    if (build(memory, min_pages, error) < 0) {
        free(memory);
        return NULL;
    }
    return memory;
}

/* A run of the memory image: what of it lies within a memory. */
typedef struct run {
    uint8_t *target;
    uint64_t section_offset, size_bytes;
} run;

static int read_run(const wa_memory *memory, const wa_artifact *artifact, uint64_t row, run *found, wa_error *error)
{
    uint64_t memory_offset = WA_COLUMN(artifact, run_memory_offset)[row];
    uint64_t section_offset = WA_COLUMN(artifact, run_section_offset)[row];
    uint64_t size_bytes = WA_COLUMN(artifact, run_size)[row];
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), memory_end = round_to_host_pages(memory->head.size_bytes);
    if ((memory_offset | section_offset | size_bytes) % page != 0)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, row, memory_offset, 0, "run_memory_offset");
    /* Pages of an artifact may be larger than the host's: what reaches behind the memory in the last one stays away. */
    uint64_t last_page = artifact->contract->page_size_bytes - 1, image_end = (memory->head.size_bytes + last_page) & ~last_page;
    if (memory_offset > memory_end || size_bytes > image_end - memory_offset)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, row, size_bytes, memory_end, "run_size");
    if (section_offset > artifact->section_size_bytes || size_bytes > artifact->section_size_bytes - section_offset)
        return wa_fail(error, WA_ERROR_CORRUPT_ROW, row, section_offset, artifact->section_size_bytes, "run_section_offset");
    uint64_t room = memory_end - memory_offset;
    *found = (run){(uint8_t *)memory->head.base + memory_offset, section_offset, size_bytes < room ? size_bytes : room};
    return 0;
}

/* Put the run in this row over the fresh zero pages, copy-on-write. */
static int map_run(wa_memory *memory, const wa_artifact *artifact, uint64_t row, wa_error *error)
{
    run found;
    if (read_run(memory, artifact, row, &found, error) < 0)
        return -1;
    if (found.size_bytes == 0)
        return 0;
    void *mapping = mmap(found.target, found.size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, artifact->fd,
                         (off_t)(artifact->section_file_offset + found.section_offset));
    if (mapping == MAP_FAILED)
        return wa_fail_system(error, WA_ERROR_SYSTEM, 0, "mmap of the memory image");
    return 0;
}

/* A memory that an instance made goes to the pool, which gives its pages back to what it was made of: that must stay. */
int wa_memory_put_run(wa_memory *memory, const wa_artifact *artifact, uint64_t row, wa_error *error)
{
    if (memory->spare.artifact == NULL)
        return map_run(memory, artifact, row, error);
    run found;
    if (read_run(memory, artifact, row, &found, error) < 0)
        return -1;
    memcpy(found.target, artifact->section + found.section_offset, found.size_bytes);
    return 0;
}

static void free_memory(void *object)
{
    wa_memory *memory = object;
    munmap(memory->head.base, memory->reserved_bytes);
    atomic_fetch_sub_explicit(&reserved_count, 1, memory_order_relaxed);
    free(memory);
}

static wa_memory *map_image(wa_artifact *artifact, uint32_t memory_index, wa_error *error)
{
    wa_memory *memory = wa_memory_new(
        WA_COLUMN(artifact, memory_min_pages)[memory_index], WA_COLUMN(artifact, memory_max_pages)[memory_index],
        WA_COLUMN(artifact, memory_flags)[memory_index], WA_COLUMN(artifact, memory_page_log2)[memory_index], error);
    for (uint64_t row = 0; memory != NULL && row < WA_ROWS(artifact, run_memory); row++) {
        if (WA_COLUMN(artifact, run_memory)[row] == memory_index && map_run(memory, artifact, row, error) < 0) {
            free_memory(memory);
            memory = NULL;
        }
    }
    return memory;
}

wa_memory *wa_memory_new_image(wa_artifact *artifact, uint32_t memory_index, wa_error *error)
{
    wa_memory *memory = wa_pool_take(artifact, WA_KIND_MEMORY, memory_index);
    if (memory == NULL) {
        memory = map_image(artifact, memory_index, error);
        if (memory == NULL)
            return NULL;
        memory->spare = (wa_spare){.artifact = artifact,
                                   .kind = WA_KIND_MEMORY,
                                   .index = memory_index,
                                   .size_bytes = memory->head.size_bytes,
                                   .object = memory,
                                   .free = free_memory};
    }
    memory->references = 1;
    wa_artifact_retain(artifact);
    return memory;
}

/* As map_image made it: what it grew by is reserved only, the rest reads as the image or zeros, and no page is resident.
 * Where the kernel refuses (pages that are locked, no room for another mapping), the memory can't be used again. */
static int clean(wa_memory *memory)
{
    uint8_t *base = memory->head.base;
    uint64_t start = round_to_host_pages(memory->spare.size_bytes), end = round_to_host_pages(memory->head.size_bytes);
    if (end > start && mmap(base + start, end - start, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
                            -1, 0) == MAP_FAILED)
        return -1;
    if (start > 0 && madvise(base, start, MADV_DONTNEED) != 0)
        return -1;
    memory->head.size_bytes = memory->spare.size_bytes;
    return 0;
}

void wa_memory_retain(wa_memory *memory)
{
    atomic_fetch_add_explicit(&memory->references, 1, memory_order_relaxed);
}

void wa_memory_release(wa_memory *memory)
{
    if (memory == NULL || atomic_fetch_sub_explicit(&memory->references, 1, memory_order_acq_rel) != 1)
        return;
    wa_artifact *artifact = memory->spare.artifact;
    wa_quota *quota = memory->quota;
    if (quota != NULL) {
        wa_quota_give_back(quota, WA_COUNTED_MEMORY_BYTES, memory->head.size_bytes);
        wa_quota_release(quota);
        memory->quota = NULL;
    }
    if (artifact != NULL && clean(memory) == 0)
        wa_pool_put(&memory->spare);
    else
        free_memory(memory);
    wa_artifact_release(artifact);
}

uint8_t *wa_memory_base(const wa_memory *memory)
{
    return memory->head.base;
}

uint64_t wa_memory_size(const wa_memory *memory)
{
    return wa_memory_bytes(memory);
}

uint32_t wa_memory_page_log2(const wa_memory *memory)
{
    return memory->page_log2;
}

uint64_t wa_memory_max_pages(const wa_memory *memory)
{
    return memory->max_pages;
}

uint32_t wa_memory_flags(const wa_memory *memory)
{
    return memory->flags;
}

/* Shared memories are used by several threads at a time; all others by the one that is inside the store. */
static pthread_mutex_t shared_growth = PTHREAD_MUTEX_INITIALIZER;

static void lock_growth(const wa_memory *memory)
{
    if (!(memory->flags & WA_LIMITS_SHARED))
        return;
    wa_guard_forks(WA_LOCK_GROWTH, &shared_growth);
    pthread_mutex_lock(&shared_growth);
}

static void unlock_growth(const wa_memory *memory)
{
    if (memory->flags & WA_LIMITS_SHARED)
        pthread_mutex_unlock(&shared_growth);
}

static int64_t grow(wa_memory *memory, uint64_t delta_pages)
{
    uint64_t old_pages = memory->head.size_bytes >> memory->page_log2, limit = page_limit(memory);
    if (delta_pages > limit || old_pages > limit - delta_pages)
        return -1;
    uint64_t delta_bytes = delta_pages << memory->page_log2;
    if (memory->quota != NULL && !wa_quota_take(memory->quota, WA_COUNTED_MEMORY_BYTES, delta_bytes))
        return -1;
    if (commit(memory, (old_pages + delta_pages) << memory->page_log2) != 0) {
        if (memory->quota != NULL)
            wa_quota_give_back(memory->quota, WA_COUNTED_MEMORY_BYTES, delta_bytes);
        return -1;
    }
    return (int64_t)old_pages;
}

int64_t wa_memory_grow(wa_memory *memory, uint64_t delta_pages)
{
    lock_growth(memory);
    int64_t old_pages = grow(memory, delta_pages);
    unlock_growth(memory);
    return old_pages;
}

void wa_memory_count(wa_memory *memory, wa_quota *quota)
{
    lock_growth(memory);
    if (memory->quota == NULL) {
        wa_quota_count(quota, WA_COUNTED_MEMORY_BYTES, memory->head.size_bytes);
        memory->quota = wa_quota_retain(quota);
    }
    unlock_growth(memory);
}
