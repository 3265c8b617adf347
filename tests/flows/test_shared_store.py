"""Stores that machines share: packed once, run only if trusted, and never worth a failure."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasmartifact as wa
from tests.flows.test_tier_up import builders, level, no_space, wait_for_builds
from tests.flows.test_trust import OTHER_PRIVATE, OTHER_PUBLIC, PRIVATE, PUBLIC
from wasmartifact import shared_store
from wasmartifact.cache import TIER_UP_VARIABLE

fsspec = pytest.importorskip("fsspec")

ROOT = Path(__file__).resolve().parents[2]
ADD = b'(module (func (export "f") (result i32) (i32.const 42)))'
OTHER = b'(module (func (export "f") (result i32) (i32.const 43)))'
TIMEOUT_S = 120


class Machine:
    """A machine of a fleet: it has a cache of its own, and tells whether it packed."""

    def __init__(self, folder: Path, store: str, **options: Any) -> None:
        self.folder = folder
        self.options = {"store": store, "opt_level": 0, "jobs": 1, **options}
        self.packs = 0

    def compile(self, module: bytes = ADD, **options: Any) -> wa.Artifact:
        def count(done: int, total: int) -> None:
            self.packs += done == total

        return wa.compile(module, cache_dir=self.folder, progress=count, **self.options | options)

    def answer(self, module: bytes = ADD) -> Any:
        return self.compile(module).instantiate().exports.f()


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """A server of S3 on this machine; its bucket is ``fleet``."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(params=["folder", "file URL", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty store."""
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
    if request.param == "s3":
        return s3_url(request.getfixturevalue("s3_server"), tmp_path.name.replace("_", "-"), monkeypatch)
    return {
        "folder": str(tmp_path / "store"),
        "file URL": f"file://{tmp_path}/a%20store",
        "memory": "memory://fleet/artifacts",
    }[request.param]


def s3_url(server: str, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for variable, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(variable, value)
    fsspec.filesystem("s3").makedirs("fleet", exist_ok=True)
    return f"s3://fleet/{name}"


def objects(store: str) -> dict[str, bytes]:
    """What a store holds, by name."""
    fs, root = fsspec.core.url_to_fs(store)
    fs.invalidate_cache()
    return {path.rpartition("/")[2]: fs.cat_file(path) for path in fs.find(root)}


@pytest.fixture
def strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*store")
        yield


@pytest.mark.usefixtures("strict")
def test_what_one_machine_packs_another_runs(store: str, tmp_path: Path) -> None:
    first = Machine(tmp_path / "1", store, key=PUBLIC, sign_with=PRIVATE)
    second = Machine(tmp_path / "2", store, key=PUBLIC)
    assert (first.answer(), second.answer(), second.answer()) == (42, 42, 42)
    assert (first.packs, second.packs) == (1, 0)
    ((name, data),) = objects(store).items()
    assert name.endswith(".so")  # and no claim is left
    for machine in (first, second):
        (path,) = machine.folder.glob("*.so")
        assert path.name == name and path.read_bytes() == data and path.stat().st_mode & 0o777 == 0o600
        wa.verify(path, key=PUBLIC)
    assert (second.answer(OTHER), second.packs) == (43, 1)
    assert second.compile(opt_level=1).instantiate().exports.f() == 42 and second.packs == 2


@pytest.mark.parametrize("is_listed", [False, True], ids=["signed", "listed"])
def test_what_is_trusted_runs_for_its_own_module_alone(tmp_path: Path, is_listed: bool) -> None:
    """Somebody who can write to the store puts one trusted artifact under the name of another."""
    place = tmp_path / "store"
    Machine(tmp_path / "0", str(place), key=PUBLIC, sign_with=PRIVATE).answer()
    (wanted,) = place.glob("*.so")
    Machine(tmp_path / "0", str(place), key=PUBLIC, sign_with=PRIVATE).answer(OTHER)
    (other,) = set(place.glob("*.so")) - {wanted}
    wanted.write_bytes(other.read_bytes())
    trust: dict[str, Any] = (
        {"trusted": [hashlib.sha256(other.read_bytes()).hexdigest()]} if is_listed else {"key": PUBLIC}
    )
    machine = Machine(tmp_path / "1", str(place), **trust)
    with pytest.warns(
        RuntimeWarning,
        match=f"of another module.*expected {hashlib.sha256(bytes(wasmtime.wat2wasm(ADD.decode()))).hexdigest()}",
    ):
        assert machine.answer() == 42
    assert machine.packs == 1


def test_only_what_is_trusted_runs(store: str, tmp_path: Path) -> None:
    """Unsigned, signed by somebody else, changed, or no artifact at all: it is packed here."""
    Machine(tmp_path / "0", store).answer()  # unsigned
    ((name, unsigned),) = objects(store).items()
    fs, root = fsspec.core.url_to_fs(store)
    Machine(tmp_path / "1", store, key=OTHER_PUBLIC, sign_with=OTHER_PRIVATE)
    signed = tmp_path / "signed.so"
    signed.write_bytes(unsigned)
    wa.sign(signed, PRIVATE)
    changed = bytearray(signed.read_bytes())
    changed[-9] ^= 1
    foreign = tmp_path / "foreign.so"
    foreign.write_bytes(unsigned)
    wa.sign(foreign, OTHER_PRIVATE)
    for number, (data, words) in enumerate(
        [
            (unsigned, "is not signed"),
            (foreign.read_bytes(), "signed with the key"),
            (bytes(changed), "not used"),
            (b"", "not used"),
            (b"#!/bin/sh\n", "not used"),
        ]
    ):
        fs.pipe_file(f"{root}/{name}", data)
        machine = Machine(tmp_path / f"reader{number}", store, key=PUBLIC)
        with pytest.warns(RuntimeWarning, match=words):
            assert machine.answer() == 42
        assert machine.packs == 1
        fs.pipe_file(f"{root}/{name}", data)
    fs.pipe_file(f"{root}/{name}", signed.read_bytes())
    machine = Machine(tmp_path / "last", store, key=PUBLIC)
    assert (machine.answer(), machine.packs) == (42, 0)


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("kind", ["collection", "file"])
def test_digests_that_are_trusted(kind: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    Machine(tmp_path / "1", store).answer()
    ((name, data),) = objects(store).items()
    digest = hashlib.sha256(data).hexdigest()
    listing = tmp_path / "trusted.txt"
    listing.write_text(f"# of the release\n\n{'0' * 64}  other.so\n{digest.upper()} *{name}\n")
    machine = Machine(tmp_path / "2", store, trusted=[digest] if kind == "collection" else listing)
    assert (machine.answer(), machine.packs) == (42, 0)


def test_who_can_not_sign_sends_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    machine = Machine(tmp_path / "1", str(store), key=PUBLIC)
    assert (machine.answer(), machine.packs) == (42, 1)
    assert not store.exists()


def test_what_is_not_trusted_is_told_of_once_however_long_one_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_store, "STALE_SECONDS", 1.0)
    store = tmp_path / "store"
    Machine(tmp_path / "1", str(store)).answer()
    (name,) = objects(str(store))
    (store / f"{name}.claim").write_text("somebody 7")
    with pytest.warns(RuntimeWarning, match="not in the list") as caught:
        assert Machine(tmp_path / "2", str(store), trusted=["0" * 64]).answer() == 42
    assert len(caught) == 1


def test_without_a_key_nothing_of_a_store_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    Machine(tmp_path / "1", str(store), sign_with=PRIVATE).answer()
    machine = Machine(tmp_path / "2", str(store))
    monkeypatch.setattr(shared_store.SharedStore, "_fetch", lambda *_: pytest.fail("it reads what it can't trust"))
    assert (machine.answer(), machine.packs) == (42, 1)


def test_a_digest_that_is_not_in_the_list(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    Machine(tmp_path / "1", store).answer()
    machine = Machine(tmp_path / "2", store, trusted=["0" * 64])
    with pytest.warns(RuntimeWarning, match="not in the list"):
        assert machine.answer() == 42
    assert machine.packs == 1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"store": "nowhere://x"}, ValueError, "nowhere"),
        ({"trusted": ["abc"]}, ValueError, "expected SHA-256 digests"),
        ({"trusted": "/does/not/exist"}, FileNotFoundError, "exist"),
        ({"key": PRIVATE[:5]}, ValueError, "key"),
        ({"sign_with": b"no key"}, ValueError, "key"),
    ],
    ids=str,
)
def test_what_makes_no_sense(options: dict[str, Any], error: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=words):
        Machine(tmp_path / "1", str(tmp_path / "store")).compile(**options)


def test_without_fsspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path / "1", str(tmp_path / "store"))
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(wa.ToolchainError, match=r"pip install 'wasmartifact\[store\]'"):
        machine.answer()
    Machine(tmp_path / "2", "").compile(store=None)


@pytest.mark.parametrize("moment", ["reading", "sending"])
def test_a_store_that_fails_costs_a_warning(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "store"
    if moment == "reading":
        place.write_text("a file")
    else:
        monkeypatch.setattr(shared_store, "write_atomically", no_space)
    machine = Machine(tmp_path / "1", str(place), key=PUBLIC, sign_with=PRIVATE)
    with pytest.warns(RuntimeWarning, match=r"the store .* can't be used, and is left out") as caught:
        assert machine.answer() == 42
    assert machine.packs == len(caught) == 1


def test_a_file_system_of_fsspec_is_a_store(tmp_path: Path) -> None:
    fs = fsspec.filesystem("dir", path=str(tmp_path / "store"), fs=fsspec.filesystem("file", auto_mkdir=True))
    first, second = (Machine(tmp_path / name, fs, key=PUBLIC, sign_with=PRIVATE) for name in "12")
    assert (first.answer(), second.answer(), second.packs) == (42, 42, 0)


# ---- fleets --------------------------------------------------------------------------------------------------------

#: Compiles, and appends a line to a log for each pack.
PROGRAM = f"""
import sys, wasmartifact as wa
store, folder, log = sys.argv[1:4]
def progress(done, total):
    if done == total:
        with open(log, "a") as file: file.write("packed\\n")
for module in ({ADD!r}, {OTHER!r}):
    artifact = wa.compile(
        module, opt_level=1, cache_dir=folder, progress=progress, store=store, key=bytes.fromhex("{PUBLIC.hex()}"),
        sign_with=bytes.fromhex("{PRIVATE.hex()}"),
    )
    print(artifact.metadata.info["opt_level"], artifact.instantiate().exports.f())
"""


def run_fleet(store: str, tmp_path: Path) -> list[str]:
    """What four programs print that start at once, each with a cache of its own."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, store, str(tmp_path / f"cache{number}"), str(tmp_path / "log")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    return [program.communicate(timeout=TIMEOUT_S)[0] for program in programs]


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_fleet_packs_each_module_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "store")
    if kind == "s3":
        store = s3_url(request.getfixturevalue("s3_server"), "four", monkeypatch)
    assert run_fleet(store, tmp_path) == ["1 42\n1 43\n"] * 4
    assert (tmp_path / "log").read_text() == "packed\n" * 2
    assert [Path(name).suffix for name in objects(store)] == [".so"] * 2


def test_a_fleet_that_tiers_up_packs_each_level_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TIER_UP_VARIABLE)
    store = tmp_path / "store"
    folders = [tmp_path / f"cache{number}" for number in range(4)]
    answers = run_fleet(str(store), tmp_path)
    assert all([line.split()[1] for line in answer.splitlines()] == ["42", "43"] for answer in answers)
    assert (tmp_path / "log").read_text() == "packed\n" * 2  # level 0; the log does not hear of the background
    for folder in folders:
        wait_for_builds(folder)
    whole = objects(str(store))
    assert len(whole) == 4  # two modules at two levels
    for folder in folders:
        for path in folder.glob("*.so"):  # whoever packed it, all have the same
            assert whole[path.name] == path.read_bytes()
        assert not builders(folder)
    newcomer = Machine(tmp_path / "newcomer", str(store), key=PUBLIC, opt_level=1)
    assert level(newcomer.compile()) == "1" and newcomer.packs == 0
    assert len(list(newcomer.folder.glob("*.so"))) == 1  # it never needed level 0


def test_a_claim_whose_owner_died_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_store, "STALE_SECONDS", 1.0)
    monkeypatch.setattr(shared_store, "BEAT_SECONDS", 0.1)
    store = tmp_path / "store"
    machine = Machine(tmp_path / "1", str(store), key=PUBLIC, sign_with=PRIVATE)
    machine.answer()
    (name,) = objects(str(store))
    (store / name).unlink()
    (store / f"{name}.claim").write_text("somebody 7")
    begin = time.monotonic()
    machine = Machine(tmp_path / "2", str(store), key=PUBLIC, sign_with=PRIVATE)
    assert (machine.answer(), machine.packs) == (42, 1)
    assert 1.0 <= time.monotonic() - begin < TIMEOUT_S
    assert list(objects(str(store))) == [name]


@pytest.mark.parametrize("cache", ["", "simplecache::", "filecache::", "filecache::simplecache::"])
def test_a_claim_whose_owner_lives_is_waited_for(cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than a claim that stands still is, whatever cache of fsspec is in front."""
    monkeypatch.setattr(shared_store, "STALE_SECONDS", 0.6)
    monkeypatch.setattr(shared_store, "BEAT_SECONDS", 0.1)
    fsspec.filesystem("memory").store.clear()
    fs, root = shared_store._open("memory://fleet")
    owner = shared_store._Claim(fs, f"{root}/x.claim")
    waiting = shared_store._Claim(shared_store._open(f"{cache}memory://fleet")[0], f"{root}/x.claim")
    assert owner.take()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        assert not waiting.take()
        time.sleep(0.05)
    owner.release()
    assert waiting.take()
    waiting.release()
    assert not fs.exists(f"{root}/x.claim")


def test_a_warm_start_does_not_open_the_store(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "1", str(tmp_path / "store"), key=PUBLIC, sign_with=PRIVATE)
    machine.answer()
    code = (
        "import sys, wasmartifact as wa; wa.compile(sys.argv[1].encode(), opt_level=0, cache_dir=sys.argv[2], "
        "store='nowhere://x'); print('fsspec' in sys.modules)"
    )
    command = [sys.executable, "-c", code, ADD.decode(), str(machine.folder)]
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout == b"False\n"
    assert os.path.exists(tmp_path / "store")
