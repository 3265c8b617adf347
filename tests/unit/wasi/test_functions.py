"""The functions of WASI by name: made when they are asked for, and a dictionary for whoever looks at the whole."""

from __future__ import annotations

import pytest

import wasmartifact as wa
from wasmartifact.wasi.abi import FUNCTIONS

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
