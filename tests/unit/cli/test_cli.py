"""The command line as a user meets it: a process with arguments, streams, an exit code, and never a traceback."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wasmartifact import errors
from wasmartifact.cli.common import UsageError
from wasmartifact.cli.run import parse, parse_value, value_text

COMMAND = [sys.executable, "-m", "wasmartifact"]
MODULE = """
(module $calculator
  (memory (export "memory") 1 2)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "half") (param f64) (result f64) (f64.div (local.get 0) (f64.const 2)))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "nothing")))
"""


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*COMMAND, *map(str, arguments)], input=stdin, capture_output=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cli")
    (directory / "module.wat").write_text(MODULE)
    result = run("pack", directory / "module.wat")
    assert (result.returncode, result.stderr) == (0, b""), result.stderr
    assert result.stdout.startswith(str(directory / "module.wat.so").encode())
    return directory / "module.wat.so"


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["add", "2", "3"], "5\n"),
        (["add", "-7", "0x10"], "9\n"),
        (["add", "4294967295", "1"], "0\n"),
        (["half", "-inf"], "-inf\n"),
        (["half", "0x1.8p1"], "1.5\n"),
        (["swap", "1", "-2"], "-2\n1\n"),
        (["nothing"], ""),
    ],
)
def test_invoke(artifact: Path, arguments: list[str], output: str) -> None:
    result = run("run", artifact, "--invoke", *arguments)
    assert (result.returncode, result.stderr, result.stdout.decode()) == (0, b"", output)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--invoke", "subtract"], "no function 'subtract'"),
        (["--invoke", "memory"], "found a memory"),
        (["--invoke", "add", "1"], "takes 2 arguments (i32, i32), found 1"),
        (["--invoke", "add", "1", "two"], "'two' is not a value of type i32"),
        (["--invoke", "add", "1", "4294967296"], "does not fit into i32"),
    ],
)
def test_usage_errors(artifact: Path, arguments: list[str], words: str) -> None:
    result = run("run", artifact, *arguments)
    assert result.returncode == 2
    assert words in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1


def test_trap(artifact: Path) -> None:
    result = run("run", artifact, "--invoke", "divide", "1", "0")
    assert result.returncode == errors.Trap.exit_code
    assert b"integer divide by zero" in result.stderr
    assert b"Traceback" not in result.stderr


def test_inspect_json_agrees_with_the_module(artifact: Path, tmp_path: Path) -> None:
    import wasmtime

    wasm = bytes(wasmtime.wat2wasm(MODULE))
    module = wasmtime.Module(wasmtime.Engine(), wasm)
    (tmp_path / "module.wasm").write_bytes(wasm)
    assert run("pack", tmp_path / "module.wasm").returncode == 0
    result = run("inspect", "--json", tmp_path / "module.wasm.so")
    found = json.loads(result.stdout)
    assert found["digests"]["wasm_digest"] == hashlib.sha256(wasm).hexdigest()
    assert [row["name"] for row in found["exports"]] == [entry.name for entry in module.exports]
    assert found["file_size_bytes"] == (tmp_path / "module.wasm.so").stat().st_size
    assert found["memories"][0]["min_pages"] == 1
    assert found["memories"][0]["max_pages"] == 2


def test_inspect_of_a_module_agrees_with_its_artifact(artifact: Path, tmp_path: Path) -> None:
    """What both have is the same; the sections are the module's own."""
    import wasmtime

    wasm = bytes(wasmtime.wat2wasm(MODULE))
    (tmp_path / "module.wasm").write_bytes(wasm)
    assert run("pack", tmp_path / "module.wasm").returncode == 0
    packed = json.loads(run("inspect", "--json", tmp_path / "module.wasm.so").stdout)
    for source in (tmp_path / "module.wasm", artifact.with_suffix("")):
        result = run("inspect", "--json", source)
        assert result.returncode == 0, result.stderr
        found = json.loads(result.stdout)
        for key in ("types", "imports", "exports", "tables", "tags", "start_function", "defined_functions"):
            assert found[key] == packed[key], key
        for key in ("functions", "memories", "globals", "elements", "data"):
            for row, expected in zip(found[key], packed[key], strict=True):
                assert row.items() <= expected.items(), key
        assert found["info"]["module_name"] == "calculator"
    assert found["digests"]["wasm_digest"] == packed["digests"]["wasm_digest"]
    assert sum(row["size_bytes"] for row in found["sections"]) < found["file_size_bytes"] == len(wasm)
    page = run("inspect", tmp_path / "module.wasm").stdout.decode()
    for words in ("calculator", "(i32, i64) -> i64, i32", "1..2 pages", "5 defined, 0 imported", "sections"):
        assert words in page


def test_inspect_and_verify(artifact: Path) -> None:
    page = run("inspect", artifact).stdout.decode()
    for words in ("calculator", "(i32, i64) -> i64, i32", "1..2 pages", "5 defined, 0 imported"):
        assert words in page
    assert run("verify", artifact).returncode == 0
    assert run("verify", "-", stdin=artifact.read_bytes()).returncode == 0
    assert run("inspect", "-", stdin=artifact.read_bytes()).stdout.decode() == page


def test_pack_from_standard_input(artifact: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.so"
    assert run("pack", "-", "-o", output, stdin=MODULE.encode()).returncode == 0
    assert output.read_bytes() == artifact.read_bytes()
    assert run("pack", "-", stdin=MODULE.encode()).returncode == 2


def test_pack_to_standard_output(artifact: Path) -> None:
    result = run("pack", "-", "-o", "-", stdin=MODULE.encode())
    assert (result.returncode, result.stderr, result.stdout) == (0, b"", artifact.read_bytes())
    result = run("pack", "-", "-o", "/dev/stdout", stdin=MODULE.encode())
    assert (result.returncode, result.stderr, result.stdout) == (0, b"", artifact.read_bytes())


def test_pack_to_a_reader_that_left() -> None:
    with subprocess.Popen(
        [*COMMAND, "pack", "-", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert process.communicate(MODULE.encode(), timeout=120)[1] == b""
    assert process.returncode == -signal.SIGPIPE


def test_no_artifact_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "pack", "-", "-o", "-"]
    result = subprocess.run(
        command, input=MODULE.encode(), stdout=theirs, stderr=subprocess.PIPE, check=False, timeout=120
    )
    os.close(theirs)
    os.close(ours)
    assert result.returncode == 2
    assert b"does not go to a terminal" in result.stderr


def test_the_default_output_does_not_shadow_a_python_module(tmp_path: Path) -> None:
    (tmp_path / "codec.wasm").write_bytes(b"\0asm\1\0\0\0")
    (tmp_path / "codec.py").write_text("X = 'the wrapper'")
    assert run("pack", tmp_path / "codec.wasm").returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["codec.py", "codec.wasm", "codec.wasm.so"]
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import codec; print(codec.X)"
    assert subprocess.check_output([sys.executable, "-c", code]) == b"the wrapper\n"


@pytest.mark.parametrize("source", ["/dev/stdin", "fifo"])
def test_what_is_no_file_has_no_default_output(tmp_path: Path, source: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    result = run("pack", tmp_path / source, stdin=b"")  # an absolute source stays what it is
    assert result.returncode == 2
    assert b"needs -o OUT.so" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (["pack", "-", "-o", "x.so"], b"\0asm\1\0\0\0\xff", errors.MalformedModule.exit_code),
        (["pack", "-", "-o", "x.so"], b"(module (func (result i32)))", errors.InvalidModule.exit_code),
        (["pack", "absent.wasm"], b"", 1),
        (["pack", "-", "-o", "absent/x.so"], b"(module)", 1),
        (["pack", "-", "-o", "x.so", "--cpu", "native", "--target", "aarch64"], b"(module)", 2),
        (["inspect", "-"], b"not an artifact", errors.MalformedModule.exit_code),
        (["inspect", "-"], b"\x7fELF", errors.CorruptArtifact.exit_code),
        (["inspect", "-"], b"(module (func (result i32)))", errors.InvalidModule.exit_code),
        (["verify", "-"], b"", errors.BadMagic.exit_code),
        (["run", "-", "--invoke", "f"], b"\x7fELF", errors.ArtifactError.exit_code),
        (["run", "absent.so", "--invoke", "f"], b"", 1),
        (["inspect", "/dev/zero"], b"", errors.MalformedModule.exit_code),
        (["pack", "/dev/zero", "-o", "x.so"], b"", errors.MalformedModule.exit_code),
        (["polish"], b"", 2),
        ([], b"", 2),
    ],
)
def test_exit_codes(tmp_path: Path, arguments: list[str], stdin: bytes, code: int) -> None:
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [*COMMAND, *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, check=False, cwd=tmp_path, env=environment)
    # Which of the artifact errors a truncated file gives is the loader's to say.
    expected = {20, 21, 22, 23} if code == errors.ArtifactError.exit_code else {code}
    assert result.returncode in expected, result.stderr
    assert b"Traceback" not in result.stderr
    assert result.stderr
    assert not list(tmp_path.iterdir())


def test_help_lists_every_exit_code() -> None:
    text = run("--help").stdout.decode()
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.WasmArtifactError):
            assert f"{error.exit_code}  {error.__name__}" in text


@pytest.mark.parametrize(
    "arguments", [["pack", "-", "-o", "x.so"], ["inspect", "-"], ["verify", "-"], ["run", "-"]], ids=lambda a: a[0]
)
def test_a_closed_standard_input_is_no_defect(tmp_path: Path, arguments: list[str]) -> None:
    code = 'exec "$@" <&-'
    result = subprocess.run(
        ["sh", "-c", code, "sh", *COMMAND, *arguments], capture_output=True, check=False, cwd=tmp_path, timeout=60,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith(b"wasmartifact: standard input is closed")


def test_a_closed_pipe_ends_quietly(artifact: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "inspect", "--json", artifact], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGPIPE


def test_interrupt_ends_by_the_signal() -> None:
    with subprocess.Popen(
        [*COMMAND, "verify", "-"], bufsize=0, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(b"x" * (1 << 17))  # returns once the command reads its input
        process.send_signal(signal.SIGINT)
        # Python looks at a signal that comes between two reads of its buffered input only when the second one returns.
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.returncode == -signal.SIGINT


def test_progress_on_a_terminal_only(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "pack", "-", "-o", str(tmp_path / "out.so")]
    subprocess.run(command, input=MODULE.encode(), stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    assert b"5/5 functions" in os.read(ours, 1 << 16)
    os.close(ours)


@pytest.mark.parametrize(
    ("tokens", "program", "invoke", "guest"),
    [
        ("a.so", "a.so", None, ""),
        ("a.so --invoke f -1 -x", "a.so", "f", "-1 -x"),
        ("--invoke f a.so 1 --invoke", "a.so", "f", "1 --invoke"),
        ("--invoke=f a.so -- --help", "a.so", "f", "--help"),
        ("a.so -O2 --dir x", "a.so", None, "-O2 --dir x"),
        ("-- -a.so --dir x", "-a.so", None, "--dir x"),
        ("a.so -- -- x", "a.so", None, "-- x"),
        ("- 1", "-", None, "1"),
    ],
)
def test_arguments_of_run(tokens: str, program: str, invoke: str | None, guest: str) -> None:
    options = parse(tokens.split())
    assert (options.program, options.invoke, options.arguments) == (program, invoke, guest.split())


def test_options_of_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "from here")
    monkeypatch.delenv("ABSENT", raising=False)
    tokens = "--env A=1=2 --env=B= --env GIVEN --env ABSENT --dir host::guest a.so --dir both --help"
    options = parse(tokens.split())
    assert options.env == {"A": "1=2", "B": "", "GIVEN": "from here"}
    assert options.preopens == {"guest": "host", "both": "both"}
    assert options.arguments == ["--help"]
    options = parse(["--ro-dir", "host::/guest", "--opt-level=0", "a.so"])
    assert options.opt_level == 0
    assert options.preopens["/guest"].path == "host"


@pytest.mark.parametrize("tokens", ["--bogus a.so", "--dir", "--opt-level 4 a.so"])
def test_wrong_options_of_run(tokens: str) -> None:
    with pytest.raises(UsageError):
        parse(tokens.split())


def test_values_survive_text() -> None:
    for type_, value in (("v128", bytes(range(16))), ("f64", 0.1), ("i64", -(2**63)), ("externref", None)):
        assert parse_value(value_text(value), type_) == value
