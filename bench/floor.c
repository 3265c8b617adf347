/* The floor under any loader: what C needs to look at a file and to map its code.
 * Usage: floor FILE SAMPLES; prints one duration in nanoseconds a line.
 * A sample is open, fstat, mmap of the whole file, one read of it, close, dlopen; undoing it is not counted. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static long sample_ns(const char *path) {
    struct stat status;
    long start = now_ns();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) fail(path);
    char *bytes = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) fail("mmap");
    char touched = *(volatile char *)bytes;
    close(fd);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    long duration_ns = now_ns() - start;
    if (!handle || touched != 0x7f) {
        fprintf(stderr, "%s: %s\n", path, handle ? "not an ELF file" : dlerror());
        exit(1);
    }
    dlclose(handle);
    if (dlopen(path, RTLD_NOW | RTLD_NOLOAD)) {
        fprintf(stderr, "%s: still loaded after dlclose: the next sample would measure nothing\n", path);
        exit(1);
    }
    munmap(bytes, status.st_size);
    return duration_ns;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: floor FILE SAMPLES\n");
        return 2;
    }
    sample_ns(argv[1]);
    for (int count = atoi(argv[2]); count > 0; count--) printf("%ld\n", sample_ns(argv[1]));
    return 0;
}
