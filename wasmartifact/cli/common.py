"""What the commands share: exit codes that no error class has, the error of a wrong command line, streams, values."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Final

STDIN: Final = "-"
STDOUT: Final = "-"
EXIT_OS_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_DEFECT: Final = 70  # EX_SOFTWARE of sysexits.h
#: Units of amounts of bytes.
BYTES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


class UsageError(Exception):
    """The command line asks for something that makes no sense; the message says what does."""


def standard_input() -> IO[bytes]:
    """What a program or module named ``-`` is read from."""
    if sys.stdin is None:  # closed when the process started
        raise UsageError("standard input is closed")
    return sys.stdin.buffer


def binary_output() -> int:
    """Descriptor of standard output, for an artifact; not a terminal, which bytes could lock up."""
    if sys.stdout is None:
        raise UsageError("standard output is closed")
    if sys.stdout.isatty():
        raise UsageError("an artifact does not go to a terminal; redirect standard output, or give -o OUT.so")
    sys.stdout.flush()
    return sys.stdout.fileno()


def cpu_names(text: str) -> str | list[str]:
    """What ``--cpu`` says: the name of a CPU, or several with commas between."""
    return text.split(",") if "," in text else text


def parse_amount(text: str, units: dict[str, int], option: str) -> int:
    """``500M`` with the units of bytes, ``12h`` with those of time."""
    digits = text.rstrip("".join(units))
    unit = text[len(digits) :]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18 and unit in units):
        named = ", ".join(filter(None, units))
        raise UsageError(f"{option} is {text!r}, expected a number" + (f" with one of {named}" if named else ""))
    return int(digits) * units[unit]
