/* This host: its machine, CPU features, pages and C library, and whether an artifact can run on it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "metadata.h"

static const struct {
    uint64_t mask;
    const char *name;
} features[] = {
#define X(mask, c_name, llvm_name) {mask, llvm_name},
#if defined(__x86_64__)
    WA_CPU_FEATURES_X86_64(X)
#elif defined(__aarch64__)
    WA_CPU_FEATURES_AARCH64(X)
#endif
#undef X
};

static const char *name_of(uint64_t mask)
{
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (features[i].mask == mask)
            return features[i].name;
    return "a feature unknown to this version";
}

static uint64_t mask_of(const char *name)
{
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
        if (strcmp(features[i].name, name) == 0)
            return features[i].mask;
    return 0;
}

#if defined(__x86_64__)
#include <cpuid.h>

uint32_t wa_host_machine(void)
{
    return WA_MACHINE_X86_64;
}

/* Where CPUID tells of a feature: Intel SDM volume 2, CPUID. regs: 0 eax, 1 ebx, 2 ecx, 3 edx. state: the bits of XCR0
 * that the operating system must have enabled. */
static const struct {
    const char *name;
    uint32_t leaf;
    uint8_t reg, bit;
    uint8_t state;
} places[] = {
    {"sse3", 1, 2, 0, 0},           {"ssse3", 1, 2, 9, 0},          {"sse4.1", 1, 2, 19, 0},
    {"sse4.2", 1, 2, 20, 0},        {"popcnt", 1, 2, 23, 0},        {"cx16", 1, 2, 13, 0},
    {"sahf", 0x80000001, 2, 0, 0},  {"avx", 1, 2, 28, 0x06},        {"avx2", 7, 1, 5, 0x06},
    {"bmi", 7, 1, 3, 0},            {"bmi2", 7, 1, 8, 0},           {"f16c", 1, 2, 29, 0x06},
    {"fma", 1, 2, 12, 0x06},        {"lzcnt", 0x80000001, 2, 5, 0}, {"movbe", 1, 2, 22, 0},
    {"adx", 7, 1, 19, 0},           {"avx512f", 7, 1, 16, 0xe6},    {"avx512bw", 7, 1, 30, 0xe6},
    {"avx512cd", 7, 1, 28, 0xe6},   {"avx512dq", 7, 1, 17, 0xe6},   {"avx512vl", 7, 1, 31, 0xe6},
    {"avx512ifma", 7, 1, 21, 0xe6}, {"avx512vbmi", 7, 2, 1, 0xe6},  {"avx512vbmi2", 7, 2, 6, 0xe6},
    {"avx512vnni", 7, 2, 11, 0xe6}, {"avx512bitalg", 7, 2, 12, 0xe6}, {"avx512vpopcntdq", 7, 2, 14, 0xe6},
    {"gfni", 7, 2, 8, 0},           {"vaes", 7, 2, 9, 0x06},        {"vpclmulqdq", 7, 2, 10, 0x06},
    {"aes", 1, 2, 25, 0},           {"pclmul", 1, 2, 1, 0},         {"sha", 7, 1, 29, 0},
};

static uint32_t enabled_state(void)
{
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & (1u << 27)))
        return 0;
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static uint64_t detect(void)
{
    uint64_t found = 0;
    uint32_t state = enabled_state();
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint32_t regs[4] = {0, 0, 0, 0};
        if (!__get_cpuid_count(places[i].leaf, 0, &regs[0], &regs[1], &regs[2], &regs[3]))
            continue;
        if (!(regs[places[i].reg] >> places[i].bit & 1) || (state & places[i].state) != places[i].state)
            continue;
        found |= mask_of(places[i].name);
    }
    return found;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

uint32_t wa_host_machine(void)
{
    return WA_MACHINE_AARCH64;
}

/* Bits of AT_HWCAP: Linux, arch/arm64/include/uapi/asm/hwcap.h. */
static const struct {
    const char *name;
    uint8_t bit;
} places[] = {
    {"fp-armv8", 0}, {"neon", 1}, {"aes", 3}, {"sha2", 6}, {"crc", 7},
    {"lse", 8}, {"fullfp16", 9}, {"rdm", 12}, {"dotprod", 20},
};

static uint64_t detect(void)
{
    uint64_t found = 0;
    unsigned long capabilities = getauxval(AT_HWCAP);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (capabilities >> places[i].bit & 1)
            found |= mask_of(places[i].name);
    return found;
}

#else
#error "wasmartifact runs on x86-64 and aarch64"
#endif

/* Features that the environment hides, by their names with commas between: to see what a lesser CPU would run. */
static uint64_t hidden(void)
{
    uint64_t found = 0;
    const char *rest = getenv("WASMARTIFACT_HIDDEN_CPU_FEATURES");
    while (rest != NULL && *rest != 0) {
        char name[32] = "";
        size_t length = strcspn(rest, ",");
        if (length < sizeof name)
            memcpy(name, rest, length);
        found |= mask_of(name);
        rest += length + (rest[length] == ',');
    }
    return found;
}

uint64_t wa_host_cpu_features(void)
{
    /* The answer never changes, so a race only computes it twice. */
    static _Atomic uint64_t known;
    uint64_t answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == 0) {
        answer = detect() & ~hidden();
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer;
}

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor) TEXT_OF(major) "." TEXT_OF(minor)

/* glibc before 2.35 writes into the dynamic section while it loads a library. The answer never changes: a race only finds
 * it twice. No sscanf or strtoul: newer headers replace them by functions that only glibc 2.38 has. */
static bool takes_read_only_dynamic(void)
{
    enum { UNKNOWN, YES, NO };
    static atomic_int known = UNKNOWN;
    if (atomic_load_explicit(&known, memory_order_relaxed) == UNKNOWN) {
        static const char name[] = "glibc ";
        char text[64] = "";
        confstr(_CS_GNU_LIBC_VERSION, text, sizeof text);
        bool is_new = strncmp(text, name, sizeof name - 1) == 0 &&
                      strverscmp(text + sizeof name - 1, VERSION_TEXT(WA_GLIBC_MIN_MAJOR, WA_GLIBC_MIN_MINOR)) >= 0;
        atomic_store_explicit(&known, is_new ? YES : NO, memory_order_relaxed);
    }
    return atomic_load_explicit(&known, memory_order_relaxed) == YES;
}

static int check_c_library(const wa_artifact *artifact, wa_error *error)
{
    if (!(artifact->header->flags & WA_HEADER_READ_ONLY_DYNAMIC) || takes_read_only_dynamic())
        return 0;
    char text[sizeof error->text] = "";
    confstr(_CS_GNU_LIBC_VERSION, text, sizeof text);
    return wa_fail(error, WA_ERROR_C_LIBRARY, 0, 0, 0, text[0] != 0 ? text : "another C library");
}

int wa_host_check(const wa_artifact *artifact, wa_error *error)
{
    uint64_t host_page = (uint64_t)sysconf(_SC_PAGESIZE), page = artifact->header->page_size_bytes;
    if (page < host_page || (page & (page - 1)) != 0)
        return wa_fail(error, WA_ERROR_PAGE_SIZE, 0, host_page, page, "");
    if (check_c_library(artifact, error) < 0)
        return -1;
    uint64_t missing = artifact->header->cpu_features & ~wa_host_cpu_features();
    if (missing == 0)
        return 0;
    char text[sizeof error->text] = "";
    size_t length = 0;
    for (uint64_t rest = missing; rest != 0; rest &= rest - 1) {
        const char *name = name_of(rest & -rest);
        if (length + strlen(name) + 2 >= sizeof text)
            break;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? " " : "", name);
    }
    return wa_fail(error, WA_ERROR_CPU_FEATURE, 0, missing, 0, text);
}
