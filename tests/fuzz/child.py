"""A child process that answers requests, a line of JSON each way; that it crashes or hangs is an answer too.

What may crash runs there, so that a crash is a finding and not the end of the run.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

Json = dict[str, Any]
#: Field of a request that says how much of the processor's time it may take.
_TIMEOUT: Final = "timeout_seconds"
#: On a busy machine a process waits for the processor; one that uses none for so many times as long hangs.
_PATIENCE: Final = 10
_GRACE_SECONDS: Final = 10


class ChildDied(Exception):
    """The process crashed, hung or raised; the message says how, with the end of what it wrote to standard error."""


class Child:
    """The near end: starts ``python -m module arguments``, again after it died. One thread uses it."""

    def __init__(self, module: str, arguments: Sequence[str], *, timeout_seconds: float) -> None:
        self.module = module
        self.command = [sys.executable, "-m", module, *arguments]
        self.timeout_seconds = timeout_seconds
        self.process: subprocess.Popen[str] | None = None
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close)

    def ask(self, request: Json) -> Json:
        """The answer to a request. Raises ChildDied."""
        process = self.process or self._start()
        assert process.stdin is not None and process.stdout is not None
        # The process ends itself, even where nobody is left to wait for it; this is for the case that it can't.
        timer = threading.Timer(_PATIENCE * self.timeout_seconds + _GRACE_SECONDS, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps({**request, _TIMEOUT: self.timeout_seconds}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            raise ChildDied(self._ending())
        answer: Json = json.loads(line)
        return answer

    def _start(self) -> subprocess.Popen[str]:
        self.errors.seek(0)
        self.errors.truncate()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=_environment(),
        )
        return self.process

    def _ending(self) -> str:
        code = self._finish()
        self.errors.seek(0)
        ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{ending}\n{self.errors.read()[-4000:]}".strip()

    def _finish(self) -> int:
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait()
        self.process.stdout.close()
        self.process = None
        return code

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self._finish()
        self.errors.close()


def _environment() -> dict[str, str]:
    """The C library fills memory that is freed, so that its use shows."""
    return {**os.environ, "MALLOC_PERTURB_": "165"}


def serve(answer: Callable[[Json], Json]) -> None:
    """The far end: answer requests until standard input ends."""
    faulthandler.enable()
    faulthandler.register(signal.SIGPROF, chain=True)  # which ends the process
    # Answers go to a copy of standard output; whatever else prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        timeout_seconds = request.pop(_TIMEOUT)
        faulthandler.dump_traceback_later(_PATIENCE * timeout_seconds, exit=True)
        signal.setitimer(signal.ITIMER_PROF, timeout_seconds)
        answered = answer(request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(answered), file=answers, flush=True)
