"""The far end of packing for an emulated aarch64: a script for the host's Python that reads requests until they end."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

import wasmartifact as wa


def pack(process: int, source: Any, output: Any, options: dict[str, Any]) -> wa.PackReport:
    """Pack for a process; a descriptor as output is one of its own."""
    if not isinstance(output, int):
        return wa.pack(source, output, **options)
    descriptor = os.open(f"/proc/{process}/fd/{output}", os.O_RDWR)
    try:
        return wa.pack(source, descriptor, **options)
    finally:
        os.close(descriptor)


def main() -> None:
    """Answer with a report, or with what was raised."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            request = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        report, error = None, None
        try:
            report = pack(*request)
        except Exception as caught:
            error = caught
        pickle.dump((report, error), answers)
        answers.flush()


if __name__ == "__main__":
    main()
