"""ELF64 as artifacts and objects have it, little-endian: its structures and numbers.

Source: the System V gABI, its psABI for x86-64, and the GNU extensions as glibc and binutils read them.
"""

from __future__ import annotations

import struct
from typing import Final

from wasmartifact.schema import BUILD_ID_BYTES

#: ident, type, machine, version, entry, phoff, shoff, flags, ehsize, phentsize, phnum, shentsize, shnum, shstrndx
ELF_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
PROGRAM_HEADER: Final = struct.Struct("<IIQQQQQQ")  # type, flags, offset, vaddr, paddr, filesz, memsz, align
SECTION_HEADER: Final = struct.Struct("<IIQQQQIIQQ")  # as readelf -S shows them
SYMBOL: Final = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
RELA: Final = struct.Struct("<QIIq")  # offset, type, symbol, addend: r_info split in its two halves
DYNAMIC_ENTRY: Final = struct.Struct("<qQ")  # tag, value
BUILD_ID_NOTE: Final = struct.Struct(f"<III4s{BUILD_ID_BYTES}s")  # name size, contents' size, type, "GNU", contents
#: One bucket, first hashed symbol 1, one Bloom word, shift; then the word, the bucket and the symbol's chain value.
GNU_HASH: Final = struct.Struct("<IIIIQII")

#: ELF64, little-endian, version 1, System V ABI, ABI version 0, padding.
ELF_IDENT: Final = b"\x7fELF\x02\x01\x01" + bytes(9)
ET_REL, ET_DYN = 1, 3
PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_GNU_STACK = 1, 2, 4, 0x6474E551
PF_X, PF_W, PF_R = 1, 2, 4
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_DYNAMIC, SHT_NOTE, SHT_NOBITS, SHT_REL = 1, 2, 3, 4, 6, 7, 8, 9
SHT_DYNSYM, SHT_GROUP, SHT_GNU_HASH, SHT_X86_64_UNWIND = 11, 17, 0x6FFFFFF6, 0x70000001
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_STRINGS, SHF_TLS = 1, 2, 4, 0x10, 0x20, 0x400
SHN_UNDEF, SHN_LORESERVE = 0, 0xFF00
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_OBJECT, STT_FUNC, STT_SECTION = 1, 2, 3
DT_NULL, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_GNU_HASH = 0, 5, 6, 10, 11, 0x6FFFFEF5
NT_GNU_BUILD_ID: Final = 3
