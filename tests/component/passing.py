"""Components whose exported functions call the imported ones of the same names, made of WIT text by wasm-tools.

So values of any type go from Python through the guest's memory to the host, and back. A world must import and export
the same interfaces and functions. A resource that it exports has a handle of the imported one for its representation.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from tests.component.wit_inputs import wasm_tools

_IMPORT = re.compile(r'\(import "([^"]*)" "([^"]*)" \(func \(;(\d+);\) \(type \d+\)((?: \(param [^)]*\))?)')
_EXPORT = re.compile(r'\(export "cm32p2\|([^"]*)" \(func (\d+)\)\)')
_FUNC = re.compile(r"  \(func \(;(\d+);\) \(type \d+\)((?: \(param [^)]*\))?)((?: \(result [^)]*\))?)(\)?)$")
_REALLOC = """
    (global.set $end (i32.and (i32.add (global.get $end) (i32.const 7)) (i32.const -8)))
    (global.get $end)
    (global.set $end (i32.add (global.get $end) (local.get 3)))"""


def passing_component(
    wit: str, folder: Path, name: str = "passing", *, gives: Collection[str] = (), takes: Collection[str] = ()
) -> Path:
    """A component of the only world of a WIT package.

    Parameters
    ----------
    wit : str
        The package. It has at most one resource.
    folder : Path
        Where files are written.
    name : str
        What they are called.
    gives, takes : collection of str
        Functions that return an owned resource; that take one as their only argument.
    """
    source, module, output = (folder / f"{name}.{ending}" for ending in ("wit", "core", "wasm"))
    source.write_text(wit)
    text = wasm_tools("component", "embed", "--dummy", source, "-t").decode()
    (folder / f"{name}.wat").write_text("\n".join(_filled(text, gives, takes)))
    wasm_tools("parse", folder / f"{name}.wat", "-o", module)
    try:
        wasm_tools("component", "new", module, "-o", output)
    except subprocess.CalledProcessError as problem:
        raise AssertionError(f"{folder / name}.wat is no component") from problem
    return output


def _filled(text: str, gives: Collection[str], takes: Collection[str]) -> Iterator[str]:
    """Lines of the module with bodies in the place of traps."""
    imports = {
        f"{module.removeprefix('cm32p2').removeprefix('|')}|{name}": (number, len(params.split()) - 1)
        for module, name, number, params in _IMPORT.findall(text)
    }
    names = {number: name for name, number in _EXPORT.findall(text)}
    allocator = re.findall(r'\(export "cm32p2_realloc" \(func (\d+)\)\)', text)[0]
    special = {name.rpartition("|")[2]: number for name, (number, _) in imports.items() if name.startswith("_ex_")}
    for line in text.splitlines():
        match = _FUNC.match(line)
        if match is None:
            if line.strip() != "unreachable":
                yield line.replace("(memory (;0;) 0)", "(memory (;0;) 64)\n  (global $end (mut i32) (i32.const 4096))")
            continue
        number, params, results, is_closed = match.groups()
        body = _REALLOC if number == allocator else ""
        place, _, name = names.get(number, "").rpartition("|")
        if name.endswith("_dtor"):
            body = f" local.get 0 call {imports[f'{place}|{name[:-5]}_drop'][0]}"
        elif f"{place}|{name}" in imports:
            target, wanted = imports[f"{place}|{name}"]
            given = max(len(params.split()) - 1, 0)
            arguments = " ".join(f"local.get {place}" for place in range(given))
            if name in takes:
                arguments += f" call {special['box_rep']}"
            if wanted > given:
                arguments += " i32.const 64"
            answer = " i32.const 64" if wanted > given else ""
            made = f" call {special['box_new']}" if name in gives or name.startswith("[constructor]") else ""
            body = f" {arguments} call {target}{answer}{made}"
        yield f"  (func (;{number};) {params}{results}{body}{is_closed}"
