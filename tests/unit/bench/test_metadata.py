"""Every contestant of the metadata bench holds the same facts, and the facts are those of the module."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from bench.contestants import Contestant, PythonContestant
from bench.facts import Facts, code_offset, numbers, read_facts, texts, totals
from bench.metadata import python_contestants
from bench.rust_contestants import build, missing_tools, rust_contestants
from bench.synthetic import described_functions
from wasmartifact import schema

FUNCTIONS = 10
NO_RUST = missing_tools()
REQUIRED = {"open_metadata": "OpenMetadata", "load": "Load", "pickle": "pickle_contestant"}
#: Package, our module, what makes the contestant.
OPTIONAL = {
    "msgpack": ("msgpack", "bench.contestants", "msgpack_contestant"),
    "borsh": ("qborsh", "bench.borsh_rows", "Borsh"),
    "flatbuffers": ("flatbuffers", "bench.flatbuffers_rows", "FlatBuffers"),
    "flatdata": ("flatdata", "bench.flatdata_archive", "Flatdata"),
}
#: flatdata's generator calls pyparsing by its old names.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed module."""
    path = tmp_path_factory.mktemp("metadata") / "module.so"
    wa.pack(described_functions(FUNCTIONS), path, opt_level=0)
    return path


@pytest.fixture(scope="module")
def facts(artifact: Path) -> Facts:
    """Its facts."""
    return read_facts(artifact)


def make_contestant(name: str) -> PythonContestant[Any]:
    """A contestant by name; skips the test, with words, where its package is missing."""
    if name in OPTIONAL:
        package, module, maker = OPTIONAL[name]
        pytest.importorskip(package, reason=f"{package} is missing: pip install 'wasmartifact[bench]'")
    else:
        module, maker = "bench.contestants", REQUIRED[name]
    contestant: PythonContestant[Any] = getattr(importlib.import_module(module), maker)()
    return contestant


def check_answers(contestant: Contestant, path: Path, facts: Facts) -> None:
    """Every export's code offset, and the totals."""
    for export in facts.exports:
        assert contestant.answers(path, export, 1)[0] == code_offset(facts, export)
    assert contestant.touches(path, 1)[0] == totals(map(sum, numbers(facts)), texts(facts))


def test_facts_are_those_of_the_module(facts: Facts) -> None:
    """What the module was made of: 4 imports, and functions that load and divide."""
    i32 = schema.VALTYPE_I32
    assert facts.types == [([i32] * (2 + extra), [i32]) for extra in range(8)]
    assert facts.imports == [("host", f"import_{index}", schema.KIND_FUNC, index) for index in range(4)]
    assert facts.exports == {f"f{index}": (schema.KIND_FUNC, 4 + index) for index in range(FUNCTIONS)}
    assert facts.function_types == [0, 1, 2, 3, *(index % 8 for index in range(FUNCTIONS))]
    assert facts.names == [(4 + index, f"bench::described::function_{index}") for index in range(FUNCTIONS)]
    assert len(facts.code) == FUNCTIONS
    traps = {schema.TRAP_BY_NAME[name] for name in ("memory_out_of_bounds", "integer_divide_by_zero")}
    for start, size_bytes in facts.code:
        assert traps <= {trap for offset, _, trap in facts.trap_sites if start <= offset < start + size_bytes}


@pytest.mark.parametrize("name", [*REQUIRED, *OPTIONAL])
def test_round_trip(name: str, artifact: Path, facts: Facts, tmp_path: Path) -> None:
    """Value by value, and by the answers that are measured."""
    contestant = make_contestant(name)
    path = contestant.write(artifact, facts, tmp_path)
    opened = contestant.open(path)
    assert [list(column) for column in contestant.numbers(opened)] == [list(column) for column in numbers(facts)]
    assert [bytes(column) for column in contestant.texts(opened)] == list(texts(facts))
    contestant.close(opened)
    del opened
    check_answers(contestant, path, facts)
    assert contestant.size_bytes(path) > 0


def test_borsh_is_what_other_libraries_write(artifact: Path, facts: Facts, tmp_path: Path) -> None:
    """``borsh-construct``, which knows Borsh's rules independently, writes the same bytes and reads them back."""
    borsh = pytest.importorskip("borsh_construct", reason="pip install 'wasmartifact[bench]'")
    from bench.borsh_rows import as_records

    u8, u32, string, vec = borsh.U8, borsh.U32, borsh.String, borsh.Vec

    def rows(**fields: Any) -> Any:
        return vec(borsh.CStruct(*(name / kind for name, kind in fields.items())))

    module = borsh.CStruct(
        "types" / rows(params=vec(u32), results=vec(u32)),
        "imports" / rows(module=string, name=string, kind=u8, index=u32),
        "exports" / rows(name=string, kind=u8, index=u32),
        "function_types" / vec(u32),
        "code" / rows(text_offset=u32, size_bytes=u32),
        "names" / rows(func_index=u32, name=string),
        "trap_sites" / rows(text_offset=u32, wasm_offset=u32, trap=u8),
    )
    written = make_contestant("borsh").write(artifact, facts, tmp_path).read_bytes()
    assert written == module.build(as_records(facts))
    assert [row["name"] for row in module.parse(written)["names"]] == [name for _, name in facts.names]


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A rival that is not installed is left out with a line that says how to install it."""
    monkeypatch.setitem(sys.modules, "msgpack", None)
    assert "msgpack" not in [contestant.name for contestant in python_contestants()]
    assert "without msgpack" in (line := capsys.readouterr().err.splitlines()[0])
    assert "pip install 'wasmartifact[bench]'" in line


if NO_RUST:
    # Not a skip, which CI would not accept: these rivals need a toolchain that nothing else needs.
    warnings.warn(f"the Rust contestants are not tested: {NO_RUST}", stacklevel=1)
else:

    @pytest.mark.slow
    def test_rust_round_trip(artifact: Path, facts: Facts, tmp_path: Path) -> None:
        """The Rust program reads the section by docs/FORMAT.md alone, and gives all formats the same facts."""
        (tmp_path / "scratch").mkdir()
        for contestant in rust_contestants(build(tmp_path / "scratch")):
            check_answers(contestant, contestant.write(artifact, facts, tmp_path), facts)
