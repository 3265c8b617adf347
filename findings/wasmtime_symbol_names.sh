#!/usr/bin/env bash
# wasmtime 50.0.1 (PyPI): the symbol table of a compiled module does not have the names of the name section.
# Guess: a compiled module is an ELF file whose .symtab gives debuggers and profilers the functions' names, with the index in front.
# Seen: so it does for short C names. Spaces become question marks, which C++'s and Rust's demangled names are full of, and of a long name
# the end is cut off: two overloads that differ behind the 96th character have one name but for the index. The name section keeps both.
. "$(dirname "$0")/lib/scratch.sh"
install wasmtime==50.0.1 pyelftools==0.33
cat > names.py << 'PY'
import io

import wasmtime
from elftools.elf.elffile import ELFFile

start = "std::map<std::string, unsigned long, std::less<std::string>, std::allocator<std::pair<const std::string, unsigned long>>>::insert"
names = ["plain", "operator new(unsigned long)", start + "(int)", start + "(long)"]
functions = "".join(f'(func $"{name}" (export "{number}"))' for number, name in enumerate(names))
compiled = wasmtime.Module(wasmtime.Engine(), f"(module {functions})").serialize()
for symbol in ELFFile(io.BytesIO(compiled)).get_section_by_name(".symtab").iter_symbols():
    *_, index, name = symbol.name.split("::", 2) if symbol.name.count("::") > 1 else ("", "")
    if index.startswith("function["):
        print(len(name), name if len(name) < 50 else f"{name[:40]} ... {name[-20:]}")
PY
python names.py > seen
expect << 'SEEN'
5 plain
27 operator?new(unsigned?long)
96 std::map<std::string,?unsigned?long,?std ... std::pair<const?std:
96 std::map<std::string,?unsigned?long,?std ... std::pair<const?std:
SEEN
