"""The command line under arguments, streams and surroundings that nobody means: an exit code, words, and no traceback.

Each row is a process. ``limit`` keeps one that reads without end from taking the machine's memory along.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from wasmartifact import errors
from wasmartifact.cli import main
from wasmartifact.cli.common import EXIT_DEFECT, EXIT_OS_ERROR, EXIT_USAGE
from wasmartifact.errors import printable

ROOT: Final = Path(__file__).resolve().parents[3]
COMMAND: Final = [sys.executable, "-m", "wasmartifact"]
MEMORY_BYTES: Final = 8 << 30
MODULE: Final = '(module (func (export "f") (param i32) (result i32) local.get 0) (func (export "_start")))'
MALFORMED: Final = errors.MalformedModule.exit_code
NO_ARTIFACT: Final = errors.BadMagic.exit_code
CORRUPT: Final = errors.CorruptArtifact.exit_code

#: Commands that read a file, with {} for its name.
READERS: Final = {
    "pack": ["pack", "{}", "-o", "out.so"],
    "inspect": ["inspect", "{}"],
    "verify": ["verify", "{}"],
    "run": ["run", "{}"],
}
#: What they find, and what they exit with; two numbers: `verify`, which takes artifacts only, has the second one.
FILES: Final[dict[str, tuple[int, int]]] = {
    "absent": (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "": (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "x" * 5000: (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "a/" * 3000: (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "a\nb\x1b[2J": (EXIT_OS_ERROR, EXIT_OS_ERROR),
    os.fsdecode(b"\xff\xfe"): (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "module.wat/x": (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "loop": (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "unreadable": (EXIT_OS_ERROR, EXIT_OS_ERROR),
    "/proc/self/mem": (EXIT_OS_ERROR, NO_ARTIFACT),  # reading its start is an error; its size is 0
    "folder": (EXIT_OS_ERROR, NO_ARTIFACT),
    "empty": (MALFORMED, NO_ARTIFACT),
    "garbage": (MALFORMED, NO_ARTIFACT),
    "zeros": (MALFORMED, NO_ARTIFACT),
    "text-then-zeros": (MALFORMED, NO_ARTIFACT),
    "half.so": (CORRUPT, CORRUPT),
    "long.so": (CORRUPT, CORRUPT),
    "/dev/null": (MALFORMED, NO_ARTIFACT),
    "/dev/zero": (MALFORMED, NO_ARTIFACT),
    "/dev/urandom": (MALFORMED, NO_ARTIFACT),
}
#: Standard input, by the same rules.
STREAMS: Final = ("/dev/null", "/dev/zero", "/dev/urandom")

#: Values of options that are none, and names that can't be used, all after their command.
WRONG: Final[list[tuple[list[str], int]]] = [
    (["pack", "module.wat", "-o", ""], EXIT_USAGE),
    (["pack", "module.wat", "-o", "folder"], EXIT_OS_ERROR),
    (["pack", "module.wat", "-o", "module.wat"], EXIT_USAGE),
    (["pack", "module.wat", "-o", "/dev/full"], EXIT_OS_ERROR),
    (["pack", "module.wat", "-o", "/proc/self/mem"], EXIT_OS_ERROR),
    (["pack", "module.wat", "-o", "x" * 5000], EXIT_OS_ERROR),
    (["pack", "module.wat", "-o", "out.so", "--keep", ""], EXIT_USAGE),
    (["pack", "module.wat", "-o", "out.so", "--keep", "empty"], EXIT_OS_ERROR),
    (["pack", "module.wat", "-o", "out.so", "--keep", "a/" * 3000], EXIT_OS_ERROR),
    *((["pack", "module.wat", "-o", "out.so", *option], EXIT_USAGE) for option in (
        ["-O", "4"], ["-O", "x"], ["-O", "9" * 5000], ["--jobs", "0"], ["--jobs", "1.5"], ["--cpu="],
        ["--cpu", "nosuch"],
        ["--target", "mars"], ["--target="], ["--min-glibc", "x"], ["--min-glibc", "9" * 5000], ["--min-glibc", "2.-1"],
        ["--bogus"], ["-o"],
    )),
    *((["run", *option, "module.wat.so"], EXIT_USAGE) for option in (
        ["--opt-level", "x"], ["--opt-level=4"], ["--env", "=x"], ["--bogus"], ["-x"], ["--dir"],
    )),
    (["run", "--dir", "absent", "module.wat.so"], EXIT_OS_ERROR),
    (["run", "--dir", "::", "module.wat.so"], EXIT_OS_ERROR),
    (["run", "--ro-dir", "empty", "module.wat.so"], EXIT_OS_ERROR),
    *((["run", "module.wat.so", "--invoke", *rest], EXIT_USAGE) for rest in (
        [], [""], ["absent"], ["f"], ["f", "x"], ["f", "9" * 5000], ["f", "1", "2"], ["a\x1b[2J"],
    )),
    *((["cache", *rest], EXIT_USAGE) for rest in (
        [], ["polish"], ["clear", "x"], ["prune", "--size", "x"], ["prune", "--age", "5y"],
    )),
    (["cache", "--dir", "empty", "list"], EXIT_OS_ERROR),
    (["cache", "--dir", "loop", "prune"], EXIT_OS_ERROR),
    *((["verify", "--key", key, "module.wat.so"], code) for key, code in (
        ("absent", EXIT_OS_ERROR), ("folder", EXIT_OS_ERROR), ("empty", EXIT_USAGE), ("garbage", EXIT_USAGE),
        ("/dev/zero", EXIT_USAGE), ("/dev/urandom", EXIT_USAGE),
    )),
    (["sign", "absent", "module.wat.so"], EXIT_OS_ERROR),
    (["sign", "/dev/zero", "module.wat.so"], EXIT_USAGE),
    (["sign", "garbage", "module.wat.so", "--password-file", "/dev/zero"], EXIT_USAGE),
    (["sign", "garbage"], EXIT_USAGE),
    (["bench", "--bogus"], EXIT_USAGE),
    ([""], EXIT_USAGE),
    (["--"], EXIT_USAGE),
]  # fmt: skip

#: Every command, doing what it is for.
RIGHT: Final = {
    "pack": ["pack", "{}/module.wat", "-O0", "-o", "{}/out.so"],
    "inspect": ["inspect", "{}/module.wat.so"],
    "verify": ["verify", "{}/module.wat.so"],
    "run": ["run", "{}/module.wat.so"],
    "run module": ["run", "--opt-level", "0", "{}/module.wat"],
    "run --invoke": ["run", "{}/module.wat.so", "--invoke", "f", "1"],
    "cache list": ["cache", "list"],
    "help": ["--help"],
    "wrong": ["polish"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file of FILES, a module and its artifact, and a cache beside them."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "module.wat").write_text(MODULE)
    assert run(folder, ["pack", "module.wat"]).returncode == 0
    artifact = (folder / "module.wat.so").read_bytes()
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "unreadable").write_text(MODULE)
    (folder / "unreadable").chmod(0)
    contents = {
        "empty": b"", "garbage": bytes(range(255, -1, -1)) * 64, "zeros": b"", "text-then-zeros": b"(module",
        "half.so": artifact[: len(artifact) // 2], "long.so": artifact,
    }  # fmt: skip
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    for name in ("zeros", "text-then-zeros", "long.so"):
        os.truncate(folder / name, 1 << 32)  # a hole, without a block on the disk
    return folder


def limit() -> None:
    """Before the command: no more memory than a small one needs, and no right to read what its mode forbids."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    if os.geteuid() == 0:
        give_up_reading_all()


def give_up_reading_all() -> None:
    """Take CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH from root's next program: modes count for it, as for anybody."""
    import ctypes

    pr_capbset_drop, capabilities = 24, (1, 2)
    libc = ctypes.CDLL(None)
    for capability in capabilities:
        libc.prctl(pr_capbset_drop, capability, 0, 0, 0)


def run(
    folder: Path,
    arguments: list[str],
    *,
    shell: str = 'exec "$@"',
    environment: dict[str, str | None] | None = None,
    cwd: Path | str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, started by a line of shell; None takes a variable away."""
    variables: dict[str, str | None] = {
        **os.environ, "PYTHONUNBUFFERED": None, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache"),
        **(environment or {}),
    }  # fmt: skip
    return subprocess.run(
        ["sh", "-c", shell, "sh", *COMMAND, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False,
        cwd=folder if cwd is None else cwd, timeout=120, preexec_fn=limit, encoding="utf-8", errors="backslashreplace",
        env={name: value for name, value in variables.items() if value is not None},
    )  # fmt: skip


def check_words(result: subprocess.CompletedProcess[str], *, is_quiet: bool = False) -> None:
    """An exit code that --help lists, and either success or words; nothing of Python, nothing that moves a cursor."""
    listed = {0, EXIT_OS_ERROR, EXIT_USAGE, *(error.exit_code for error in every_error())} - {EXIT_DEFECT}
    assert result.returncode in listed, result
    assert (result.returncode == 0) or is_quiet or result.stderr, result
    for text in (result.stdout, result.stderr):
        assert not re.search(r"Traceback|Exception ignored|defect in|\x1b", text), result


def every_error() -> list[type[errors.WasmArtifactError]]:
    return [
        value for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.WasmArtifactError)
    ]  # fmt: skip


def label(text: object) -> str:
    return f"{text!r}"[1:24]


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("file", FILES, ids=label)
def test_files(folder: Path, command: str, file: str) -> None:
    result = run(folder, [file if word == "{}" else word for word in READERS[command]])
    check_words(result)
    expected = FILES[file][command == "verify"]
    if command == "pack" and file.endswith(".so"):
        expected = MALFORMED  # a module is asked for
    assert result.returncode == expected, result
    assert len(result.stderr.splitlines()) == 1
    if expected == EXIT_OS_ERROR:
        assert (printable(file) or "''") in result.stderr
    assert not (folder / "out.so").exists()


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("stream", STREAMS)
def test_streams(folder: Path, command: str, stream: str) -> None:
    arguments = ["-" if word == "{}" else word for word in READERS[command]]
    result = run(folder, arguments, shell=f'exec "$@" < {stream}')
    check_words(result)
    assert result.returncode == FILES[stream][command == "verify"], result
    assert "/proc/" not in result.stderr  # of a copy of our own


@pytest.mark.parametrize(("arguments", "code"), WRONG, ids=label)
def test_wrong_arguments(folder: Path, arguments: list[str], code: int) -> None:
    before = sorted(os.listdir(folder))
    result = run(folder, arguments)
    check_words(result)
    assert result.returncode == code, result
    assert ".wasmartifact." not in result.stderr  # a temporary name, which tells a user nothing
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("command", RIGHT)
@pytest.mark.parametrize("streams", [">&-", "<&- >&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full"])
def test_streams_that_take_nothing(folder: Path, command: str, streams: str) -> None:
    result = run(folder, [word.format(folder) for word in RIGHT[command]], shell=f'exec "$@" {streams}')
    check_words(result, is_quiet="2>" in streams)
    prints_nothing = command in {"run", "run module", "wrong"}
    expected = EXIT_USAGE if command == "wrong" else 0
    assert result.returncode == (EXIT_OS_ERROR if ">/dev/full" in streams.split() and not prints_nothing else expected)


@pytest.mark.parametrize("command", RIGHT)
def test_surroundings(folder: Path, command: str) -> None:
    """No home, no variables, no locale; a working directory that can't be written to, or is gone."""
    arguments = [word.format(folder) for word in RIGHT[command]]
    code = EXIT_USAGE if command == "wrong" else 0
    read_only = folder / "read-only"
    read_only.mkdir(mode=0o500, exist_ok=True)
    gone = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
    homeless: dict[str, str | None] = {"XDG_CACHE_HOME": None}
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    results = [
        run(folder, arguments, environment=homeless | ascii_only | {"HOME": "/dev/null"}, cwd=read_only),
        run(folder, arguments, shell=gone),
    ]
    for result in results:
        check_words(result)
        assert result.returncode == code, result
    result = run(folder, arguments, environment=homeless | {"HOME": ""})
    check_words(result)
    assert result.returncode == (EXIT_OS_ERROR if arguments[0] == "cache" else code)


def test_relative_output_without_a_working_directory(folder: Path) -> None:
    gone = 'mkdir gone-too; cd gone-too; rmdir ../gone-too; exec "$@"'
    result = run(folder, ["pack", str(folder / "module.wat"), "-o", "out.so"], shell=gone)
    assert (result.returncode, result.stderr) == (
        EXIT_OS_ERROR, "wasmartifact: out.so: the working directory was removed; give a path from the root\n",
    )  # fmt: skip
    assert run(folder, ["pack", str(folder / "module.wat"), "-o", "-"], shell=gone + " >/dev/null").returncode == 0


@pytest.mark.parametrize("value", ["x", "-5", "\u0661", "1e9"])
@pytest.mark.parametrize("arguments", [["run", "module.wat"], ["cache", "prune"]], ids=lambda words: words[0])
def test_a_wrong_variable(folder: Path, arguments: list[str], value: str) -> None:
    result = run(folder, arguments, environment={"WASMARTIFACT_CACHE_SIZE_BYTES": value})
    check_words(result)
    assert result.returncode == EXIT_USAGE
    assert "WASMARTIFACT_CACHE_SIZE_BYTES is" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["inspect", "a\0b"], ["run", "--env", "A=\0", "x"], ["\0"], ["cache", "--dir", "\0", "list"]]
)
def test_zero_bytes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """No command line of the system can hold one; a caller of `main` can."""
    assert main(arguments) == EXIT_USAGE
    assert "zero byte" in capsys.readouterr().err
