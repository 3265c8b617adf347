"""The process that runs a whole pack for a packer with limits, and leads the group of all that it starts."""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import IO

from wasmartifact.codegen.process import encode_message, open_streams, read_message
from wasmartifact.errors import WasmArtifactError
from wasmartifact.packer import pack


def main(parent: int) -> None:
    """Answer one request: (source, path of an empty file for the artifact, options of ``pack``).

    The answers are any number of ("progress", functions compiled, in total), then ("packed", PackReport) or ("failed",
    exception).
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the packer, which ends us
    requests, answers = open_streams(parent)
    source, path, options = read_message(requests)
    fd = os.open(path, os.O_RDWR)
    try:
        _answer(answers, "packed", pack(source, fd, progress=partial(_answer, answers, "progress"), **options))
    except (WasmArtifactError, OSError, ValueError, TypeError) as error:
        _answer(answers, "failed", error)


def _answer(answers: IO[bytes], *answer: object) -> None:
    answers.write(encode_message(answer))
    answers.flush()
