"""Every command but `run`: parses arguments, calls the public functions, formats what they return."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import wasmartifact as wa
from wasmartifact.cli import bindgen, cache
from wasmartifact.cli.common import (
    BYTES,
    EXIT_DEFECT,
    EXIT_OS_ERROR,
    EXIT_USAGE,
    STDIN,
    STDOUT,
    UsageError,
    binary_output,
    cpu_names,
    parse_amount,
    standard_input,
)
from wasmartifact.cli.progress import ProgressBar
from wasmartifact.errors import ArtifactError, WasmArtifactError, printable
from wasmartifact.host.input import read_blocks, read_input
from wasmartifact.host.output import absolute_path
from wasmartifact.host.scratch import ScratchFile
from wasmartifact.program import is_artifact
from wasmartifact.version import VERSION
from wasmartifact.wasm.decode import COMPONENT_MAGIC

BENCH_WAY: Final = "clone the repository, run `make`, and there `make bench` or `python -m bench --help`"
BENCH_HELP: Final = f"""\
usage: wasmartifact bench [OPTIONS]

Measure every figure against its rivals on this machine. The benchmarks stand in the source tree and need compilers and
rivals that a user of the package does without:
{BENCH_WAY}.
"""


def execute(tokens: Sequence[str]) -> int:
    """Run the command line of a command other than `run`; returns the exit code."""
    try:
        if tokens[:1] == ["bench"]:
            return run_bench(tokens[1:])
        options = make_parser().parse_args(tokens)
    except SystemExit as end:  # help, or a usage error, which argparse has printed
        return int(end.code or 0)
    code: int = options.command(options)
    return code


# ---- arguments -----------------------------------------------------------------------------------------------------


def exit_code_table() -> str:
    """Lines of ``--help``: every exit code with what it means."""

    def classes(root: type[WasmArtifactError]) -> Iterator[type[WasmArtifactError]]:
        yield root
        for subclass in root.__subclasses__():
            yield from classes(subclass)

    rows = [
        (0, "success; `run` of a program gives the program's own code"),
        (EXIT_OS_ERROR, "the operating system refused something: a missing file, a full disk"),
        (EXIT_USAGE, "usage"),
        *sorted({(entry.exit_code, entry.__name__) for entry in classes(WasmArtifactError)}),
        (EXIT_DEFECT, "a defect of wasmartifact"),
    ]
    return "exit codes:\n" + "\n".join(f"  {code:3}  {meaning}" for code, meaning in rows)


def make_parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line."""
    parser = argparse.ArgumentParser(
        prog="wasmartifact",
        description="WebAssembly compiled ahead of time into a shared object that loads in constant time.",
        epilog=exit_code_table(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    pack = commands.add_parser("pack", help="compile a module into an artifact")
    pack.add_argument("source", metavar="IN", help=".wasm or .wat file, - for standard input")
    pack.add_argument("-o", "--output", metavar="OUT.so", help="artifact, - for standard output (default: IN.so)")
    pack.add_argument("-O", "--opt-level", type=int, default=2, choices=range(4), help="0 packs fastest (default 2)")
    pack.add_argument(
        "--cpu",
        type=cpu_names,
        default="baseline",
        help='"baseline" (default), "native" or a CPU name of LLVM; '
        "several with commas between, for code of which a load takes the best that its host has",
    )
    pack.add_argument("--target", help="machine to compile for, x86_64 or aarch64 (default: this one)")
    pack.add_argument(
        "--min-glibc", metavar="VERSION", help="oldest glibc to load under, as 2.17 (default: this host's)"
    )
    pack.add_argument("--jobs", type=int, help="compiling processes (default: one per CPU)")
    pack.add_argument("--keep", metavar="DIR", help="keep LLVM IR, assembly and objects in this folder")
    pack.add_argument("--fuel", action="store_true", help="count what the code does, so that Store.fuel can bound it")
    pack.add_argument("--keep-debug", action="store_true", help="keep the module's DWARF in the artifact")
    pack.add_argument("--max-memory", metavar="BYTES", help="most memory that packing may take, as in 2G")
    pack.add_argument("--max-seconds", metavar="SECONDS", type=float, help="most time that packing may take")
    pack.set_defaults(command=run_pack)

    inspect = commands.add_parser("inspect", help="show what an artifact or a module holds; none of its code runs")
    inspect.add_argument("file", metavar="FILE", help="artifact, or .wasm or .wat module; - for standard input")
    inspect.add_argument("--json", action="store_true", help="everything, as JSON")
    inspect.add_argument("--wit", action="store_true", help="of a component: its world as WIT, and nothing else")
    inspect.set_defaults(command=run_inspect)

    verify = commands.add_parser(
        "verify", help="check every digest and every row of an artifact; none of its code runs"
    )
    verify.add_argument("artifact", metavar="ART.so", help="artifact, - for standard input")
    verify.add_argument("--key", metavar="PUBLIC.pem", help="the Ed25519 key that it must be signed with")
    verify.set_defaults(command=run_verify)

    sign = commands.add_parser("sign", help="sign an artifact with an Ed25519 key, in place")
    sign.add_argument(
        "key", metavar="PRIVATE.pem", help="private key, as `openssl genpkey -algorithm ed25519` makes it"
    )
    sign.add_argument("artifact", metavar="ART.so", help="artifact, which must be whole")
    sign.add_argument("--password-file", metavar="FILE", help="holds the password of the key, in its first line")
    sign.set_defaults(command=run_sign)

    cache.add_parser(commands)
    bindgen.add_parser(commands)

    # Its own grammar stands in run.py, which is there for all but this list of commands.
    commands.add_parser("run", help="run a WASI program, packed or not", add_help=False)

    # So does that of snapshot, which is like it.
    commands.add_parser("snapshot", help="write an initialised instance as an artifact", add_help=False)

    # The benchmarks have a command line of their own, too.
    commands.add_parser(
        "bench", help="measure every figure against its rivals on this machine (in a source tree)", add_help=False
    )
    return parser


# ---- commands ------------------------------------------------------------------------------------------------------


def run_pack(options: argparse.Namespace) -> int:
    """``pack``: prints what was written."""
    if "" in (options.output, options.keep):
        raise UsageError("the name of an output is empty")
    from_stdin = options.source == STDIN
    output = default_output(options.source) if options.output is None else options.output
    to_stdout = output == STDOUT
    if not (from_stdin or to_stdout) and is_same_path(output, options.source):
        raise UsageError(f"the output {output} is the input")
    start = time.perf_counter()
    with ProgressBar() as progress:
        try:
            report = wa.pack(
                read_input(standard_input(), "standard input") if from_stdin else options.source,
                binary_output() if to_stdout else output,
                opt_level=options.opt_level,
                cpu=options.cpu,
                target=options.target,
                jobs=options.jobs,
                progress=progress,
                keep=options.keep,
                min_glibc=options.min_glibc,
                fuel=options.fuel,
                keep_debug=options.keep_debug,
                limits=pack_limits(options),
            )
        except ValueError as error:
            raise UsageError(str(error)) from error
    seconds = time.perf_counter() - start
    if not is_standard_output(output):
        print(f"{printable(output)}: {report.functions:,} functions, {report.size_bytes:,} bytes, {seconds:.2f} s")
    return 0


def pack_limits(options: argparse.Namespace) -> wa.PackLimits | None:
    """What ``--max-memory`` and ``--max-seconds`` say, None where they are not there."""
    memory, seconds = options.max_memory, options.max_seconds
    if memory is None and seconds is None:
        return None
    memory_bytes = None if memory is None else parse_amount(memory, BYTES, "--max-memory")
    return wa.PackLimits(memory_bytes=memory_bytes, seconds=seconds)


def default_output(source: str) -> str:
    """``codec.wasm.so`` for ``codec.wasm``: beside a ``codec.py``, Python would import a ``codec.so`` in its place."""
    is_device = os.path.abspath(source).startswith(("/dev/", "/proc/"))  # an open file, perhaps: /dev/stdin
    if source == STDIN or is_device or (os.path.exists(source) and not os.path.isfile(source)):
        name = "standard input" if source == STDIN else source
        raise UsageError(f"a module from {name} needs -o OUT.so, or -o - for standard output")
    return f"{source}.so"


def is_same_path(output: str, source: str) -> bool:
    """Whether two paths lead to one place, which need not exist."""
    return os.path.realpath(absolute_path(output)) == os.path.realpath(absolute_path(source))


def is_standard_output(output: str) -> bool:
    """Whether a path names what standard output is, so that nothing else may be printed there."""
    try:
        return output == STDOUT or os.path.samestat(os.stat(output), os.fstat(1))
    except OSError:
        return False


@contextlib.contextmanager
def artifact_path(name: str) -> Iterator[str]:
    """Path of an artifact; standard input is copied to a file of our own first."""
    if name != STDIN:
        yield name
        return
    copy = ScratchFile("standard-input")
    try:
        copy.write(read_blocks(standard_input(), "standard input", may_be_artifact=True))
        yield copy.path
    except ArtifactError as error:  # the copy has a name that tells a user nothing
        raise type(error)(error.message.replace(copy.path, "standard input"), **error.facts) from None
    finally:
        copy.close()


def run_inspect(options: argparse.Namespace) -> int:
    """``inspect``: a readable page, or JSON; of an artifact, which is an ELF file, or of a module."""
    with artifact_path(options.file) as path:
        if is_artifact(path):
            _inspect_artifact(path, options)
        else:
            from wasmartifact.wasm.source import read_source

            data = read_source(Path(path).read_bytes() if options.file == STDIN else path)
            (_inspect_component if data[:8] == COMPONENT_MAGIC else _inspect_module)(data, options)
    return 0


def _inspect_artifact(path: str, options: argparse.Namespace) -> None:
    from wasmartifact.cli.summary import describe, page

    with wa.open_metadata(path) as metadata:
        if options.wit and not metadata.is_component:
            raise UsageError(f"--wit is of components; {options.file} holds a module")
        if not metadata.is_component:
            _show(describe(metadata) if options.json else page(metadata))
            return
        from wasmartifact.cli.component_summary import artifact_wit

        wit = artifact_wit(metadata)
        if options.json:
            _show(describe(metadata) | {"wit": "\n".join(wit) + "\n"})
        else:
            _show(wit if options.wit else itertools.chain(page(metadata), ("",), wit))


def _inspect_component(data: bytes, options: argparse.Namespace) -> None:
    from wasmartifact.cli.component_summary import describe_program, program_page, program_wit, read_program

    program = read_program(data)
    if options.json:
        _show(describe_program(data, program))
    else:
        _show(program_wit(program) if options.wit else program_page(data, program))


def _inspect_module(data: bytes, options: argparse.Namespace) -> None:
    from wasmartifact.cli.module_summary import describe_module, module_page, read_module

    if options.wit:
        raise UsageError(f"--wit is of components; {options.file} is a module")
    module = read_module(data)
    _show(describe_module(module) if options.json else module_page(module))


def _show(what: dict[str, object] | Iterable[str]) -> None:
    """Print a dict as JSON, lines as they are; piece by piece, as many functions can have one large type."""
    if isinstance(what, dict):
        sys.stdout.writelines(json.JSONEncoder(indent=2).iterencode(what))
        print()
    else:
        for line in what:
            print(line)


def run_verify(options: argparse.Namespace) -> int:
    """``verify``: silent success would leave doubt, so it says one line."""
    with artifact_path(options.artifact) as path, usage_errors():
        wa.verify(path, key=options.key)
    signed = f", and it is signed with {options.key}" if options.key else ""
    print(printable(f"{options.artifact}: every digest and every row is right{signed}"))
    return 0


def run_sign(options: argparse.Namespace) -> int:
    """``sign``: prints what was signed."""
    file = options.password_file
    password = None if file is None else _first_line(file)
    with usage_errors():
        wa.sign(options.artifact, options.key, password=password)
    print(printable(f"{options.artifact}: signed with {options.key}"))
    return 0


def _first_line(path: str) -> bytes:
    """The first line of a file without its end, in which more than this is no password: /dev/zero has no lines."""
    with open(path, "rb") as file:
        return file.readline(1 << 12).rstrip(b"\r\n")


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """A ValueError is about what was given on the command line."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


def run_bench(tokens: Sequence[str]) -> int:
    """``bench``: the benchmarks of the source tree, which know their own options."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "bench" / "__main__.py").exists():
        if {"-h", "--help"} & set(tokens):
            print(BENCH_HELP)
            return 0
        raise UsageError(f"the benchmarks are not part of the installed package; {BENCH_WAY}")
    sys.path.insert(0, str(root))
    from importlib import import_module

    code: int = import_module("bench.__main__").main(tokens)
    return code
