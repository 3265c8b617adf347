"""What a component imports as a core module or a component is put into it: an import becomes a definition.

Either takes the next place of the same index space, so that nothing else of the component changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from wasmartifact.component import model
from wasmartifact.component.coremodules import core_type, difference, type_of
from wasmartifact.component.decode import IMPORTS, outer_sections
from wasmartifact.component.flow import validate_component
from wasmartifact.errors import InvalidModule, UnlinkableModule
from wasmartifact.wasm.decode import COMPONENT_MAGIC, decode_module
from wasmartifact.wasm.encode import unsigned, vector
from wasmartifact.wasm.source import read_source
from wasmartifact.wasm.validate import validate

#: Sorts of what can be put in, and the sections that define it.
_SECTIONS: Final = {"core module": 1, "component": 4}

Source = str | os.PathLike[str] | bytes


def embed(component: Source, parts: Mapping[str, Source]) -> bytes:
    """Put core modules and components into a component that imports them.

    Components that import these can't be packed as they are, since all that runs is compiled ahead of time.

    Parameters
    ----------
    component : str | os.PathLike | bytes
        A component, as `pack` takes it: a path, or contents; binary or text.
    parts : mapping of str to str | os.PathLike | bytes
        By the name that it is imported by: a core module, or a component, likewise. What is not among them stays
        imported.

    Returns
    -------
    bytes
        The component with its parts, in the binary format, for `pack` and `compile`.

    Raises
    ------
    UnlinkableModule
        The component does not import a part, or a core module has another type than it imports.
    MalformedModule, InvalidModule
        One of them is no WebAssembly, or does not validate; or a component has another type than it is imported with.
    ToolchainError
        The validator is missing or failed.
    OSError
        A file can't be read.

    Examples
    --------
    >>> component = b'''(component
    ...   (import "m" (core module $m (export "f" (func (result i32)))))
    ...   (core instance $i (instantiate $m))
    ...   (func (export "answer") (result u32) (canon lift (core func $i "f"))))'''
    >>> module = b'(module (func (export "f") (result i32) (i32.const 42)))'
    >>> report = wa.pack(wa.embed(component, {"m": module}), "answer.so", opt_level=0)
    >>> wa.load("answer.so").instantiate().answer()
    42
    """
    data = read_source(component)
    if data[:8] != COMPONENT_MAGIC:
        raise UnlinkableModule("a core module has no parts: give a component that imports them")
    validate_component(data)
    given = {name: read_source(part) for name, part in parts.items()}
    wanted = _wanted(data, given)
    for name, part in given.items():
        _check(name, part, wanted[name])
    made = _rewritten(data, given)
    try:
        validate_component(made)
    except InvalidModule as problem:
        raise InvalidModule(
            f"the component does not fit its parts, {', '.join(map(repr, given))}: {problem.message}",
            wasm_offset=problem.facts["wasm_offset"],
            func_index=None,
        ) from None
    return made


def _wanted(data: bytes, given: Mapping[str, bytes]) -> dict[str, tuple[str, Any]]:
    """What the component imports as core modules and components: sort, and type of a core module."""
    core_types: list[Any] = []
    wanted: dict[str, tuple[str, Any]] = {}
    for section in outer_sections(data):
        for definition, _ in section.items:
            if isinstance(definition, model.Type):
                core_types.append(core_type(definition.type, lambda depth, index: core_types[index]))
            elif isinstance(definition, model.Alias) and definition.sort == "core type":
                core_types.append(core_types[definition.index])
            elif isinstance(definition, model.Import) and definition.desc.sort in _SECTIONS:
                desc = definition.desc
                wanted[definition.name] = desc.sort, core_types[desc.index] if desc.sort == "core module" else None
    for name in given:
        if name not in wanted:
            there = ", ".join(f"{found!r} ({sort})" for found, (sort, _) in wanted.items()) or "none"
            words = f"the component imports no core module or component {name!r}; it imports these: {there}"
            raise UnlinkableModule(words, module="", name=name)
    return wanted


def _check(name: str, part: bytes, wanted: tuple[str, Any]) -> None:
    """Whether a part is what it is imported as; of a component, the validator says whether its type is the one."""
    sort, type_ = wanted
    found = "component" if part[:8] == COMPONENT_MAGIC else "core module"
    if found != sort:
        words = f"incompatible import type: {name!r} is a {sort}, found a {found}"
        raise UnlinkableModule(words, module="", name=name, kind=sort, found=found)
    if sort == "component":
        validate_component(part)
        return
    module = decode_module(part)
    validate(part, module)
    problem = difference(type_of(module), type_)
    if problem is not None:
        words = f"incompatible import type: the core module {name!r} {problem}"
        raise UnlinkableModule(words, module="", name=name, kind=sort)


def _rewritten(data: bytes, given: Mapping[str, bytes]) -> bytes:
    """The component, with what is given in the place of its imports."""
    made = [data[:8]]
    for section in outer_sections(data):
        if section.id != IMPORTS:
            made.append(data[section.start : section.end])
            continue
        kept: list[bytes] = []
        for definition, contents in section.items:
            sort = definition.desc.sort
            if sort in _SECTIONS and definition.name in given:
                made += [_imports(kept), _section(_SECTIONS[sort], given[definition.name])]
                kept = []
            else:
                kept.append(contents)
        made.append(_imports(kept))
    return b"".join(made)


def _imports(kept: list[bytes]) -> bytes:
    return _section(IMPORTS, vector(kept)) if kept else b""


def _section(id_: int, contents: bytes) -> bytes:
    return bytes((id_,)) + unsigned(len(contents)) + contents
