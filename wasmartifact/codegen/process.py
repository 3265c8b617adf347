"""Processes with the same ``wasmartifact`` and ``llvmlite`` as this one, and messages to and from them.

A message is its size in 8 little-endian bytes and a pickle. Both ends are this package, on pipes of their own.

A child is a Python interpreter that is started afresh, and proves by a greeting that it is one: ``sys.executable`` may
be a server or a frozen program, which would run once more. Where there is no interpreter, the child is a fork.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import time
import warnings
from _thread import start_new_thread
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from threading import Lock
from typing import IO, Any, Final

from wasmartifact.errors import ToolchainError, WasmArtifactError
from wasmartifact.host.limits import as_os_error, limit_advice, memory_advice
from wasmartifact.host.scratch import ScratchFile

#: Environment variable with a Python interpreter for the children, of this version; then no other one is tried.
PYTHON_VARIABLE: Final = "WASMARTIFACT_PYTHON"
#: First bytes of a child: it is of the same Python version, and reads what we send.
GREETING: Final = f"wasmartifact {sys.implementation.cache_tag}\n".encode()
#: Then, when it has imported what it needs.
READY: Final = b"ready\n"
#: An interpreter greets after 20 ms; the rest is for a machine that swaps.
GREETING_SECONDS: Final = 20.0
#: A fork needs no proof, but may be stuck until it is ready.
FORK_READY_SECONDS: Final = 60.0
#: The end of a process shows so much later at most than that of its output.
KILLED_SECONDS: Final = 1.0
#: A child whose parent is gone, while somebody else holds the other end of its pipe, ends after this time.
PARENT_CHECK_MILLISECONDS: Final = 1000

_GREET: Final = """\
import os, sys
os.write(1, f"wasmartifact {sys.implementation.cache_tag}\\n".encode())
"""
#: The process that was started ends, the one that goes on is nobody's child.
_LEAVE: Final = """\
if os.fork():
    os._exit(0)
for fd in (1, 2):
    os.dup2(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), fd)
os.chdir("/")
"""
#: Isolated from environment variables and the working directory; the parent's module path and environment come as
#: arguments.
#: Instructions are many objects, and none is part of a cycle. Looking for cycles costs a tenth of the imports, too.
_RUN: Final = """\
import gc, importlib
gc.set_threshold(200_000)
sys.path[:] = sys.argv.pop(1).split(chr(10))
sys.prefix = sys.argv.pop(1)
importlib.import_module(sys.argv.pop(1)).main(int(sys.argv.pop(1)))
"""
#: LLVM asks for small blocks and gives them back all the time: more of them at hand in the C library save 2% of a pack.
#: Large pages for them save 2 to 3% more, where the kernel gives some.
_TUNABLES: Final = "glibc.malloc.tcache_count=2000:glibc.malloc.hugetlb=1"
_SIZE_BYTES: Final = 8
_STDERR_TAIL_BYTES: Final = 2000


class WorkerDied(Exception):
    """A child ended instead of answering; the text says how and what it printed last."""


class ChildProcess:
    """A process that runs ``main(parent's pid)`` of a module of this package, which reads requests and writes answers.

    Where that makes itself the leader of a process group, the group ends with it.

    Parameters
    ----------
    module : str
        Full name of the module.

    Raises
    ------
    ToolchainError
        No process can be started here.
    """

    def __init__(self, module: str) -> None:
        self._ending = Lock()  # a pid means this process until it was waited for
        try:
            # Not a pipe, which somebody would have to empty. It lives as long as the process.
            self._stderr: ScratchFile | None = ScratchFile("worker-stderr")
        except WasmArtifactError:  # without a place for its last words
            self._stderr = None
        except (OSError, MemoryError) as problem:
            raise _cannot_start(as_os_error(problem)) from None
        try:
            self._process, self._input, self._output, self._awaited = self._start(module)
        except BaseException:
            if self._stderr is not None:
                self._stderr.close()
            raise

    def _start(self, module: str) -> tuple[_Process, IO[bytes], IO[bytes], bytes]:
        """Process, its input and output, and what it will say before it answers; the first way that leads to one."""
        stderr = subprocess.DEVNULL if self._stderr is None else self._stderr.fd
        for executable in _interpreters():
            if executable in _refused:
                continue
            try:
                process = subprocess.Popen(
                    _command(executable, _GREET + _RUN, module, os.getpid()),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    env=_environment(),
                )
            except (OSError, MemoryError) as error:
                problem = as_os_error(error)
                if limit_advice(problem) is not None:
                    raise _cannot_start(problem) from None
                _refused[executable] = f"can't be started ({problem.strerror})"
                continue
            assert process.stdin is not None and process.stdout is not None
            if executable in _proven:  # its greeting is read with its first answer, so that several start side by side
                return process, process.stdin, process.stdout, GREETING + READY
            found = _read(process.stdout, len(GREETING), GREETING_SECONDS)
            if found == GREETING:
                _proven.add(executable)
                return process, process.stdin, process.stdout, READY
            if _was_killed(process, found):
                return process, process.stdin, process.stdout, GREETING + READY
            _end(process, process.stdin, process.stdout)
            _refused[executable] = f"is not a Python of this version: it {_describe(found)}"
        if PYTHON_VARIABLE in os.environ and not is_frozen():
            raise ToolchainError(f"packing starts Python processes, but {_reasons()}")
        return _fork(module, stderr)

    @property
    def pid(self) -> int:
        """Its process, until `close`."""
        return self._process.pid

    def fileno(self) -> int:
        """Descriptor that gets readable when the child answers or ends."""
        return self._output.fileno()

    def send(self, message: bytes) -> None:
        """Send an encoded message. A child that is gone shows in ``receive``."""
        try:
            self._input.write(message)
            self._input.flush()
        except BrokenPipeError:
            return

    def receive(self) -> Any:
        """The answer to a request.

        Raises
        ------
        WorkerDied
            None comes.
        ToolchainError
            The child could not even import what it needs.
        """
        awaited, self._awaited = self._awaited, b""
        is_ready = self._output.read(len(awaited)) == awaited
        try:
            if is_ready:
                return read_message(self._output)
        except (EOFError, pickle.UnpicklingError):
            pass
        status, words = self._last_words()
        if is_ready or status < 0:  # a signal is somebody's who ended it
            raise WorkerDied(words)
        advice = memory_advice()
        raise ToolchainError(f"a process that packing starts ended at once ({words}){f'; {advice}' if advice else ''}")

    def stderr_lines(self) -> list[str]:
        """The last lines that the child printed."""
        if self._stderr is None:
            return []
        size_bytes = os.fstat(self._stderr.fd).st_size
        text = os.pread(self._stderr.fd, _STDERR_TAIL_BYTES, max(0, size_bytes - _STDERR_TAIL_BYTES))
        return [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]

    def kill(self) -> None:
        """End the process, from any thread; ``receive`` tells of it where another one waits there."""
        with self._ending:
            _kill(self._process)

    def _last_words(self) -> tuple[int, str]:
        """Exit status, and how the child ended in words."""
        with self._ending:
            _kill(self._process)
            status = self._process.wait()
        lines = self.stderr_lines()
        telling = [line for line in lines if "error" in line.lower()] or lines
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return status, f"{how}: {telling[-1]}" if telling else how

    def close(self) -> None:
        """End the process and release what it holds here; may be called again."""
        with self._ending:
            _end(self._process, self._input, self._output)
        stderr, self._stderr = self._stderr, None
        if stderr is not None:
            stderr.close()


class WorkerProcess(ChildProcess):
    """One worker (see ``worker``), which takes a request at a time.

    Attributes
    ----------
    context_key : bytes | None
        Digest of the module context that the worker has, None at first.
    owner : int
        Process that may use it: after a fork, the child must leave it alone.
    """

    def __init__(self) -> None:
        self.context_key: bytes | None = None
        self.owner = os.getpid()
        super().__init__("wasmartifact.codegen.worker")


def start_detached(module: str, request: object, kept_fd: int) -> bool:
    """Run ``main(kept_fd)`` of a module in a process that outlives this one, the request on its standard input.

    It is nobody's child, so that nobody has to wait for it; it has a session of its own, no terminal, and no descriptor
    from here but ``kept_fd``.

    Returns
    -------
    bool
        Whether there is an interpreter for it.

    Raises
    ------
    LoadError, OSError
        There is no place for the request, or no process can be started.
    """
    stdin = ScratchFile("request")
    try:
        stdin.write([encode_message(request)])
        os.lseek(stdin.fd, 0, os.SEEK_SET)
        return any(_detach(executable, module, stdin.fd, kept_fd) for executable in _interpreters())
    finally:
        stdin.close()


def _detach(executable: str, module: str, stdin: int, kept_fd: int) -> bool:
    """Start the process by an interpreter; whether it is one."""
    if executable in _refused:
        return False
    try:
        process = subprocess.Popen(
            _command(executable, _GREET + _LEAVE + _RUN, module, kept_fd),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(kept_fd,),
            start_new_session=True,
        )
    except MemoryError as error:
        raise as_os_error(error) from None
    assert process.stdout is not None
    is_python = _read(process.stdout, len(GREETING), GREETING_SECONDS) == GREETING
    if not is_python:
        process.kill()
    process.wait()  # it ends when it has greeted
    process.stdout.close()
    return is_python


# Interpreters ---------------------------------------------------------------------------------------------------------

#: Interpreters that have greeted, and why others won't do.
_proven: set[str] = set()
_refused: dict[str, str] = {}


def is_frozen() -> bool:
    """Whether this is a program of PyInstaller, cx_Freeze and the like."""
    return bool(getattr(sys, "frozen", False))


def _interpreters() -> Iterator[str]:
    """Paths that may be a Python interpreter like the one that runs this.

    Only what is called python is started: to try a server or a desktop program would be to run it once more. A frozen
    program's modules are out of reach for any interpreter.
    """
    if is_frozen():
        return
    if PYTHON_VARIABLE in os.environ:
        yield os.environ[PYTHON_VARIABLE]
        return
    installed = [os.path.join(prefix, "bin", "python3") for prefix in (sys.exec_prefix, sys.base_exec_prefix)]
    candidates = (sys.executable, getattr(sys, "_base_executable", None), *filter(os.path.exists, installed))
    for path in dict.fromkeys(filter(None, candidates)):
        if os.path.basename(path).startswith("python"):
            yield path


def _environment() -> dict[str, str]:
    """Environment variables of a child: ours, and how the C library allocates; what the user says of that counts."""
    given = os.environ.get("GLIBC_TUNABLES")
    return {**os.environ, "GLIBC_TUNABLES": f"{_TUNABLES}:{given}" if given else _TUNABLES}


def _command(executable: str, program: str, module: str, argument: int) -> list[str]:
    """Command line that runs ``main(argument)`` of a module of this package by one of the programs above."""
    paths = [os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))]
    for path in sys.path:
        try:
            paths.append(os.path.abspath(path))
        except FileNotFoundError:  # relative to a working directory that was removed
            continue
    return [executable, "-I", "-S", "-c", program, "\n".join(paths), sys.prefix, module, str(argument)]


def _read(output: IO[bytes], size_bytes: int, seconds: float) -> bytes | None:
    """So many bytes, fewer where the process ends first; None where it says nothing in that time."""
    found = b""
    poll = select.poll()
    poll.register(output, select.POLLIN)
    deadline = time.monotonic() + seconds
    while len(found) < size_bytes:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return found or None
        part = os.read(output.fileno(), size_bytes - len(found))
        if not part:
            break
        found += part
    return found


def _was_killed(process: _Process, found: bytes | None) -> bool:
    """Whether somebody ended a process before its greeting, which tells nothing of the program: that shows later."""
    deadline = time.monotonic() + KILLED_SECONDS
    while found == b"" and time.monotonic() < deadline:
        status = process.poll()
        if status is not None:
            return status in (-signal.SIGKILL, -signal.SIGTERM)
        time.sleep(0.01)
    return False


def _describe(found: bytes | None) -> str:
    """What a process did instead of greeting."""
    if found is None:
        return "says nothing"
    return f"says {found!r}" if found else "ends at once"


def _reasons() -> str:
    """Why no interpreter does, and what helps."""
    if is_frozen():
        return "which a frozen program has as a fork of itself alone"
    names = {os.environ.get(PYTHON_VARIABLE): f"${PYTHON_VARIABLE}", sys.executable: "sys.executable"}
    words = [
        f"{names.get(path, 'the interpreter')} is {path!r}, which {why}"
        for path, why in _refused.items()
        if path in set(_interpreters())
    ]
    if not words:
        words = [f"sys.executable is {sys.executable!r}, which is not a Python interpreter"]
    version = ".".join(map(str, sys.version_info[:2]))
    return f"{'; '.join(words)}; set {PYTHON_VARIABLE} to a Python {version}"


def _cannot_start(problem: OSError) -> ToolchainError:
    advice = limit_advice(problem)
    words = f"{problem.strerror}; {advice}" if advice else problem.strerror
    return ToolchainError(f"packing starts Python processes, and one can't be started: {words}")


# A fork where there is no interpreter ---------------------------------------------------------------------------------


class _Fork:
    """A forked child, by the part of the interface of subprocess.Popen that is used here."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        status = self._wait(0)
        return 0 if status is None else status

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except OSError:  # ECHILD: the program ignores SIGCHLD, or waits for every child by itself
                self.returncode = 0
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


_Process = subprocess.Popen[bytes] | _Fork


def _fork(module: str, stderr: int) -> tuple[_Fork, IO[bytes], IO[bytes], bytes]:
    """A child that is a fork of this process, as `ChildProcess._start` gives it.

    Only the forking thread goes on in it: a lock that another thread holds at that moment stays locked. The child
    is ready after its imports, which take all locks that it will ever need (import, llvmlite, the C library's own are
    safe), so that a child which is stuck shows, and is ended.
    """
    pipes: list[int] = []
    parent = os.getpid()
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that other threads run: see above
            pid = os.fork()
    except (OSError, RuntimeError) as problem:  # RuntimeError: an isolated sub-interpreter may not fork
        for fd in pipes:
            os.close(fd)
        if isinstance(problem, OSError):
            raise _cannot_start(problem) from None
        raise ToolchainError(f"packing needs a Python process, {_reasons()}; and a fork fails: {problem}") from None
    requests, to_child, from_child, answers = pipes
    if pid == 0:
        _run_forked(module, parent, requests, answers, stderr)
    os.close(requests)
    os.close(answers)
    process, stdin, stdout = _Fork(pid), os.fdopen(to_child, "wb"), os.fdopen(from_child, "rb")
    found = _read(stdout, len(READY), FORK_READY_SECONDS)
    if found == READY:
        return process, stdin, stdout, b""
    if _was_killed(process, found):
        return process, stdin, stdout, READY
    _end(process, stdin, stdout)
    raise ToolchainError(f"packing needs a Python process, but {_reasons()}; and a fork {_describe(found)}")


def _run_forked(module: str, parent: int, requests: int, answers: int, stderr: int) -> None:
    """The rest of a forked child's life. Nothing of the parent may run in it: no handler, no exit function."""
    status = 1
    try:
        if stderr == subprocess.DEVNULL:
            stderr = os.open(os.devnull, os.O_WRONLY)
        for fd, source in enumerate([_above_standard(fd) for fd in (requests, answers, stderr)]):
            os.dup2(source, fd)
        _close_from(3)
        _reset_signals()
        import_module(module).main(parent)
        status = 0
    except BaseException as error:
        os.write(2, f"error: {error!r}\n".encode(errors="replace"))
    finally:
        os._exit(status)


def _above_standard(fd: int) -> int:
    """A duplicate that is none of the three standard descriptors."""
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD, 3)


def _close_from(first: int) -> None:
    """Close what was inherited: a socket that stays open here would never end for those at its other end."""
    try:
        opened = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))
        return
    for fd in opened:
        if fd >= first:
            try:
                os.close(fd)
            except OSError:  # the listing's own
                continue


def _reset_signals() -> None:
    for number in signal.valid_signals():
        try:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):  # SIGKILL, SIGSTOP, and those of the C library
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _kill(process: _Process) -> None:
    """Kill a child, and the group that it leads."""
    if process.returncode is None:
        with suppress(OSError):  # it has ended, and nobody needs to wait for it
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def _end(process: _Process, *streams: IO[bytes]) -> None:
    """Kill a child, wait for it and close its pipes."""
    _kill(process)
    process.wait()
    for stream in streams:
        try:
            stream.close()
        except BrokenPipeError:  # what was still buffered for it
            continue


# In the child ---------------------------------------------------------------------------------------------------------


def open_streams(parent: int) -> tuple[IO[bytes], IO[bytes]]:
    """In a child: requests and answers. From then on it ends with its parent, however that ends, or has ended.

    PR_SET_PDEATHSIG would not do: it tells of the end of the thread that started the child.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not get between the messages
    answers.write(READY)
    answers.flush()
    start_new_thread(_wait_for_parent, (parent,))
    return requests, answers


def _wait_for_parent(parent: int) -> None:
    """End this process, or its group, when the pipe to its parent is closed, or when it has another parent."""
    poll = select.poll()
    poll.register(0, 0)  # its end alone
    while os.getppid() == parent and not poll.poll(PARENT_CHECK_MILLISECONDS):
        continue
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


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
