"""The command line: parses arguments, calls the public functions, formats what they return. No work is done here."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from wasmartifact.errors import WasmArtifactError
from wasmartifact.version import VERSION

STDIN: Final = "-"
EXIT_OS_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_DEFECT: Final = 70  # EX_SOFTWARE of sysexits.h
#: Options of `run` that take a value; whatever follows them and the artifact belongs to the guest.
RUN_OPTIONS: Final = ("--invoke",)
INTEGER_BITS: Final = {"i32": 32, "i64": 64}


class UsageError(Exception):
    """The command line asks for something that makes no sense; the message says what does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str | None
        Arguments after the program's name, None for those of the process.

    Returns
    -------
    int
        The exit code, as ``--help`` lists them.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    own, guest = split_guest_arguments(tokens)
    options = make_parser().parse_args(own)
    options.guest_arguments = guest
    try:
        with contextlib.suppress(AttributeError):  # standard output may be closed, or replaced by an object of a test
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        code: int = options.command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return die_of(signal.SIGPIPE)
    except KeyboardInterrupt:
        return die_of(signal.SIGINT)
    except WasmArtifactError as error:
        return complain(str(error), error.exit_code)
    except UsageError as error:
        return complain(f"{error} (wasmartifact {options.name} --help)", EXIT_USAGE)
    except OSError as error:
        name = "" if error.filename is None else f"{error.filename}: "
        return complain(f"{name}{error.strerror or error}", EXIT_OS_ERROR)
    except ModuleNotFoundError as error:
        return complain(f"{error.name} is not installed; run: pip install 'wasmartifact[pack]'", EXIT_OS_ERROR)
    except MemoryError:
        return complain("out of memory", EXIT_OS_ERROR)
    except Exception as error:
        return complain(f"defect in wasmartifact, please report it: {type(error).__name__}: {error}", EXIT_DEFECT)


def complain(message: str, code: int) -> int:
    """Print an error and return its exit code."""
    print(f"wasmartifact: {message}", file=sys.stderr)
    return code


def die_of(number: signal.Signals) -> int:
    """End as a native program does: killed by the signal, so that the shell sees it."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number  # only where the signal is blocked


# ---- arguments -----------------------------------------------------------------------------------------------------


def split_guest_arguments(tokens: list[str]) -> tuple[list[str], list[str]]:
    """Split ``run ART.so [OPTIONS] [--] ARGS...`` into our part and the guest's, which may look like options."""
    if tokens[:1] == ["bench"]:
        return tokens[:1], tokens[1:]  # the benchmarks have a command line of their own
    if tokens[:1] != ["run"]:
        return tokens, []
    position, seen_artifact = 1, False
    while position < len(tokens):
        token = tokens[position]
        if seen_artifact and token == "--":
            return tokens[:position], tokens[position + 1 :]
        if token in RUN_OPTIONS:
            position += 2
        elif token.startswith(tuple(f"{option}=" for option in RUN_OPTIONS)) or token in {"-h", "--help"}:
            position += 1
        elif not seen_artifact:
            seen_artifact = token == STDIN or not token.startswith("-")
            position += 1
        else:
            return tokens[:position], tokens[position:]
    return tokens, []


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
    pack.add_argument("-o", "--output", metavar="OUT.so", help="artifact to write (default: IN with the suffix .so)")
    pack.add_argument("-O", "--opt-level", type=int, default=2, choices=range(4), help="0 packs fastest (default 2)")
    pack.add_argument("--cpu", default="baseline", help='"baseline" (default), "native" or a CPU name of LLVM')
    pack.add_argument("--target", help="machine to compile for, x86_64 or aarch64 (default: this one)")
    pack.add_argument("--jobs", type=int, help="compiling processes (default: one per CPU)")
    pack.add_argument("--keep", metavar="DIR", help="keep LLVM IR, assembly and objects in this folder")
    pack.set_defaults(command=run_pack)

    inspect = commands.add_parser("inspect", help="show what an artifact holds; none of its code runs")
    inspect.add_argument("artifact", metavar="ART.so", help="artifact, - for standard input")
    inspect.add_argument("--json", action="store_true", help="everything, as JSON")
    inspect.set_defaults(command=run_inspect)

    verify = commands.add_parser(
        "verify", help="check every digest and every row of an artifact; none of its code runs"
    )
    verify.add_argument("artifact", metavar="ART.so", help="artifact, - for standard input")
    verify.set_defaults(command=run_verify)

    run = commands.add_parser(
        "run", help="run an artifact", usage="wasmartifact run [-h] ART.so [--invoke NAME] [--] [ARGS ...]"
    )
    run.add_argument("artifact", metavar="ART.so", help="artifact, - for standard input")
    run.add_argument("--invoke", metavar="NAME", help="call this exported function with ARGS; results one per line")
    run.set_defaults(command=run_run)

    bench = commands.add_parser(
        "bench", help="measure every figure against its rivals on this machine (in a source tree)", add_help=False
    )
    bench.set_defaults(command=run_bench)
    return parser


# ---- commands ------------------------------------------------------------------------------------------------------


def run_pack(options: argparse.Namespace) -> int:
    """``pack``: prints what was written."""
    from_stdin = options.source == STDIN
    if from_stdin and options.output is None:
        raise UsageError("a module from standard input needs -o OUT.so")
    output = options.output or str(Path(options.source).with_suffix(".so"))
    if not from_stdin and os.path.realpath(output) == os.path.realpath(options.source):
        raise UsageError(f"the output {output} is the input")
    start = time.perf_counter()
    with progress_bar() as progress:
        try:
            report = wa.pack(
                sys.stdin.buffer.read() if from_stdin else options.source,
                output,
                opt_level=options.opt_level,
                cpu=options.cpu,
                target=options.target,
                jobs=options.jobs,
                progress=progress,
                keep=options.keep,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error
    seconds = time.perf_counter() - start
    print(f"{report.output}: {report.functions:,} functions, {report.size_bytes:,} bytes, {seconds:.2f} s")
    return 0


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """A callback that draws a bar on a terminal and removes it at the end; None where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return

    def draw(done: int, total: int) -> None:
        label = f" {done:,}/{total:,} functions"
        width = max(shutil.get_terminal_size().columns - len(label) - 3, 1)
        filled = width * done // max(total, 1)
        print(f"\r[{'#' * filled}{'.' * (width - filled)}]{label}", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def artifact_path(name: str) -> Iterator[str]:
    """Path of an artifact; standard input is copied to an anonymous file in memory first."""
    if name != STDIN:
        yield name
        return
    descriptor = os.memfd_create("standard-input", os.MFD_CLOEXEC)
    with open(descriptor, "wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield f"/proc/self/fd/{descriptor}"


def run_inspect(options: argparse.Namespace) -> int:
    """``inspect``: a readable page, or JSON."""
    from wasmartifact.summary import describe, page

    with artifact_path(options.artifact) as path, wa.open_metadata(path) as metadata:
        if options.json:
            print(json.dumps(describe(metadata), indent=2))
        else:
            print(*page(metadata), sep="\n")
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """``verify``: silent success would leave doubt, so it says one line."""
    with artifact_path(options.artifact) as path:
        wa.verify(path)
    print(f"{options.artifact}: every digest and every row is right")
    return 0


def run_run(options: argparse.Namespace) -> int:
    """``run``: a WASI program, or one exported function."""
    if options.invoke is None:
        if not hasattr(wa, "run"):
            raise UsageError("this version runs single functions only; give --invoke NAME")
        with artifact_path(options.artifact) as path:
            code: int = wa.run(path, options.guest_arguments)
            return code
    from wasmartifact.metadata.rows import FuncType

    artifact = wa.load(sys.stdin.buffer.read() if options.artifact == STDIN else options.artifact)
    row = artifact.metadata.exports.find(options.invoke)
    if row is None or not isinstance(row.type, FuncType):
        found = "no such export" if row is None else f"a {row.kind}"
        raise UsageError(f"{options.artifact} exports no function {options.invoke!r}: found {found}")
    values = parse_values(options.guest_arguments, row.type.params)
    returned = artifact.instantiate({}).exports[options.invoke](*values)
    results = [] if not row.type.results else [returned] if len(row.type.results) == 1 else returned
    for value in results:
        print(value_text(value))
    return 0


def run_bench(options: argparse.Namespace) -> int:
    """``bench``: the benchmarks of the source tree."""
    root = Path(__file__).resolve().parents[1]
    if not (root / "bench" / "__main__.py").exists():
        raise UsageError("the benchmarks stand in the source tree, not in the installed package; run this in a clone")
    sys.path.insert(0, str(root))
    from importlib import import_module

    code: int = import_module("bench.__main__").main(options.guest_arguments)
    return code


# ---- values --------------------------------------------------------------------------------------------------------


def parse_values(texts: Sequence[str], types: Sequence[str]) -> list[Any]:
    """Arguments of a function from text, by its parameter types."""
    if len(texts) != len(types):
        raise UsageError(
            f"the function takes {len(types)} arguments ({', '.join(types) or 'none'}), found {len(texts)}"
        )
    return [parse_value(text, type_) for text, type_ in zip(texts, types, strict=True)]


def parse_value(text: str, type_: str) -> Any:
    """One argument: integers in any base Python writes, floats also in hexadecimal, v128 as 32 hex digits, ``null``."""
    try:
        if type_ in INTEGER_BITS:
            bits, value = INTEGER_BITS[type_], int(text, 0)
            if not -(1 << bits - 1) <= value < 1 << bits:
                raise UsageError(f"{text} does not fit into {type_}")
            return value
        if type_ in {"f32", "f64"}:
            return float.fromhex(text) if "0x" in text.lower() else float(text)
        if type_ == "v128" and len(text.removeprefix("0x")) == 32:
            return int(text, 16).to_bytes(16, "little")
    except (ValueError, OverflowError):
        raise UsageError(f"{text!r} is not a value of type {type_}") from None
    if "ref" in type_ and text == "null":
        return None
    expected = "32 hex digits" if type_ == "v128" else "null"
    raise UsageError(f"{text!r} is not a value of type {type_}, expected {expected}")


def value_text(value: Any) -> str:
    """A result as text; what it prints for numbers and vectors, ``parse_value`` reads."""
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f"0x{int.from_bytes(value, 'little'):032x}"
    return str(value)
