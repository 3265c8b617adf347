#!/usr/bin/env bash
# pyelftools 0.33: has_dwarf_info() is True for a shared object without any debug information.
# Guess: False after strip, which leaves no section .debug_*.
# Seen: .eh_frame counts as DWARF unless strict=True is passed, and nearly every object has one; get_dwarf_info() then gives
# no compilation unit.
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
install pyelftools==0.33
echo 'int answer(void) { return 42; }' > answer.c
gcc -g -shared -fPIC -nostdlib -o debug.so answer.c
strip -o stripped.so debug.so
cat > look.py << 'PY'
from elftools.elf.elffile import ELFFile

for path in ("debug.so", "stripped.so"):
    with open(path, "rb") as file:
        elf = ELFFile(file)
        units = len(list(elf.get_dwarf_info().iter_CUs()))
        print(path, elf.has_dwarf_info(), elf.has_dwarf_info(strict=True), units)
PY
python look.py > seen
expect << 'SEEN'
debug.so True True 1
stripped.so True False 0
SEEN
