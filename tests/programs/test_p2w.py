"""A program that p2w compiles to objects says what it says under CPython. p2w needs Python 3.12."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.programs.packages import folder

P2W = "p2w==0.2.3"
INTERPRETERS = ("python3.12", "python3.13", "python3.14")
#: What p2w 0.2.3 compiles rightly, by node: of dictionaries the order is another one.
PROGRAM = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


class Point:
    def __init__(self, x):
        self.x = x

    def square(self):
        return self.x * self.x


points = [Point(i) for i in range(200)]
print(sum([p.square() for p in points]), fib(17))
words = {}
for word in "the cat and the dog and the bird".split(" "):
    words[word] = words.get(word, 0) + 1
print([words[word] for word in ["the", "and", "cat"]], len(words))
numbers = []
number = 1
for _ in range(3000):
    number = (number * 1103515 + 12345) % 65536
    numbers.append(number)
numbers.sort()
print(numbers[0], numbers[1500], len(numbers))
for turn in range(100):
    chain = None
    for i in range(2000):
        chain = [chain, i]
count = 0
while chain is not None:
    count = count + chain[1]
    chain = chain[0]
print(count)
text = "hello"
print(text.upper(), text[1:3], len(text), [text[i] for i in range(len(text))])
try:
    raise ValueError("on purpose")
except ValueError:
    print("caught")
"""


def interpreter() -> str:
    """A Python that p2w runs on; skips the test where there is none."""
    if sys.version_info >= (3, 12):
        return sys.executable
    for path in filter(None, map(shutil.which, INTERPRETERS)):
        if subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip(f"p2w needs one of {', '.join(INTERPRETERS)}")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The program as a module, and what CPython says."""
    python, work = interpreter(), tmp_path_factory.mktemp("p2w")
    tools = folder() / f"p2w-{Path(python).name}"
    if not (tools / "bin" / "p2w").exists():
        shutil.rmtree(tools, ignore_errors=True)
        subprocess.run([python, "-m", "venv", tools], check=True)
        command = [str(tools / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", P2W]
        if subprocess.run(command, check=False).returncode:
            shutil.rmtree(tools)
            pytest.skip(f"{P2W} can't be installed")
    program = work / "program.py"
    program.write_text(PROGRAM)
    said = subprocess.run([python, program], capture_output=True, text=True, check=True).stdout
    subprocess.run([tools / "bin" / "p2w", program, "-o", work / "program.wat"], check=True, capture_output=True)
    yield work / "program.wat", said


def environment(output: bytearray) -> dict[str, Any]:
    """What p2w's own runner, in JavaScript, gives a program, as far as this one uses it."""

    def write(value: object) -> None:
        output.extend(str(value).encode())

    def unused(*_: object) -> int:
        raise NotImplementedError("a text of a float")

    return {
        "write_char": lambda code: output.append(code & 0xFF),
        "write_i32": write,
        "write_i64": write,
        "write_f64": unused,
        "f64_to_string": unused,
        "f64_format_precision": unused,
        "math_pow": math.pow,
    }


@pytest.mark.large
@pytest.mark.parametrize("opt_level", [0, 2])
def test_it_says_what_cpython_says(opt_level: int, module: tuple[Path, str], tmp_path: Path) -> None:
    source, said = module
    wa.pack(source, tmp_path / "program.so", opt_level=opt_level)
    artifact, output = wa.load(tmp_path / "program.so"), bytearray()
    given, imports = environment(output), dict[str, dict[str, Any]]()
    for row in artifact.metadata.imports:
        known = given.get(row.name) if row.module == "env" else None
        imports.setdefault(row.module, {})[row.name] = known or getattr(
            math, row.name.removeprefix("math_"), lambda *_: 0
        )
    instance = artifact.instantiate(imports, store=wa.Store(limits=wa.Limits(memory_bytes=8 << 20)))
    instance.exports["_start"]()
    assert output.decode() == said
