"""The version of the package, once."""

from typing import Final

VERSION: Final = "0.1.0"
VERSION_NUMBERS: Final = (0, 1, 0)
