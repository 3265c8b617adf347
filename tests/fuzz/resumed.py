"""Snapshots of the sound modules and components, of instances that have done something: lies are told of them, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import wasmartifact as wa
from tests.fuzz.honest import Host
from tests.fuzz.honest_components import component_imports

#: By name, and what each is of.
SNAPSHOTS: Final = {
    "pair_snapshot": "pair",
    "keeper_snapshot": "keeper",
    "tables_snapshot": "tables",
    "memories_snapshot": "memories",
    "images_snapshot": "images",
}


def take_snapshot(name: str, path: Path, output: Path) -> None:
    """Take a snapshot of an instance that has got hold of something, or changed."""
    loaded: Any = wa.load(path)
    if isinstance(loaded, wa.Component):
        made: Any = loaded.instantiate(component_imports())
    else:
        made = loaded.instantiate(Host([row.name for row in loaded.metadata.imports]).imports)
    _change(name, made)
    wa.snapshot(made, output)


def _change(name: str, made: Any) -> None:
    if name == "pair":
        for handle in [made.keeps.keep() for _ in range(5)][1::2]:
            made.keeps.drop(handle)
    elif name == "keeper":
        made.keep()
    elif name == "tables":
        made.exports.init(3)
        made.exports.drop()
        made.exports.imported[1] = None
    elif name == "memories":
        made.exports.store_plain(100, 7)
        made.exports.grow()
    else:
        made.exports.set_null(11)
        made.exports.grow()
