"""Every example runs, and prints what other sources say it should: zlib, NumPy, codecs, known counts, Python itself."""

from __future__ import annotations

import codecs
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def output(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """What a program prints; it must succeed without a word on standard error."""
    result = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache")} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout


def javascript_sandbox() -> str:
    """The same sums in Python; a guest without files and variables has none."""
    return "total: 18\nitems: TEA, CAFÉ\nfiles: null ; HOME: undefined\nfailed: Error: my mistake\n"


def image_filter() -> str:
    """The same filter by NumPy."""
    numpy = pytest.importorskip("numpy")
    y, x = numpy.mgrid[0:480, 0:640]
    red, green, blue = x * 255 // 639, y * 255 // 479, (x + y) % 256
    grey = (77 * red + 150 * green + 29 * blue) // 256
    corners = " ".join(str(grey[place]) for place in ((0, 0), (0, -1), (-1, 0), (-1, -1)))
    return f"shape: 480 640\nmean: {round(float(grey.mean()), 4)}\ncorners: {corners}\n"


def strings() -> str:
    """Python's own codec."""
    return codecs.encode("Hello, Wörld!", "rot13") + "\nHello, Wörld!\n"


def plugins() -> str:
    """10 + 20 + 12, then without the 20."""
    return "strict: 42\nlenient: 22\nstrict: no key 2\nlog:\n  sum is ready\n  sum is ready\n"


def wasi_streams() -> str:
    """str.upper."""
    return "one\ntwo\nthree\n".upper() + "exit code: 3\n"


def thread_pool() -> str:
    """zlib's CRC-32."""
    return "".join(f"{number}: {zlib.crc32(bytes([number]) * 2**20):08x}\n" for number in range(8))


def pthreads() -> str:
    """There are 9,592 primes below 100,000, as every table of them says."""
    return "9592 primes, 9592 of them found by threads\n"


def asyncio_calls() -> str:
    """The prime counting function, OEIS A006880."""
    return "primes below 100,000: 9,592\nprimes below 1,000,000: 78,498\nthe loop went on: True\n"


def shared_memory() -> str:
    """zlib's Adler-32."""
    return f"{zlib.adler32(b'Wikipedia'):08x}\n"


def guest_server() -> str:
    """4 MiB are 64 pages of 64 KiB; the sums of 1 to n, for n up to 100, add up to the 100th tetrahedral number."""
    endless = "".join(f"loop {number}: trap: deadline_exceeded\n" for number in range(4))
    return (
        "loop: trap: deadline_exceeded\nstart: trap: deadline_exceeded\ngrow: 64\nlarge: too much: memory_bytes\n"
        f"recurse: trap: stack_exhausted\nthrow: exception with (7,)\nexit: exit code 7\n{endless}"
        f"sums: {100 * 101 * 102 // 6}\nall sums came before the 6 endless programs ended: True\n"
    )


EXPECTED: Sequence[Callable[[], str]] = (
    javascript_sandbox,
    image_filter,
    strings,
    plugins,
    wasi_streams,
    thread_pool,
    pthreads,
    asyncio_calls,
    shared_memory,
    guest_server,
)


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda function: function.__name__)
def test_example_prints_what_others_compute(expected: Callable[[], str], tmp_path: Path) -> None:
    script = EXAMPLES / f"{expected.__name__}.py"
    assert output([sys.executable, script], tmp_path) == expected()


def test_explorer_tells_what_the_text_says(tmp_path: Path) -> None:
    """Kinds, names and limits stand in the module's text."""
    page = output([sys.executable, EXAMPLES / "explore_metadata.py"], tmp_path)
    assert re.findall(r"^  (func|memory|global) (\w+):", page, re.MULTILINE) == [
        ("memory", "memory"),
        ("global", "version"),
        ("func", "area"),
        ("func", "volume"),
    ]
    assert "module shapes: 2 func, 1 global, 1 memory" in page
    assert "min_pages=2, max_pages=16" in page
    assert "imports env.log\n" in page and "imports os.remove  <- not allowed\n" in page


def luhn(digits: str) -> bool:
    """Luhn's rule, from its definition."""
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(sum(map(int, str(value))) for value in doubled) % 10 == 0


def test_wheel_with_a_policy_installs_and_runs(tmp_path: Path) -> None:
    """Built by pip; its tag is this machine's, it holds the artifact and no module; numbers as Luhn's rule says."""
    pytest.importorskip("setuptools.command.bdist_wheel")
    source = tmp_path / "source"
    shutil.copytree(EXAMPLES / "policy_wheel", source, ignore=shutil.ignore_patterns("*.so", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith("card_policy-1.0-py3-none-linux_")
    assert [name for name in zipfile.ZipFile(wheel).namelist() if "policy." in name] == ["card_policy/policy.wasm.so"]
    subprocess.run([*pip, "install", "--no-deps", "--target", tmp_path / "site", wheel], check=True)
    numbers = ["4111111111111111", "4111111111111112", "79927398713", "79927398710", "18"]
    printed = output([sys.executable, "-m", "card_policy", *numbers, "4111-1", "7"], tmp_path, PYTHONPATH="site")
    expected = {number: luhn(number) for number in numbers} | {"4111-1": False, "7": False}
    assert printed == "".join(f"{text}: {'allowed' if ok else 'refused'}\n" for text, ok in expected.items())
    assert {expected["4111111111111111"], expected["79927398713"]} == {True}  # known from the rule's descriptions


def test_every_example_is_tested_and_listed() -> None:
    """In the table of examples/README.md, and here."""
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}
    assert scripts == {function.__name__ for function in EXPECTED} | {"explore_metadata"}
    listed = set(re.findall(r"\]\((\w+)(?:\.py|/)\)", (EXAMPLES / "README.md").read_text()))
    assert listed == scripts | {path.name for path in EXAMPLES.iterdir() if (path / "pyproject.toml").exists()}
