"""Code for several CPU levels in one artifact: each level gives what wasmtime gives, and lies reach no other memory.

A process hides features of its CPU by an environment variable, so that each level is tried on one host.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from array import array
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa
from tests.support.lying import Lie, outcome
from wasmartifact import schema
from wasmartifact.cli import main
from wasmartifact.elf.read import file_offset, read_segments

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the levels are x86-64's")

#: The loop calls what differs by level, directly, by a table and from the start function; "plain" is the same at all.
WAT: Final = """(module
  (type $binary (func (param i64 i64) (result i64)))
  (global $started (mut i64) (i64.const 0))
  (table 4 funcref) (elem (i32.const 0) func $shifted $plain $forest)
  (memory (export "memory") 1)
  (func $start (global.set $started (call $shifted (i64.const 3) (i64.const 2))))
  (start $start)
  (func (export "started") (result i64) (global.get $started))
  (func $shifted (export "shifted") (param i64 i64) (result i64)
    (i64.add (i64.shl (local.get 0) (local.get 1)) (i64.clz (local.get 0))))
  (func $plain (export "plain") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func $vectors (export "vectors") (param f32 i32) (result f32)
    (f32x4.extract_lane 1 (f32x4.add (f32x4.splat (local.get 0))
      (f32x4.convert_i32x4_s (i32x4.shl (i32x4.splat (local.get 1)) (i32.const 3))))))
  (func (export "calls") (param i64 i64) (result i64) 
    (call $plain (call $shifted (local.get 0) (local.get 1)) (i64.const 1)))
  (func $forest (export "forest") (param i64 i64) (result i64)
    (if (result i64) (i64.eqz (local.get 0)) (then (local.get 1))
      (else (call $forest (i64.sub (local.get 0) (i64.const 1)) (call $shifted (local.get 1) (i64.const 1))))))
  (func (export "indirect") (param i32 i64 i64) (result i64)
    (call_indirect (type $binary) (local.get 1) (local.get 2) (local.get 0)))
  (func (export "many") (param i64) (result i64) (local i64)
    (loop $again
      (local.set 1 (i64.xor (call $shifted (local.get 1) (local.get 0)) (local.get 0)))
      (br_if $again (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
    (local.get 1))
  (func (export "division") (param i64 i64) (result i64) (call $divided (local.get 0) (local.get 1)))
  (func $divided (param i64 i64) (result i64) (i64.div_s (local.get 0) (i64.shl (local.get 1) (local.get 0))))
  (func (export "beyond") (param i32 i32) (result i32) (call $loaded (i32.shl (local.get 0) (local.get 1))))
  (func $loaded (param i32) (result i32) (i32.load (local.get 0)))
  (global $entered (export "entered") (mut i32) (i32.const 0))
  (func (export "endless") (global.set $entered (i32.const 1))
    (loop $again (drop (call $shifted (i64.const 1) (i64.const 1))) (br $again))))"""
CALLS: Final[list[tuple[str, tuple[float, ...]]]] = [
    ("started", ()), ("shifted", (5, 7)), ("shifted", (-1, 63)), ("plain", (5, 7)), ("vectors", (1.5, 9)),
    ("calls", (9, 4)), ("forest", (9, 4)), ("indirect", (0, 5, 7)), ("indirect", (1, 5, 7)), ("indirect", (2, 5, 7)),
    ("many", (1000,)), ("division", (40, 3)), ("division", (3, 0)), ("beyond", (1, 4)), ("beyond", (1, 30)),
]  # fmt: skip
#: By features that are hidden: the level that is taken of ("baseline", "x86-64-v3", "x86-64-v4") and of two.
V3: Final = "x86-64-v3"
LEVELS: Final = {"": V3, "fma": "x86-64-v2", "bmi2,avx2": "x86-64-v2"}
needs_v3 = pytest.mark.skipif("avx2" not in Path("/proc/cpuinfo").read_text(), reason="the CPU is no x86-64-v3")
PROGRAM: Final = """
import json, sys, wasmartifact as wa
artifact = wa.load(sys.argv[1])
exports = artifact.instantiate().exports
answers = []
for name, arguments in json.loads(sys.argv[2]):
    try:
        answers.append(getattr(exports, name)(*arguments))
    except wa.Trap as trap:
        answers.append([trap.code, [[frame.func_index, frame.wasm_offset] for frame in trap.frames]])
print(json.dumps([artifact.cpu, answers]))
"""


@cache
def expected() -> list[object]:
    """What wasmtime says: values, and of traps the frames."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, WAT), []).exports(store)
    answers: list[object] = []
    for name, arguments in CALLS:
        function: Any = exports[name]
        try:
            answers.append(function(store, *arguments))
        except wasmtime.Trap as trap:
            answers.append([[frame.func_index, frame.module_offset] for frame in trap.frames])
    return answers


def pack(tmp_path: Path, *cpu: str, **options: Any) -> tuple[Path, wa.PackReport]:
    path = tmp_path / f"{'-'.join(cpu)}.so"
    return path, wa.pack(WAT.encode(), path, cpu=cpu, jobs=1, **options)


def run(
    path: Path, hidden: str = "", *command: str, calls: Sequence[tuple[str, tuple[float, ...]]] = CALLS
) -> tuple[str, list[object]]:
    """The CPU that a process says that it runs code for, and what the calls gave."""
    environment = os.environ | {"WASMARTIFACT_HIDDEN_CPU_FEATURES": hidden}
    done = subprocess.run(
        [*command, sys.executable, "-c", PROGRAM, path, json.dumps(calls)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cpu, answers = json.loads(done.stdout)
    return cpu, [answer[1] if isinstance(answer, list) else answer for answer in answers]


@needs_v3
@pytest.mark.parametrize("options", [{"opt_level": 1}, {"opt_level": 2}, {"opt_level": 3}, {"fuel": True}], ids=str)
@pytest.mark.parametrize("names", [("baseline", V3), ("baseline", V3, "x86-64-v4")], ids=len)
def test_each_level_gives_what_wasmtime_gives(tmp_path: Path, names: tuple[str, ...], options: dict[str, Any]) -> None:
    path, report = pack(tmp_path, *names, **options)
    wa.verify(path)
    assert report.cpu == names
    for hidden, cpu in LEVELS.items():
        if cpu != V3 or "avx512f" not in Path("/proc/cpuinfo").read_text():
            assert run(path, hidden) == (cpu, expected()), hidden


@needs_v3
def test_three_levels_of_which_each_runs(tmp_path: Path) -> None:
    path, _ = pack(tmp_path, "ivybridge", "haswell", "baseline")
    levels = wa.open_metadata(path).cpu_levels
    assert [level.name for level in levels] == ["x86-64-v2", "ivybridge", "haswell"]
    assert all("avx2" in level.features for level in levels[2:]) and "avx2" not in levels[1].features
    for hidden, cpu in {"": "haswell", "avx2": "ivybridge", "avx": "x86-64-v2"}.items():
        assert run(path, hidden) == (cpu, expected())


def test_what_no_level_fits_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    path, _ = pack(tmp_path, "baseline", V3)
    environment = os.environ | {"WASMARTIFACT_HIDDEN_CPU_FEATURES": "popcnt,ssse3"}
    program = [sys.executable, "-c", f"import wasmartifact as wa; wa.load({str(path)!r})"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert "IncompatibleHost" in done.stderr and "lacks: ssse3 popcnt" in done.stderr


# What is stored ---------------------------------------------------------------------------------------------------


def code_of(path: Path) -> dict[str, bytes]:
    """The bytes of each symbol's code."""
    lines = subprocess.run(["nm", "-S", path], capture_output=True, text=True, check=True).stdout.splitlines()
    data = path.read_bytes()
    table = [line.split() for line in lines]
    return {name: data[int(start, 16) :][: int(size, 16)] for start, size, _, name in table}


def test_what_a_level_does_not_change_is_there_once(tmp_path: Path) -> None:
    path, _ = pack(tmp_path, "baseline", V3, "x86-64-v4")
    found = code_of(path)
    assert {"shifted.x86-64-v3", "vectors.x86-64-v3", "shifted.choice"} <= set(found)
    assert not {"plain.x86-64-v3", "calls.x86-64-v3", "many.x86-64-v4", "plain.choice"} & set(found)
    one = tmp_path / "one.so"
    wa.pack(WAT.encode(), one, jobs=1)
    alone = code_of(one)
    assert found["plain"] == alone["plain"] and found["shifted"] == alone["shifted"]
    with wa.open_metadata(path) as metadata:
        own = {row.func_index for row in rows(metadata)}
        names = metadata.exported_names(range(len(metadata.functions)))
        named = {metadata.function_name(index) or names[index]: index for index in range(len(metadata.functions))}
        assert own == {index for name, index in named.items() if f"{name}.x86-64-v3" in found}


def rows(metadata: wa.Metadata) -> list[Any]:
    class Row:
        def __init__(self, *values: int) -> None:
            self.text_offset, self.code_size_bytes, self.func_index, self.levels = values

    names = ("text_offset", "code_size_bytes", "func_index", "levels")
    return [Row(*row) for row in zip(*(metadata.column(f"cpu_variant.{name}") for name in names), strict=True)]


@pytest.mark.parametrize("options", [{"opt_level": 0}, {"opt_level": 2}], ids=str)
def test_levels_that_change_nothing_cost_nothing(tmp_path: Path, options: dict[str, Any]) -> None:
    wat = '(module (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))'
    source = WAT if options["opt_level"] == 0 else wat
    outputs = [tmp_path / "one.so", tmp_path / "three.so"]
    for output, cpu in zip(outputs, ["baseline", ("baseline", V3, "x86-64-v4")], strict=True):
        wa.pack(source.encode(), output, cpu=cpu, jobs=1, **options)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_the_order_of_names_and_doubles_do_not_matter(tmp_path: Path) -> None:
    first, _ = pack(tmp_path, "baseline", V3)
    second, _ = pack(tmp_path, V3, "baseline", "x86-64-v2")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("cpu", "words"),
    [
        ((), "expected the name of a CPU, or 1 to 8 names"),
        (("baseline", 3), "expected the name of a CPU"),
        (("baseline", "z99"), "LLVM does not know"),
        (("znver3", "skylake-avx512"), "which lacks"),
        (("baseline",) * 9, "1 to 8 names"),
    ],
)
def test_levels_that_are_none(tmp_path: Path, cpu: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wa.pack(WAT.encode(), tmp_path / "a.so", cpu=cpu)


def test_the_cache_tells_levels_apart(tmp_path: Path) -> None:
    for cpu in ("baseline", ["baseline", V3], ("baseline", V3)):
        artifact = wa.compile(WAT.encode(), cpu=cpu, cache_dir=tmp_path / "cache", tier_up=False)
        assert len(artifact.metadata.cpu_levels) == (1 if cpu == "baseline" else 2)
    assert len(list((tmp_path / "cache").glob("*.so"))) == 2


def test_aarch64_has_levels_too(tmp_path: Path) -> None:
    """As GNU as has it: ldrb w16, [x0, 88]; cmp w16, 1; b.lo .+8; then a branch to each."""
    wat = """(module (memory 1 1 shared)
      (func $add (param i32) (result i32) (i32.atomic.rmw.add (i32.const 8) (local.get 0)))
      (func (export "twice") (param i32) (result i32) (i32.add (call $add (local.get 0)) (call $add (local.get 0)))))"""
    path = tmp_path / "a.so"
    wa.pack(wat.encode(), path, cpu=("baseline", "neoverse-n1"), target="aarch64", jobs=1)
    wa.verify(path)
    with wa.open_metadata(path) as metadata:
        assert [(level.name, level.functions) for level in metadata.cpu_levels] == [("armv8-a", 0), ("neoverse-n1", 1)]
    found = code_of(path)
    assert set(found) >= {"add", "add.neoverse-n1", "add.choice", "twice"} and "twice.neoverse-n1" not in found
    words = array("I", found["add.choice"])
    assert list(words[:3]) == [0x39416010, 0x7100061F, 0x54000043]
    assert [word >> 26 for word in words[3:]] == [0x05, 0x05]


def test_inspect_tells_of_levels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.so"
    (tmp_path / "a.wat").write_text(WAT)
    assert main(["pack", str(tmp_path / "a.wat"), "-o", str(path), "--cpu", "baseline,x86-64-v3", "--jobs", "1"]) == 0
    assert main(["inspect", str(path)]) == 0
    page = capsys.readouterr().out
    with wa.open_metadata(path) as metadata:
        level = metadata.cpu_levels[1]
        assert level.functions == len(rows(metadata)) > 2
        assert level.code_size_bytes == sum(row.code_size_bytes for row in rows(metadata))
    assert "CPU level 0    x86-64-v2: all functions\n" in page
    assert f"CPU level 1    x86-64-v3: {level.functions} functions differ, {level.code_size_bytes:,} bytes\n" in page


# Stops and snapshots ----------------------------------------------------------------------------------------------


def test_a_stop_tells_the_whole_way_from_any_instruction(tmp_path: Path) -> None:
    """Of a loop that calls by a choice: a stop there has the caller's frame, too."""
    path, _ = pack(tmp_path, "baseline", V3)
    program = f"""
import wasmartifact as wa
artifact = wa.load({str(path)!r})
seen = []
while len(seen) < 100:
    store = wa.Store()
    exports = artifact.instantiate(store=store).exports
    try:
        with store.deadline(0.005 + len(seen) * 0.00001):
            exports.endless()
    except wa.Trap as trap:
        names = [frame.func_index for frame in trap.frames]
        assert names in ([13], [2, 13]) or not exports.entered.value, names
        seen += [names] if names else []
print(sum(names == [2, 13] for names in seen))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


@needs_v3
def test_a_snapshot_has_all_levels(tmp_path: Path) -> None:
    path, _ = pack(tmp_path, "baseline", V3)
    snapshot = tmp_path / "snapshot.so"
    wa.snapshot(wa.load(path).instantiate(), snapshot)
    wa.verify(snapshot)
    for hidden, cpu in LEVELS.items():
        assert run(snapshot, hidden) == (cpu, expected())


# Lies -------------------------------------------------------------------------------------------------------------


@cache
def sound() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return pack(Path(folder), "baseline", V3)[0].read_bytes()


class LevelLie(Lie):
    """A lie about levels."""

    def __init__(self) -> None:
        super().__init__(sound())
        columns = wa.Metadata(sound()[self.section]).columns
        self.entries |= {column.name: columns.entry(column.id) for column in schema.CPU_LEVEL_COLUMNS}
        self.variants = self.entries["cpu_variant"].count

    def variant(self, row: int, **fields: int) -> LevelLie:
        """Other fields of a row."""
        value = self.get("cpu_variant", row)
        for number, field in enumerate(schema.CPU_VARIANT.fields):
            if field.name in fields:
                value = value & ~(0xFFFFFFFF << 32 * number) | fields[field.name] << 32 * number
        self.row("cpu_variant", row, value)
        return self


def answers(file: bytes) -> str:
    """What calls give in a process of its own."""

    def use() -> object:
        exports = wa.load(file).instantiate().exports
        return exports.shifted(5, 7), exports.many(1000), exports.indirect(2, 5, 7)

    return outcome(use)


LIES: Final[dict[str, Callable[[], Lie]]] = {
    "features of a level": lambda: LevelLie().row("cpu_level_features", 1, 2**64 - 1),
    "no features": lambda: LevelLie().row("cpu_level_features", 1, 0),
    "another first level": lambda: LevelLie().row("cpu_level_features", 0, 0),
    "text of a variant": lambda: LevelLie().variant(0, text_offset=3),
    "text far away": lambda: LevelLie().variant(0, text_offset=2**32 - 1),
    "size of a variant": lambda: LevelLie().variant(0, code_size_bytes=2**32 - 1),
    "nothing of a variant": lambda: LevelLie().variant(0, code_size_bytes=0),
    "another function": lambda: LevelLie().variant(0, func_index=1),
    "no function": lambda: LevelLie().variant(0, func_index=2**32 - 1),
    "other levels": lambda: LevelLie().variant(0, levels=4),
    "no level": lambda: LevelLie().variant(0, levels=0),
    "the first level": lambda: LevelLie().variant(0, levels=3),
    "fewer variants": lambda: LevelLie().entry("cpu_variant", count=LevelLie().variants - 1),
    "no variants": lambda: LevelLie().entry("cpu_variant", count=0),
    "more levels": lambda: LevelLie().entry("cpu_level_features", count=3),
    "one level": lambda: LevelLie().entry("cpu_level_features", count=1),
    "many names": lambda: LevelLie().entry("cpu_level_name", count=2),
    "names elsewhere": lambda: LevelLie().row("cpu_level_name", 1, 2**32 - 1),
    "names of no text": lambda: LevelLie().row("cpu_level_name_bytes", 0, 0xFF),
}


@pytest.mark.parametrize("what", LIES)
def test_a_lie_about_levels_changes_nothing(what: str, tmp_path: Path) -> None:
    """The runtime takes all of it from the contract; verify finds it."""
    lie = LIES[what]().sealed()
    assert answers(lie) == answers(sound())
    path = tmp_path / "lie.so"
    path.write_bytes(lie)
    with pytest.raises(wa.CorruptArtifact, match=r"cpu_|padding of the section|the metadata does not fit the code"):
        wa.verify(path)
    assert not outcome(lambda: describe(path)).startswith("died")


def describe(path: Path) -> object:
    from wasmartifact.cli.summary import describe as everything

    with wa.open_metadata(path) as metadata:
        return len(str(everything(metadata))), [metadata.function_at(offset) for offset in range(0, 4096, 5)]


def test_levels_that_the_header_hides_or_makes_up_are_refused(tmp_path: Path) -> None:
    flags = LevelLie().numbers["flags"]
    hidden = LevelLie().header(flags=flags & ~schema.HEADER_CPU_LEVELS).sealed()
    assert "does not fit the code" in answers(hidden)
    one = tmp_path / "one.so"
    wa.pack(WAT.encode(), one, jobs=1)
    lie = Lie(one.read_bytes())
    made_up = lie.header(flags=lie.numbers["flags"] | schema.HEADER_CPU_LEVELS).sealed()
    assert "does not fit the code" in answers(made_up)
    wrong = LevelLie().header(cpu_features=0).sealed()
    assert "does not fit the code" in answers(wrong)


def test_every_changed_byte_of_the_contract_is_found() -> None:
    """One after another, with digests that fit: code that lies is not honest code, but verify compares."""
    file = bytearray(sound())
    numbers = Lie(sound()).numbers
    anchor = file_offset(read_segments(memoryview(sound())), "the anchor", numbers["anchor_vaddr"], 32)
    place = anchor + schema.ANCHOR.offsets()["levels_offset"]
    offset = int.from_bytes(file[place : place + 4], "little")
    count, variants = (int.from_bytes(file[anchor + offset + 4 * i :][:4], "little") for i in range(2))
    assert count == 1 and variants == LevelLie().variants
    from wasmartifact.metadata.contract import check_contract

    columns = wa.Metadata(sound()[LevelLie().section]).columns
    end = anchor + offset + 16 + 16 * count + 8 * variants
    for at in (place, *range(anchor + offset, end, 3)):
        changed = bytearray(file)
        changed[at] ^= 0x40
        with pytest.raises(wa.CorruptArtifact, match="does not fit the code"):
            check_contract(columns, memoryview(changed)[anchor:], memoryview(changed))
    check_contract(columns, memoryview(file)[anchor:], memoryview(file))


# Under qemu -------------------------------------------------------------------------------------------------------


QEMU: Final = next(
    (path for path in ("/usr/bin/qemu-x86_64-static", "/usr/bin/qemu-x86_64") if os.path.exists(path)), None
)


@pytest.mark.skipif(QEMU is None, reason="qemu-user is not there")
@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="the emulator has no room for the sanitizer's shadow memory")
@pytest.mark.parametrize(("model", "cpu"), [("Nehalem-v1", "x86-64-v2"), ("Haswell-v4", V3)])
def test_a_cpu_gets_what_it_can_run(model: str, cpu: str, tmp_path: Path) -> None:
    """The emulator has no instructions that its CPU lacks. Traps are left out: qemu-user 7.2 dies of them."""
    path, _ = pack(tmp_path, "baseline", V3, "x86-64-v4")
    some = [number for number, answer in enumerate(expected()) if not isinstance(answer, list)]
    found = run(path, "", QEMU or "", "-cpu", model, calls=[CALLS[number] for number in some])
    assert found == (cpu, [expected()[number] for number in some])
