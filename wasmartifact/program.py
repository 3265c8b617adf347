"""Running WASI programs: `run`, and what the command line shares with it."""

from __future__ import annotations

import os
import sys

from wasmartifact.loader import load

TYPE_CHECKING = False  # importing typing costs more than a load
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from wasmartifact.runtime.artifact import Artifact
    from wasmartifact.runtime.instance import Instance

ELF_MAGIC: Final = b"\x7fELF"


def run(path: str | os.PathLike[str], args: Sequence[str | bytes] = (), **wasi: Any) -> int:
    """Run a WASI command to its end.

    Parameters
    ----------
    path : str | os.PathLike
        A packed artifact, or a .wasm or .wat module, which `compile` packs into the cache on first use.
    args : sequence
        Arguments of the program. Its name, the last part of the path, is put before them.
    **wasi
        As for `Wasi`: ``env``, ``preopens``, ``stdin``, ``stdout``, ``stderr``. The three streams are those of this
        process unless they are given; everything else the program has only if it is given.

    Returns
    -------
    int
        The exit code: what the program gave to ``proc_exit``, or 0 where it returned.

    Raises
    ------
    ValueError
        The module is no command: a reactor, whose functions are to be called one by one, or no WASI module.
    Trap
        The program trapped.
    """
    program = os.fspath(path)
    return start(instantiate(open_program(program), program, args, **wasi), program)


def open_program(source: str | bytes, **options: Any) -> Artifact:
    """Load an artifact, or a module through the cache with ``options`` of `compile`: the first bytes tell which it is."""
    if isinstance(source, bytes):
        magic = source[: len(ELF_MAGIC)]
    else:
        with open(source, "rb", buffering=0) as file:
            magic = file.read(len(ELF_MAGIC))
    if magic == ELF_MAGIC:
        return load(source)
    from wasmartifact.cache import compile

    return compile(source, **options)


def instantiate(artifact: Artifact, program: str, args: Sequence[str | bytes], **wasi: Any) -> Instance:
    """An instance with WASI: the program's name before the arguments, this process's streams unless others are given."""
    from wasmartifact.wasi.host import Wasi

    streams = {"stdin": _own(0), "stdout": _own(1), "stderr": _own(2)}
    return artifact.instantiate(Wasi(args=(os.path.basename(program), *args), **(streams | wasi)).imports())


def _own(descriptor: int) -> int | None:
    """A standard stream of this process, with what Python holds back for it written; None where it is closed."""
    try:
        os.fstat(descriptor)
    except OSError:
        return None
    for stream in (sys.stdout, sys.stderr) if descriptor == 1 else ():
        if stream is not None:
            stream.flush()
    return descriptor


def initialize(instance: Instance) -> None:
    """Call ``_initialize`` of a reactor, which comes before any other function."""
    if "_initialize" in instance.exports:
        instance.exports["_initialize"]()


def start(instance: Instance, name: str) -> int:
    """Call ``_start`` of a command; returns its exit code."""
    exports = instance.exports
    if "_start" not in exports:
        what = "a reactor: it exports _initialize" if "_initialize" in exports else "no WASI program: it exports"
        raise ValueError(
            f"{name} is {what}, but no _start; call its functions one by one (run --invoke NAME, or instantiate it "
            "with wa.Wasi(...).imports())"
        )
    return exit_code(exports["_start"])


def exit_code(call: Callable[[], object]) -> int:
    """Call what may end with ``proc_exit``; returns the exit code."""
    try:
        call()
    except Exception as problem:
        from wasmartifact.errors import Exit

        if not isinstance(problem, Exit):
            raise
        return problem.code
    return 0
