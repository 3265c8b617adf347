"""What importlib.metadata tells of wasmtime where it is not installed: the version whose behaviour this package has."""

from __future__ import annotations

import os
from importlib.metadata import Distribution

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from typing import Any, Final

VERSION: Final = "50.0.1"


class StandIn(Distribution):
    """Metadata without files: name and version."""

    def read_text(self, filename: str) -> str | None:
        """What a file of the metadata says."""
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: wasmtime\nVersion: {VERSION}\nSummary: wasmartifact in its place\n"

    def locate_file(self, path: str | os.PathLike[str]) -> Any:
        """Where a file of the package would be."""
        from pathlib import Path

        return Path(__file__).parent / path
