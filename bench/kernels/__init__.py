"""The kernels: C programs of a few milliseconds, as WebAssembly beside their source. Each exports ``run(size)``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).parent
#: What makes the .wasm files and the native rivals of the same sources. Without errno a square root is one instruction.
SOURCE_OPTIONS: Final = ("-O2", "-Wall", "-Wextra", "-Werror", "-fno-math-errno", "-ffp-contract=off")


@dataclass(frozen=True)
class Kernel:
    """A kernel: ``result`` is the type of what ``run`` gives ("i32", "i64", "f64"), ``size`` what benchmarks pass.

    ``simd``: it is written with vectors of 16 bytes; the native rivals get SSE4.1 for that.
    """

    name: str
    result: str
    size: int
    simd: bool = False

    @property
    def source(self) -> Path:
        """The C file."""
        return DIRECTORY / f"{self.name}.c"

    @property
    def wasm(self) -> Path:
        """The .wasm file, made by ``wasm_command``."""
        return DIRECTORY / f"{self.name}.wasm"


KERNELS: Final = (
    Kernel("fib", "i32", 30),
    Kernel("sieve", "i32", 600_000),
    Kernel("nbody", "f64", 60_000),
    Kernel("mandelbrot", "i32", 220),
    Kernel("sha256", "i64", 1_200_000),
    Kernel("siphash", "i64", 150_000),
    Kernel("quicksort", "i64", 70_000),
    Kernel("dispatch", "i32", 1_500_000),
    Kernel("mandelbrot_simd", "i32", 320, simd=True),
    Kernel("matrix_simd", "f64", 200, simd=True),
    Kernel("colours_simd", "i32", 600, simd=True),
)


def wasm_command(kernel: Kernel, output: Path, clang: str = "clang") -> list[str]:
    """The command that makes a kernel's .wasm file (clang 14 with lld made those of this folder)."""
    features = ("-mbulk-memory", "-msimd128") if kernel.simd else ("-mbulk-memory",)
    link = ("-nostdlib", "-Wl,--no-entry", "-Wl,--export=run", "-Wl,--strip-all")
    return [clang, "--target=wasm32", *features, *SOURCE_OPTIONS, *link, "-o", str(output), str(kernel.source)]


def native_command(kernel: Kernel, output: Path, compiler: str, options: Sequence[str] = ()) -> list[str]:
    """The command that makes a native shared library of a kernel."""
    vectors = ("-msse4.1",) if kernel.simd else ()
    return [compiler, *SOURCE_OPTIONS, *vectors, *options, "-shared", "-fPIC", "-o", str(output), str(kernel.source)]
