"""Programs whose imports find bytecode, as installed ones do: compiling a source makes the classes of ast."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 60


def second_output(command: Sequence[str], folder: Path) -> str:
    """What a program prints in this folder when it runs again, with the bytecode that its first run wrote there."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    for _ in range(2):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=TIMEOUT_S
        )
    return done.stdout
