#!/usr/bin/env bash
# llvmlite 0.50.0 (LLVM 22.1.0, x86-64): a CPU feature that doesn't exist is accepted, and code without it comes out.
# Guess: an exception, as for an unknown target triple.
# Seen: a line on the process's standard error, written past Python; the machine works. Who takes names of features from users
# must check them against a list of their own.
. "$(dirname "$0")/lib/scratch.sh"
install llvmlite==0.50.0
cat > look.py << 'PY'
import llvmlite.binding as llvm

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
IR = "define <4 x double> @f(<4 x double> %x) { %y = fadd <4 x double> %x, %x\n ret <4 x double> %y }"
for features in ("+avx", "+avxx", ""):
    machine = target.create_target_machine(cpu="x86-64", features=features)
    assembly = machine.emit_assembly(llvm.parse_assembly(IR))
    print(repr(features), "AVX" if "vaddpd" in assembly else "SSE2")
PY
python look.py > seen 2> said
grep -q "'+avxx' is not a recognized feature" said && echo "said on standard error" >> seen
expect << 'SEEN'
'+avx' AVX
'+avxx' SSE2
'' SSE2
said on standard error
SEEN
