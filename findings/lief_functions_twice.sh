#!/usr/bin/env bash
# lief 1.0.0: exported_functions and exported_symbols of an ordinary shared object list each function twice.
# Guess: each once; .symtab and .dynsym tell of the same function.
# Seen: one entry for each table; after strip, one.
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
install lief==1.0.0
echo 'int answer(void) { return 42; }' > answer.c
gcc -shared -fPIC -nostdlib -o whole.so answer.c
strip -o stripped.so whole.so
cat > look.py << 'PY'
import lief

for path in ("whole.so", "stripped.so"):
    binary = lief.ELF.parse(path)
    print(path, [function.name for function in binary.exported_functions], len(list(binary.exported_symbols)))
PY
python look.py > seen
expect << 'SEEN'
whole.so ['answer', 'answer'] 2
stripped.so ['answer'] 1
SEEN
