"""Runs the code of a documentation page, as a reader would: block by block, in one folder.

A fence's first word says what happens to it, a second word is the name of a file that it is written to:

- ``python``: runs, all blocks of a page in one namespace.
- ``console``: each line after ``$`` runs in bash; what follows is what it prints, standard error included.
- ``output``: what the block before it prints.
- Anything with a file's name is written to that file, and not run.
- Everything else (``text``, ``sh``, ``toml`` without a name) is for reading alone.

``...`` in an output stands for anything. HTML comments ``<!-- test: ... -->`` hold commands that a page needs, but no
reader.
"""

from __future__ import annotations

import contextlib
import doctest
import gc
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from markdown_it import MarkdownIt

HIDDEN: Final = re.compile(r"<!-- test: (.*?) -->", re.DOTALL)
#: Seconds for one command of a page.
COMMAND_SECONDS: Final = 300


@dataclass(frozen=True)
class Block:
    """A fenced block: language, file name or "", text, and the line in the page where the text starts."""

    language: str
    file: str
    text: str
    line: int


class PageError(AssertionError):
    """A block did not do what its page says."""


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page in Markdown, hidden commands among them."""
    for token in MarkdownIt().parse(page):
        line = token.map[0] + 2 if token.map else 0
        if token.type == "fence":
            language, file = [*token.info.split(), "", ""][:2]
            yield Block(language, file, token.content, line)
        elif token.type == "html_block" and (hidden := HIDDEN.fullmatch(token.content.strip())):
            yield Block("console", "", f"$ {hidden[1]}\n", line)


def run_page(page: Path, folder: Path) -> int:
    """Run a page's blocks in ``folder``, which is the current one meanwhile; returns how many ran."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    try:
        return _run_blocks(page, folder, namespace)
    finally:
        namespace.clear()  # the collector can't: NumPy's arrays, which hold memories, tell it nothing
        gc.collect()


def _run_blocks(page: Path, folder: Path, namespace: dict[str, Any]) -> int:
    ran, printed = 0, ""
    for block in blocks(page.read_text()):
        place = f"{page}:{block.line}"
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language == "python":
            printed, ran = run_python(block.text, place, namespace), ran + 1
        elif block.language == "console":
            run_console(block.text, place)
            ran += 1
        elif block.language == "output":
            compare(block.text, printed, place)
    return ran


def run_python(text: str, place: str, namespace: dict[str, Any]) -> str:
    """Run a block; returns what it printed through ``sys.stdout``. An exception's traceback shows the page's line."""
    file, line = place.rsplit(":", 1)
    code = compile("\n" * (int(line) - 1) + text, file, "exec")
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(code, namespace)
    return output.getvalue()


def surroundings() -> dict[str, str]:
    """Commands find this Python's programs first; pip says nothing about itself."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}


def run_console(text: str, place: str) -> None:
    """Run the commands of a block, one after the other; they end with success unless the page shows an exit code."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    for part in parts:
        command, _, expected = part.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = f"{command}\n{more}"
        result = subprocess.run(
            ["bash", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            env=surroundings(),
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if result.returncode and "$?" not in command:
            raise PageError(f"{place}: {command!r} ended with {result.returncode}:\n{result.stdout}")
        compare(expected, result.stdout, place)


def compare(expected: str, found: str, place: str) -> None:
    """Raise PageError where an output differs."""
    if not doctest.OutputChecker().check_output(expected, found, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE):
        raise PageError(f"{place}: expected\n{expected}\nfound\n{found}")
