"""A process that compares modules: reads a request per line, answers with a line of JSON each.

Modules run here, not in the command's own process, so that a crash is a finding and not the end of the run.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.compare import DIFFERENT, SKIPPED, Options, Report, compare
from tests.fuzz.generate import generate
from tests.fuzz.smith import SmithError

TIMEOUT_SECONDS = 60
CRASHED = "crashed"
#: After so many requests the process checks that it let go of every artifact.
LEAK_CHECK = 50


class Worker:
    """The near end: starts the process, restarts it after a crash. One thread uses it."""

    def __init__(self, options: Options, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        settings = ["--opt-level", str(options.opt_level), "--cpu", options.cpu]
        self.command = [sys.executable, "-m", "tests.fuzz.worker", *settings]
        self.timeout_seconds = timeout_seconds
        self.process: subprocess.Popen[str] | None = None
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close)

    def compare_seed(self, seed: str) -> Report:
        """Report on the modules of a seed; verdict CRASHED where the process died or took too long."""
        return self._ask({"seed": seed})

    def compare_files(self, files: Sequence[Path], seed: str, *, canonical_nans: bool) -> Report:
        """Report on modules in files, likewise."""
        return self._ask({"seed": seed, "files": [str(file) for file in files], "canonical_nans": canonical_nans})

    def _ask(self, request: dict[str, Any]) -> Report:
        if self.process is None:
            self.errors.seek(0)
            self.errors.truncate()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
            )
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(self.timeout_seconds, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if line:
            fields = json.loads(line)
            return Report(fields["verdict"], fields["reason"], Counter(fields["counts"]))
        return Report(CRASHED, self._ending())

    def _ending(self) -> str:
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        code = self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None
        self.errors.seek(0)
        ending = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if code == -signal.SIGKILL:
            ending += f" (after {self.timeout_seconds} s: it hung)"
        return f"{ending}\n{self.errors.read()[-4000:]}".strip()

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            assert self.process.stdin is not None and self.process.stdout is not None
            self.process.stdin.close()
            self.process.wait()
            self.process.stdout.close()
            self.process = None
        self.errors.close()


def answer(request: dict[str, Any], options: Options) -> Report:
    """Do what a request asks for."""
    seed = request["seed"]
    if "files" in request:
        modules = [Path(file).read_bytes() for file in request["files"]]
        return compare(modules, seed, options, canonical_nans=bool(request["canonical_nans"]))
    try:
        generated = generate(seed)
    except SmithError as error:
        return Report(SKIPPED, f"wasm-tools smith: {error}")
    report = compare(generated.modules, seed, options, canonical_nans=generated.canonical_nans)
    report.counts[f"from {generated.origin}: {report.verdict}"] += 1
    return report


def leaked() -> str:
    """What is still there of artifacts that nobody refers to; empty where all is well."""
    gc.collect()
    mappings = Path("/proc/self/maps").read_text().count("wasmartifact-fuzz-")
    names = [os.readlink(f"/proc/self/fd/{entry}") for entry in os.listdir("/proc/self/fd") if _is_open(entry)]
    descriptors = sum("wasmartifact-fuzz-" in name for name in names)
    return f"{mappings} mappings, {descriptors} descriptors" if mappings or descriptors else ""


def _is_open(entry: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{entry}")


def main() -> None:
    """The far end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--opt-level", type=int, required=True)
    parser.add_argument("--cpu", required=True)
    arguments = parser.parse_args()
    options = Options(arguments.opt_level, arguments.cpu)
    faulthandler.enable()
    # Answers go to a copy of standard output; whatever else prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for number, line in enumerate(sys.stdin, 1):
        report = answer(json.loads(line), options)
        if number % LEAK_CHECK == 0 and (rest := leaked()):
            report.verdict, report.reason = DIFFERENT, f"not released after {number} modules: {rest}; {report.reason}"
        print(json.dumps(vars(report)), file=answers, flush=True)


if __name__ == "__main__":
    main()
