"""Snapshots of components: an instance of one answers as the instance that it was taken of would.

That instance is the oracle: it goes on after the snapshot, and both have to say the same. What files hold is known.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import wasmartifact as wa
from tests.component.keeper import FILE, FILE_STREAM, LISTING, PAIR, STDIN_POLL, STDOUT_POLL, TIMER, TIMER_OVER, keeper
from tests.component.passing import passing_component
from tests.component.test_values import COUNTER
from wasmartifact.cli.component_call import ComponentCall


def packed(source: str | bytes, folder: Path, name: str = "component.so", **options: Any) -> wa.Component:
    """A component, packed and loaded."""
    wa.pack(source.encode() if isinstance(source, str) else source, folder / name, **{"opt_level": 0} | options)
    loaded = wa.load(folder / name)
    assert isinstance(loaded, wa.Component)
    return loaded


def taken(made: wa.ComponentInstance, folder: Path, name: str = "snapshot.so") -> wa.Component:
    """A snapshot of it, every byte of which was checked."""
    report = wa.snapshot(made, folder / name)
    assert report.size_bytes == (folder / name).stat().st_size
    wa.verify(folder / name)
    loaded = wa.load(folder / name)
    assert isinstance(loaded, wa.Component)
    assert loaded.metadata.is_snapshot and loaded.metadata.is_component
    return loaded


# ---- what a component holds ------------------------------------------------------------------------------------------


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """What it gives, or its trap."""
    try:
        return call(*args)
    except wa.Trap as trap:
        return trap.code


def life(made: wa.ComponentInstance, first: int, second: int) -> list[Any]:
    """Uses of two handles that it has, of new ones, and of one that is gone."""
    keeps, makes = made.keeps, made.makes
    found = [keeps.value(first), keeps.value(second), keeps.started(), makes.ended()]
    found += [keeps.drop(first), makes.ended()]
    third, fourth = keeps.keep(), keeps.keep()
    found += [third, fourth, keeps.value(third), keeps.value(fourth), keeps.value(second)]
    thing = makes.make()
    found += [makes.value(thing), thing.close(), makes.ended()]
    keeps.swap()
    return [*found, keeps.value(second), outcome(keeps.value, 77), outcome(keeps.started)]


@pytest.mark.parametrize("opt_level", [0, 2])
def test_handles_tables_and_globals_of_all_instances(opt_level: int, tmp_path: Path) -> None:
    made = packed(PAIR, tmp_path, opt_level=opt_level).instantiate()
    handles = [made.keeps.keep() for _ in range(5)]
    for place in (3, 0, 1):  # so that places are free, in an order of their own
        made.keeps.drop(handles[place])
    assert made.makes.ended() == 100 + 200 + 400
    saved = taken(made, tmp_path)
    again = taken(saved.instantiate(), tmp_path, "again.so")
    expected = life(made, handles[2], handles[4])
    assert expected[:6] == [300, 500, 1, 700, None, 1000]
    assert life(saved.instantiate(), handles[2], handles[4]) == expected
    assert life(saved.instantiate(), handles[2], handles[4]) == expected
    assert life(again.instantiate(), handles[2], handles[4]) == expected


def test_equal_instances_give_equal_bytes(tmp_path: Path) -> None:
    component = packed(PAIR, tmp_path)
    for name in ("one.so", "two.so"):
        made = component.instantiate()
        made.keeps.drop(made.keeps.keep())
        made.keeps.keep()
        taken(made, tmp_path, name)
    assert (tmp_path / "one.so").read_bytes() == (tmp_path / "two.so").read_bytes()


def test_an_artifact_for_several_cpus(tmp_path: Path) -> None:
    made = packed(PAIR, tmp_path, opt_level=2, cpu=("baseline", "x86-64-v3")).instantiate()
    handles = [made.keeps.keep() for _ in range(2)]
    saved = taken(made, tmp_path)
    assert saved.metadata.cpu_levels == made.component.metadata.cpu_levels
    assert life(saved.instantiate(), *handles) == life(made, *handles)


def test_imports_are_given_anew(tmp_path: Path) -> None:
    written: dict[str, list[str]] = {"before": [], "after": []}

    def note(where: str) -> Callable[[str], int]:
        def write(text: str) -> int:
            written[where].append(text)
            return len(text)

        return write

    made = packed(COUNTER, tmp_path).instantiate({"example:host/log": {"note": note("before")}})
    assert made.note("one") == 3
    saved = taken(made, tmp_path)
    with pytest.raises(wa.UnlinkableModule, match="example:host/log#note"):
        saved.instantiate()
    assert saved.instantiate({"example:host/log": {"note": note("after")}}).note("three") == 5
    assert written == {"before": ["one"], "after": ["three"]}


# ---- what a Wasi gave it ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keepers(tmp_path_factory: pytest.TempPathFactory) -> wa.Component:
    return packed(keeper(), tmp_path_factory.mktemp("keeper"))


def directories(folder: Path) -> Any:
    """Two, of which the second one is to be read only."""
    for name in ("one", "two"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text(f"{folder.name} {name}")
    return {"/one": folder / "one", "/two": wa.ReadOnly(folder / "two")}


def kept(keepers: wa.Component, folder: Path) -> wa.ComponentInstance:
    """An instance that has got hold of all that it was given."""
    given = directories(folder / "before")
    made = keepers.instantiate(wa.Wasi(stdin=lambda size: b"before", preopens=given))
    made.keep()
    return made


def test_streams_and_directories_are_those_of_the_new_program(keepers: wa.Component, tmp_path: Path) -> None:
    saved = taken(kept(keepers, tmp_path), tmp_path)
    written: dict[str, list[bytes]] = {"out": [], "err": []}
    given = directories(tmp_path / "after")
    reading, writing = os.pipe()
    os.write(writing, b"from the pipe")
    for preopens in (given, dict(reversed(given.items()))):  # they go by their names, not by their order
        for times in (1, 2):
            wasi = wa.Wasi(
                stdin=lambda size: b"after"[:size],
                stdout=written["out"].append,
                stderr=written["err"].append,
                preopens=preopens,
            )
            back = saved.instantiate(wasi)
            assert (back.ask(3), back.ask(100), back.is_ready()) == (b"aft", b"after", True)
            back.say("to output", False)
            back.say("to errors", True)
            assert written == {"out": [b"to output"] * times, "err": [b"to errors"] * times}
            assert (back.read("file", False), back.read("file", True)) == (b"after one", b"after two")
            assert (back.mutable(False), back.mutable(True)) == (True, False)
        written["out"].clear()
        written["err"].clear()
    with open(tmp_path / "output", "wb") as output:
        back = saved.instantiate(wa.Wasi(stdin=reading, stdout=output, preopens=given))
        assert (back.is_ready(), back.ask(4), back.ask(100)) == (True, b"from", b" the pipe")
        back.say("to a file", False)
    assert (tmp_path / "output").read_bytes() == b"to a file"
    os.close(reading)
    os.close(writing)


def test_what_waits_for_the_input_waits_for_the_new_one(keepers: wa.Component, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    made = keepers.instantiate(wa.Wasi(stdin=reading))
    made.keep()
    assert not made.is_ready()
    os.write(writing, b"x")
    saved = taken(made, tmp_path)
    other, end = os.pipe()
    back = saved.instantiate(wa.Wasi(stdin=other))
    assert (made.is_ready(), back.is_ready()) == (True, False)
    os.write(end, b"y")
    assert (back.is_ready(), back.ask(5)) == (True, b"y")
    for descriptor in (reading, writing, other, end):
        os.close(descriptor)


def test_a_snapshot_of_a_snapshot_knows_its_streams(keepers: wa.Component, tmp_path: Path) -> None:
    saved = taken(kept(keepers, tmp_path), tmp_path)
    back = saved.instantiate(wa.Wasi(preopens=directories(tmp_path / "between")))
    assert back.read("file", True) == b"between two"
    again = taken(back, tmp_path, "again.so")
    written: list[bytes] = []
    last = again.instantiate(wa.Wasi(stdout=written.append, preopens=directories(tmp_path / "last")))
    last.say("still here", False)
    assert (written, last.read("file", False)) == ([b"still here"], b"last one")


def test_a_snapshot_needs_what_its_component_had(keepers: wa.Component, tmp_path: Path) -> None:
    saved = taken(kept(keepers, tmp_path), tmp_path)
    with pytest.raises(wa.UnlinkableModule, match="directory '/two'"):
        saved.instantiate(wa.Wasi(preopens={"/one": tmp_path}))
    imports = wa.Wasi()._component_interfaces()
    names = list(saved.types.imports.interfaces)
    with pytest.raises(wa.UnlinkableModule, match=r"stdin, .*directory.*wa\.Wasi"):
        saved.instantiate({name: imports.interface(name) for name in names})


@pytest.mark.parametrize(
    ("what", "path", "found"),
    [
        (FILE, "file", "an open file (descriptor)"),
        (FILE_STREAM, "file", "a stream of an open file or of a request (input-stream)"),
        (LISTING, "", "a listing of a directory (directory-entry-stream)"),
        (TIMER, "", "a wait that is not over (pollable)"),
    ],
)
def test_what_a_wasi_made_for_it_alone_is_named(
    what: int, path: str, found: str, keepers: wa.Component, tmp_path: Path
) -> None:
    made = kept(keepers, tmp_path)
    made.hold(what, path)
    with pytest.raises(wa.SnapshotError) as caught:
        wa.snapshot(made, tmp_path / "snapshot.so")
    assert (caught.value.what, caught.value.found) == ("handle", found)
    assert found in str(caught.value) and not (tmp_path / "snapshot.so").exists()
    made.let_go(what)
    back = taken(made, tmp_path).instantiate(wa.Wasi(preopens=directories(tmp_path / "after")))
    assert back.read("file", False) == b"after one"


@pytest.mark.parametrize("what", [TIMER_OVER, STDIN_POLL, STDOUT_POLL])
def test_a_wait_that_is_over_stays_over(what: int, keepers: wa.Component, tmp_path: Path) -> None:
    made = kept(keepers, tmp_path)
    made.hold(what, "")
    saved = taken(made, tmp_path)
    back = saved.instantiate(wa.Wasi(stdin=lambda size: b"", preopens=directories(tmp_path / "after")))
    assert back.held() is made.held() is True
    back.let_go(what)


def test_objects_of_a_host_of_ones_own_are_named(tmp_path: Path) -> None:
    text = """(component
      (import "example:host/things" (instance $things
        (export "blob" (type (sub resource))) ))
      (alias export $things "blob" (type $blob))
      (core func $drop (canon resource.drop $blob))
      (core module $m (import "" "drop" (func $drop (param i32)))
        (global $held (mut i32) (i32.const 0))
        (func (export "hold") (param i32) (global.set $held (local.get 0)))
        (func (export "drop") (call $drop (global.get $held))))
      (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
      (func (export "hold") (param "it" (own $blob)) (canon lift (core func $i "hold")))
      (func (export "drop") (canon lift (core func $i "drop"))))"""
    made = packed(text, tmp_path).instantiate({"example:host/things": {}})
    made.hold({1, 2})
    with pytest.raises(wa.SnapshotError, match=r"an object of the host of type set \(blob\)"):
        wa.snapshot(made, tmp_path / "snapshot.so")
    made.drop()
    taken(made, tmp_path)


# ---- when there is nothing to take -----------------------------------------------------------------------------------


def test_an_instance_that_trapped(keepers: wa.Component, tmp_path: Path) -> None:
    made = kept(keepers, tmp_path)
    with pytest.raises(wa.Trap):
        made.trap()
    with pytest.raises(wa.SnapshotError, match="trapped") as caught:
        wa.snapshot(made, tmp_path / "snapshot.so")
    assert caught.value.what == "instance"


def test_a_call_that_runs(keepers: wa.Component, tmp_path: Path) -> None:
    """In the guest, and while the arguments of a call are read."""
    found: list[str] = []

    def try_it() -> None:
        with pytest.raises(wa.SnapshotError) as caught:
            wa.snapshot(made, tmp_path / "snapshot.so")
        found.append(caught.value.what)

    class Number:
        def __index__(self) -> int:
            try_it()
            return 5

    def give(size: int) -> bytes:
        try_it()
        return b"given"

    made = keepers.instantiate(wa.Wasi(stdin=give))
    made.keep()
    assert made.ask(Number()) == b"given"
    assert found == ["call", "call"]


def test_only_instances_have_snapshots(keepers: wa.Component, tmp_path: Path) -> None:
    for wrong in (keepers, keepers.instantiate(wa.Wasi()).exports, None):
        with pytest.raises(TypeError, match="expected an Instance or ComponentInstance"):
            wa.snapshot(wrong, tmp_path / "snapshot.so")  # type: ignore[arg-type]


# ---- what becomes of the artifact ------------------------------------------------------------------------------------


def test_signed_private_and_from_bytes(keepers: wa.Component, tmp_path: Path) -> None:
    taken(kept(keepers, tmp_path), tmp_path)
    path, given = tmp_path / "snapshot.so", directories(tmp_path / "after")
    loads: list[Any] = [wa.load(path.read_bytes()), wa.load(path, private=True), wa.load(path, verify=True)]
    for loaded in loads:
        assert loaded.instantiate(wa.Wasi(preopens=given)).read("file", True) == b"after two"
    key = Ed25519PrivateKey.generate()
    with pytest.raises(wa.BadSignature, match="not signed"):
        wa.load(path, key=key.public_key())
    wa.sign(path, key)
    signed: Any = wa.load(path, key=key.public_key())
    assert signed.instantiate(wa.Wasi(preopens=given)).read("file", False) == b"after one"


# ---- the command -----------------------------------------------------------------------------------------------------


def command(*arguments: str | Path, code: int = 0) -> str:
    """What a command prints."""
    call = [sys.executable, "-m", "wasmartifact", *arguments]
    found = subprocess.run(call, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == code, found.stderr
    return found.stdout or found.stderr


def test_the_command_takes_components(tmp_path: Path) -> None:
    plain, path, more = tmp_path / "plain.so", tmp_path / "snapshot.so", tmp_path / "more.so"
    made = packed(PAIR, tmp_path, "plain.so").instantiate()
    first, second = made.keeps.keep(), made.keeps.keep()
    made.keeps.drop(first)
    told = command("snapshot", plain, "-o", path, "--invoke", "keeps#keep")
    assert told.startswith(f"{path}: a snapshot of {plain}, {path.stat().st_size:,} bytes")
    assert command("snapshot", path, "-o", more, "--invoke", "keeps#keep").startswith(str(more))
    assert command("run", more, "--invoke", "keeps#value", str(second)) == f"{made.keeps.value(second)}\n"
    assert "unknown handle" in command("run", path, "--invoke", "keeps#value", str(second), code=40)
    for output in (path, more):
        command("verify", output)
        assert command("inspect", "--wit", output) == command("inspect", "--wit", plain)
    with wa.open_metadata(plain) as metadata:
        assert f"snapshot of {metadata.header.digests['build_id'].hex()}" in " ".join(command("inspect", path).split())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("keep",), 2, "exports no function 'keep'; it exports makes#make, makes#value, makes#ended, keeps#keep"),
        (("nothing#keep",), 2, "exports no function 'nothing#keep'"),
        (("keeps#drop",), 2, "takes 1 arguments (handle: u32), found 0"),
        (("keeps#drop", "x"), 2, "'x' is not a value of type u32"),
        (("keeps#drop", "--", "-1"), 2, "argument handle"),
        (("keeps#drop", "9"), 40, "unknown handle"),
    ],
)
def test_wrong_calls_are_refused(arguments: tuple[str, ...], code: int, words: str, tmp_path: Path) -> None:
    packed(PAIR, tmp_path)
    path, output = tmp_path / "component.so", tmp_path / "out.so"
    name, *rest = arguments
    for call in (("snapshot", path, "-o", output, "--invoke", name), ("run", path, "--invoke", name)):
        assert words in command(*call, *rest, code=code)
    assert not output.exists()


#: Functions that give what they get.
VALUES = """package local:values;
interface values {
  record point { x: s32, y: f64 }
  enum color { red, green }
  text: func(it: string) -> string;
  flag: func(it: bool) -> bool;
  letter: func(it: char) -> char;
  size: func(it: u64) -> u64;
  ratio: func(it: f64) -> f64;
  points: func(it: list<point>) -> list<point>;
  paint: func(it: color) -> color;
  maybe: func(it: option<u8>) -> option<u8>;
}
world passing { import values; export values; }
"""


def test_arguments_and_results_of_the_command(tmp_path: Path) -> None:
    """Read from text, and given back by a host that the component passes them to."""
    wa.pack(passing_component(VALUES, tmp_path), tmp_path / "values.so", opt_level=0)
    component = wa.load(tmp_path / "values.so")
    assert isinstance(component, wa.Component)

    class Same:
        def __getattr__(self, name: str) -> Callable[[Any], Any]:
            return lambda it: it

    instance = component.instantiate({"local:values/values": Same()})
    for name, text, expected in (
        ("text", "with spaces", "with spaces"),
        ("text", "null", "null"),
        ("flag", "true", True),
        ("letter", "\u00e4", "\u00e4"),
        ("size", "0x10", 16),
        ("ratio", "-2.5", -2.5),
        ("points", '[{"x": 1, "y": 2.5}]', [(1, 2.5)]),
        ("paint", "green", "green"),
        ("maybe", "null", None),
        ("maybe", "7", 7),
    ):
        call = ComponentCall(component, "values.so", f"values#{name}", [text])
        assert call.run(instance) == expected
