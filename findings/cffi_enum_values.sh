#!/usr/bin/env bash
# cffi 2.1.1, API mode: an enumerator whose value in cdef differs from the C source's is taken over silently; the same
# difference in a #define is an error.
# Guess: both are checked by the C compiler at build time.
# Seen: the build and the import pass either way; the #define is refused when it is first read, and the enumerator without an
# explicit value takes the C source's. Only constants that are touched are ever checked.
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
install cffi==2.1.1 setuptools==80.9.0
cat > look.py << 'PY'
import importlib
import sys

import cffi

ffi = cffi.FFI()
ffi.cdef("enum color { RED, GREEN };\n#define LIMIT 5")
ffi.set_source("_colors", "enum color { RED = 3, GREEN = 7 };\n#define LIMIT 6")
ffi.compile(verbose=False)
sys.path.insert(0, ".")
module = importlib.import_module("_colors")
lib = module.lib
print(lib.RED, lib.GREEN)
try:
    print(lib.LIMIT)
except module.ffi.error as error:
    print("refused:", str(error).split(",")[0].split("says ")[1])
PY
python look.py > seen
expect << 'SEEN'
3 7
refused: 'LIMIT' is equal to 6 (0x6)
SEEN
