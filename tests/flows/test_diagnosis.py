"""`load` and `verify` tell of the same damage in the same words; an edited file is told from a damaged one."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import wasmartifact as wa
from wasmartifact import schema
from wasmartifact.elf.read import find_section

MODULE = b"""
(module $m (import "env" "log" (func (param i32))) (memory (export "memory") 1) (table 2 funcref)
  (global i32 (i32.const 7))
  (func $f (export "f") (result i32) (i32.const 42)) (data (i32.const 8) "hello") (elem (i32.const 0) $f))
"""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diagnosis") / "a.so"
    wa.pack(MODULE, path, opt_level=1, jobs=1)
    return path


def told(function: Callable[[Path], object], path: Path) -> tuple[type[Exception], str, dict[str, object]] | None:
    try:
        function(path)
    except wa.WasmArtifactError as problem:
        assert {name: getattr(problem, name) for name in problem.facts} == problem.facts
        return type(problem), str(problem), problem.facts
    return None


def test_the_same_damage_in_the_same_words(artifact: Path, tmp_path: Path) -> None:
    whole = artifact.read_bytes()
    offset, _ = find_section(whole)
    front = [
        *range(0, 512),
        *range(offset, offset + schema.METADATA_HEADER.size_bytes + 64),
        *range(len(whole) - 13 * 64, len(whole)),
    ]
    chance = random.Random(3)
    places = chance.sample(front, 500) + chance.sample(range(len(whole)), 200)
    path = tmp_path / "damaged.so"
    seen_by_both = 0
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << chance.randrange(8)
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        by_load, by_verify = told(wa.load, path), told(wa.verify, path)
        assert by_verify is not None, f"verify sees nothing at {place}"
        assert by_verify[1].startswith(f"{path}: ") and by_verify[2]["path"] == str(path)
        if by_load is not None:
            seen_by_both += 1
            assert by_load == by_verify, f"at {place}"
    assert seen_by_both > 300


@pytest.mark.parametrize("cut", [0, 1, 3, 63, 64, 300, 4096, -1, -64, -2000])
def test_cut_short(artifact: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.so"
    data = artifact.read_bytes()
    path.write_bytes(data[:cut])
    by_load = told(wa.load, path)
    assert by_load is not None
    assert by_load == told(wa.verify, path) == told(wa.open_metadata, path)
    assert str(path) in by_load[1]
    size_bytes = path.stat().st_size
    if size_bytes >= 4:  # less may be anything
        whole = len(data) if size_bytes >= 64 else 64
        assert f"the size of the file is {size_bytes}, expected {whole};" in by_load[1]


def test_contents_without_a_name(artifact: Path) -> None:
    data = bytearray(artifact.read_bytes())
    data[130] ^= 1
    with pytest.raises(wa.CorruptArtifact) as caught:
        wa.load(bytes(data))
    assert "path" not in caught.value.facts


@pytest.mark.parametrize(
    "command",
    [
        ["objcopy", "--add-section", ".note.more=/dev/null"],
        ["objcopy", "--strip-debug"],
        ["objcopy", "--remove-section", ".note.gnu.build-id"],
        ["strip", "-g"],
        ["patchelf", "--set-rpath", "/lib"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_tool_that_rewrote_the_file(artifact: Path, tmp_path: Path, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    path = tmp_path / "edited.so"
    shutil.copy(artifact, path)
    subprocess.run([*command, path], check=True, capture_output=True)
    if path.read_bytes() == artifact.read_bytes():
        pytest.skip("the tool left it as it was")
    by_verify = told(wa.verify, path)
    assert by_verify is not None
    assert "was rewritten by a tool" in by_verify[1], by_verify[1]
    by_load = told(wa.load, path)
    assert by_load is None or by_load == by_verify


def test_lief(artifact: Path, tmp_path: Path) -> None:
    lief = pytest.importorskip("lief")
    binary = lief.ELF.parse(str(artifact))
    section = lief.ELF.Section(".more")
    section.content = list(b"x" * 100)
    binary.add(section, False)
    binary.write(str(tmp_path / "edited.so"))
    by_verify = told(wa.verify, tmp_path / "edited.so")
    assert by_verify is not None and "was rewritten by a tool" in by_verify[1], by_verify


def test_a_foreign_machine_has_its_name(tmp_path: Path) -> None:
    wa.pack(MODULE, tmp_path / "a.so", opt_level=0, jobs=1, target="arm64")
    with pytest.raises(wa.IncompatibleHost, match=r"aarch64 \(183\), this host is x86_64 \(62\)"):
        wa.load(tmp_path / "a.so")
