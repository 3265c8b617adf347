"""Generated files agree with the schema, and a C compiler agrees with the generated header."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tools import find_tool
from tools import generate
from wasmartifact import schema

ROOT = Path(__file__).resolve().parents[2]


def test_generated_files_are_current() -> None:
    for path, text in generate.outputs().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.relative_to(ROOT)}: run python tools/generate.py"


def test_every_lean_constant_is_read() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "wasmartifact").rglob("*.py")]
    readers = [text for text in texts if "from wasmartifact.constants import" in text]
    unused = [name for name in generate.LEAN if not any(re.search(rf"\b{name}\b", text) for text in readers)]
    assert not unused, f"tools/generate.py: LEAN has {', '.join(unused)}, which nothing reads"


def test_check_names_the_file_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    header = tmp_path / "wa_schema.h"
    header.write_text(generate.c_header().replace("#define WA_FORMAT_MAJOR 2", "#define WA_FORMAT_MAJOR 3"))
    monkeypatch.setattr(generate, "HEADER_PATH", header)
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "outputs", lambda: {header: generate.c_header()})
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 1
    assert "wa_schema.h differs" in capsys.readouterr().out


def test_a_compiler_takes_the_header(tmp_path: Path) -> None:
    """The header's own static assertions hold every size and offset; here the lists are expanded, too."""
    source = tmp_path / "use.c"
    source.write_text(
        '#include "wa_schema.h"\n#include "wa_schema.h"\n#include <stdio.h>\n'
        "int main(void) {\n"
        "#define X(id, name, size, shape, group) \\\n"
        'printf("%d %s %d %d %d\\n", id, #name, size, shape, group); \\\n'
        "_Static_assert(sizeof *((struct wa_schema_columns *)0)->name.data == size, #name);\n"
        "WA_COLUMNS(X)\n#undef X\n"
        '#define X(mask, name, text) printf("%lu %s\\n", (unsigned long)(mask), text);\n'
        "WA_CPU_FEATURES_X86_64(X)\nreturn 0; }\n"
    )
    program = tmp_path / "use"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'native' / 'include'}"]
    subprocess.run([find_tool("cc"), *flags, "-o", program, source], check=True)
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    shapes = ["rows", "offsets", "flat"]
    expected = [
        f"{column.id} {column.name} {schema.VALUE_SIZES[column.type]} {shapes.index(column.shape)} {column.id // 32}"
        for column in schema.COLUMNS
    ]
    expected += [f"{1 << bit} {name}" for bit, name in enumerate(schema.CPU_FEATURES["x86_64"])]
    assert printed == expected
