"""The command `snapshot`: starts a program as `run` does, and writes what it is then as an artifact."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import wasmartifact as wa
from wasmartifact.cli.commands import is_same_path, is_standard_output
from wasmartifact.cli.common import STDIN, STDOUT, UsageError, binary_output
from wasmartifact.cli.run import Options, make_component_instance, make_instance, open_program, parse, read_call
from wasmartifact.errors import Exit, SnapshotError, printable
from wasmartifact.program import initialize

HELP: Final = """\
usage: wasmartifact snapshot [OPTIONS] PROGRAM -o OUT.so [--invoke NAME] [--] [ARGS ...]

Make an instance of a program, initialise it (_initialize of a reactor, then the function of --invoke), and write it as
an artifact whose instances start from there.

  PROGRAM              an artifact, or a .wasm or .wat module or component, which is packed into the cache on first
                       use; - for standard input
  -o, --output OUT.so  the snapshot, - for standard output
  --invoke NAME        call this exported function with ARGS before, of a component INTERFACE#NAME, too
  ARGS                 arguments of the function of --invoke, or of the program
  --dir, --ro-dir, --env, --max-memory, --max-stack, --max-descriptors, --max-values, --max-handles, --opt-level
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


def _initialised(options: Options, program: str, output: str) -> wa.Instance | wa.ComponentInstance:
    """The instance to write."""
    options.tier_up = False  # its code stays what it is
    artifact = open_program(program, options)
    # What the program prints must not get into an artifact that goes to standard output.
    streams = {"stdout": sys.__stderr__} if is_standard_output(output) else {}
    start = _start_component if artifact._is_component else _start
    try:
        return start(artifact, program, options, streams)
    except Exit as end:
        raise SnapshotError(
            f"{program} ended itself with exit code {end.code}, so that there is nothing to take a snapshot of; call a "
            "function that returns (--invoke)",
            what="exit",
            found=f"exit code {end.code}",
        ) from None


def _start(artifact: Any, program: str, options: Options, streams: dict[str, Any]) -> wa.Instance:
    values: list[Any] = [] if options.invoke is None else read_call(artifact, options)[0]
    arguments = options.arguments if options.invoke is None else ()
    instance, _ = make_instance(artifact, program, arguments, options.invoke or "_initialize", options, **streams)
    initialize(instance)
    if options.invoke is not None:
        instance.exports[options.invoke](*values)
    return instance


def _start_component(component: Any, program: str, options: Options, streams: dict[str, Any]) -> wa.ComponentInstance:
    from wasmartifact.cli.component_call import ComponentCall

    name = options.invoke
    call = None if name is None else ComponentCall(component, program, name, options.arguments)
    arguments = options.arguments if name is None else ()
    instance: wa.ComponentInstance = make_component_instance(component, program, arguments, options, **streams)
    try:
        if call is not None:
            call.run(instance)
    except wa.Err as problem:
        raise SnapshotError(
            f"{name} of {program} gave an error: {printable(str(problem.value))}, so that the instance is not ready",
            what="error",
            found=str(problem.value),
        ) from None
    return instance
