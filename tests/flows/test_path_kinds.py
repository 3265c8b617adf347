"""A path may be a str, or an object whose ``__fspath__`` gives a str or bytes: every function that takes one agrees."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa

WAT = b'(module (func (export "f") (result i32) (i32.const 7)))'


class BytesPath:
    """What `os.scandir` of a folder gives, where that is named by bytes."""

    def __init__(self, path: Path) -> None:
        self._path = os.fsencode(path)

    def __fspath__(self) -> bytes:
        return self._path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose name is no UTF-8, with a module and its artifact."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "m.wat").write_bytes(WAT)
    wa.pack(WAT, folder / "m.so", opt_level=0)
    return folder


def load(path: Any) -> None:
    artifact = wa.load(path)
    assert artifact.path == os.fsdecode(path)
    assert artifact.instantiate().exports.f() == 7


def open_metadata(path: Any) -> None:
    with wa.open_metadata(path) as metadata:
        assert metadata.exports[0].name == "f"


def keep(path: Any) -> None:
    wa.pack(WAT, Path(os.fsdecode(path)).with_name("n.so"), keep=path, opt_level=0)
    assert [name for name in os.listdir(os.fsdecode(path)) if name.endswith(".bin")]


def use_cache(path: Any) -> None:
    wa.compile(WAT, cache_dir=path, opt_level=0)
    assert [name for name in os.listdir(os.fsdecode(path)) if name.endswith(".so")]


def pack_into(path: Any) -> None:
    assert wa.pack(WAT, path, opt_level=0).output == os.fsdecode(path)
    load(path)


USES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "load": ("m.so", load),
    "verify": ("m.so", wa.verify),
    "open_metadata": ("m.so", open_metadata),
    "compile": ("m.wat", lambda path: wa.compile(path, cache_dir=Path(os.fsdecode(path)).with_name("cache"))),
    "cache_dir": ("cache", use_cache),
    "source": ("m.wat", lambda path: wa.pack(path, Path(os.fsdecode(path)).with_name("n.so"), opt_level=0)),
    "output": ("n.so", pack_into),
    "keep": ("kept", keep),
}


@pytest.mark.parametrize("kind", [str, Path, BytesPath])
@pytest.mark.parametrize("use", USES)
def test_paths(folder: Path, use: str, kind: Callable[[Path], object]) -> None:
    name, work = USES[use]
    work(kind(folder / name))


@pytest.mark.parametrize("work", [wa.load, wa.verify, wa.open_metadata])
def test_errors_name_the_path(folder: Path, work: Callable[[Any], object]) -> None:
    (folder / "m.so").write_bytes(b"no ELF file")
    with pytest.raises(wa.BadMagic) as caught:
        work(BytesPath(folder / "m.so"))
    assert caught.value.facts["path"] == str(folder / "m.so")
