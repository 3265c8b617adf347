"""The version of the package, once."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from typing import Final

VERSION: Final = "0.1.0"
VERSION_NUMBERS: Final = (0, 1, 0)
