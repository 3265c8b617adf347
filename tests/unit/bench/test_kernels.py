"""The kernels compute what they say, and their .wasm files are what clang makes of their sources."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from bench.kernels import KERNELS, Kernel, native_command, wasm_command
from bench.kernels.__main__ import main, native_run, packed_run, ratios
from tests.support.tools import find_tool

BY_NAME = {kernel.name: kernel for kernel in KERNELS}
#: What is known of kernels from elsewhere: (kernel, size, result).
KNOWN = (
    ("fib", 20, 6765),
    ("sieve", 100_000, 9592),  # the number of primes below
    ("sieve", 1 << 20, 82025),
    # The Computer Language Benchmarks Game prints these to nine digits for 0 and 1000 steps.
    ("nbody", 0, -0.169075164),
    ("nbody", 1000, -0.169087605),
    # The first and the second vector of SipHash's authors, for 0 and 1 bytes, and their exclusive or.
    ("siphash", 1, 0x726FDB47DD0E0E31),
    ("siphash", 2, 0x726FDB47DD0E0E31 ^ 0x74F839C593DC67FD),
)


def sha256_head(size: int) -> int:
    """What the kernel sha256 returns, from hashlib."""
    digest = hashlib.sha256(bytes(index * 7 & 0xFF for index in range(size))).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@pytest.mark.parametrize(("name", "size", "expected"), KNOWN)
def test_known_results(name: str, size: int, expected: float, tmp_path: Path) -> None:
    """Results that others published."""
    result = packed_run(BY_NAME[name], tmp_path, 0, "baseline")(size)
    assert result == pytest.approx(expected, rel=0, abs=5e-10)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 119, 120, 1000])
def test_sha256_is_that_of_hashlib(size: int, tmp_path: Path) -> None:
    """Sizes around those where the padding takes another block."""
    assert packed_run(BY_NAME["sha256"], tmp_path, 0, "baseline")(size) == sha256_head(size)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("opt_level", range(4))
def test_levels_agree_with_native_code(kernel: Kernel, opt_level: int, tmp_path: Path) -> None:
    """Every level gives what gcc's code gives, to the last bit, at sizes where loops end in various ways."""
    ours = packed_run(kernel, tmp_path, opt_level, "baseline")
    native = native_run(kernel, tmp_path, find_tool("cc"), ())
    for size in (0, 1, 2, 7, 20):
        assert repr(ours(size)) == repr(native(size)), size


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_wasm_files_are_made_from_their_sources(kernel: Kernel, tmp_path: Path) -> None:
    """The command that stands in the tree gives the bytes that stand there; another clang may give others."""
    clang = find_tool("clang")
    find_tool("ld.lld")
    version = subprocess.run([clang, "--version"], capture_output=True, text=True, check=True).stdout
    if re.search(r"clang version 14\.", version) is None:
        pytest.skip(f"the kernels were made by clang 14, here is {version.splitlines()[0]}")
    output = tmp_path / kernel.wasm.name
    subprocess.run(wasm_command(kernel, output, clang), check=True)
    assert output.read_bytes() == kernel.wasm.read_bytes()


def test_ratios() -> None:
    """Ours divided by each rival's, and by the faster of the native ones; compilers may be missing."""
    times = {"wasmartifact": 6.0, "gcc": 4.0, "clang": 3.0, "wasmtime": 12.0}
    assert ratios(times) == {"gcc": 1.5, "clang": 2.0, "wasmtime": 0.5, "best native": 2.0}
    assert ratios({"wasmartifact": 6.0, "wasmtime": 12.0}) == {"wasmtime": 0.5}


def test_table_names_missing_compilers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without clang its column says so; the others hold numbers."""
    (tmp_path / "gcc").symlink_to(find_tool("cc"))
    for program in ("as", "ld"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["--samples", "1", "fib"]) == 0
    header, _, row, mean = capsys.readouterr().out.splitlines()[2:6]
    assert header.split()[-5:] == ["gcc", "clang", "best", "native", "wasmtime"]
    for line in (row, mean):
        assert re.search(r"\d\.\d\d +not installed +\d+\.\d\d +\d+\.\d\d$", line), line


def test_native_command_takes_options() -> None:
    """``--cpu native`` reaches the compilers."""
    kernel = BY_NAME["fib"]
    command = native_command(kernel, Path("out.so"), "gcc", ("-march=native",))
    assert command[0] == "gcc" and "-march=native" in command and command[-1] == str(kernel.source)
