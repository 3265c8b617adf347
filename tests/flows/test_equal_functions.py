"""Functions that equal another one but for what they call, and where they stand, are compiled once: each is itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from wasmartifact.codegen import kept
from wasmartifact.codegen import module as module_compiler
from wasmartifact.codegen.compiled import FunctionGroup
from wasmartifact.codegen.pool import Task
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.source import read_source

COUNT = 60
TARGETS = 7
_DIV_U = 0x6E
_UNREACHABLE = 0x00


def module() -> str:
    """Of ``add`` all are equal but for the targets they call; of ``down`` those that call themselves."""
    parts = ['(module (import "env" "log" (func $log (param i32)))']
    for number in range(TARGETS):
        parts.append(f"(func $target{number} (param i32) (result i32) (i32.add (local.get 0) (i32.const {number}0)))")
    for number in range(COUNT):
        parts.append(
            f"""(func $add{number} (export "add{number}") (param i32) (result i32)
              (i32.add (call $target{number % TARGETS} (local.get 0)) (i32.div_u (i32.const 100) (local.get 0))))
            (func $down{number} (export "down{number}") (param i32) (result i32)
              (if (i32.eqz (local.get 0)) (then (unreachable)))
              (call $log (local.get 0))
              (if (result i32) (i32.eq (local.get 0) (i32.const 1)) (then (i32.const 1))
                (else (call $down{number - number % 3} (i32.sub (local.get 0) (i32.const 1))))))
            (func $other{number} (param i32) (result i32) (i32.mul (local.get 0) (i32.const {number + 1})))"""
        )
    return " ".join([*parts, ")"])


#: The targets, one ``add``, all of ``other``; of ``down`` one that calls itself and one that calls another one, by an
#: index of one byte and of two: offsets behind that differ.
DIFFERENT = TARGETS + 1 + COUNT + 4


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Functions that LLVM compiles, by index."""
    indices: list[int] = []
    make_task = module_compiler._function_task

    def note(group: FunctionGroup, keep: str | None) -> Task:
        indices.extend(group.indices)
        return make_task(group, keep)

    monkeypatch.setattr(module_compiler, "_function_task", note)
    yield indices


def check(path: Path) -> None:
    """Call everything, and look where it traps."""
    data = read_source(module().encode())
    model = decode_module(data)
    logged: list[int] = []
    exports = wa.load(path).instantiate({"env": {"log": logged.append}}).exports
    names = {name: model.imported_functions + TARGETS + 3 * number for number, name in enumerate(_names("add"))}
    names |= {name: model.imported_functions + TARGETS + 3 * number + 1 for number, name in enumerate(_names("down"))}
    for number, name in enumerate(_names("add")):
        assert exports[name](7) == 7 + number % TARGETS * 10 + 14
    for name in _names("down"):
        logged.clear()
        assert exports[name](3) == 1
        assert logged == [3, 2, 1]
    for name, index in names.items():
        with pytest.raises(wa.Trap) as caught:
            exports[name](0)
        frame = caught.value.frames[0]
        code = model.codes[index - model.imported_functions]
        assert frame.func_index == index
        assert frame.wasm_offset is not None and code.start < frame.wasm_offset < code.end
        assert data[frame.wasm_offset] == (_DIV_U if name.startswith("add") else _UNREACHABLE)


def _names(kind: str) -> list[str]:
    return [f"{kind}{number}" for number in range(COUNT)]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_each_calls_and_traps_as_itself(level: int, jobs: int, tmp_path: Path, compiled: list[int]) -> None:
    calls: list[tuple[int, int]] = []
    wa.pack(
        module().encode(), tmp_path / "out.so", opt_level=level, jobs=jobs, incremental=False,
        progress=lambda *numbers: calls.append(numbers),
    )  # fmt: skip
    check(tmp_path / "out.so")
    everything = TARGETS + 3 * COUNT
    assert len(compiled) == (everything if level == 3 else DIFFERENT)
    assert calls[-1] == (everything, everything)


@pytest.mark.parametrize(
    "options",
    [{}, {"opt_level": 1}, {"fuel": True}, {"target": "aarch64"}, {"cpu": ["baseline", "x86-64-v3"]}],
    ids=str,
)
def test_the_bytes_are_those_of_compiling_each(
    options: dict[str, Any], tmp_path: Path, compiled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MIN_CODE_BYTES", 0)
    options = {"opt_level": 2, **options}
    output = tmp_path / "out.so"
    wa.pack(module().encode(), output, keep=tmp_path / "kept", **options)
    each, expected = len(compiled), output.read_bytes()
    for more in ({"incremental": False}, {"incremental": tmp_path / "code"}, {"incremental": tmp_path / "code"}):
        compiled.clear()
        wa.pack(module().encode(), output, **more, **options)
        assert output.read_bytes() == expected
        assert len(compiled) < each / 2
    assert not compiled
    with ThreadPoolExecutor(2) as executor:
        wa.pack(module().encode(), output, incremental=False, executor=executor, **options)
    assert output.read_bytes() == expected
