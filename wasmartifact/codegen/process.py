"""Python processes that import the same ``wasmartifact`` and ``llvmlite`` as this one, and messages to and from them.

A message is its size in 8 little-endian bytes and a pickle. Both ends are this package, on pipes of their own.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, Final

from wasmartifact.errors import ToolchainError

#: Isolated from environment variables and the working directory; the parent's module path comes as an argument.
#: Instructions are many objects, and none is part of a cycle. Looking for cycles costs a tenth of the imports, too.
_BOOTSTRAP: Final = """\
import gc, importlib, sys
gc.set_threshold(200_000)
sys.path[:] = sys.argv.pop(1).split(chr(10))
importlib.import_module(sys.argv.pop(1)).main()
"""
_SIZE_BYTES: Final = 8
_STDERR_TAIL_BYTES: Final = 2000


def python_command(module: str) -> list[str]:
    """Command line that runs ``main()`` of a module of this package in a new process."""
    if not sys.executable:
        raise ToolchainError(
            "packing starts Python processes, but sys.executable is empty; set it to a Python interpreter"
        )
    paths = [str(Path(__file__).resolve().parents[2]), *(os.path.abspath(path) for path in sys.path)]
    return [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, "\n".join(paths), module]


def encode_message(message: object) -> bytes:
    """A message as bytes of the stream."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_SIZE_BYTES, "little") + body


def read_message(stream: IO[bytes]) -> Any:
    """Wait for a message; EOFError where the other end is gone."""
    size = stream.read(_SIZE_BYTES)
    body = stream.read(int.from_bytes(size, "little")) if len(size) == _SIZE_BYTES else b""
    if not body or len(body) != int.from_bytes(size, "little"):
        raise EOFError
    return pickle.loads(body)


class WorkerDied(Exception):
    """A worker process ended instead of answering; the text says how and what it printed last."""


class WorkerProcess:
    """One worker (see ``worker``), which takes a request at a time.

    Attributes
    ----------
    context_key : object
        Identifies the module context that the worker has, None at first.
    owner : int
        Process that may use it: after a fork, the child must leave it alone.
    """

    def __init__(self) -> None:
        self.context_key: object = None
        self.owner = os.getpid()
        # In memory, since there may be no writable directory at all. It lives as long as the process.
        self._stderr: IO[bytes] = open(os.memfd_create("worker-stderr", os.MFD_CLOEXEC), "w+b")  # noqa: SIM115
        self._process = subprocess.Popen(
            python_command("wasmartifact.codegen.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    def fileno(self) -> int:
        """Descriptor that gets readable when the worker answers or ends."""
        return self._output.fileno()

    def send(self, message: bytes) -> None:
        """Send an encoded message. A worker that is gone shows in ``receive``."""
        try:
            self._input.write(message)
            self._input.flush()
        except BrokenPipeError:
            return

    def receive(self) -> Any:
        """The answer to a request; WorkerDied where none comes."""
        try:
            return read_message(self._output)
        except (EOFError, pickle.UnpicklingError):
            raise WorkerDied(self._last_words()) from None

    def _last_words(self) -> str:
        self._process.kill()
        status = self._process.wait()
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _STDERR_TAIL_BYTES))
        lines = [line.strip() for line in self._stderr.read().decode(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if "error" in line.lower()] or lines
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return f"{how}: {telling[-1]}" if telling else how

    def close(self) -> None:
        """End the process and release its pipes."""
        self._process.kill()
        self._process.wait()
        for stream in (self._input, self._output, self._stderr):
            try:
                stream.close()
            except BrokenPipeError:  # what was still buffered for it
                continue
