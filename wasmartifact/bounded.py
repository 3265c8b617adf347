"""A pack under limits: all of it runs in a child process, which is watched; the output appears when all is done."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from typing import Any, Final

from wasmartifact.codegen.process import ChildProcess, WorkerDied, encode_message
from wasmartifact.codegen.watch import Watch
from wasmartifact.errors import LimitExceeded, ToolchainError
from wasmartifact.host.input import read_input
from wasmartifact.host.output import write_output
from wasmartifact.host.scratch import ScratchFile, read_chunks
from wasmartifact.limits import PackLimits

#: What the child runs.
CHILD: Final = "wasmartifact.pack_child"


def pack_bounded(
    source: str | os.PathLike[str] | bytes,
    output: str | int,
    limits: PackLimits,
    *,
    progress: Callable[[int, int], object] | None,
    **options: Any,
) -> Any:
    """What ``packer.pack`` does and gives, within limits.

    Raises
    ------
    LimitExceeded
        It took too long, or too much memory. No process and no file is left of it, the output is as it was.
    """
    start = time.monotonic()
    if not isinstance(limits, PackLimits):
        raise TypeError(f"limits must be PackLimits, found {type(limits).__name__}")
    name = "the module" if isinstance(source, bytes) else os.fsdecode(source)
    scratch = ScratchFile("wasmartifact")
    try:
        report = _pack_apart(_portable(source), scratch, name, start, limits, progress, options)
        # The child has looked at it.
        write_output(output, read_chunks(scratch.fd), check=lambda path: None)
    finally:
        scratch.close()
    return report


def _portable(source: str | os.PathLike[str] | bytes) -> str | bytes:
    """A source as another process can read it: a name in /dev or /proc may mean another file there."""
    if isinstance(source, bytes):
        return source
    name = os.fsdecode(source)
    is_plain = stat.S_ISREG(os.stat(name).st_mode) and not os.path.abspath(name).startswith(("/dev/", "/proc/"))
    if is_plain:
        return os.path.abspath(name)
    with open(name, "rb") as file:
        return read_input(file, name)


def _pack_apart(
    source: str | bytes,
    scratch: ScratchFile,
    name: str,
    start: float,
    limits: PackLimits,
    progress: Callable[[int, int], object] | None,
    options: dict[str, Any],
) -> Any:
    """The report of a child that packs into the scratch file."""
    child = ChildProcess(CHILD)
    try:
        with Watch(
            child,
            deadline=None if limits.seconds is None else start + limits.seconds,
            memory_bytes=limits.memory_bytes,
            more_bytes=lambda: os.fstat(scratch.fd).st_size,
        ) as watch:
            try:
                return _converse(child, encode_message((source, scratch.path, options)), progress)
            except WorkerDied as death:
                if watch.exceeded is None:
                    raise ToolchainError(f"the process that packed {name} ended: {death}") from None
    finally:
        child.close()
    raise _exceeded(watch, name, time.monotonic() - start, limits)


def _converse(child: ChildProcess, request: bytes, progress: Callable[[int, int], object] | None) -> Any:
    """Tell of progress until the child has packed or failed."""
    child.send(request)
    while True:
        kind, *values = child.receive()
        if kind == "failed":
            raise values[0]
        if kind == "packed":
            return values[0]
        if progress is not None:
            progress(*values)


def _exceeded(watch: Watch, name: str, seconds: float, limits: PackLimits) -> LimitExceeded:
    """The exception for what was ended."""
    advice = "raise the limit, or pack with a lower opt_level"
    if watch.exceeded == "seconds":
        return LimitExceeded(
            f"packing {name} takes longer than its limits allow, {limits.seconds} s (seconds); {advice}",
            which="seconds",
            limit=limits.seconds,
            wanted=seconds,
        )
    return LimitExceeded(
        f"packing {name} took {watch.peak_bytes} bytes of memory, its limits allow {limits.memory_bytes} "
        f"(memory_bytes); {advice}, or with fewer jobs",
        which="memory_bytes",
        limit=limits.memory_bytes,
        wanted=watch.peak_bytes,
    )
