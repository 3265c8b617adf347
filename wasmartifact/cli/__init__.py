"""The command line's start and end: finds the command, turns errors and signals into what a shell expects.

`run` is on its own path, which imports no library for arguments: those cost more than loading and running a program.
"""

from __future__ import annotations

import sys

from wasmartifact.cli.common import EXIT_DEFECT, EXIT_OS_ERROR, EXIT_USAGE, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str | None
        Arguments after the program's name, None for those of the process, which then is this command's own: `run` gives
        it the signal dispositions of a native program, and ends it without Python's clearing up.

    Returns
    -------
    int
        The exit code, as ``--help`` lists them.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if any("\0" in token for token in tokens):
            raise UsageError("an argument holds a zero byte")
        if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):  # closed, or replaced by an object of a test
            sys.stdout.reconfigure(errors="backslashreplace")
        if tokens[:1] == ["run"]:
            from wasmartifact.cli.run import run

            code = run(tokens[1:], owns_process=arguments is None)
        elif tokens[:1] == ["snapshot"]:
            from wasmartifact.cli.snapshot import snapshot

            code = snapshot(tokens[1:])
        else:
            from wasmartifact.cli.commands import execute

            code = execute(tokens)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return die_of("SIGINT")
    except BrokenPipeError:
        return die_of("SIGPIPE")
    except Exception as error:
        code = explain(error, tokens)
    for stream in (sys.stdout, sys.stderr):
        _settle(stream)
    return code


def _settle(stream: TextIO | None) -> None:
    """Leave nothing to write where writing fails: the end of Python would try again, complain, and exit with 120."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        import os

        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def explain(error: Exception, tokens: Sequence[str]) -> int:
    """Print what went wrong and return the exit code that belongs to it."""
    from wasmartifact.errors import WasmArtifactError, printable

    match error:
        case WasmArtifactError():
            return complain(str(error), error.exit_code)
        case UsageError():
            return complain(f"{error} (wasmartifact {tokens[0]} --help)", EXIT_USAGE)
        case OSError():
            return complain(f"{printable(_place(error.filename))}{error.strerror or error}", EXIT_OS_ERROR)
        case ModuleNotFoundError():
            return complain(f"{error.name} is not installed; run: pip install 'wasmartifact[pack]'", EXIT_OS_ERROR)
        case MemoryError():
            return complain("out of memory", EXIT_OS_ERROR)
    return complain(f"defect in wasmartifact, please report it: {type(error).__name__}: {error}", EXIT_DEFECT)


def _place(name: str | bytes | int | None) -> str:
    """What the system refused, before its words."""
    if name is None:
        return ""
    if isinstance(name, int):  # the one descriptor that a command writes into
        return "standard output: "
    text = name.decode(errors="replace") if isinstance(name, bytes) else name
    return f"{text or repr(text)}: "


def complain(message: str, code: int) -> int:
    """Print an error and return its exit code. Only the lines of an excerpt follow the first one."""
    from contextlib import suppress

    from wasmartifact.errors import printable

    with suppress(OSError, ValueError, AttributeError):  # closed, or full
        print("wasmartifact:", "\n".join(map(printable, message.split("\n"))), file=sys.stderr)
    return code


def die_of(name: str) -> int:
    """End as a native program does: killed by the signal, so that the shell sees it."""
    import os
    import signal

    number = signal.Signals[name]
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number  # only where the signal is blocked
