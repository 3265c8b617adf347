"""The functions of WASI by name: made when they are asked for, and a dictionary for whoever looks at the whole."""

from __future__ import annotations

import gc
import io
import weakref

import pytest

import wasmartifact as wa
from wasmartifact import _types as types
from wasmartifact.wasi.abi import ERRNOS, FUNCTIONS

MODULE = "wasi_snapshot_preview1"
NAMES = {function.name for function in FUNCTIONS}


def functions() -> dict[str, wa.Func]:
    return wa.Wasi().imports()[MODULE]


def test_all_are_there() -> None:
    found = functions()
    assert set(found) == NAMES == set(found.keys())
    assert len(found) == len(NAMES)
    assert {name for name, _ in found.items()} == NAMES
    assert all(isinstance(function, wa.Func) for function in found.values())
    assert set(wa.Wasi().imports()["wasi_unstable"]) == {row.name for row in FUNCTIONS if row.in_unstable}


def test_each_is_made_once() -> None:
    found = functions()
    first = found["fd_write"]
    assert found["fd_write"] is first is found.get("fd_write") is dict(found)["fd_write"] is {**found}["fd_write"]


def test_what_is_not_there() -> None:
    found = functions()
    assert found.get("no") is None
    assert found.get("no", 3) == 3
    assert "no" not in found
    for name in ("no", 3):
        with pytest.raises(KeyError):
            found[name]  # type: ignore[index]


def test_they_can_be_replaced_and_removed() -> None:
    mine = wa.Func(lambda code: None, ["i32"])
    found = functions()
    found["proc_exit"] = mine
    assert found["proc_exit"] is mine
    assert dict(found)["proc_exit"] is mine
    del found["fd_read"]
    assert "fd_read" not in found
    with pytest.raises(KeyError):
        found["fd_read"]
    assert found.pop("fd_write").name == "fd_write"
    assert len(found) == len(NAMES) - 2
    merged = functions() | {"proc_exit": mine}
    assert merged["proc_exit"] is mine
    assert set(merged) == NAMES
    assert set({"mine": mine} | functions()) == NAMES | {"mine"}
    emptied = functions()
    emptied.clear()
    assert not emptied


def test_one_that_was_removed_is_an_unknown_import() -> None:
    imports = wa.Wasi().imports()
    del imports[MODULE]["random_get"]
    wat = b'(module (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32))))'
    with pytest.raises(wa.UnlinkableModule, match="unknown import"):
        wa.compile(wat, opt_level=0).instantiate(imports)


ECHO = b"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00")
  (data (i32.const 16) "hi")
  (func (export "write") (result i32) (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "arguments") (result i32)
    (drop (call $sizes (i32.const 32) (i32.const 36))) (i32.load (i32.const 32))))"""


def test_functions_of_the_stores_program() -> None:
    """Linked once, each instance works on what its store was given: output, arguments."""
    linked = wa.compile(ECHO, opt_level=0).link({MODULE: types.wasi_functions(False)})
    stores = [wa.Store() for _ in range(3)]
    outputs = [io.BytesIO() for _ in stores]
    for number, (store, output) in enumerate(zip(stores, outputs, strict=True)):
        types.set_program(store, wa.Wasi(args=["x"] * number, stdout=output))
    instances = [linked.instantiate(store=store) for store in stores]
    gc.collect()
    assert [instance.exports.write() for instance in instances] == [0, 0, 0]
    assert [instance.exports.arguments() for instance in instances] == [0, 1, 2]
    assert [output.getvalue() for output in outputs] == [b"hi"] * 3


def test_another_program_takes_the_place_of_the_first() -> None:
    store, outputs = wa.Store(), (io.BytesIO(), io.BytesIO())
    instance = wa.compile(ECHO, opt_level=0).instantiate({MODULE: types.wasi_functions(False)}, store=store)
    for output in outputs:
        types.set_program(store, wa.Wasi(stdout=output))
        assert instance.exports.write() == 0
    assert [output.getvalue() for output in outputs] == [b"hi", b"hi"]


def test_a_store_without_a_program() -> None:
    instance = wa.compile(ECHO, opt_level=0).instantiate({MODULE: types.wasi_functions(False)})
    assert instance.exports.write() == ERRNOS.index("nosys")


def test_a_program_that_reaches_its_store_is_collected() -> None:
    store = wa.Store()
    instance = wa.compile(ECHO, opt_level=0).instantiate({MODULE: types.wasi_functions(False)}, store=store)

    def write(data: bytes, kept: object = instance) -> None:
        del data, kept

    seen = weakref.ref(write)
    types.set_program(store, wa.Wasi(stdout=write))
    del store, instance, write
    gc.collect()
    assert seen() is None
