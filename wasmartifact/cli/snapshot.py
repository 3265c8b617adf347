"""The command `snapshot`: starts a program as `run` does, and writes what it is then as an artifact."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import wasmartifact as wa
from wasmartifact.cli.commands import is_same_path, is_standard_output
from wasmartifact.cli.common import STDIN, STDOUT, UsageError, binary_output
from wasmartifact.cli.run import Options, make_instance, open_program, parse, read_call
from wasmartifact.errors import Exit, SnapshotError, printable
from wasmartifact.program import initialize

HELP: Final = """\
usage: wasmartifact snapshot [OPTIONS] PROGRAM -o OUT.so [--invoke NAME] [--] [ARGS ...]

Make an instance of a program, initialise it (_initialize of a reactor, then the function of --invoke), and write it as
an artifact whose instances start from there.

  PROGRAM              an artifact, or a .wasm or .wat module, which is packed into the cache on first use; - for
                       standard input
  -o, --output OUT.so  the snapshot, - for standard output
  --invoke NAME        call this exported function with ARGS before
  ARGS                 arguments of the function of --invoke, or of the program
  --dir, --ro-dir, --env, --max-memory, --max-stack, --max-descriptors, --opt-level
                       as for run, whose --help tells; instances of the snapshot need the same directories
  -h, --help           show this and exit
"""


def snapshot(tokens: Sequence[str]) -> int:
    """Run the command; returns 0."""
    options = parse(tokens, "snapshot", ("-o", "--output"))
    if options.shows_help:
        print(HELP, end="")
        return 0
    program, output = options.program, options.output
    if program is None:
        raise UsageError("snapshot needs a program: an artifact or a module")
    if not output:
        raise UsageError("snapshot needs -o OUT.so, or -o - for standard output")
    if program != STDIN and output != STDOUT and is_same_path(output, program):
        raise UsageError(f"the output {output} is the input")
    start = time.perf_counter()
    target = binary_output() if output == STDOUT else output
    instance = _initialised(options, program, output)
    report = wa.snapshot(instance, target)
    if not is_standard_output(output):
        seconds = time.perf_counter() - start
        print(f"{printable(output)}: a snapshot of {printable(program)}, {report.size_bytes:,} bytes, {seconds:.2f} s")
    return 0


def _initialised(options: Options, program: str, output: str) -> wa.Instance:
    """The instance to write."""
    options.tier_up = False  # its code stays what it is
    artifact = open_program(program, options)
    values: list[Any] = [] if options.invoke is None else read_call(artifact, options)[0]
    arguments = options.arguments if options.invoke is None else ()
    # What the program prints must not get into an artifact that goes to standard output.
    streams = {"stdout": sys.__stderr__} if is_standard_output(output) else {}
    instance, _ = make_instance(artifact, program, arguments, options.invoke or "_initialize", options, **streams)
    try:
        initialize(instance)
        if options.invoke is not None:
            instance.exports[options.invoke](*values)
    except Exit as end:
        raise SnapshotError(
            f"{program} ended itself with exit code {end.code}, so that there is nothing to take a snapshot of; call a "
            "function that returns (--invoke)",
            what="exit",
            found=f"exit code {end.code}",
        ) from None
    return instance
