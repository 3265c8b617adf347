/* Prints the exports of an artifact, one "kind index name" a line: a reader written from docs/FORMAT.md alone.
 *
 * Plain C, no header of the project. In names, bytes below 32, 127 and backslashes are printed as \xNN. Exit code 1 and
 * a line on standard error where the file is no artifact or is damaged. Compile with: cc -o read_exports read_exports.c */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEADER_BYTES = 384, ENTRY_BYTES = 24, SECTION_HEADER_BYTES = 64 };
/* Column ids of the group "exports", and of one column of each index space by kind, to check indices against. */
enum { EXPORT_NAME = 96, EXPORT_NAME_BYTES, EXPORT_KIND, EXPORT_INDEX };
static const struct {
    const char *name;
    uint32_t column, element_bytes;
} kinds[] = {{"func", 128, 16}, {"table", 224, 4}, {"memory", 256, 8}, {"global", 288, 4}, {"tag", 320, 4}};

struct bytes {
    const uint8_t *data;
    uint64_t size;
};

static void fail(const char *problem)
{
    fprintf(stderr, "read_exports: %s\n", problem);
    exit(1);
}

/* A little-endian number, wherever it lies. */
static uint64_t number(struct bytes from, uint64_t offset, unsigned width)
{
    uint64_t value = 0;
    if (offset > from.size || width > from.size - offset)
        fail("the file ends too early");
    while (width-- > 0)
        value = value << 8 | from.data[offset + width];
    return value;
}

static struct bytes part(struct bytes from, uint64_t offset, uint64_t size, const char *problem)
{
    if (offset > from.size || size > from.size - offset)
        fail(problem);
    return (struct bytes){from.data + offset, size};
}

/* The .wasmartifact section of an ELF file. */
static struct bytes find_section(struct bytes file)
{
    static const char name[] = ".wasmartifact";
    if (file.size < 64 || memcmp(file.data, "\177ELF\2\1", 6) != 0 || number(file, 16, 2) != 3)
        fail("not a 64-bit little-endian ELF shared object");
    uint64_t table = number(file, 40, 8), count = number(file, 60, 2), names_index = number(file, 62, 2);
    if (number(file, 58, 2) != SECTION_HEADER_BYTES || names_index >= count)
        fail("damaged section table");
    struct bytes headers = part(file, table, count * SECTION_HEADER_BYTES, "damaged section table");
    uint64_t names_header = names_index * SECTION_HEADER_BYTES;
    struct bytes names = part(file, number(headers, names_header + 24, 8), number(headers, names_header + 32, 8),
                              "damaged section names");
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = number(headers, i * SECTION_HEADER_BYTES, 4);
        if (start <= names.size && sizeof name <= names.size - start &&
            memcmp(names.data + start, name, sizeof name) == 0)
            return part(file, number(headers, i * SECTION_HEADER_BYTES + 24, 8),
                        number(headers, i * SECTION_HEADER_BYTES + 32, 8), "the section is outside of the file");
    }
    fail("no .wasmartifact section");
    return file;
}

/* The column with this id, which must have elements of this size. */
static struct bytes find_column(struct bytes section, uint32_t id, uint32_t element_bytes)
{
    uint64_t start = number(section, 32, 4), size = number(section, 36, 4) * ENTRY_BYTES;
    struct bytes directory = part(section, start, size, "the directory is outside of the section");
    for (uint64_t entry = 0; entry < directory.size; entry += ENTRY_BYTES) {
        if (number(directory, entry, 4) != id)
            continue;
        uint64_t offset = number(directory, entry + 8, 8), count = number(directory, entry + 16, 8);
        if (number(directory, entry + 4, 4) != element_bytes || offset % 64 != 0 || count > section.size)
            fail("damaged directory entry");
        return part(section, offset, count * element_bytes, "a column is outside of the section");
    }
    fail("a column is missing");
    return section;
}

static struct bytes check_section(struct bytes section)
{
    if (number(section, 0, 8) != UINT64_C(0x0a747261776d7377))
        fail("wrong magic");
    if (number(section, 8, 2) != 2)
        fail("another format version");
    if (number(section, 28, 4) != HEADER_BYTES || number(section, 48, 8) != section.size || section.size < HEADER_BYTES)
        fail("damaged header");
    return section;
}

static void print_name(struct bytes name)
{
    for (uint64_t i = 0; i < name.size; i++)
        if (name.data[i] < 32 || name.data[i] == 127 || name.data[i] == '\\')
            printf("\\x%02x", name.data[i]);
        else
            putchar(name.data[i]);
    putchar('\n');
}

static void print_exports(struct bytes section)
{
    struct bytes offsets = find_column(section, EXPORT_NAME, 4), names = find_column(section, EXPORT_NAME_BYTES, 1);
    struct bytes kind_column = find_column(section, EXPORT_KIND, 1), indices = find_column(section, EXPORT_INDEX, 4);
    uint64_t rows = kind_column.size;
    if (offsets.size != 4 * (rows + 1) || indices.size != 4 * rows)
        fail("the columns of the exports have different numbers of rows");
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t kind = number(kind_column, row, 1), index = number(indices, 4 * row, 4);
        uint64_t start = number(offsets, 4 * row, 4), end = number(offsets, 4 * row + 4, 4);
        if (start > end)
            fail("the offsets of names don't ascend");
        if (kind >= sizeof kinds / sizeof kinds[0])
            fail("unknown kind of export");
        uint32_t width = kinds[kind].element_bytes;
        if (index >= find_column(section, kinds[kind].column, width).size / width)
            fail("an export's index is out of range");
        printf("%s %" PRIu64 " ", kinds[kind].name, index);
        print_name(part(names, start, end - start, "a name is outside of its column"));
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fail("usage: read_exports ARTIFACT");
    struct stat status;
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size <= 0)
        fail("can't read the file");
    void *mapping = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED)
        fail("can't map the file");
    print_exports(check_section(find_section((struct bytes){mapping, (uint64_t)status.st_size})));
    return 0;
}
