"""What WIT files say in comments, which components don't hold: text for docstrings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from wasmartifact.wasm.wasm_tools import run_wasm_tools


class Docs:
    """Texts by what they are of.

    Parameters
    ----------
    texts : mapping, optional
        By (name of the interface without version, or "" for the world; name of a type or function, or ""; name of a
        field, case or flag, or "").
    """

    def __init__(self, texts: Mapping[tuple[str, str, str], str] | None = None) -> None:
        self._texts = texts or {}

    def lines(self, interface: str | None, item: str = "", part: str = "") -> list[str]:
        """Lines of a text, as they may stand in a docstring; none where there is no text."""
        text = self._texts.get(((interface or "").partition("@")[0], item, part), "")
        text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        return [line.rstrip() for line in text.strip().split("\n")] if text.strip() else []


def read_docs(path: str | os.PathLike[str]) -> Docs:
    """The texts in a WIT file, in a folder with a package and its dependencies, or in a package as .wasm.

    Raises
    ------
    OSError
        As the system gives it.
    ValueError
        It is no WIT.
    ToolchainError
        `wasm-tools` is missing, or can't be run.
    """
    os.stat(path)
    answer = run_wasm_tools(b"", "component", "wit", "--json", source=os.path.abspath(path))
    if answer.exit_code != 0:
        raise ValueError(f"{os.fspath(path)} is not WIT: {' '.join(answer.message.split())}")
    return Docs(dict(_texts(json.loads(answer.output))))


def _texts(found: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], str]]:
    names: dict[int, str] = {}
    for package in found["packages"]:
        for short, number in package["interfaces"].items():
            names[number] = f"{package['name'].partition('@')[0]}/{short}"
    for world in found["worlds"]:
        for side in ("imports", "exports"):
            for name, item in world[side].items():
                if "interface" in item and found["interfaces"][item["interface"]["id"]]["name"] is None:
                    names[item["interface"]["id"]] = name
                yield from _entry("", name, item.get("function", {}))
                if "type" in item:
                    yield from _type("", name, found["types"][item["type"]])
    for number, interface in enumerate(found["interfaces"]):
        place = names.get(number, "")
        yield from _entry(place, "", interface)
        for name, function in interface["functions"].items():
            yield from _entry(place, name, function)
        for name, row in interface["types"].items():
            yield from _type(place, name, found["types"][row])


def _type(place: str, name: str, row: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], str]]:
    yield from _entry(place, name, row)
    kind = row["kind"]
    for body in kind.values() if isinstance(kind, dict) else ():
        for parts in body.values() if isinstance(body, dict) else ():
            for part in parts if isinstance(parts, list) else ():
                if isinstance(part, dict) and "name" in part:
                    yield from _entry(place, name, part, part["name"])


def _entry(
    place: str, name: str, entry: Mapping[str, Any], part: str = ""
) -> Iterator[tuple[tuple[str, str, str], str]]:
    text = (entry.get("docs") or {}).get("contents")
    if text:
        yield (place, name, part), text
