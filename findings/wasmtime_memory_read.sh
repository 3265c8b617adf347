#!/usr/bin/env bash
# wasmtime 50.0.1: Memory.read past the end returns fewer bytes than were asked for; Memory.write past the end raises.
# Guess: IndexError from both: a length that was read from the guest is a number to check, not a Python slice.
# Seen: read clips like a slice, and so a reply that a guest announced with a wrong length arrives short and unnoticed.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1
cat > look.py << 'PY'
import wasmtime

store = wasmtime.Store()
memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
print(len(memory.read(store, 65530, 65600)), "of 70 bytes")
print(len(memory.read(store, 70000, 70010)), "of 10 bytes beyond the end")
try:
    memory.write(store, bytes(70), 65530)
except IndexError as error:
    print("write:", error)
PY
python look.py > seen
expect << 'SEEN'
6 of 70 bytes
0 of 10 bytes beyond the end
write: index out of range
SEEN
