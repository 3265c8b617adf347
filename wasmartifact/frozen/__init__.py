"""For tools that freeze programs: which modules C and mypyc code import, which no tool can see.

PyInstaller finds the hook here by the package's entry point. cx_Freeze has none; give it ``--packages wasmartifact``.
"""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """Folders with hooks, as PyInstaller asks for them."""
    return [os.path.dirname(__file__)]
