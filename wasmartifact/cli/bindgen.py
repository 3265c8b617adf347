"""The command `bindgen`: a typed Python package for a component."""

from __future__ import annotations

import argparse
import time
from typing import Any

from wasmartifact.cli.common import STDIN, UsageError, cpu_names
from wasmartifact.cli.progress import ProgressBar
from wasmartifact.errors import printable

#: Options that are those of `pack`.
_PACK_OPTIONS = ("opt_level", "cpu", "target", "min_glibc", "jobs", "fuel")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's grammar."""
    parser = commands.add_parser(
        "bindgen",
        help="write a typed Python package for a component",
        description="Write a Python package that carries a component, packed, and has classes for its types and "
        "functions. A package that this command wrote before is replaced.",
    )
    parser.add_argument("source", metavar="IN", help="component, as .wasm or .wat, or an artifact that holds one")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder, whose name is the package's")
    parser.add_argument("--wit", metavar="PATH", help="WIT of the component, whose comments become docstrings")
    packing = parser.add_argument_group("packing", "as `pack` takes them; an artifact is packed already")
    packing.add_argument("-O", "--opt-level", type=int, choices=range(4), help="0 packs fastest (default 2)")
    packing.add_argument("--cpu", type=cpu_names, help='"baseline" (default), "native" or CPU names of LLVM')
    packing.add_argument("--target", help="machine to compile for, x86_64 or aarch64 (default: this one)")
    packing.add_argument("--min-glibc", metavar="VERSION", help="oldest glibc to load under (default: this host's)")
    packing.add_argument("--jobs", type=int, help="compiling processes (default: one per CPU)")
    packing.add_argument("--fuel", action="store_true", default=None, help="count what the code does")
    parser.set_defaults(command=run_bindgen)


def run_bindgen(options: argparse.Namespace) -> int:
    """``bindgen``: prints what was written."""
    from wasmartifact.bindgen.output import is_packed, write_package

    if options.source == STDIN:
        raise UsageError("a component from standard input has no name; give a file")
    given: dict[str, Any] = {
        name: getattr(options, name) for name in _PACK_OPTIONS if getattr(options, name) is not None
    }
    start = time.perf_counter()
    with ProgressBar() as progress:
        try:
            if not is_packed(options.source):
                given["progress"] = progress
            written = write_package(options.source, options.output, wit=options.wit, **given)
        except ValueError as error:
            raise UsageError(str(error)) from error
    print(printable(f"{options.output}: {len(written)} files, {time.perf_counter() - start:.2f} s"))
    return 0
