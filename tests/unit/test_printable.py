"""Names of a guest never reach a terminal raw, whichever error or command prints them; attributes keep them exact."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import wasmartifact as wa
from tests.unit.wasm.inputs import HEADER, leb, section, vec
from wasmartifact.errors import MalformedModule, WasmArtifactError, printable

#: Clears a screen, sets a title, rings, forges a frame, turns text around, hides it, breaks encodings.
PIECES = (
    "\x1b[2J", "\x1b]0;t\x07", "\n  at forged", "\r", "\x9b31m", "\u202e", "\u200b", "\0", "\x7f", "\u2028", "ü", "x",
)  # fmt: skip
IMPORTS = (("f", b"\0\1"), ("g", b"\3\x7f\0"))
EXPORTS = (("trap", b"\0\1"), ("takes", b"\0\2"), ("global", b"\3\1"))
TRAPS = b"\3\0\0\x0b"


def name_bytes(name: str) -> bytes:
    encoded = name.encode()
    return leb(len(encoded)) + encoded


def guest(name: str, *, exports: tuple[tuple[str, bytes], ...] = EXPORTS, body: bytes = TRAPS) -> bytes:
    """A module with one name wherever a name can stand; exports: a function that traps, another, a global."""
    named = vec(*(bytes([index]) + name_bytes(name) for index in range(3)))
    parts = (b"\0", name_bytes(name)), (b"\1", named)
    return b"".join(
        [
            HEADER,
            section(1, vec(b"\x60\0\0", b"\x60\1\x7f\0")),
            section(2, vec(*(name_bytes(name) + name_bytes(name + end) + kind for end, kind in IMPORTS))),
            section(3, vec(b"\0", b"\1")),
            section(6, vec(b"\x7f\0\x41\0\x0b")),
            section(7, vec(*(name_bytes(name + end) + kind for end, kind in exports))),
            section(10, vec(body, b"\2\0\x0b")),
            section(0, name_bytes(name) + b"x"),
            section(0, name_bytes("name") + b"".join(number + leb(len(part)) + part for number, part in parts)),
        ]
    )


def names() -> Iterator[str]:
    yield "\x1b[2J\x1b]0;title\x07\n  at nothing_to_see"
    chance = random.Random(7)
    for _ in range(8):
        yield "".join(chance.choices(PIECES, k=chance.randint(1, 6)))


def failures(artifact: wa.Artifact, name: str) -> Iterator[Callable[[], object]]:
    """Calls that raise an error which has something to do with a name."""
    given = {name: {name + "f": lambda value: None, name + "g": 1}}
    exports = artifact.instantiate(given).exports
    yield exports[name + "trap"]
    yield exports[name + "takes"]
    yield lambda: exports[name + "takes"]("text")
    yield lambda: exports[name + "takes"](1 << 40)
    yield lambda: exports[name + "takes"](word=1)
    yield lambda: exports[name + "missing"]
    yield lambda: getattr(exports, name + "missing")
    yield artifact.instantiate
    yield lambda: artifact.instantiate({name: 3})  # type: ignore[dict-item]
    yield lambda: artifact.instantiate({name: {name + "f": 3, name + "g": 1}})
    yield lambda: artifact.instantiate({name: {name + "f": exports[name + "trap"], name + "g": 1}})
    yield lambda: artifact.instantiate({name: {name + "f": lambda value: None, name + "g": "text"}})


@pytest.mark.parametrize("name", list(names()), ids=ascii)
def test_errors(name: str, tmp_path: Path) -> None:
    wa.pack(guest(name), tmp_path / "a.so", opt_level=0, jobs=1)
    artifact = wa.load(tmp_path / "a.so")
    seen = 0
    for fail in failures(artifact, name):
        with pytest.raises(Exception) as caught:
            fail()
        problem = caught.value
        # KeyError and AttributeError are Python's own, which quotes a key and takes an attribute's name as it is.
        if isinstance(problem, WasmArtifactError | TypeError | OverflowError):
            seen += 1
            lines = str(problem).split("\n") if isinstance(problem, wa.Trap) else [str(problem)]
            assert all(line.isprintable() for line in lines), str(problem)
            assert all(line.startswith("  at ") for line in lines[1:])
            assert len(lines) == (1 + len(problem.frames) if isinstance(problem, wa.Trap) else 1)
    assert seen >= 9
    exports = artifact.instantiate({name: {name + "f": print, name + "g": 1}}).exports
    assert repr(exports[name + "trap"]).isprintable()
    with pytest.raises(wa.Trap) as trapped:
        exports[name + "trap"]()
    assert (trapped.value.frames[0].func_name, trapped.value.frames[0].module_name) == (name, name)


@pytest.mark.parametrize("name", list(names()), ids=ascii)
def test_modules_that_are_refused(name: str, tmp_path: Path) -> None:
    """An invalid body, one that is no code, and two exports of one name."""
    for data in (
        guest(name, body=b"\3\0\x1a\x0b"),
        guest(name, body=b"\3\0\xff\x0b"),
        guest(name, exports=EXPORTS[:1] * 2),
    ):
        with pytest.raises((wa.InvalidModule, wa.MalformedModule)) as caught:
            wa.pack(data, tmp_path / "a.so")
        assert str(caught.value).isprintable(), str(caught.value)


def test_the_command_line(tmp_path: Path) -> None:
    name = next(names())
    wa.pack(guest(name), tmp_path / "a.so", opt_level=0, jobs=1)
    alone = HEADER + section(1, vec(b"\x60\0\0")) + section(3, vec(b"\0"))
    alone += section(7, vec(name_bytes(name) + b"\0\0", name_bytes("f") + b"\0\0")) + section(10, vec(TRAPS))
    named = vec(b"\0" + name_bytes(name))
    alone += section(0, name_bytes("name") + b"\1" + leb(len(named)) + named)
    (tmp_path / "alone.wasm").write_bytes(alone)
    for arguments in (
        ["run", "a.so", "--invoke", name + "trap"],
        ["run", "a.so", "--invoke", name + "missing"],
        ["run", "a.so"],
        ["run", "alone.wasm", "--invoke", "f"],
        ["run", "alone.wasm", "--invoke", name],
        ["inspect", "a.so"],
        ["inspect", "--json", "a.so"],
        ["verify", "a.so"],
    ):
        command = [sys.executable, "-P", "-m", "wasmartifact", *arguments]
        result = subprocess.run(command, capture_output=True, cwd=tmp_path, check=False, timeout=120)
        for stream in (result.stdout, result.stderr):
            assert all(line.isprintable() for line in stream.decode().splitlines()), stream
            assert b"\n  at nothing_to_see" not in stream
    rows = json.loads(
        subprocess.check_output([sys.executable, "-P", "-m", "wasmartifact", "inspect", "--json", "a.so"], cwd=tmp_path)
    )
    assert rows["exports"][0]["name"] == name + "trap"


def test_only_an_excerpt_has_lines() -> None:
    with pytest.raises(MalformedModule) as caught:
        wa.pack(b"(module\n  (func\x1b\n", "never.so")
    first, *excerpt = str(caught.value).split("\n")
    assert first.isprintable() and all(line.isprintable() for line in excerpt)
    assert str(WasmArtifactError("two\nlines")) == "two\\nlines"


def test_what_can_be_read_stays() -> None:
    for text in ("plain", "größe λ → 漢字 🙂", "back\\slash", ""):
        assert printable(text) == text
    assert printable("\x1b\u202e\ud800ü") == "\\x1b\\u202e\\ud800ü"
