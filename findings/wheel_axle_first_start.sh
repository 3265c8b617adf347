#!/usr/bin/env bash
# karellen-llvm-core 22.1.8 (with wheel-axle-runtime 0.0.13): LLVM's library that the wheel installs can't be loaded until a Python of that environment has
# started once more.
# Guess: what pip has installed is whole when pip ends.
# Seen: a wheel can't hold links, and libLLVM needs libc++.so.1, which is one. A .pth file makes the links when the next Python starts with its site,
# and removes itself; a program that only looks into lib/, or starts Python with -S, finds a library that has no C++.
. "$(dirname "$0")/lib/scratch.sh"
install karellen-llvm-core==22.1.8 wheel-axle-runtime==0.0.13
cat > load.py << 'PY'
import ctypes
import sys

try:
    ctypes.CDLL(sys.argv[1])
    print("loaded")
except OSError as error:
    print(str(error).partition(": ")[0])
PY
for turn in "after pip" "after a start"; do
    echo "$turn: $(python -S load.py "$scratch/venv/lib/libLLVM.so.22.1")" >> seen
    python -c pass
done
expect << 'SEEN'
after pip: libc++.so.1
after a start: loaded
SEEN
