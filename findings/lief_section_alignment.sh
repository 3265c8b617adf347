#!/usr/bin/env bash
# lief 1.0.0: a section that is added without being loaded is put at any byte of the file, whatever alignment it asks for.
# Guess: a multiple of the alignment, where GNU ld puts such a section and strip leaves it.
# Seen: sh_addralign says 4096, and the offset is where the last segment happened to end. A section that is to be mapped from
# the file needs another tool, or a file that ends on a page before the section is added.
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
install lief==1.0.0
printf 'int state = 5;\nint answer(void) { return state; }\n' > answer.c
printf '.section .note.GNU-stack\n.section .mine,"",@progbits\n.balign 4096\n.ascii "0123456789"\n' > mine.s
gcc -shared -fPIC -nostdlib -o plain.so answer.c
gcc -shared -fPIC -nostdlib -o ld.so answer.c mine.s
strip -o strip.so ld.so
cat > look.py << 'PY'
import lief

binary = lief.ELF.parse("plain.so")
section = lief.ELF.Section(".mine", lief.ELF.Section.TYPE.PROGBITS)
section.content = list(b"0123456789")
section.alignment = 4096
binary.add(section, loaded=False)
binary.write("lief.so")
for path in ("ld.so", "strip.so", "lief.so"):
    section = lief.ELF.parse(path).get_section(".mine")
    print(path, section.alignment, "aligned" if section.offset % 4096 == 0 else "not aligned", bytes(section.content))
PY
python look.py > seen
expect << 'SEEN'
ld.so 4096 aligned b'0123456789'
strip.so 4096 aligned b'0123456789'
lief.so 4096 not aligned b'0123456789'
SEEN
