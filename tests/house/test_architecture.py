"""docs/ARCHITECTURE.md names every folder of the repository, and every path that it names exists."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ARCHITECTURE.md"

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what the repository holds is git's to say")


def folders() -> set[str]:
    """Every folder that holds a file of the repository, as ``wasmartifact/elf/``."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {f"{PurePosixPath(file).parent}/" for file in files if "/" in file and (ROOT / file).exists()}


def named(page: str) -> set[str]:
    """Paths between backquotes: words with a slash in or behind them, none at the start."""
    return set(re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", page))


def faults(page: str, present: Iterable[str]) -> Iterator[str]:
    names = named(page)
    yield from (f"{folder}: no row of docs/ARCHITECTURE.md names it" for folder in sorted({*present} - names))
    yield from (
        f"{path}: docs/ARCHITECTURE.md names it, but it is not there" for path in sorted(names) if not exists(path)
    )


def exists(path: str) -> bool:
    return (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


def test_the_page_and_the_repository_agree() -> None:
    found = list(faults(PAGE.read_text(encoding="utf-8"), folders()))
    assert not found, "\n" + "\n".join(found)


def test_the_check_sees_faults() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "wasmartifact/elf/" in folders()
    assert list(faults(page.replace("`wasmartifact/elf/`", "ELF"), folders()))
    assert list(faults(page + "`wasmartifact/elf/write.py`", folders()))
    assert list(faults(page, {*folders(), "wasmartifact/new/"}))
