"""What a component of WASI 0.2 waits for ends by deadlines and interrupts; wild values are errors, not crashes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa
from tests.component import adapted
from tests.component.inside import inside
from tests.unit.cli.test_run import WAIT
from wasmartifact.runtime.component_imports import Wanted

HUGE: Final = 2**64 - 1
#: Waits a hundred seconds.
SLEEP: Final = """(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const 100000000000))
    (drop (call $poll (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))))"""


@pytest.fixture(scope="module", params=[WAIT, SLEEP], ids=["input", "clock"])
def waiter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> wa.Component:
    output = tmp_path_factory.mktemp("waiter") / "waiter.so"
    wa.pack(adapted.adapt(bytes(wasmtime.wat2wasm(request.param))), output, opt_level=0)
    loaded = wa.load(output)
    assert isinstance(loaded, wa.Component)
    return loaded


def test_a_wait_ends_when_it_is_told_to(waiter: wa.Component) -> None:
    reading, writing = os.pipe()
    store = wa.Store()
    instance = waiter.instantiate(wa.Wasi(stdin=reading), store=store)
    with store.deadline(0.05), pytest.raises(wa.DeadlineExceeded):
        instance.run.run()
    instance = waiter.instantiate(wa.Wasi(stdin=reading), store=store)
    timer = threading.Timer(0.05, store.interrupt)
    timer.start()
    with pytest.raises(wa.Interrupted):
        instance.run.run()
    timer.join()
    os.close(reading)
    os.close(writing)


def code_of(function: Callable[..., Any], *args: Any) -> Any:
    """The error-code that it gives."""
    with pytest.raises(wa.Err) as caught:
        function(*args)
    return caught.value.value


def test_wild_values_are_errors(tmp_path: Path) -> None:
    """Offsets, sizes, flags and paths as Linux refuses them; handles of another kind."""
    (tmp_path / "file").write_bytes(b"hello")
    interfaces = wa.Wasi(preopens={"/": tmp_path})._component_interfaces()

    def work() -> None:
        [(root, name)] = interfaces.interface("wasi:filesystem/preopens@0.2.0").get_directories()
        file = root.open_at(0, "file", 0, 3)
        assert (name, root.get_type(), file.get_flags()) == ("/", "directory", 3)
        assert file.read(HUGE, 0) == (b"hello", False)
        assert file.read_via_stream(0).read(HUGE) == b"hello"
        for call in (
            lambda: file.read(5, HUGE),
            lambda: file.write(b"x", HUGE),
            lambda: file.set_size(HUGE),
            lambda: root.open_at(0xFF, "file", 0, 1),
            lambda: root.open_at(0, "file", 0xFF, 1),
            lambda: root.stat_at(0, "a\0b"),
        ):
            assert code_of(call) == "invalid"
        assert code_of(root.stat_at, 0, "x" * 70000) == "name-too-long"
        assert code_of(root.link_at, 0, "file", object(), "other") == "cross-device"
        assert code_of(root.read_via_stream, 0) == code_of(root.open_at(0, "file", 0, 1).append_via_stream)
        assert code_of(file.read_via_stream(HUGE).read, 1)[1].code == "invalid"
        output = file.append_via_stream()
        output.write(b"!")
        assert file.write(b"H", 0) == 1
        output.write(b"?")
        assert (tmp_path / "file").read_bytes() == b"Hello!?"
        random = interfaces.interface("wasi:random/random@0.2.0")
        for call in (
            lambda: output.write_zeroes(HUGE),
            lambda: interfaces.interface("wasi:io/poll@0.2.0").poll([]),
            lambda: random.get_random_bytes(HUGE),
            lambda: random.get_random_bytes(1 << 33),
        ):
            with pytest.raises(ValueError, match="wasi:"):
                call()
        assert len(random.get_random_bytes(10)) == 10

    inside(work, tmp_path)
    [(root, _)] = interfaces.interface("wasi:filesystem/preopens@0.2.0").get_directories()
    with pytest.raises(RuntimeError, match="only while a guest calls it"):
        root.get_type()


@pytest.mark.parametrize(
    ("interface", "name"),
    [
        ("filesystem/types", "[static]descriptor.mro"),
        ("filesystem/types", "[method]descriptor.mro"),
        ("filesystem/types", "[constructor]descriptor"),
        ("sockets/tcp", "[constructor]tcp-socket"),
        ("sockets/tcp", "[method]tcp-socket.mro"),
        ("io/poll", "[constructor]pollable"),
        ("io/poll", "[static]pollable.ready"),
    ],
)
def test_what_wasi_does_not_have_is_not_reached(interface: str, name: str) -> None:
    """A component says itself what it imports; the classes behind it have more than it may have."""
    interfaces = wa.Wasi(network=True)._component_interfaces()
    function = interfaces.callable_of(Wanted(f"wasi:{interface}@0.2.0", name))
    with pytest.raises(NotImplementedError, match="has no"):
        function()


def test_descriptors_are_limited_and_given_back(tmp_path: Path) -> None:
    """Three streams and the directory count, as for preview 1."""
    (tmp_path / "file").write_bytes(b"")
    interfaces = wa.Wasi(preopens={"/": tmp_path}, limits=wa.Limits(descriptors=6))._component_interfaces()

    def work() -> None:
        [(root, _)] = interfaces.interface("wasi:filesystem/preopens@0.2.0").get_directories()
        files = [root.open_at(0, "file", 0, 1) for _ in range(2)]
        assert code_of(root.open_at, 0, "file", 0, 1) == "insufficient-memory"
        stream = files.pop().read_via_stream(0)
        assert code_of(root.open_at, 0, "file", 0, 1) == "insufficient-memory"  # the stream has it open
        del stream
        assert root.open_at(0, "file", 0, 1).get_type() == "regular-file"

    inside(work, tmp_path)
