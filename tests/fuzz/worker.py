"""The process that compares modules, and the near end of it."""

from __future__ import annotations

import argparse
import gc
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.child import Child, ChildDied, Json, serve
from tests.fuzz.compare import COMPARED, DIFFERENT, EXCUSED, SKIPPED, Options, Report, compare
from tests.fuzz.features import features_of
from tests.fuzz.generate import generate
from tests.fuzz.smith import SmithError

TIMEOUT_SECONDS = 60
CRASHED = "crashed"
#: After so many requests the process checks that it let go of every artifact.
LEAK_CHECK = 50


class Worker:
    """The near end. One thread uses it."""

    def __init__(self, options: Options, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        arguments = ["--opt-level", str(options.opt_level), "--cpu", options.cpu]
        arguments += ["--target", options.target] if options.target else []
        self.child = Child("tests.fuzz.worker", arguments, timeout_seconds=timeout_seconds)

    def compare_seed(self, seed: str) -> Report:
        """Report on the modules of a seed; verdict CRASHED where the process died or took too long."""
        return self._ask({"seed": seed})

    def compare_files(self, files: Sequence[Path], seed: str, *, canonical_nans: bool) -> Report:
        """Report on modules in files, likewise."""
        return self._ask({"seed": seed, "files": [str(file) for file in files], "canonical_nans": canonical_nans})

    def _ask(self, request: Json) -> Report:
        try:
            fields = self.child.ask(request)
        except ChildDied as death:
            return Report(CRASHED, str(death))
        return Report(fields["verdict"], fields["reason"], Counter(fields["counts"]))

    def close(self) -> None:
        """End the process."""
        self.child.close()


def compare_request(request: Json, options: Options) -> Report:
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
    if report.verdict == COMPARED:
        report.counts += Counter(f"compared, code with {feature}" for feature in features_of(generated.modules))
    if report.verdict == DIFFERENT and not generated.canonical_nans:
        report = _without_nans(report, seed, options)
    report.counts[f"from {generated.origin}: {report.verdict}"] += 1
    return report


def _without_nans(report: Report, seed: str, options: Options) -> Report:
    """The report of the same modules with canonical NaNs; a difference that is gone there was about a NaN."""
    twins = generate(seed, canonical_nans=True).modules
    canonical = compare(twins, seed, options, canonical_nans=True)
    if canonical.verdict == DIFFERENT:
        return canonical
    return Report(EXCUSED, report.reason, report.counts)


def leaked() -> str:
    """What is still there of artifacts that nobody refers to; empty where all is well."""
    gc.collect()
    mappings = Path("/proc/self/maps").read_text().count("wasmartifact-fuzz-")
    names = [_link_target(entry) for entry in os.listdir("/proc/self/fd")]
    descriptors = sum("wasmartifact-fuzz-" in name for name in names)
    return f"{mappings} mappings, {descriptors} descriptors" if mappings or descriptors else ""


def _link_target(entry: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{entry}")
    except FileNotFoundError:  # the descriptor that listed the directory
        return ""


def main() -> None:
    """The far end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--opt-level", type=int, required=True)
    parser.add_argument("--cpu", required=True)
    parser.add_argument("--target")
    arguments = parser.parse_args()
    options = Options(arguments.opt_level, arguments.cpu, arguments.target)
    requests = 0

    def answer(request: Json) -> Json:
        nonlocal requests
        requests += 1
        report = compare_request(request, options)
        if requests % LEAK_CHECK == 0 and (rest := leaked()):
            report.verdict, report.reason = DIFFERENT, f"not released after {requests} modules: {rest}; {report.reason}"
        return vars(report)

    serve(answer)


if __name__ == "__main__":
    main()
