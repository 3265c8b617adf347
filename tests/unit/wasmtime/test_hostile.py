"""No argument, however wrong, ends the process or gets out as an error that is not wasmtime's or Python's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_every_wrong_argument_is_an_error_of_its_kind() -> None:
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.unit.wasmtime.hostile"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, (result.stdout + result.stderr)[-6000:]
