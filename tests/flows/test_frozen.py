"""Artifacts of older formats, packed once and never again: what became of the promise to read them.

Every later version either reads one, as below, or has another FORMAT_MAJOR or RUNTIME_ABI and refuses it in these
words. A change that makes this test fail has changed the format: then raise one of these numbers, keep the file, and
pack another.

They have two segments, so that they load whatever the C library. Their calls have the results that wasmtime gives for
``format_1.wat``, from which they were packed: ``pack(..., opt_level=2, target="x86_64", min_glibc="2.17")``. That
with a shared memory was packed from ``shared.wat``; a module without one has an older runtime ABI, which has all that
it needs. Those with objects were packed from ``gc.wat``, the last one when code had begun to allocate by itself, and
from ``rewriting.wat``, before and after code told the collector what it overwrites.
Those with source lines were packed from ``../source_lines.dwarf5.wasm``, before and after rows lay in chunks. That of
``recursion.wat`` has a function with copies of its body.
That with CPU levels was packed with ``cpu=("baseline", "x86-64-v3")``. That of a component (``component.wat``) is a
snapshot of an instance that keeps 3, then 42.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import wasmtime

import wasmartifact as wa
from tests.flows.test_source_lines import HEADER, SOURCE, TRAPS, marked_line, trap_of
from tests.support.artifact_files import header_numbers, resealed, write
from wasmartifact import schema
from wasmartifact.externtypes import FuncType, MemoryType

FOLDER = Path(__file__).parents[1] / "data" / "frozen"


class Frozen(NamedTuple):
    """A file and the versions that it has."""

    name: str
    sha256: str
    format: tuple[int, int]
    runtime_abi: int
    has_shared_memory: bool = False
    has_objects: bool = False
    has_rewriting: bool = False
    is_component: bool = False
    has_lines: bool = False
    has_copies: bool = False

    @property
    def path(self) -> Path:
        return FOLDER / self.name

    @property
    def is_read(self) -> bool:
        return self.format[0] == schema.FORMAT_MAJOR

    @property
    def loads(self) -> bool:
        return self.is_read and schema.RUNTIME_ABI_OLDEST <= self.runtime_abi <= schema.RUNTIME_ABI


FILES = (
    Frozen("format_1.x86_64.elf", "f9615412bf640b82ab90c080b4d7dc893e998af185ca50da2dfb8f4568d87a32", (1, 0), 1),
    Frozen("format_1_1.x86_64.elf", "1a4d18df4a8e636c71ea6e0ba5ec6441d7f5d11d27c8c837d2578e46ae2e9b45", (1, 1), 2),
    Frozen("format_2.x86_64.elf", "5311d5780080a78deb936abfc4feb77d4f7137e052e2332e3c8f655b90fb90be", (2, 0), 2),
    Frozen("shared_2.x86_64.elf", "c11c7f74f0a1f791f5952c285bb5707ac385171eefc2441bdf69177287793b0c", (2, 0), 3, True),
    Frozen("format_2_1.x86_64.elf", "85eca1913161081abd2640509129c371a8dd70d97b8d8f36ed38e81c29d55555", (2, 1), 2),
    Frozen(
        "shared_2_1.x86_64.elf", "436e0c42cef2b4bf13bc800c3a7409bcaacdc1aebbf9284a0072b6ab4934812c", (2, 1), 3, True
    ),
    Frozen(
        "gc_2_1.x86_64.elf",
        "bbd3b52c4303b0c0691c9bb7684baf00288500a15ab0d4c93be2d8f1a0e7e84e",
        (2, 1),
        4,
        has_objects=True,
    ),
    Frozen("format_2_2.x86_64.elf", "333b733ab2d11c65d992cbac7db80a4b2611888d962d41c01e65cc44c030621a", (2, 2), 2),
    Frozen("levels_2_2.x86_64.elf", "1a806c9d210c33499d754fdb978d72a4995c52796116e4659739f50171a7d9eb", (2, 2), 2),
    Frozen(
        "shared_2_2.x86_64.elf", "817a1db47ba412fa035649457135cda549ee91d548499d47cb89eb81e0269789", (2, 2), 3, True
    ),
    Frozen(
        "gc_2_2.x86_64.elf",
        "f4fd9d5a52d8146aa57687f1c89855b0de2fa690d6dda6c56f1692cdd8df4be2",
        (2, 2),
        4,
        has_objects=True,
    ),
    Frozen("format_2_3.x86_64.elf", "1d8ff7a2b1a450f2957b051323024c95e1edeeabc34a37887f9276cddf13c2b5", (2, 3), 2),
    Frozen(
        "shared_2_3.x86_64.elf", "940101d6f1e82ff1a9428d120f3a8281493a4e8449746d64272d1ae233272097", (2, 3), 3, True
    ),
    Frozen(
        "gc_2_3.x86_64.elf",
        "f58f36493bcb247154f99d662a28bb41ae0cae5f467c6fcfec9df545450e5e8c",
        (2, 3),
        4,
        has_objects=True,
    ),
    Frozen(
        "snapshot_2_3.x86_64.elf",
        "ac29e7d98c3185d8999ec3a69fdadd1ee6e32705866f77f271c9378c2135d91d",
        (2, 3),
        2,
        is_component=True,
    ),
    Frozen(
        "runs_2_3.x86_64.elf",
        "e7be5dee08c5671d55e659ba57f58042e5414c51bf42673ba8d3f4a3d9ba0a66",
        (2, 3),
        5,
        has_objects=True,
    ),
    Frozen(
        "rewriting_2_3.x86_64.elf",
        "91742426d41c0efa29e17ea648450bdf42146d359b3a968c047d3eac90ea19ec",
        (2, 3),
        5,
        has_rewriting=True,
    ),
    Frozen(
        "barrier_2_3.x86_64.elf",
        "c2190e669d186d7b6a59c71950659f9295f1db5bde89a47b6793574b1df421d7",
        (2, 3),
        6,
        has_rewriting=True,
    ),
    Frozen(
        "lines_2_3.x86_64.elf",
        "a6c62f2b92ed193fc4abb22ea606a4f2b9fc20f292d2ae71deb27cd749742984",
        (2, 3),
        2,
        has_lines=True,
    ),
    Frozen("format_2_4.x86_64.elf", "1ed5ec61852abacf611ce856fc7858bed8f778fb9ab6ad46ffec89eadc230d4f", (2, 4), 2),
    Frozen(
        "barrier_2_4.x86_64.elf",
        "d99b6a67d850fd9ad760afbc7d0246ea64f8b51a677cb47bf0d72c2c80f085b5",
        (2, 4),
        6,
        has_rewriting=True,
    ),
    Frozen(
        "lines_2_4.x86_64.elf",
        "241481d8d7378eb6861803ffc856979b6e8bb64b827b93d087b2a21f649bba82",
        (2, 4),
        2,
        has_lines=True,
    ),
    Frozen("format_2_5.x86_64.elf", "6cd9f55405a0729b099b06e37ba3e35daf1450283494e19d176d6c22611fa3c2", (2, 5), 2),
    Frozen(
        "barrier_2_5.x86_64.elf",
        "267561d61fe7a50b50a719e3c4363790b508b2679429818f4abbd43d852265df",
        (2, 5),
        6,
        has_rewriting=True,
    ),
    Frozen(
        "recursion_2_5.x86_64.elf",
        "9c215764f04b7fe36bb356854110b9270916e1933a75445f883d800e4e19e6e3",
        (2, 5),
        2,
        has_copies=True,
    ),
)
READ = [file for file in FILES if file.is_read]
PLAIN = [
    file
    for file in FILES
    if not (
        file.has_shared_memory
        or file.has_objects
        or file.has_rewriting
        or file.is_component
        or file.has_lines
        or file.has_copies
    )
]
SHARED = [file for file in FILES if file.has_shared_memory and file.loads]

needs_its_machine = pytest.mark.skipif(platform.machine() != "x86_64", reason="the artifact's code is for x86-64")
each = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
each_that_is_read = pytest.mark.parametrize("file", READ, ids=lambda file: file.name)
each_that_loads = pytest.mark.parametrize("file", [file for file in PLAIN if file.loads], ids=lambda file: file.name)
each_that_is_shared = pytest.mark.parametrize("file", SHARED, ids=lambda file: file.name)


@each
def test_nobody_packed_it_again(file: Frozen) -> None:
    assert hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256
    numbers = header_numbers(file.path.read_bytes())
    assert (numbers["format_major"], numbers["format_minor"], numbers["runtime_abi"]) == (
        *file.format,
        file.runtime_abi,
    )


def test_there_is_one_of_this_version() -> None:
    """Who raises a version packs the modules of these files with it."""
    version = schema.FORMAT_MAJOR, schema.FORMAT_MINOR
    abis = {file.runtime_abi for file in FILES if file.format == version}
    assert {schema.RUNTIME_ABI_OLDEST, schema.RUNTIME_ABI} <= abis


@each
def test_another_major_refuses_it(file: Frozen, tmp_path: Path) -> None:
    """While this version reads the format, the file pretends to have the next one."""
    found = schema.FORMAT_MAJOR + 1 if file.is_read else file.format[0]
    path = file.path
    if file.is_read:
        path = write(tmp_path / "other.so", resealed(path.read_bytes(), format_major=found))
    words = f"artifact format {found}, this version reads {schema.FORMAT_MAJOR}; pack the module again"
    for use in (wa.load, wa.verify, wa.open_metadata):
        with pytest.raises(wa.VersionMismatch, match=words):
            use(path)


@needs_its_machine
@each_that_is_read
def test_another_runtime_abi_refuses_to_load_it(file: Frozen, tmp_path: Path) -> None:
    found = schema.RUNTIME_ABI + 1 if file.loads else file.runtime_abi
    path = file.path
    if file.loads:
        path = write(tmp_path / "other.so", resealed(path.read_bytes(), runtime_abi=found))
    words = f"artifact runtime ABI {found}, this version has {schema.RUNTIME_ABI}; pack the module again"
    for use in (wa.load, wa.verify):
        with pytest.raises(wa.VersionMismatch, match=words):
            use(path)


@pytest.mark.parametrize("file", [file for file in READ if file in PLAIN], ids=lambda file: file.name)
def test_it_is_whole_and_reads_as_ever(file: Frozen) -> None:
    if file.loads:
        wa.verify(file.path)
    # Any C library loads it.
    assert not header_numbers(file.path.read_bytes())["flags"] & schema.HEADER_READ_ONLY_DYNAMIC
    with wa.open_metadata(file.path) as metadata:
        assert [(row.name, row.kind, row.index) for row in metadata.exports] == [
            ("memory", "memory", 0), ("table", "table", 0), ("limit", "global", 0), ("calls", "global", 1),
            ("odd", "tag", 0), ("add", "func", 1), ("divide", "func", 2), ("apply", "func", 3),
            ("four times", "func", 4), ("copy", "func", 5), ("refuse odd", "func", 6), ("scale", "func", 7),
        ]  # fmt: skip
        assert [(row.module, row.name, row.kind) for row in metadata.imports] == [("host", "twice", "func")]
        assert metadata.functions[1].name == "add"
        scale = metadata.exports[11].type
        assert isinstance(scale, FuncType)
        assert (scale.params, scale.results) == (("f64", "f32"), ("f64", "f32"))
        memory = metadata.memories[0].type
        assert (memory.min_pages, memory.max_pages) == (1, 3)
        assert metadata.info["module_name"] == "frozen"


@needs_its_machine
@each_that_loads
def test_it_runs_as_wasmtime_runs_its_module(file: Frozen) -> None:
    instance = wa.load(file.path).instantiate({"host": {"twice": wa.Func(lambda x: 2 * x, ["i32"], ["i32"])}})
    exports = instance.exports
    ours = {name: _outcome(exports[name], *arguments) for name, arguments in CALLS}
    assert ours == _expected()
    assert exports.memory[16:22] == b"frozen"
    exports.copy(100)
    assert exports.memory[100:104] == b"late"
    assert (exports.limit.value, exports.calls.value) == (7, 1)
    assert exports.table[0](20, 22) == 42
    with pytest.raises(wa.WasmException) as caught:
        exports["refuse odd"](5)
    assert list(caught.value.values) == [5]
    with pytest.raises(wa.Trap) as trapped:
        exports.divide(1, 0)
    assert trapped.value.frames[0].func_name == "divide"


@needs_its_machine
@pytest.mark.parametrize("file", [file for file in FILES if file.has_objects], ids=lambda file: file.name)
def test_its_objects_are_made_and_cast(file: Frozen) -> None:
    assert wa.load(file.path).instantiate().exports.sum(20, 22) == 42


@needs_its_machine
@pytest.mark.parametrize("order", [("rewriting",), ("barrier",), ("rewriting", "barrier"), ("barrier", "rewriting")])
def test_what_it_rewrites_outlives_collections(order: tuple[str, ...]) -> None:
    """Code of ABI 5 tells nobody of what it overwrites, so that nothing may be marked while it runs; nor beside it.

    Each instance has an array that goes to a new one again and again while the old one is emptied, behind large trees.
    """
    store = wa.Store()
    artifacts = [wa.load(FOLDER / f"{name}_2_3.x86_64.elf") for name in order]
    first: Any = artifacts[0].instantiate(store=store).exports
    first.begin(10_000)
    first.churn(100_000)
    instances: list[Any] = [first]
    for artifact in artifacts[1:]:  # the other one comes when a cycle may be under way
        instances.append(artifact.instantiate(store=store).exports)
        instances[-1].begin(5_000)
    for round_ in range(1500):
        for exports in instances:
            exports.renew()
            exports.churn(round_ % 7 * 1000)
    for exports in instances:
        assert [exports.value(i) for i in range(64)] == list(range(64))


@needs_its_machine
@pytest.mark.parametrize("file", [file for file in FILES if file.is_component], ids=lambda file: file.name)
def test_it_has_its_handles(file: Frozen) -> None:
    wa.verify(file.path)
    instance: Any = wa.load(file.path).instantiate()
    assert (instance.look(), instance.ended()) == (42, 0)
    instance.drop()
    assert instance.ended() == 42


@needs_its_machine
@pytest.mark.parametrize("file", [file for file in FILES if file.has_lines], ids=lambda file: file.name)
def test_its_traps_name_source_lines(file: Frozen) -> None:
    wa.verify(file.path)
    for export, arguments, places in TRAPS:
        found = [
            (frame.func_name, frame.source_file, frame.source_line)
            for frame in trap_of(file.path, export, arguments).frames
        ]
        assert found == [(function, name, marked_line(name, mark)) for function, name, mark in places]
    with wa.open_metadata(file.path) as metadata:
        sites = [row for row in metadata.address_map if row.trap]
        assert sites == list(metadata.trap_sites) and len({row.text_offset for row in sites}) == len(sites) > 3
        assert {row.file for row in metadata.source_lines} >= {SOURCE, HEADER}


@needs_its_machine
@pytest.mark.parametrize("file", [file for file in FILES if file.has_copies], ids=lambda file: file.name)
def test_its_traps_name_every_call(file: Frozen) -> None:
    """As wasmtime does, for its module."""
    wa.verify(file.path)
    exports: Any = wa.load(file.path).instantiate().exports
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, bytes(wasmtime.wat2wasm((FOLDER / "recursion.wat").read_text())))
    rival = wasmtime.Instance(store, module, []).exports(store)["walk"]
    assert isinstance(rival, wasmtime.Func)
    for path, depth in [(0, 0), (1, 1), (0b0110, 4), (0b1011010, 7)]:
        assert exports.walk(path + (1 << depth), depth) == rival(store, path + (1 << depth), depth)
        with pytest.raises(wa.Trap) as trapped:
            exports.walk(path, depth)
        with pytest.raises(wasmtime.Trap) as expected:
            rival(store, path, depth)
        ours = [(frame.func_name, frame.wasm_offset) for frame in trapped.value.frames]
        assert ours == [(frame.func_name, frame.module_offset) for frame in expected.value.frames]
        assert len(ours) == depth + 1


@needs_its_machine
@each_that_is_shared
def test_it_waits_and_wakes(file: Frozen) -> None:
    """Results are those that the threads proposal has for its instructions."""
    wa.verify(file.path)
    got = wa.load(file.path).instantiate().exports
    assert got.memory[16:22] == b"frozen"
    assert got.memory.type == MemoryType(1, 3, shared=True, memory64=False, page_size_bytes=65536)
    assert (got.wait(0, 1, -1), got["wait long"](8, 1, -1)) == (1, 1)
    assert (got.wait(0, 0, 0), got["wait long"](8, 0, 1000)) == (2, 2)
    assert (got.notify(0, 1), got.count(0, 5), got.count(0, 0)) == (0, 0, 5)
    assert (got.grow(1), got.grow(2)) == (1, -1)


CALLS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("add", (2**31 - 1, 1)),
    ("divide", (-(2**31), -1)),
    ("apply", (1, 42, 6)),
    ("four times", (9,)),
    ("refuse odd", (4,)),
    ("scale", (3.0, 1.5)),
)


def _outcome(func: Callable[..., Any], *arguments: Any) -> object:
    """Results, or that it trapped."""
    try:
        results = func(*arguments)
    except (wa.Trap, wasmtime.Trap):
        return "trap"
    return tuple(results) if isinstance(results, (list, tuple)) else results


def _expected() -> dict[str, object]:
    config = wasmtime.Config()
    config.wasm_exceptions = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    i32 = wasmtime.ValType.i32()
    twice = wasmtime.Func(store, wasmtime.FuncType([i32], [i32]), lambda x: 2 * x)
    module = wasmtime.Module(engine, (FOLDER / "format_1.wat").read_text())
    exports = wasmtime.Instance(store, module, [twice]).exports(store)

    def bound(name: str) -> Callable[..., Any]:
        func: Any = exports[name]
        return lambda *arguments: func(store, *arguments)

    return {name: _outcome(bound(name), *arguments) for name, arguments in CALLS}
