"""A child for the tests of processes: it says that it is busy, and is so without the GIL for ever."""

from __future__ import annotations

import time

from wasmartifact.codegen.process import encode_message, open_streams, read_message


def main(parent: int) -> None:
    """Answer once, then work on something that does not look at the input."""
    requests, answers = open_streams(parent)
    read_message(requests)
    answers.write(encode_message("busy"))
    answers.flush()
    time.sleep(1000)
