"""The progress bar of packing on a terminal."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # `run` imports this for the case that it has to pack
if TYPE_CHECKING:
    from typing import Self


class ProgressBar:
    """Draws a bar on standard error, if that is a terminal, and removes it at the end.

    As a context manager it is the callback itself: called with (functions compiled, functions in total).
    """

    def __init__(self) -> None:
        self._is_drawn = False

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr is None or not sys.stderr.isatty():
            return
        from shutil import get_terminal_size

        self._is_drawn = True
        label = f" {done:,}/{total:,} functions"
        width = max(get_terminal_size().columns - len(label) - 3, 1)
        filled = width * done // max(total, 1)
        print(f"\r[{'#' * filled}{'.' * (width - filled)}]{label}", end="", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._is_drawn:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
