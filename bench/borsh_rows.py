"""The metadata in Borsh, the format of NEAR and Solana, by the C extension of the package ``qborsh``.

The same schema in Rust's words::

    struct Type { params: Vec<u32>, results: Vec<u32> }
    struct Import { module: String, name: String, kind: u8, index: u32 }
    struct Export { name: String, kind: u8, index: u32 }
    struct Code { text_offset: u32, size_bytes: u32 }
    struct Name { func_index: u32, name: String }
    struct TrapSite { text_offset: u32, wasm_offset: u32, trap: u8 }
    struct Module { types: Vec<Type>, imports: Vec<Import>, exports: Vec<Export>, function_types: Vec<u32>,
                    code: Vec<Code>, names: Vec<Name>, trap_sites: Vec<TrapSite> }

The exports are a list: a map in Borsh forgets their order, and ``qborsh`` writes maps as no other library reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

from qborsh import U8, U32, String, Vector, schema

from bench.contestants import PythonContestant
from bench.facts import Facts

Rows = Sequence[Mapping[str, Any]]


def record(name: str, /, **fields: Any) -> Any:
    """A Borsh struct, which Python holds as a dict."""
    return schema(type(name, (), {"__annotations__": fields}))


TYPE = {"params": Vector[U32], "results": Vector[U32]}
IMPORT = {"module": String, "name": String, "kind": U8, "index": U32}
EXPORT = {"name": String, "kind": U8, "index": U32}
CODE = {"text_offset": U32, "size_bytes": U32}
NAME = {"func_index": U32, "name": String}
TRAP_SITE = {"text_offset": U32, "wasm_offset": U32, "trap": U8}
MODULE = record(
    "Module",
    types=Vector[record("Type", **TYPE)],
    imports=Vector[record("Import", **IMPORT)],
    exports=Vector[record("Export", **EXPORT)],
    function_types=Vector[U32],
    code=Vector[record("Code", **CODE)],
    names=Vector[record("Name", **NAME)],
    trap_sites=Vector[record("TrapSite", **TRAP_SITE)],
)


def as_records(facts: Facts) -> dict[str, Any]:
    """The facts as `MODULE` takes them."""
    return {
        "types": _records(TYPE, facts.types),
        "imports": _records(IMPORT, facts.imports),
        "exports": _records(EXPORT, [(name, *entity) for name, entity in facts.exports.items()]),
        "function_types": facts.function_types,
        "code": _records(CODE, facts.code),
        "names": _records(NAME, facts.names),
        "trap_sites": _records(TRAP_SITE, facts.trap_sites),
    }


class Borsh(PythonContestant[dict[str, Any]]):
    """Decodes into dicts and lists. The exports are searched as they are: a dict of them costs more than one search."""

    name = "borsh"

    def write(self, artifact: Path, facts: Facts, directory: Path) -> Path:
        path = directory / f"{artifact.stem}.borsh"
        path.write_bytes(MODULE.encode(as_records(facts)))
        return path

    def open(self, path: Path) -> dict[str, Any]:
        decoded: dict[str, Any] = MODULE.decode(path.read_bytes())
        return decoded

    def code_offset(self, opened: dict[str, Any], export: str) -> int:
        func_index = next(row["index"] for row in opened["exports"] if row["name"] == export)
        code = opened["code"]
        offset: int = code[func_index - len(opened["function_types"]) + len(code)]["text_offset"]
        return offset

    def numbers(self, opened: dict[str, Any]) -> Iterator[Iterable[int]]:
        yield chain.from_iterable(chain(row["params"], row["results"]) for row in opened["types"])
        yield from _columns(opened["imports"], "kind", "index")
        yield from _columns(opened["exports"], "kind", "index")
        yield opened["function_types"]
        yield from _columns(opened["code"], *CODE)
        yield from _columns(opened["names"], "func_index")
        yield from _columns(opened["trap_sites"], *TRAP_SITE)

    def texts(self, opened: dict[str, Any]) -> Iterator[bytes]:
        columns = (
            *_columns(opened["imports"], "module", "name"),
            *_columns(opened["exports"], "name"),
            *_columns(opened["names"], "name"),
        )
        for column in columns:
            yield "".join(column).encode()


def _records(fields: Iterable[str], rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(fields, row, strict=True)) for row in rows]


def _columns(rows: Rows, *fields: str) -> Iterator[Iterable[Any]]:
    return (map(itemgetter(field), rows) for field in fields)
