#!/usr/bin/env bash
# glibc 2.36: dlopen of /proc/self/fd/N gives an object that was loaded under that name before, though N is another file now.
# Guess: the file that N stands for, since dlopen opens the name and compares device and inode.
# Seen: names are compared first, without opening anything. The same holds for a file that was replaced by a rename: the old
# object comes back under the old spelling, the new one under another.
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
for number in 1 2 3 4; do
    echo "int answer(void) { return $number; }" > answer.c
    gcc -shared -fPIC -nostdlib -o "lib$number.so" answer.c
done
cat > look.c << 'C'
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int ask(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return handle == NULL ? -1 : ((int (*)(void))dlsym(handle, "answer"))();
}

int main(void)
{
    char name[64];
    int first = open("lib1.so", O_RDONLY);
    snprintf(name, sizeof name, "/proc/self/fd/%d", first);
    printf("lib1 by descriptor: %d\n", ask(name));
    close(first);
    printf("same number for lib2: %d\n", open("lib2.so", O_RDONLY) == first);
    printf("lib2 by descriptor: %d\n", ask(name));
    printf("lib3: %d\n", ask("./lib3.so"));
    rename("lib4.so", "lib3.so");
    printf("lib3, now lib4: %d, and by another spelling: %d\n", ask("./lib3.so"), ask("././lib3.so"));
    return 0;
}
C
gcc -o look look.c
./look > seen
expect << 'SEEN'
lib1 by descriptor: 1
same number for lib2: 1
lib2 by descriptor: 1
lib3: 3
lib3, now lib4: 3, and by another spelling: 4
SEEN
