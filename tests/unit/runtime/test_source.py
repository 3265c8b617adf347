"""compile_source gives what the builtin compile gives, which the tests ask."""

from __future__ import annotations  # which compile_source must not take over

import marshal
import sys
from pathlib import Path

import pytest

from tests.support.bytecode import second_output
from wasmartifact._types import compile_source

SOURCES: list[str | bytes] = [
    "x = 1\n",
    b"x = 1",
    b"",
    "# -*- coding: latin-1 -*-\nx = 'é'\n",  # a text is decoded, whatever its comment says
    b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
    b"\xef\xbb\xbfx = '\xc3\xa9'\r\ny = 2\r\n",
    b"x = '\xe9'\n",
    b"# -*- coding: nothing -*-\n",
    "def f() -> Missing: ...\n",
    "from __future__ import annotations\ndef f() -> Missing: ...\n",
    "x = (\n",
    "  x = 1\n",
    "return 1\n",
    "'\\ud800'\n",
    "'\ud800'\n",
    "if 1:\n\tx\n        y\n",
    "match 1:\n    case 1: pass\n",
]


def outcome(compiling: object, *arguments: object, **options: object) -> object:
    try:
        return marshal.dumps(compiling(*arguments, **options))  # type: ignore[operator]
    except (SyntaxError, ValueError) as error:
        return type(error), error.args


@pytest.mark.parametrize("source", SOURCES)
def test_as_compile_does(source: str | bytes) -> None:
    expected = outcome(compile, source, "näme", "exec", dont_inherit=True)
    assert outcome(compile_source, source, "näme") == expected


@pytest.mark.parametrize("source", ["x\0", b"\0", b"x = 1\n\0"])
def test_null_bytes(source: str | bytes) -> None:
    with pytest.raises((SyntaxError, ValueError), match="null bytes"):
        compile(source, "name", "exec")
    with pytest.raises(SyntaxError, match="null bytes"):
        compile_source(source, "name")


@pytest.mark.parametrize("arguments", [(), ("x",), ("x", "y", "z"), (1, "x"), ("x", 1), (bytearray(b"x"), "x")])
def test_arguments(arguments: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        compile_source(*arguments)  # type: ignore[arg-type]


def test_no_class_of_ast_is_made(tmp_path: Path) -> None:
    """That is what it is for."""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; from wasmartifact._types import compile_source\n"
        "def made(): return sum(one.__name__ == 'AST' for one in object.__subclasses__())\n"
        "found = [made()]; compile_source('x', 'y'); found += [made()]; compile('x', 'y', 'exec'); print(found, made())"
    )
    assert second_output([sys.executable, "-S", "-c", code], tmp_path) == "[0, 0] 1\n"
