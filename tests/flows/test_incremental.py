"""Code that is kept from pack to pack: little is compiled again where little changed, and no byte is another one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.fuzz.generate import generate
from wasmartifact.codegen import kept
from wasmartifact.codegen import module as module_compiler
from wasmartifact.codegen.compiled import FunctionGroup
from wasmartifact.codegen.pool import Task
from wasmartifact.host.cache_upkeep import clear, sweep
from wasmartifact.packer import INCREMENTAL_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
#: Some have constants and tables of their own, some call before and behind them, some name types, one hands itself on.
FUNCTIONS = 200
_KINDS: tuple[Callable[[int], str], ...] = (
    lambda n: f"(f64.store (local.get 0) (f64.mul (f64.load (local.get 0)) (f64.const {n}.5)))",
    lambda n: f"(drop (call $f{(n * 7 + 3) % FUNCTIONS} (local.get 0)))",
    lambda n: f"(drop (call_indirect (type $t) (local.get 0) (i32.const {n})))",
    lambda n: (
        f"""(block $a (block $b (block $c (block $d
      (br_table $a $b $c $d (i32.and (local.get 0) (i32.const 7)))) (i32.store (i32.const {n}) (i32.const 1)))
      (i32.store (i32.const {n}) (i32.const 2))) (i32.store (i32.const {n}) (i32.const 3)))"""
    ),
    lambda n: f"(v128.store (local.get 0) (v128.const i32x4 {n} 2 3 4)) (call $log (i32.const {n}))",
    lambda n: "(table.set (i32.const 1) (ref.func $f1)) (global.set $g (i32.div_u (global.get $g) (local.get 0)))",
)


def function(number: int, value: int | None = None) -> str:
    body = " ".join(_KINDS[(number + step) % len(_KINDS)](number * 5 + step) for step in range(4))
    return f"""(func $f{number} (type $t) {body}
      (loop $again (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if $again (local.get 0)))
      (i32.add (i32.const {number if value is None else value}) (local.get 0)))"""


def module(functions: list[str], *, types: str = "", more: str = "") -> bytes:
    return f"""(module
      (type $t (func (param i32) (result i32))) {types}
      (import "env" "log" (func $log (param i32)))
      (memory (export "memory") 1) (global $g (mut i32) (i32.const 7)) (table 8 funcref) (elem declare func $f1)
      {" ".join(functions)} {more}
      (export "run" (func $f0)))""".encode()


ALL = [function(number) for number in range(FUNCTIONS)]


class Packer:
    """Packs with a folder for kept code, and beside it without, and compares the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "kept"
        self.output = folder / "out.so"
        self.compiled = 0

    def pack(self, source: bytes, **options: Any) -> int:
        """Number of functions that were compiled where code was kept."""
        options = {"opt_level": 2, "jobs": 1, **options}
        self.compiled = 0
        calls: list[tuple[int, int]] = []
        wa.pack(source, self.output, incremental=self.folder, progress=lambda *n: calls.append(n), **options)
        compiled, found = self.compiled, self.output.read_bytes()
        assert calls[0][0] == 0 and calls[-1][0] == calls[-1][1]
        assert [done for done, _ in calls] == sorted({done for done, _ in calls})
        wa.pack(source, self.output, incremental=False, **options)
        assert found == self.output.read_bytes()
        return compiled

    def kept(self) -> list[Path]:
        return sorted(self.folder.glob("*.code"))


@pytest.fixture
def packer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packer:
    packer = Packer(tmp_path)
    monkeypatch.setattr(kept, "MIN_CODE_BYTES", 0)
    make_task = module_compiler._function_task

    def count(group: FunctionGroup, keep: str | None) -> Task:
        packer.compiled += len(group.starts)
        return make_task(group, keep)

    monkeypatch.setattr(module_compiler, "_function_task", count)
    return packer


def test_what_did_not_change_is_not_compiled_again(packer: Packer) -> None:
    assert packer.pack(module(ALL)) == FUNCTIONS
    assert packer.pack(module(ALL)) == 0
    changed = [*ALL[:50], function(50, 12345), *ALL[51:]]
    assert packer.pack(module(changed)) == 1
    wa.verify(packer.output)
    assert len(packer.kept()) == 2
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in packer.kept())


def test_what_moves_is_not_compiled_again(packer: Packer) -> None:
    """Indices and offsets change; but an index of two bytes is longer than one of one, and moves what follows it."""
    packer.pack(module(ALL))
    crossing = sum(f"(call $f{number} " in text for text in ALL for number in (126, 127))
    new = "(func $new (param i32) (result i32) (i32.add (local.get 0) (i32.const 99)))"
    assert packer.pack(module([*ALL[:20], new, *ALL[20:]])) <= 1 + crossing
    assert packer.pack(module([*ALL, new])) == 0
    assert packer.pack(module([*ALL, new], types="(type $other (func (param i64) (result f32)))")) == 0
    data = '(data (i32.const 64) "more")'
    assert packer.pack(module(ALL, more=data)) in (0, FUNCTIONS)


def test_functions_with_copies_of_themselves_move(packer: Packer) -> None:
    """Their calls of themselves have other indices, and offsets in copies count from another start."""
    deep = """(func $deep (export "deep") (type $t) (if (result i32) (local.get 0)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1))))) (else (unreachable))))"""
    packer.pack(module([*ALL[:150], deep, *ALL[150:]]))
    new = "(func $new (param i32) (result i32) (i32.add (local.get 0) (i32.const 99)))"
    crossing = sum(f"(call $f{number} " in text for text in ALL for number in (126, 127))
    assert packer.pack(module([*ALL[:20], new, *ALL[20:150], deep, *ALL[150:]])) <= 1 + crossing
    instance = wa.load(packer.output).instantiate({"env": {"log": lambda value: None}})
    with pytest.raises(wa.Trap) as caught:
        instance.exports.deep(9)
    places = [(frame.func_name, frame.func_offset) for frame in caught.value.frames]
    assert places == [("deep", 17), *[("deep", 12)] * 9]


@pytest.mark.parametrize(
    "options",
    [{"opt_level": 1}, {"fuel": True}, {"target": "aarch64"}, {"cpu": "native"}],
    ids=str,
)
def test_options_have_code_of_their_own(options: dict[str, Any], packer: Packer) -> None:
    packer.pack(module(ALL))
    assert packer.pack(module(ALL), **options) == FUNCTIONS
    assert packer.pack(module([function(0, 5), *ALL[1:]]), **options) == 1


def test_what_all_functions_depend_on_is_in_every_key(packer: Packer) -> None:
    text = module(ALL)
    packer.pack(text)
    glob, log = b"(global $g", b'(import "env" "log"'
    for old, new in ((glob, b"(global i32 (i32.const 1)) (global $g"), (log, b'(import "env" "more" (func)) ' + log)):
        assert packer.pack(text.replace(old, new)) == FUNCTIONS


def test_tail_calls_and_exceptions(packer: Packer) -> None:
    tail = "(func $tail (param i32 i64 f64) (result i32) (return_call $f3 (local.get 0)))"
    throw = """(tag $tag (param i32)) (func $throw (param i32) (result i32)
      (block $caught (result i32) (try_table (catch $tag $caught) (throw $tag (local.get 0))) (unreachable)))"""
    packer.pack(module([*ALL, tail, throw]))
    assert packer.pack(module([*ALL, tail, throw, function(9, 77).replace("$f9", "$last")])) == 1


@pytest.mark.parametrize("seed", range(12))
def test_generated_modules(seed: int, packer: Packer) -> None:
    for source in generate(f"kept {seed}").modules:
        level = 1 + seed % 2
        packer.pack(source, opt_level=level)
        assert packer.pack(source, opt_level=level) == 0


def test_everything(packer: Packer) -> None:
    source = (ROOT / "tests" / "fuzz" / "modules" / "everything.wat").read_bytes()
    assert packer.pack(source) > 0
    assert packer.pack(source) == 0


@pytest.mark.parametrize("level", [0, 3])
def test_other_levels_keep_nothing(level: int, packer: Packer) -> None:
    packer.pack(module(ALL), opt_level=level)
    assert not packer.kept()


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "writable", "link"])
def test_what_is_damaged_is_compiled_again(damage: str, packer: Packer) -> None:
    packer.pack(module(ALL))
    (path,) = packer.kept()
    content = path.read_bytes()
    if damage == "writable":
        path.chmod(0o666)
    elif damage == "link":
        path.rename(packer.output.with_suffix(".elsewhere"))
        path.symlink_to(packer.output.with_suffix(".elsewhere"))
    else:
        wrong = bytearray(content)
        wrong[len(wrong) // 2] ^= 1
        path.write_bytes({"empty": b"", "cut": content[:-100], "changed": bytes(wrong)}[damage])
    assert packer.pack(module(ALL)) == FUNCTIONS
    assert packer.pack(module(ALL)) == 0


def test_files_are_few_and_go_with_the_cache(packer: Packer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_FILES", 2)
    for number in range(4):
        packer.pack(module([function(0, 1000 + number), *ALL[1:]]))
    assert len(packer.kept()) == 2
    os.utime(packer.kept()[0], (1, 1))
    sweep(str(packer.folder), 10**9, max_age_s=3600)
    assert len(packer.kept()) == 1
    sweep(str(packer.folder), 0)
    assert not packer.kept()
    packer.pack(module(ALL))
    clear(str(packer.folder))
    assert not packer.kept()


def test_who_wants_none_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(kept, "MIN_CODE_BYTES", 4096)
    source, output = module(ALL), tmp_path / "out.so"
    cache = tmp_path / "home" / "wasmartifact"
    wa.pack(source, output, opt_level=1)  # the tests' environment says so
    monkeypatch.delenv(INCREMENTAL_VARIABLE)
    wa.pack(source, output, opt_level=1, incremental=False)
    wa.pack(source, output, opt_level=1, keep=tmp_path / "ir")
    wa.pack(source, output, opt_level=1, limits=wa.PackLimits(seconds=300))
    wa.pack(b"(module (func))", output, opt_level=1)
    assert not list(cache.glob("*.code"))
    wa.pack(source, output, opt_level=1)
    assert len(list(cache.glob("*.code"))) == 1
    wa.compile(source, opt_level=1, tier_up=False, cache_dir=tmp_path / "own")
    assert len(list((tmp_path / "own").glob("*.code"))) == 1
    wa.compile(source, opt_level=1, tier_up=False, cache_dir=tmp_path / "other", incremental=False)
    assert not list((tmp_path / "other").glob("*.code"))


def test_a_folder_that_can_not_be_used_costs_no_pack(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    for place in (tmp_path / "open", Path("/dev/null/x"), Path("/proc/none")):
        assert wa.pack(module(ALL), tmp_path / "out.so", opt_level=1, incremental=place).functions == FUNCTIONS
    assert not list((tmp_path / "open").iterdir())


@pytest.mark.parametrize("level", [0, 3])
def test_levels_that_keep_nothing_make_no_folder(level: int, tmp_path: Path) -> None:
    wa.pack(b"(module (func))", tmp_path / "out.so", opt_level=level, incremental=tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
