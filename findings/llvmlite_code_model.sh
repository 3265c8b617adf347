#!/usr/bin/env bash
# llvmlite 0.50.0 (LLVM 22.1.0, x86-64): create_target_machine() without a code model makes objects whose functions lie in
# .ltext, the section of the large code model.
# Guess: .text, as llc and clang have it; "default" is the target's default, which is small.
# Seen: the parameter's own default is "jitdefault"; naming "default" gives .text. Linkers lay .ltext out far from .text.
. "$(dirname "$0")/lib/scratch.sh"
install llvmlite==0.50.0
cat > look.py << 'PY'
import llvmlite.binding as llvm

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
target = llvm.Target.from_triple("x86_64-unknown-linux-gnu")
for options in ({}, {"reloc": "pic"}, {"codemodel": "default"}, {"codemodel": "small"}):
    machine = target.create_target_machine(**options)
    assembly = machine.emit_assembly(llvm.parse_assembly("define void @f() { ret void }"))
    section = next(line.split()[-1] for line in assembly.splitlines() if "text" in line)
    print(options, section)
PY
python look.py > seen
expect << 'SEEN'
{} .ltext,"axl",@progbits
{'reloc': 'pic'} .ltext,"axl",@progbits
{'codemodel': 'default'} .text
{'codemodel': 'small'} .text
SEEN
