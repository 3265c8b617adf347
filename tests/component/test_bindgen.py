"""Packages that `bindgen` writes: what checkers say of them, and what they do in a process of their own."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

import wasmartifact as wa
from tests.component.bindgen_inputs import COUNTER_PROGRAM, HARD, STUDIO, STUDIO_PROGRAM, WRONG_PROGRAM
from tests.component.passing import passing_component
from tests.component.test_values import COUNTER
from tests.component.wit_inputs import SHOP, component_of
from wasmartifact.bindgen.docs import Docs
from wasmartifact.bindgen.names import Names, interface_names
from wasmartifact.bindgen.output import check_names, write_package
from wasmartifact.bindgen.package import package_files
from wasmartifact.cli import main
from wasmartifact.constants import COMPONENT_KINDS, COMPONENT_SORTS
from wasmartifact.wit.read import ExternRow, Rows, read_world

ROOT = Path(__file__).resolve().parents[2]
#: Uses WASI, and an interface whose name another one has, too.
CLOCKS = """(component
  (import "wasi:random/random@0.2.3" (instance $random (export "get-random-u64" (func (result u64)))))
  (import "example:cheap/random@1.0.0" (instance $cheap (export "get-random-u64" (func (result u64)))))
  (core func $random (canon lower (func $random "get-random-u64")))
  (core func $cheap (canon lower (func $cheap "get-random-u64")))
  (core module $m
    (import "" "random" (func $random (result i64))) (import "" "cheap" (func $cheap (result i64)))
    (func (export "random") (result i64) (call $random)) (func (export "cheap") (result i64) (call $cheap)))
  (core instance $i (instantiate $m (with "" (instance
    (export "random" (func $random)) (export "cheap" (func $cheap))))))
  (func (export "random") (result u64) (canon lift (core func $i "random")))
  (func (export "cheap") (result u64) (canon lift (core func $i "cheap"))))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages and programs beside each other."""
    folder = tmp_path_factory.mktemp("bindgen")
    studio = passing_component(STUDIO, folder, "studio", gives={"give"}, takes={"take"})
    assert main(["bindgen", "-O", "0", str(studio), "-o", str(folder / "studio")]) == 0
    for name, wit in (("shop", SHOP), ("hard", HARD)):
        write_package(component_of(wit, folder, name), folder / name, opt_level=0)
    for name, text in (("counters", COUNTER), ("clocks", CLOCKS)):
        (folder / f"{name}.wat").write_text(text)
        write_package(folder / f"{name}.wat", folder / name, opt_level=0)
    (folder / "use_studio.py").write_text(STUDIO_PROGRAM)
    (folder / "use_counters.py").write_text(COUNTER_PROGRAM)
    (folder / "wrong.py").write_text(WRONG_PROGRAM)
    return folder


def mypy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What mypy says, in its strict mode."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--config-file=", *arguments]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    environment.pop("LD_PRELOAD", None)  # a sanitizer's library, which mypy needs not
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def run(folder: Path, *arguments: str) -> str:
    """What a program prints, in a process that has nothing of this one."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.slow
def test_checkers_pass_packages_and_refuse_wrong_programs(folder: Path) -> None:
    done = mypy(folder, "studio", "shop", "hard", "counters", "clocks", "use_studio.py", "use_counters.py")
    assert (done.stdout, done.returncode) == ("", 0)
    refused = mypy(folder, "wrong.py")
    found = {int(line.split(":")[1]) for line in refused.stdout.splitlines() if ": error:" in line}
    lines = WRONG_PROGRAM.splitlines()
    assert found == {number for number, line in enumerate(lines, 1) if "# wrong" in line}, refused.stdout


@pytest.mark.parametrize("program", ["use_studio.py", "use_counters.py"])
def test_programs_run(folder: Path, program: str) -> None:
    assert run(folder, program) == "all right\n"


@pytest.fixture
def packages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The packages can be imported here."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(folder))
    yield
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("studio", "shop", "hard", "counters", "clocks"):
            del sys.modules[name]


@pytest.mark.usefixtures("packages")
def test_hard_names(folder: Path) -> None:
    for path in (folder / "hard").rglob("*.py"):
        module = __import__(".".join(path.relative_to(folder).with_suffix("").parts), fromlist=["CLASSES"])
        assert all(hasattr(module, name) for name in module.__all__)
    import hard  # type: ignore[import-not-found]
    from hard.exports import typing  # type: ignore[import-not-found]

    class Anything:
        def __getattr__(self, name: str) -> Callable[..., object]:
            return lambda *_: None

    host = Anything()
    instance = hard.instantiate(typing=host, exports=host, instance2=host, store_=host.x, wasi_=host.x)
    assert isinstance(instance.typing.Typing, type) and instance.exports.ExportsInterface is instance.typing.Typing
    none = typing.NoneTrue(typing.NoneSuch.NONE)
    f = typing.F(x=1)
    sequence = typing.Sequence_(
        wa_=wa.Ok(1), int=1, str="", float=1.0, tuple=(1,), bytes=b"", list=[[1.0]], builtins_=wa.Some(None), bool=True,
        other=False, FF=f, self=1, value=2,
    )  # fmt: skip
    with pytest.raises(wa.Trap, match="unreachable"):  # all values were taken
        instance.exports.instantiate(none, sequence, c=f)
    package = hard.Package_(package=hard.Instance_.NONE, super=True)
    with pytest.raises(wa.Trap, match="cannot enter"):
        instance.self(self_=package)
    again = hard.instantiate(typing=host, exports=host, instance2=host, store_=host.x, wasi_=host.x)
    with pytest.raises(TypeError, match="argument self"):
        again.self(self_=3)
    with pytest.raises(wa.Trap, match="unreachable"):
        again.self(self_=package)


class Studio:
    """The host of the studio without classes of its own: all values go back as they came."""

    def __getattr__(self, name: str) -> Any:
        if name in ("keys", "Box", "Crate"):
            raise AttributeError(name)
        return lambda *arguments: arguments[0] if len(arguments) == 1 else arguments


@pytest.mark.usefixtures("packages")
def test_the_same_values_as_without_a_package(folder: Path) -> None:
    import studio  # type: ignore[import-not-found]
    from studio.exports import types  # type: ignore[import-not-found]

    def move(of: Any, by: Any) -> dict[str, int]:
        return {"x": of.x - by.x, "y": of.y - by.y}

    same = Studio()
    api = {name: getattr(same, name) for name in ("flip", "next", "toggle", "list", "corners", "total", "deep")}
    api.update({name: same.open for name in ("rotate", "reverse", "squares", "halve", "check", "scalars", "minus")})
    api.update({"open": same.open, "take": same.take, "give": same.give, "move": move})
    given = {"example:studio/api@0.1.0": api, "say": same.say, "may-fail": lambda number: number}
    given["example:studio/types@0.1.0"] = {
        "[constructor]box": same.open, "[method]box.name": same.open, "[static]box.made": lambda: 7,
        "[method]box.close": bool,
    }  # fmt: skip
    loaded = wa.load(folder / "studio" / "component.wasm.so")
    assert isinstance(loaded, wa.Component)
    raw = loaded.instantiate(given)
    typed = studio.Instance(studio.component().instantiate(given))
    points = [typed.api.move(types.Point(1, 2), types.Point(3, 5)), raw.api.move({"x": 1, "y": 2}, {"x": 3, "y": 5})]
    assert [*map(dataclasses.astuple, points[:1]), points[1]] == [(-2, -3), (-2, -3)]
    assert points[0] == types.Point(-2, -3)
    for mine, theirs in (
        (types.ShapeCircle(2.5), ("circle", 2.5)),
        (types.ShapeNamed("x"), ("named", "x")),
        (types.ShapeNone(), "none"),
    ):
        back, plain = typed.api.flip(mine), raw.api.flip(theirs)
        assert (back, back.value, back.case) == (mine, plain.value, plain.case)
    assert typed.api.toggle(types.Perms.READ) == raw.api.toggle(["read"]) == 1
    assert typed.api.next(types.Color.GREEN_ISH) == raw.api.next("green-ish") == "green-ish"
    assert typed.api.total is typed.api.total and raw.api.Crate is raw.types.Box
    box = raw.types.Box("left")  # the last interface that exports it calls it a crate
    assert (raw.types.Box.__name__, raw.types.Box.made(), box.name()) == ("Box", 7, "left")
    with pytest.raises(dataclasses.FrozenInstanceError):
        points[0].x = 3


@pytest.mark.usefixtures("packages")
def test_wasi_serves_what_is_not_given() -> None:
    import clocks  # type: ignore[import-not-found]

    class Cheap:
        def get_random_u64(self) -> int:
            return 4

    instance = clocks.instantiate(example_cheap_random=Cheap(), wasi=wa.Wasi())
    assert instance.cheap() == 4
    assert len({instance.random() for _ in range(5)}) == 5
    assert clocks.instantiate(example_cheap_random=Cheap(), wasi_random_random=Cheap()).random() == 4
    with pytest.raises(wa.UnlinkableModule, match="wasi:random/random"):
        clocks.instantiate(example_cheap_random=Cheap())


@pytest.mark.usefixtures("packages")
def test_functions_that_the_host_lacks() -> None:
    import counters  # type: ignore[import-not-found]
    from counters.imports.log import Log  # type: ignore[import-not-found]

    class Lazy(Log):  # type: ignore[misc]
        """Has the protocol's own function, which does nothing."""

    for host in (object(), Lazy()):
        with pytest.raises(wa.UnlinkableModule, match="example:host/log#note"):
            counters.instantiate(log=host)


def test_the_artifact_of_another_component(tmp_path: Path) -> None:
    record = """(component
      (core module $code (memory (export "memory") 1)
        (func (export "same") (param i32 i32) (result i32)
          (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)))
      (core instance $code (instantiate $code))
      (alias core export $code "memory" (core memory $memory))
      (type $point' (record (field "x" s32) (field "FIELD" s32)))
      (export $point "point" (type $point'))
      (func (export "same") (param "of" $point) (result $point)
        (canon lift (core func $code "same") (memory $memory))))"""
    for name, field in (("one", "y"), ("other", "z")):
        (tmp_path / f"{name}.wat").write_text(record.replace("FIELD", field))
        write_package(tmp_path / f"{name}.wat", tmp_path / name, opt_level=0)
    (tmp_path / "other" / "component.wasm.so").rename(tmp_path / "one" / "component.wasm.so")
    program = "import one, wasmartifact as wa\ntry: one.instantiate().same(one.Point(1, 2))\n"
    assert "run `wasmartifact bindgen` again" in run(
        tmp_path, "-c", program + "except wa.LoadError as problem: print(problem)"
    )
    (tmp_path / "module.wat").write_text("(module)")
    wa.pack(tmp_path / "module.wat", tmp_path / "one" / "component.wasm.so", opt_level=0)
    assert "again" in run(tmp_path, "-c", program + "except wa.LoadError as problem: print(problem)")


def test_an_artifact_is_taken_as_it_is(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = folder / "counters" / "component.wasm.so"
    written = write_package(packed, tmp_path / "counters")
    assert (tmp_path / "counters" / "component.wasm.so").read_bytes() == packed.read_bytes()
    for name in set(written) - {"component.wasm.so", "__init__.py"}:  # which says what it was made of
        assert (tmp_path / "counters" / name).read_text() == (folder / "counters" / name).read_text()
    assert main(["bindgen", "-O", "1", str(packed), "-o", str(tmp_path / "counters")]) == 2
    assert "takes no options of packing" in capsys.readouterr().err


def test_cpus_are_named_as_for_pack(tmp_path: Path) -> None:
    (tmp_path / "squares.wat").write_text(
        """(component
          (core module $m (func (export "f") (param f64) (result f64)
            (f64.nearest (f64.mul (local.get 0) (local.get 0)))))
          (core instance $i (instantiate $m))
          (func (export "square") (param "x" f64) (result f64) (canon lift (core func $i "f"))))"""
    )
    command = ["bindgen", "--cpu", "baseline,x86-64-v3", "--target", "x86_64", str(tmp_path / "squares.wat")]
    assert main([*command, "-o", str(tmp_path / "squares")]) == 0
    with wa.open_metadata(tmp_path / "squares" / "component.wasm.so") as metadata:
        assert [level.name for level in metadata.cpu_levels] == ["x86-64-v2", "x86-64-v3"]


def test_folders_of_others_are_left_alone(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = str(folder / "counters.wat"), tmp_path / "counters"
    output.mkdir()
    command = ["bindgen", "-O", "0", source, "-o", str(output)]
    assert main(command) == 0
    first = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    (output / "exports" / "old.py").write_text((output / "__init__.py").read_text())
    (output / "__pycache__").mkdir()
    (output / "__pycache__" / "x.pyc").write_bytes(b"")
    assert main(command) == 0
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == first
    for name in ("notes.txt", "own.py", "imports/own.py"):
        (output / name).write_text("mine\n")
        capsys.readouterr()
        assert main(command) == 1
        assert f"{output / name}: not a file that `wasmartifact bindgen` wrote" in capsys.readouterr().err
        assert (output / name).read_text() == "mine\n"
        (output / name).unlink()
    assert os.listdir(tmp_path) == ["counters"]
    assert output.stat().st_mode & 0o777 == (tmp_path / "counters" / "exports").stat().st_mode & 0o777


def test_a_failure_leaves_the_old_package(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wasmartifact.bindgen import output

    write_package(folder / "counters.wat", tmp_path / "counters", opt_level=0)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def fail(*_: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    for step in ("_write", "package_files"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            patch.setattr(output, step, fail)
            write_package(folder / "clocks.wat", tmp_path / "counters", opt_level=0)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        rename = Path.rename

        def rename_once(old: Path, new: Path) -> Path:
            return rename(old, new) if ".old" in f"{old.name} {Path(new).name}" else fail()

        patch.setattr(Path, "rename", rename_once)
        write_package(folder / "clocks.wat", tmp_path / "counters", opt_level=0)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("source", "output", "code", "words"),
    [
        ("counters.wat", "no-name", 2, "no Python package can be called 'no-name'"),
        ("counters.wat", "class", 2, "no Python package can be called 'class'"),
        ("counters.wat", "counters.wat/x", 1, "no such directory"),
        ("counters.wat", "missing/x", 1, "no such directory"),
        ("counters.wat", "file", 1, "not a directory"),
        ("module.wat", "module", 13, "holds a module, expected a component"),
        ("module.so", "module", 13, "holds a module, expected a component"),
        ("broken.wasm", "broken", 11, "malformed component"),
        ("missing.wasm", "missing", 1, "No such file"),
        ("-", "missing", 2, "give a file"),
    ],
)
def test_errors(
    source: str, output: str, code: int, words: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("counters.wat", COUNTER), ("module.wat", "(module)"), ("file", "")):
        (tmp_path / name).write_text(text)
    wa.pack(tmp_path / "module.wat", tmp_path / "module.so", opt_level=0)
    (tmp_path / "broken.wasm").write_bytes((folder / "shop.wasm").read_bytes()[:-1])
    before = sorted(tmp_path.rglob("*"))
    assert main(["bindgen", source if source == "-" else str(tmp_path / source), "-o", str(tmp_path / output)]) == code
    assert words in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


DOCUMENTED = '''package a:b@1.0.0;
/// Draws """everything""" \\N{x}, and "more"
interface draw {
  /// How wide.
  ///
  /// In pixels
  type width = u32;
  /// A point.
  record point {
    /// To the "right"
    x: s32,
  }
  /// A line or nothing.
  variant line {
    /// From the middle.
    to(point), none
  }
  enum color {
    /// As blood.
    red, blue
  }
  flags pens {
    /// A thin one.
    thin
  }
  /// A sheet.
  resource sheet {
    /// Makes a new one.
    constructor(width: width);
    /// Fills it.
    fill: func(color: color, line: line, pens: pens) -> result;
  }
}
world w {
  import draw;
  export draw;
  /// Begins.
  export begin: func();
}
'''


def test_comments_of_wit_become_docstrings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    component = component_of(DOCUMENTED, tmp_path, "drawing")
    (tmp_path / "wit").mkdir()
    (tmp_path / "wit" / "world.wit").write_text(DOCUMENTED)
    write_package(component, tmp_path / "without", opt_level=0)
    for wit in (tmp_path / "drawing.wit", tmp_path / "wit"):
        write_package(component, tmp_path / "drawing", wit=wit, opt_level=0)
        program = (
            "import inspect, drawing; from drawing.exports import draw; from drawing.imports.draw import Draw, Sheet\n"
            "for it in draw.Draw, Draw, draw.Point, draw.LineTo, draw.Sheet, draw.Sheet.__new__, draw.Sheet.fill, "
            "Sheet, Sheet.fill, drawing.Instance.begin: print(inspect.getdoc(it).splitlines()[0])\n"
            "print(inspect.getdoc(draw.Point).splitlines()[6:])"
        )
        assert run(tmp_path, "-c", program).splitlines() == [
            *['Draws """everything""" \\N{x}, and "more"'] * 2,
            *["A point.", "From the middle.", "A sheet.", "Makes a new one.", "Fills it."],
            *["A sheet.", "Fills it.", "Begins."],
            "['x : int', '    To the \"right\"', '    ``s32``']",
        ]
        text = (tmp_path / "drawing" / "exports" / "draw.py").read_text()
        for line in (
            "#: How wide.\n#:\n#: In pixels\nWidth: TypeAlias",
            "#: A line or nothing.\nLine: TypeAlias",
            "    #: As blood.\n    RED = ",
            "    #: A thin one.\n    THIN = ",
        ):
            assert line in text
    for wit, words in ((component.with_suffix(".py"), "No such file"), (Path(__file__), "is not WIT")):
        command = ["bindgen", "-O", "0", str(component), "-o", str(tmp_path / "drawing"), "--wit", str(wit)]
        assert main(command) == (1 if "No" in words else 2)
        assert words in capsys.readouterr().err


KINDS = {kind: number for number, kind in enumerate(COMPONENT_KINDS)}
SORTS = {sort: number for number, sort in enumerate(COMPONENT_SORTS)}


@pytest.mark.parametrize(
    ("label", "item", "interface", "is_good"),
    [
        ("a-b2", "[method]a-b.c", "a:b/c@1.0.0-rc.1+x", True),
        ("a", "a", "url=<https://example.com>", True),
        *(
            (bad, "a", "a", False)
            for bad in ("", "a b", "a\n", '"', "a_b", "ä", "-a", "a-", "1", "a)", "a.b", "[method]a")
        ),
        *(("a", bad, "a", False) for bad in ("", "a b", "[method]", "[a]b\n", '[a"]b', "a.b.c", "[a]b:", "a'")),
        *(("a", "a", bad, False) for bad in ("", "a\n", 'a"""', "a\\", "a\x7f", "ä", "a\u2028")),
    ],
)
@pytest.mark.parametrize("kind", ["record", "flags", "func"])
def test_artifacts_have_names_and_nothing_else(kind: str, label: str, item: str, interface: str, is_good: bool) -> None:
    """What a stranger's artifact calls its things becomes Python."""
    types = [(KINDS["u8"], []), (KINDS[kind], [(label, 1), ("", 0)] if kind == "func" else [(label, 1)])]
    externs = [ExternRow(interface, SORTS["instance"], 0, 1, 0), ExternRow("t", SORTS["type"], 1, 1, 2)]
    rows = Rows(types, [*externs, ExternRow(item, SORTS["func"], 1, 1, 1)], [0])
    if is_good:
        check_names(rows, "x.so")
    else:
        with pytest.raises(wa.CorruptArtifact, match=r"x\.so: .* is no name of WIT"):
            check_names(rows, "x.so")


def test_a_type_without_a_name() -> None:
    types = [(KINDS["u8"], []), (KINDS["record"], [("a", 1)]), (KINDS["func"], [("x", 2), ("", 0)])]
    world = read_world(Rows(types, [ExternRow("f", SORTS["func"], 0, 1, 1)], [3]))
    with pytest.raises(wa.CorruptArtifact, match="a record without a name"):
        package_files(world, "package", "x.so", Docs())


def test_interfaces_in_interfaces() -> None:
    externs = [ExternRow("a", SORTS["instance"], 0, 1, 0), ExternRow("b", SORTS["instance"], 1, 1, 0)]
    with pytest.raises(wa.UnsupportedModule, match="the interface 'a' has interfaces in it"):
        package_files(read_world(Rows([], externs, [])), "package", "x.so", Docs())


def test_names_do_not_clash() -> None:
    names = Names(["taken"])
    assert [names.take(name) for name in ("a", "a", "a", "taken")] == ["a", "a_", "a__", "taken_"]
    assert names.take_first(("a", "b")) == "b"
    assert interface_names(
        ["wasi:io/types@0.2.0", "wasi:http/types@0.2.0", "wasi:http/types@0.3.0", "wasi:cli/run@0.2.0", "tools"],
        Names(),
    ) == {
        "wasi:io/types@0.2.0": "wasi-io-types",
        "wasi:http/types@0.2.0": "wasi-http-types-0-2-0",
        "wasi:http/types@0.3.0": "wasi-http-types-0-3-0",
        "wasi:cli/run@0.2.0": "run",
        "tools": "tools",
    }
