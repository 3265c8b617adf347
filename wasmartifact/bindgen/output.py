"""From a component to a package in a folder: written beside it, and renamed when all is there."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wasmartifact.bindgen.docs import Docs, read_docs
from wasmartifact.bindgen.module_text import MARK, is_importable
from wasmartifact.bindgen.package import package_files
from wasmartifact.bindings import ARTIFACT_NAME
from wasmartifact.constants import COMPONENT_KINDS, COMPONENT_SORTS
from wasmartifact.errors import CorruptArtifact, UnsupportedModule
from wasmartifact.metadata.component_rows import component_rows
from wasmartifact.packer import pack
from wasmartifact.schema import ELF_MAGIC, TEMPORARY_PREFIX
from wasmartifact.verifier import open_metadata
from wasmartifact.wasm.decode import COMPONENT_MAGIC
from wasmartifact.wasm.source import read_source
from wasmartifact.wit.read import Rows, read_world
from wasmartifact.wit.types import World

#: Kinds of types whose items have names.
_LABELLED = ("record", "variant", "enum", "flags")
_INSTANCE = COMPONENT_SORTS.index("instance")
_WORDS = "[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*"
_LABEL = re.compile(_WORDS)
_ITEM = re.compile(rf"(\[[a-z]+\])?{_WORDS}(\.{_WORDS})?")
_INTERFACE = re.compile(r"[!#-\[\]-~]+")  # what is printed, but for spaces, quotes and backslashes


def write_package(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    wit: str | os.PathLike[str] | None = None,
    **pack_options: Any,
) -> list[str]:
    """Write a typed Python package for a component.

    Parameters
    ----------
    source : path
        A component, as .wasm or text, or an artifact that holds one.
    output : path
        Folder of the package, whose name is the package's. One that this function wrote before is replaced.
    wit : path, optional
        WIT of the component, whose comments become docstrings: a file, or a folder with its dependencies.
    **pack_options
        As `wasmartifact.pack` takes them; none for an artifact.

    Returns
    -------
    list of str
        What was written, by paths in the folder.

    Raises
    ------
    UnsupportedModule
        It is a module, not a component.
    FileExistsError, NotADirectoryError
        The folder has a file that is not of such a package, or is none.
    ValueError
        Python can't import a package of this name, or options are given for an artifact, or ``wit`` is none.
    """
    folder = Path(os.path.realpath(output))
    if not is_importable(folder.name):
        raise ValueError(f"no Python package can be called {folder.name!r}; give a folder whose name is an identifier")
    _check_folder(folder)
    is_artifact = is_packed(source)
    if is_artifact and pack_options:
        raise ValueError(f"{os.fspath(source)} is packed already, and takes no options of packing")
    docs = Docs() if wit is None else read_docs(wit)
    beside = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=folder.parent))
    try:
        beside.chmod(0o777 & ~_umask())
        if is_artifact:
            shutil.copyfile(source, beside / ARTIFACT_NAME)
        else:
            _check_component(read_source(source)[:8], source)
            pack(source, beside / ARTIFACT_NAME, **pack_options)
        world = _read_types(beside / ARTIFACT_NAME, source)
        called = re.sub(r"[^\w.+@-]", "_", os.path.basename(source))
        files = package_files(world, folder.name, called, docs)
        _write(beside, files)
        _replace(folder, beside)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return [*files, ARTIFACT_NAME]


def is_packed(source: str | os.PathLike[str]) -> bool:
    """Whether a file can only be an artifact."""
    with open(source, "rb") as file:
        return file.read(len(ELF_MAGIC)) == ELF_MAGIC


def _check_component(magic: bytes, source: str | os.PathLike[str]) -> None:
    if magic != COMPONENT_MAGIC:
        raise _no_component(source)


def _no_component(source: str | os.PathLike[str]) -> UnsupportedModule:
    words = "holds a module, expected a component: only components have types to make classes of"
    return UnsupportedModule(f"{os.fspath(source)} {words}", feature="bindgen-modules")


def _read_types(artifact: Path, source: str | os.PathLike[str]) -> World:
    with open_metadata(artifact) as metadata:
        if not metadata.is_component:
            raise _no_component(source)
        rows = component_rows(metadata.columns)
    check_names(rows, source)
    return read_world(rows)


def check_names(rows: Rows, source: str | os.PathLike[str]) -> None:
    """Let no artifact put anything but names into the text of a package.

    Raises
    ------
    CorruptArtifact
        A name is none of WIT.
    """
    labels = [name for kind, items in rows.types if COMPONENT_KINDS[kind] in _LABELLED for name, _ in items]
    for kind, items in rows.types:
        if COMPONENT_KINDS[kind] == "func":
            labels += [name for name, _ in items[:-1]]
    names = [(extern.name, _INTERFACE if extern.sort == _INSTANCE else _ITEM) for extern in rows.externs]
    for name, pattern in [*names, *((label, _LABEL) for label in labels)]:
        if not pattern.fullmatch(name):
            raise CorruptArtifact(f"{os.fspath(source)}: {name!r} is no name of WIT", path=os.fspath(source))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _check_folder(folder: Path) -> None:
    """Refuse a folder that has something which was not written here, so that nothing of somebody's own is lost."""
    if not folder.exists():
        if not folder.parent.is_dir():
            raise FileNotFoundError(
                errno.ENOENT, "no such directory for the package; create it first", str(folder.parent)
            )
        return
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a directory, expected the folder of a package", str(folder))
    for path in folder.rglob("*"):
        if not _is_ours(path, folder):
            words = (
                "not a file that `wasmartifact bindgen` wrote, so that its folder is not replaced; give another folder"
            )
            raise FileExistsError(errno.EEXIST, words, str(path))


def _is_ours(path: Path, folder: Path) -> bool:
    relative = path.relative_to(folder)
    if "__pycache__" in relative.parts or str(relative) in (ARTIFACT_NAME, "py.typed", "imports", "exports"):
        return True
    if path.suffix != ".py" or path.is_symlink() or not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip("\n") == MARK


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _replace(folder: Path, beside: Path) -> None:
    """Put a folder in another one's place, which comes back where that fails."""
    old = Path(f"{beside}.old")
    if folder.exists():
        folder.rename(old)
    try:
        beside.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
