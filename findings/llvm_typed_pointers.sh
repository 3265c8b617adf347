#!/usr/bin/env bash
# llvmlite 0.50.0 (LLVM 22.1.0): IR with typed pointers still parses; i32* is read as ptr.
# Guess: an error. Typed pointers went with LLVM 17, and instructions that need one carry the type themselves.
# Seen: the text is taken, and what i32 said is lost without a word. A generator that still writes it is never told.
. "$(dirname "$0")/lib/scratch.sh"
install llvmlite==0.50.0
cat > look.py << 'PY'
import llvmlite.binding as llvm

text = "define i32 @f(i32* %p) {\n  %v = load i32, i32* %p\n  ret i32 %v\n}"
print(*(line for line in str(llvm.parse_assembly(text)).splitlines() if "%" in line), sep="\n")
PY
python look.py > seen
expect << 'SEEN'
define i32 @f(ptr %p) {
  %v = load i32, ptr %p, align 4
  ret i32 %v
SEEN
