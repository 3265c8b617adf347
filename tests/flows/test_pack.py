"""What `pack` promises: equal input gives equal bytes, and the output appears whole or not at all, whatever happens."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa
import wasmartifact.packer
from bench.quickjs import module_path
from tests.support.bytecode import second_output
from tests.support.workload import FUNCTIONS, NAMES, workload_wasm, workload_wat

TIMEOUT_S = 60
SMALL_WASM = bytes(wasmtime.wat2wasm('(module (func $answer (export "answer") (result i32) (i32.const 42)))'))


def test_level_0_imports_only_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "small.wasm").write_bytes(SMALL_WASM)
    code = "import sys, wasmartifact as wa; wa.pack('small.wasm', 'small.so', opt_level=0); print(*sys.modules)\n"
    code += "print(*(one.__name__ for one in object.__subclasses__()))"
    found = second_output([sys.executable, "-c", code], tmp_path)
    unneeded = ("bounded", "codegen.kept", "codegen.cpulevels", "metadata.check_rows", "wit.types")
    costly = {"_hashlib"}  # OpenSSL
    if sys.version_info < (3, 12):  # later ones make these for an exec of text, too
        costly.add("AST")  # with 120 others, by the builtin compile
    assert not ({f"wasmartifact.{name}" for name in unneeded} | costly) & set(found.split())


# Equal input, equal bytes ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, wa.PackReport]:
    output = tmp_path_factory.mktemp("reference") / "reference.so"
    report = wa.pack(workload_wasm(), output, jobs=1)
    return output.read_bytes(), report


def test_the_report_says_what_was_written(reference: tuple[bytes, wa.PackReport]) -> None:
    contents, report = reference
    assert report.size_bytes == len(contents)
    assert report.wasm_sha256 == hashlib.sha256(workload_wasm()).hexdigest()
    assert report.functions == len(NAMES)
    assert bytes.fromhex(report.build_id) in contents


def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path: Path, reference: tuple[bytes, wa.PackReport]) -> None:
    for jobs in (2, 1):
        report = wa.pack(workload_wasm(), tmp_path / "a.so", jobs=jobs)
        assert (tmp_path / "a.so").read_bytes() == reference[0]
        assert report.build_id == reference[1].build_id


def test_bytes_do_not_depend_on_how_the_source_is_given(tmp_path: Path, reference: tuple[bytes, wa.PackReport]) -> None:
    sources = tmp_path / "some folder"
    sources.mkdir()
    (sources / "workload.wasm").write_bytes(workload_wasm())
    (sources / "other name.wat").write_text(workload_wat())
    for source in (sources / "workload.wasm", str(sources / "other name.wat")):
        wa.pack(source, tmp_path / "a.so")
        assert (tmp_path / "a.so").read_bytes() == reference[0]


def test_bytes_do_not_depend_on_the_process(tmp_path: Path, reference: tuple[bytes, wa.PackReport]) -> None:
    """Fresh processes that differ in hash seed, working directory, output name, locale and number of workers."""
    (tmp_path / "in.wasm").write_bytes(workload_wasm())
    folders = [tmp_path / "one", tmp_path / "two ü"]
    runs = []
    for folder, seed, jobs, output in zip(folders, "05", "12", ("a.so", "../other name.so"), strict=True):
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
        code = "import sys, wasmartifact; wasmartifact.pack(sys.argv[1], sys.argv[2], jobs=int(sys.argv[3]))"
        command = [sys.executable, "-c", code, str(tmp_path / "in.wasm"), output, jobs]
        runs.append((subprocess.Popen(command, cwd=folder, env=environment), folder / output))
    for process, output_path in runs:
        assert process.wait(TIMEOUT_S) == 0
        assert output_path.read_bytes() == reference[0]


def test_bytes_do_not_depend_on_other_packs_at_the_same_time(tmp_path: Path) -> None:
    outputs = [tmp_path / f"{index}.so" for index in range(4)]
    sources = [SMALL_WASM, workload_wasm()] * 2
    threads = [
        threading.Thread(target=wa.pack, args=(source, output)) for source, output in zip(sources, outputs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    small, large, *again = (output.read_bytes() for output in outputs)
    assert again == [small, large]


def test_other_options_give_other_bytes(tmp_path: Path) -> None:
    """The comparisons above can fail."""
    found = set()
    for options in ({}, {"opt_level": 0}, {"cpu": "x86-64-v3", "target": "x86_64"}, {"target": "aarch64"}):
        wa.pack(workload_wasm(), tmp_path / "a.so", **options)
        found.add((tmp_path / "a.so").read_bytes())
    assert len(found) == 4


# Whole or not at all --------------------------------------------------------------------------------------------------


@pytest.fixture(params=["new", "existing"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Where a pack that must fail writes to: afterwards the folder is as it was."""
    path = tmp_path / "out" / "a.so"
    path.parent.mkdir()
    if request.param == "existing":
        path.write_bytes(b"what was there before")
    before = contents_of(path.parent)
    yield path
    assert contents_of(path.parent) == before


def contents_of(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file of a folder: contents, inode, time of the last change."""
    return {
        entry.name: (entry.read_bytes(), entry.stat().st_ino, entry.stat().st_mtime_ns) for entry in folder.iterdir()
    }


class Stop(Exception):
    """Raised by the tests, to be seen again."""


def raise_at(number: int, error: type[BaseException]) -> Callable[[int, int], None]:
    """A progress callback that raises when so many functions are done."""

    def progress(done: int, total: int) -> None:
        assert total == FUNCTIONS + 2
        if done >= number:
            raise error("from progress")

    return progress


@pytest.mark.parametrize("number", [0, 1, FUNCTIONS + 2])
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_what_progress_raises_comes_through(output: Path, number: int, error: type[BaseException]) -> None:
    with pytest.raises(error, match="from progress"):
        wa.pack(workload_wasm(), output, opt_level=0, progress=raise_at(number, error))


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"\0asm\2\0\0\0", wa.MalformedModule),
        (b"(module (func (result i32)))", wa.InvalidModule),
        (workload_wasm()[:-1], wa.MalformedModule),
        (Path("no such file.wasm"), FileNotFoundError),
    ],
)
def test_a_source_that_is_no_module(output: Path, source: bytes | Path, error: type[Exception]) -> None:
    with pytest.raises(error):
        wa.pack(source, output)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"opt_level": 4}, "opt_level"),
        ({"cpu": "no-such-cpu"}, "no-such-cpu"),
        ({"target": "pdp11"}, "pdp11"),
        ({"cpu": "native", "target": "aarch64"}, "native"),
        ({"jobs": 0}, "jobs"),
    ],
)
def test_options_that_can_not_be(output: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wa.pack(SMALL_WASM, output, **options)


def test_a_file_that_fails_its_check_is_not_published(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        assert Path(path).stat().st_size > len(SMALL_WASM)
        raise wa.ToolchainError("not what it should be")

    monkeypatch.setattr(wasmartifact.packer, "check_shared_object", refuse)
    with pytest.raises(wa.ToolchainError, match="not what it should be"):
        wa.pack(SMALL_WASM, output)


def test_a_full_disk_leaves_nothing(output: Path) -> None:
    wa.pack(SMALL_WASM, output.parent.with_name("warm.so"))  # the workers' own files are written by now
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            wa.pack(SMALL_WASM, output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


KILLED_PACK = """
import os, signal, sys
import wasmartifact
source, output, moment = sys.argv[1:]

def die(*_):
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        print(children.read(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

def progress(done, total):
    if moment == "start" or moment == "compiling" and done or moment == "compiled" and done == total:
        die()

if moment.startswith("os."):
    name = moment.removeprefix("os.")
    real = getattr(os, name)
    def call_and_die(*arguments, **options):
        real(*arguments, **options)
        die()
    def die_before(*arguments, **options):
        die()
    import wasmartifact.packer
    def arm(done, total):
        if done == total:
            setattr(os, name, die_before if name in ("link", "rename") else call_and_die)
    progress = arm
wasmartifact.pack(source, output, opt_level=1, progress=progress)
"""


@pytest.mark.parametrize("moment", ["start", "compiling", "compiled", "os.writev", "os.fsync", "os.link"])
def test_a_killed_pack_leaves_nothing(output: Path, moment: str) -> None:
    source = output.parent.with_name("in.wasm")
    source.write_bytes(workload_wasm())
    command = [sys.executable, "-c", KILLED_PACK, str(source), str(output), moment]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT_S, check=False)
    assert run.returncode == -signal.SIGKILL
    workers = [int(pid) for pid in run.stdout.split()]
    assert bool(workers) == (moment != "start")
    deadline = time.monotonic() + 20
    while any(is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives the process that it worked for"
        time.sleep(0.02)


LONG_PACK = """
import sys, wasmartifact
source, output, keep = sys.argv[1:]
wasmartifact.pack(source, output, keep=keep, jobs=1)
"""


def test_a_worker_does_not_finish_for_a_pack_that_was_killed(output: Path) -> None:
    """It is deep in LLVM then, and looks at no pipe. What it keeps tells whether it went on to the end."""
    source, keep = output.parent.with_name("long.wat"), output.parent.with_name("kept")
    arms = "".join(
        f"(if (i32.and (local.get 0) (i32.const {step % 31 + 1})) (then (local.set 1 (i32.add (local.get 1)"
        f" (i32.load offset={step * 4} (local.get {step % 2}))))))"
        for step in range(1500)
    )
    source.write_text(f"(module (memory 1) (func (param i32 i32) (result i32) {arms} (local.get 1)))")
    with subprocess.Popen([sys.executable, "-c", LONG_PACK, str(source), str(output), str(keep)]) as packer:
        deadline = time.monotonic() + TIMEOUT_S
        while not list(keep.glob("*.ll")):  # written before LLVM gets to work
            assert time.monotonic() < deadline and packer.poll() is None
            time.sleep(0.01)
        workers = [int(pid) for pid in Path(f"/proc/{packer.pid}/task/{packer.pid}/children").read_text().split()]
        packer.kill()
    assert workers
    while any(is_running(pid) for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives the process that it worked for"
        time.sleep(0.02)
    assert list(keep.glob("*.o")) == []


def is_running(pid: int) -> bool:
    """Whether a process of ours still does something; a zombie waits only for whoever inherited it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_an_interrupted_pack_leaves_nothing(output: Path) -> None:
    """Ctrl-C at a terminal: the signal goes to the packer and to its workers."""
    source = output.parent.with_name("in.wasm")
    source.write_bytes(workload_wasm())
    code = """if True:
        import sys, wasmartifact
        try:
            wasmartifact.pack(*sys.argv[1:], progress=lambda *state: print(*state, flush=True))
        except KeyboardInterrupt:
            print("interrupted")"""
    command = [sys.executable, "-c", code, str(source), str(output)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("0 ")
        os.killpg(process.pid, signal.SIGINT)
        last_words, complaints = process.communicate(timeout=TIMEOUT_S)
    assert (last_words.splitlines()[-1], complaints, process.returncode) == ("interrupted", "", 0)


def test_two_packs_to_one_output_give_one_whole_file(tmp_path: Path) -> None:
    code = "import sys, wasmartifact; wasmartifact.pack(sys.argv[1].encode(), sys.argv[2])"
    output = tmp_path / "a.so"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, f"(module (func (export {name!r})))".replace("'", '"'), output])
        for name in ("one", "two")
    ]
    assert [process.wait(TIMEOUT_S) for process in processes] == [0, 0]
    wa.verify(output)
    assert os.listdir(tmp_path) == ["a.so"]


# Outputs that can not be ----------------------------------------------------------------------------------------------


def test_an_output_that_can_not_be_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()

    def progress(done: int, total: int) -> None:
        pytest.fail("compiled for nothing")

    for output, error in (
        (tmp_path / "missing" / "a.so", FileNotFoundError),
        (tmp_path / "file" / "a.so", NotADirectoryError),
        (tmp_path / "folder", IsADirectoryError),
        (tmp_path, IsADirectoryError),
    ):
        with pytest.raises(error) as caught:
            wa.pack(SMALL_WASM, output, progress=progress)
        named = output if error is IsADirectoryError else output.parent
        assert str(named) in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]
    assert os.listdir(tmp_path / "folder") == []


def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    """Root may write everywhere but in /proc; so for root another user's eyes are borrowed."""
    wa.pack(SMALL_WASM, tmp_path / "warm.so")  # from here on a pack needs no file that this user alone can read
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(PermissionError) as caught:
                wa.pack(SMALL_WASM, os.path.join(folder, "a.so"))
        finally:
            os.seteuid(user)
        assert folder in str(caught.value)
        assert os.listdir(folder) == []
    with pytest.raises(OSError):
        wa.pack(SMALL_WASM, "/proc/self/a.so")


def test_a_relative_output_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wa.pack(SMALL_WASM, "a.so")
    wa.pack(SMALL_WASM, "-")
    assert (tmp_path / "a.so").read_bytes() == (tmp_path / "-").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["-", "a.so"]


def test_an_output_of_the_longest_name(tmp_path: Path) -> None:
    output = tmp_path / ("ä" * 126 + ".so")
    for _ in range(2):  # a new one, and a replaced one
        wa.pack(SMALL_WASM, output)
    assert wa.load(output).instantiate().exports.answer() == 42
    assert os.listdir(tmp_path) == [output.name]


# Outputs that are no files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("existed", [True, False])
def test_a_symbolic_link_as_output_is_followed(tmp_path: Path, existed: bool) -> None:
    """What stands at its end is replaced, never written to: it may be loaded somewhere."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "a.so").symlink_to("folder/b.so")
    (folder / "b.so").symlink_to("../target.so")
    if existed:
        (tmp_path / "target.so").write_bytes(b"old")
    with open(tmp_path / "target.so", "rb") if existed else nullcontext() as old:
        wa.pack(SMALL_WASM, tmp_path / "a.so")
        assert old is None or old.read() == b"old"
    assert (tmp_path / "a.so").is_symlink() and (folder / "b.so").is_symlink()
    assert not (tmp_path / "target.so").is_symlink()
    wa.verify(tmp_path / "target.so")
    assert sorted(os.listdir(tmp_path)) == ["a.so", "folder", "target.so"]


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "dangling").symlink_to("missing/a.so")
    with pytest.raises(OSError) as caught:
        wa.pack(SMALL_WASM, tmp_path / "a")
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(FileNotFoundError, match="missing"):
        wa.pack(SMALL_WASM, tmp_path / "dangling")


def test_a_fifo_is_written_into(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        wa.pack(SMALL_WASM, fifo)
        read = reader.communicate(timeout=TIMEOUT_S)[0]
    wa.pack(SMALL_WASM, tmp_path / "a.so")
    assert read == (tmp_path / "a.so").read_bytes()
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.parametrize("name", ["null", "full"])
def test_a_device_is_written_into(tmp_path: Path, name: str) -> None:
    """A device of our own where we may make one: a pack that replaces it would take the machine's away."""
    device = tmp_path / name
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.stat(f"/dev/{name}").st_rdev)
        os.close(os.open(device, os.O_WRONLY))
    except PermissionError:
        pytest.skip("only root makes devices")
    if name == "full":
        with pytest.raises(OSError) as caught:
            wa.pack(SMALL_WASM, device)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(device))
    else:
        wa.pack(SMALL_WASM, device)
    assert stat.S_ISCHR(device.stat().st_mode)


def test_open_files(tmp_path: Path) -> None:
    """By descriptor and by name in /proc: pipes, a file that holds something, a file without a name."""
    wa.pack(SMALL_WASM, tmp_path / "a.so")
    expected = (tmp_path / "a.so").read_bytes()
    for is_number in (True, False):
        ends = os.pipe()
        output = ends[1] if is_number else f"/proc/self/fd/{ends[1]}"
        wa.pack(SMALL_WASM, output)
        os.close(ends[1])
        with open(ends[0], "rb") as pipe:
            assert pipe.read() == expected
        with tempfile.TemporaryFile(dir=tmp_path) as file:
            wa.pack(SMALL_WASM, file.fileno() if is_number else f"/proc/self/fd/{file.fileno()}")
            assert os.pread(file.fileno(), len(expected) + 1, 0) == expected
    with open(tmp_path / "b", "ab", buffering=0) as file:
        file.write(b"before")
        wa.pack(SMALL_WASM, file.fileno())
    assert (tmp_path / "b").read_bytes() == b"before" + expected


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(OSError, match="socket"):
            wa.pack(SMALL_WASM, tmp_path / "s")
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)


def test_the_mode_follows_the_umask(tmp_path: Path) -> None:
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            wa.pack(SMALL_WASM, tmp_path / f"{umask}.so")
        finally:
            os.umask(before)
        assert (tmp_path / f"{umask}.so").stat().st_mode & 0o777 == mode


# Workers --------------------------------------------------------------------------------------------------------------

KILLER = """
import os, signal, sys, threading, time
import wasmartifact

MODULE = '(module (func $first (export "f") (result i32) (i32.const 1)) (func $second))'

def children():
    found = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            found += map(int, file.read().split())
    return found

def kill_all():
    while not finished:
        for pid in children():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # it was waited for since we looked
                continue
        time.sleep(0.001)

finished = []
thread = threading.Thread(target=kill_all)
thread.start()
try:
    wasmartifact.pack(MODULE.encode(), sys.argv[1])
except wasmartifact.ToolchainError as error:
    print(error.func_index, error.func_name, error)
finally:
    finished.append(True)
    thread.join()
wasmartifact.pack(MODULE.encode(), sys.argv[1])  # later packs are not harmed
"""


def test_a_worker_that_dies_names_the_function(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLER, tmp_path / "a.so"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (run.stderr, run.returncode) == ("", 0)
    assert run.stdout.startswith("0 first ")
    assert "function 0 (first): signal 9" in run.stdout
    wa.verify(tmp_path / "a.so")


def test_an_idle_worker_that_died_is_no_failure(tmp_path: Path) -> None:
    """Workers wait for the next pack; what ends one meanwhile (a tidy user, a system short of memory) is no defect."""
    code = """if True:
        import os, signal, sys, wasmartifact
        module = b"(module (func $f))"
        wasmartifact.pack(module, sys.argv[1])
        children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
        assert children
        for pid in map(int, children):
            os.kill(pid, signal.SIGKILL)
        os.unlink(sys.argv[1])
        wasmartifact.pack(module, sys.argv[1])"""
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.so"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (run.stderr, run.returncode) == ("", 0)
    wa.verify(tmp_path / "a.so")


def test_a_pack_leaves_no_threads() -> None:
    """A process that packed can fork: no thread of a library is inside of an allocator then."""
    program = (
        "import os, sys, wasmartifact as wa; "
        "wa.pack(sys.argv[1], os.memfd_create('out'), opt_level=0); print(len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(module_path())], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_a_module_with_imports_in_groups_runs(tmp_path: Path) -> None:
    """What binaryen's -all writes; most engines, wasmtime 50 and node 20 among them, refuse it."""
    grouped = (
        '(module (import "m" (item "a") (item "b") (func (param i32) (result i32)))'
        ' (import "m" (item "seven" (global $seven i32)))'
        ' (func (export "run") (result i32) (call 0 (call 1 (global.get $seven)))))'
    )
    wa.pack(grouped.encode(), tmp_path / "a.so", opt_level=0)
    imports = {"m": {"a": lambda number: number + 1, "b": lambda number: number * 10, "seven": 7}}
    assert wa.load(tmp_path / "a.so").instantiate(imports).exports.run() == 7 * 10 + 1
