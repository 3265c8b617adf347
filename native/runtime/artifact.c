/* Opening an artifact: look at the file before anything of it is executed, map its metadata, later join the mapped code. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "objects.h"

/* What is read of the file's ends at once: enough for the artifacts that we write. More is read where it is needed. */
enum { FIRST_HEAD_BYTES = 1024, TAIL_BYTES = 1024 };

static int read_exactly(int fd, void *target, size_t size_bytes, uint64_t offset, const char *what, wa_error *error)
{
    size_t done = 0;
    while (done < size_bytes) {
        ssize_t got = pread(fd, (char *)target + done, size_bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return wa_fail_system(error, WA_ERROR_SYSTEM, 0, what);
        if (got == 0)
            return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, offset + done, offset + size_bytes, "the end of the file");
        done += (size_t)got;
    }
    return 0;
}

static int check_elf_header(const Elf64_Ehdr *elf, uint64_t file_size, wa_error *error)
{
    uint32_t magic;
    memcpy(&magic, elf->e_ident, 4);
    if (memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0)
        return wa_fail(error, WA_ERROR_NOT_ELF, 0, magic, 0x464c457f, "");
    if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_ident[EI_DATA] != ELFDATA2LSB || elf->e_type != ET_DYN)
        return wa_fail(error, WA_ERROR_NO_SECTION, 0, 0, 0, "");
    if (elf->e_machine != wa_host_machine())
        return wa_fail(error, WA_ERROR_MACHINE, 0, elf->e_machine, wa_host_machine(), "");
    if (elf->e_shentsize != sizeof(Elf64_Shdr))
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, elf->e_shentsize, sizeof(Elf64_Shdr), "e_shentsize");
    if (elf->e_shnum < 2 || elf->e_shnum > WA_MAX_SECTIONS)
        return wa_fail(error, WA_ERROR_NO_SECTION, 0, elf->e_shnum, 0, "");
    /* Our writer and all known strip tools put the section headers last. Together with the digest of the rest of the head
     * this catches a change of any of the three fields that strip rewrites. */
    uint64_t table_bytes = (uint64_t)elf->e_shnum * sizeof(Elf64_Shdr);
    if (elf->e_shoff <= INT64_MAX - table_bytes && file_size < elf->e_shoff + table_bytes)
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, file_size, elf->e_shoff + table_bytes, "the size of the file");
    if (elf->e_shoff > file_size || file_size - elf->e_shoff != table_bytes)
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, elf->e_shoff, file_size - table_bytes, "e_shoff");
    if (elf->e_shstrndx == 0 || elf->e_shstrndx >= elf->e_shnum)
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, elf->e_shstrndx, elf->e_shnum - 1u, "e_shstrndx");
    return 0;
}

static bool is_inside(const Elf64_Shdr *section, uint64_t file_size)
{
    return section->sh_offset <= file_size && section->sh_size <= file_size - section->sh_offset;
}

/* The end of the file: section names and section headers, which our writer and strip put last, in one read. */
typedef struct file_tail {
    uint64_t offset;
    size_t size_bytes;
    uint8_t bytes[TAIL_BYTES];
} file_tail;

static int read_tail(int fd, uint64_t file_size, file_tail *tail, wa_error *error)
{
    tail->size_bytes = file_size < TAIL_BYTES ? (size_t)file_size : TAIL_BYTES;
    tail->offset = file_size - tail->size_bytes;
    return read_exactly(fd, tail->bytes, tail->size_bytes, tail->offset, "read of the section headers", error);
}

/* Copy a part of the file, from the tail where that has it. */
static int copy_part(int fd, const file_tail *tail, void *target, size_t size_bytes, uint64_t offset, wa_error *error)
{
    if (offset < tail->offset)
        return read_exactly(fd, target, size_bytes, offset, "read of the section table", error);
    memcpy(target, tail->bytes + (offset - tail->offset), size_bytes);
    return 0;
}

/* Find .wasmartifact among the section headers. */
static int find_section(int fd, const Elf64_Ehdr *elf, uint64_t file_size, Elf64_Shdr *result, wa_error *error)
{
    Elf64_Shdr sections[WA_MAX_SECTIONS];
    char names[WA_MAX_SECTION_NAMES_BYTES + 1];
    file_tail tail;
    if (read_tail(fd, file_size, &tail, error) < 0 ||
        copy_part(fd, &tail, sections, elf->e_shnum * sizeof *sections, elf->e_shoff, error) < 0)
        return -1;
    const Elf64_Shdr *table = &sections[elf->e_shstrndx];
    if (table->sh_type != SHT_STRTAB || table->sh_size > WA_MAX_SECTION_NAMES_BYTES || !is_inside(table, file_size))
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, table->sh_type, SHT_STRTAB, "the section name table");
    if (copy_part(fd, &tail, names, table->sh_size, table->sh_offset, error) < 0)
        return -1;
    names[table->sh_size] = 0;
    if (table->sh_name >= table->sh_size || strcmp(names + table->sh_name, ".shstrtab") != 0)
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, table->sh_name, 0, "the name of the section name table");
    for (unsigned i = 1; i < elf->e_shnum; i++) {
        if (sections[i].sh_name >= table->sh_size || strcmp(names + sections[i].sh_name, WA_SECTION_NAME) != 0)
            continue;
        if (sections[i].sh_type != SHT_PROGBITS || !is_inside(&sections[i], file_size))
            return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, sections[i].sh_offset, file_size, "place of " WA_SECTION_NAME);
        *result = sections[i];
        return 0;
    }
    return wa_fail(error, WA_ERROR_NO_SECTION, 0, 0, 0, "");
}

static int map_section(wa_artifact *artifact, const Elf64_Shdr *section, wa_error *error)
{
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    if (section->sh_size < sizeof *artifact->header)
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, section->sh_size, sizeof *artifact->header,
                       "size of " WA_SECTION_NAME);
    if (section->sh_offset % page_size != 0)
        return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, section->sh_offset % page_size, 0, "alignment of " WA_SECTION_NAME);
    void *mapping = mmap(NULL, section->sh_size, PROT_READ, MAP_PRIVATE, artifact->fd, (off_t)section->sh_offset);
    if (mapping == MAP_FAILED)
        return wa_fail_system(error, WA_ERROR_SYSTEM, 0, "mmap of " WA_SECTION_NAME);
    artifact->section = mapping;
    artifact->section_size_bytes = section->sh_size;
    artifact->section_file_offset = section->sh_offset;
    /* A read is cheaper than the first touch of a mapping, for which the kernel maps up to 16 pages; and what has been checked
     * in a copy stays as it was. */
    artifact->front_size_bytes = section->sh_size < WA_FRONT_BYTES ? (size_t)section->sh_size : WA_FRONT_BYTES;
    return read_exactly(artifact->fd, artifact->front, artifact->front_size_bytes, section->sh_offset,
                        "read of " WA_SECTION_NAME, error);
}

/* C libraries before GLIBC_MIN write into the dynamic section: the flag that tells whether it is read-only, which
 * wa_host_check goes by, must say what the program headers say. */
static int check_dynamic(const wa_artifact *artifact, const uint8_t *head, wa_error *error)
{
    uint64_t head_size = artifact->header->head_size_bytes;
    bool found = (artifact->header->flags & WA_HEADER_READ_ONLY_DYNAMIC) != 0;
    Elf64_Ehdr elf;
    memcpy(&elf, head, sizeof elf);
    for (uint64_t i = 0; i < elf.e_phnum; i++) {
        Elf64_Phdr segment;
        uint64_t at = elf.e_phoff + i * sizeof segment;
        if (at > head_size || head_size - at < sizeof segment)
            break;
        memcpy(&segment, head + at, sizeof segment);
        bool is_read_only = (segment.p_flags & PF_W) == 0;
        if (segment.p_type == PT_DYNAMIC && found != is_read_only)
            return wa_fail(error, WA_ERROR_CORRUPT_HEADER, 0, found, is_read_only, "flags (read-only dynamic section)");
    }
    return 0;
}

static int open_checked(wa_artifact *artifact, wa_error *error)
{
    struct stat status;
    if (fstat(artifact->fd, &status) < 0)
        return wa_fail_system(error, WA_ERROR_SYSTEM, 0, "fstat");
    uint64_t file_size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    uint8_t head[WA_HEAD_MAX_BYTES];
    uint64_t head_size = file_size < FIRST_HEAD_BYTES ? file_size : FIRST_HEAD_BYTES;
    if (read_exactly(artifact->fd, head, head_size, 0, "read", error) < 0)
        return -1;
    if (head_size < sizeof(Elf64_Ehdr)) {
        uint32_t start = 0;
        memcpy(&start, head, head_size < 4 ? head_size : 4);
        if (memcmp(&start, ELFMAG, SELFMAG) == 0)
            return wa_fail(error, WA_ERROR_CORRUPT_ELF, 0, file_size, sizeof(Elf64_Ehdr), "the size of the file");
        return wa_fail(error, WA_ERROR_NOT_ELF, 0, start, 0x464c457f, "");
    }
    Elf64_Ehdr elf;
    Elf64_Shdr section = {0};
    memcpy(&elf, head, sizeof elf);
    if (check_elf_header(&elf, file_size, error) < 0 || find_section(artifact->fd, &elf, file_size, &section, error) < 0 ||
        map_section(artifact, &section, error) < 0 || wa_metadata_check(artifact, error) < 0)
        return -1;
    uint64_t wanted = artifact->header->head_size_bytes;
    if (wanted > head_size && read_exactly(artifact->fd, head + head_size, wanted - head_size, head_size, "read", error) < 0)
        return -1;
    if (check_dynamic(artifact, head, error) < 0 || wa_load_checksum_check(artifact, head, error) < 0)
        return -1;
    return wa_host_check(artifact, error);
}

wa_artifact *wa_artifact_open(int fd, wa_error *error)
{
    wa_artifact *artifact = malloc(sizeof *artifact);
    if (artifact == NULL) {
        wa_fail(error, WA_ERROR_NO_MEMORY, 0, 0, 0, "artifact");
        return NULL;
    }
    memset(artifact, 0, offsetof(wa_artifact, front)); /* what is read of the rest is read from the file first */
    artifact->references = 1;
    artifact->fd = fd;
    if (open_checked(artifact, error) == 0)
        return artifact;
    artifact->fd = -1; /* the caller keeps it */
    wa_artifact_release(artifact);
    return NULL;
}

const uint8_t *wa_artifact_section(const wa_artifact *artifact, uint64_t *size_bytes)
{
    *size_bytes = artifact->section_size_bytes;
    return artifact->section;
}

bool wa_artifact_is_component(const wa_artifact *artifact)
{
    return (artifact->header->flags & WA_HEADER_COMPONENT) != 0;
}

uint32_t wa_artifact_cpu_level(const wa_artifact *artifact)
{
    return artifact->cpu_level;
}

int wa_artifact_file(const wa_artifact *artifact)
{
    return artifact->fd;
}

int wa_artifact_bind(wa_artifact *artifact, void *dl_handle, const void *anchor, wa_error *error)
{
    struct wa_schema_anchor found = {0};
    if (anchor != NULL)
        memcpy(&found, anchor, sizeof found);
    if (found.magic != WA_ANCHOR_MAGIC || memcmp(found.build_id, artifact->header->build_id, sizeof found.build_id) != 0)
        return wa_fail(error, WA_ERROR_BUILD_ID, 0, found.magic, WA_ANCHOR_MAGIC, "");
    if (found.runtime_abi != artifact->header->runtime_abi)
        return wa_fail(error, WA_ERROR_RUNTIME_ABI, 0, found.runtime_abi, WA_RUNTIME_ABI, "");
    if (wa_contract_bind(artifact, anchor, error) < 0)
        return -1;
    artifact->dl_handle = dl_handle;
    return 0;
}

void wa_artifact_retain(wa_artifact *artifact)
{
    atomic_fetch_add_explicit(&artifact->references, 1, memory_order_relaxed);
}

void wa_artifact_release(wa_artifact *artifact)
{
    if (artifact == NULL || atomic_fetch_sub_explicit(&artifact->references, 1, memory_order_acq_rel) != 1)
        return;
    wa_pool_drop(artifact);
    /* The descriptor is closed last: while the object is loaded under the name /proc/<pid>/fd/N, no other artifact may get
     * the same N, or glibc would take it for the same library. */
    if (artifact->dl_handle != NULL)
        dlclose(artifact->dl_handle);
    if (artifact->section != NULL)
        munmap((void *)(uintptr_t)artifact->section, artifact->section_size_bytes);
    if (artifact->fd >= 0)
        close(artifact->fd);
    free(artifact->rtts);
    free(artifact);
}
