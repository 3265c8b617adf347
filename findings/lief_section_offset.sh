#!/usr/bin/env bash
# lief 1.0.0: setting section.offset moves the section's header, not its bytes: what is read there afterwards is what
# happened to lie at the new place.
# Guess: the contents move along, or the assignment is refused; a Section holds its content.
# Seen: write() succeeds, and the section's contents are lost.
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
install lief==1.0.0
echo 'int answer(void) { return 42; }' > answer.c
gcc -shared -fPIC -nostdlib -o plain.so answer.c
cat > look.py << 'PY'
import lief

binary = lief.ELF.parse("plain.so")
section = binary.get_section(".comment")
before = bytes(section.content)
section.offset += 64
binary.write("moved.so")
after = bytes(lief.ELF.parse("moved.so").get_section(".comment").content)
print(before.startswith(b"GCC:"), after.startswith(b"GCC:"), len(before) == len(after))
PY
python look.py > seen
expect << 'SEEN'
True False True
SEEN
