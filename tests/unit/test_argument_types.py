"""Arguments of a wrong type: each error says which one it is, what was found, and what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa

package: Any = wa
TEXT = b'(module (memory (export "memory") 1))'
#: What goes for nothing: each argument is tried with those of these that it can't be.
VALUES: tuple[Any, ...] = (5, 2.5, "no", b"no", [5], {"a": 5}, object(), None, True)
NOT_FLAGS = tuple(value for value in VALUES if value is not True)
NOT_CALLABLES = tuple(value for value in VALUES if value is not None)
NOT_PATHS = (2.5, [5], {"a": 5}, object(), None, True)


def wrong(*allowed: Any) -> tuple[Any, ...]:
    """All values but these."""
    return tuple(value for value in VALUES if not any(value is one for one in allowed))


OF_PACKING: dict[str, tuple[Any, ...]] = {
    "cpu": (5, 2.5, b"no", object(), None, True),
    "target": wrong("no", None),
    "min_glibc": (5, 2.17, b"2.17", [5]),
    "progress": NOT_CALLABLES,
    "executor": NOT_CALLABLES,
    "limits": wrong(None),
    "fuel": NOT_FLAGS,
    "keep_debug": NOT_FLAGS,
    "incremental": (5, 2.5, [5], object()),
}
OF_COMPILING: dict[str, tuple[Any, ...]] = {
    **{name: values for name, values in OF_PACKING.items() if name != "min_glibc"},
    "incremental": NOT_FLAGS,
    "tier_up": NOT_FLAGS,
    "warn": NOT_CALLABLES,
    "store": wrong("no", None),
    "cache_dir": wrong("no", b"no", None),
}
OF_WASI: dict[str, tuple[Any, ...]] = {
    "args": (5, 2.5, "no", b"no", object(), None, True, [5]),
    "env": wrong(None),
    "preopens": wrong(None),
    "stdin": wrong(5, None),
    "stdout": wrong(5, None),
    "sockets": (5, 2.5, "no", b"no", object(), None, ["no"]),
    "http": wrong(True, None),
    "network": wrong(True, None),
    "limits": wrong(None),
}


def pack(path: Path, **options: Any) -> object:
    return wa.pack(TEXT, path / "a.so", **{"opt_level": 0, **options})


def compile_new(path: Path, **options: Any) -> object:
    return wa.compile(TEXT, **{"opt_level": 0, "cache_dir": path / "cache", **options})


def load(path: Path, **options: Any) -> object:
    pack(path)
    return wa.load(path / "a.so", **options)


def store(path: Path, **options: Any) -> object:
    return compile_new(path, store=path / "shared", **options)


#: What is called, and for each of its arguments values that are none.
CALLS: tuple[tuple[Callable[..., object], dict[str, tuple[Any, ...]]], ...] = (
    (pack, OF_PACKING),
    (compile_new, OF_COMPILING),
    (store, {"trusted": (5, b"no", object())}),
    (load, {"verify": NOT_FLAGS, "private": NOT_FLAGS, "key": (5, [5], object())}),
    (lambda path, **options: wa.Wasi(**options), OF_WASI),
    (lambda path, **options: wa.Store(**options), {"limits": wrong(None)}),
    (lambda path, **options: wa.Memory(**{"min_pages": 1, **options}),
     {"min_pages": wrong(5, True), "max_pages": wrong(5, True, None), "page_size_bytes": wrong(5, True)}),
    (lambda path, **options: package.Table(**{"type": "funcref", "min": 1, **options}),
     {"min": wrong(5, True), "max": wrong(5, True, None), "type": wrong("no")}),
    (lambda path, **options: package.Func(print, **options),
     {"params": (5, 2.5, "no", b"no", object(), True), "results": (5, "no", object())}),
    (lambda path, params: package.Tag(params), {"params": (5, 2.5, "no", b"no", object(), None)}),
    (lambda path, seconds: wa.Store().deadline(seconds), {"seconds": ("no", b"no", [5], None)}),
    (lambda path, pages: wa.Memory(1).grow(pages), {"pages": wrong(5, True)}),
    (lambda path, address: wa.Memory(1)[address], {"address": wrong(5, True)}),
    (lambda path, number: wa.set_interrupt_signal(number), {"number": wrong(5, True)}),
    (lambda path, limits: setattr(wa.Store(), "limits", limits), {"limits": wrong(None)}),
    (lambda path, output: wa.pack(TEXT, output, opt_level=0), {"output": NOT_PATHS}),
    (lambda path, output: wa.snapshot(wa.compile(TEXT, opt_level=0).instantiate(), output), {"output": NOT_PATHS}),
    (lambda path, args: wa.run(TEXT, args), {"args": (5, "no", b"no", object())}),
    (lambda path, source: wa.load(source), {"source": (5, *NOT_PATHS)}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("call", "name", "value"),
    [
        pytest.param(call, name, value, id=f"{number}-{name}-{value!r:.12}")
        for number, (call, arguments) in enumerate(CALLS)
        for name, values in arguments.items()
        for value in values
    ],
)
def test_wrong_types(call: Callable[..., object], name: str, value: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"(must be|needs|should be|is an? \w+, expected|expected) .*") as caught:
        call(tmp_path, **{name: value})
    words = str(caught.value)
    assert re.search(r"found |, not | is an? ", words)
    assert not re.search(r"not (iterable|callable)|interpreted as|cannot use|has no attribute", words)


@pytest.mark.parametrize("level", [True, 0.0, "2", None])
def test_a_level_is_an_int(level: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"opt_level is .*, expected 0, 1, 2 or 3"):
        wa.pack(TEXT, tmp_path / "a.so", opt_level=level)


def test_what_is_nearly_right_is_taken(tmp_path: Path) -> None:
    pack(tmp_path, fuel=1, keep_debug=0, cpu=["baseline"])
    wa.Wasi(args=(word for word in "ab"), sockets=iter(()))
    assert partial(load, tmp_path, verify=1, private=0)() is not None
