"""A process that runs scripts: reads paths of converted scripts line by line, answers with a line of JSON each.

Scripts run here, not in the command's own process, so that a crash is a failed script and not the end of the run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.spec.script import FAILED, Outcome, Packer, run_script

TIMEOUT_SECONDS = 600


class Worker:
    """The near end: starts the process, restarts it after a crash. One thread uses it."""

    def __init__(self, directory: Path, *, opt_level: int, cpu: str) -> None:
        options = ["--opt-level", str(opt_level), "--cpu", cpu]
        self.command = [sys.executable, "-m", "tests.spec.worker", str(directory), *options]
        self.process: subprocess.Popen[str] | None = None

    def run(self, converted: Path) -> list[Outcome]:
        """Outcomes of a script; a single failed one where the process died or took too long."""
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(TIMEOUT_SECONDS, process.kill)
        timer.start()
        try:
            process.stdin.write(f"{converted}\n")
            process.stdin.flush()
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if line:
            return [Outcome(**fields) for fields in json.loads(line)]
        self.process = None
        code = process.wait()
        ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return [Outcome(0, "script", FAILED, f"the process that ran it died: {ending}")]

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def main() -> None:
    """The far end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--opt-level", type=int, required=True)
    parser.add_argument("--cpu", required=True)
    options = parser.parse_args()
    packer = Packer(options.directory, options.opt_level, options.cpu)
    # Answers go to a copy of standard output; whatever else prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        outcomes = run_script(Path(line.rstrip("\n")), packer)
        print(json.dumps([dataclasses.asdict(outcome) for outcome in outcomes]), file=answers, flush=True)


if __name__ == "__main__":
    main()
