"""From the bytes of a component to one core module and the columns that describe the rest."""

from __future__ import annotations

from array import array
from typing import Final

from wasmartifact.component.decode import decode_component
from wasmartifact.component.describe import component_columns
from wasmartifact.component.flatten import flatten
from wasmartifact.component.link import link_component
from wasmartifact.errors import InvalidModule, MalformedModule
from wasmartifact.wasm.validate import message_offset, parses, wasm_tools_problem

#: What ``wasm-tools`` knows, but for names that the component model keeps for later. What is asynchronous, decoding
#: refuses by name.
_FEATURES: Final = "all,-cm-nested-names"


def validate_component(data: bytes) -> None:
    """Have ``wasm-tools`` check a component.

    Raises
    ------
    MalformedModule, InvalidModule
        It breaks the format, or a rule of validation; ``wasm_offset`` tells where.
    ToolchainError
        The validator is missing or failed.
    """
    problem = wasm_tools_problem(data, _FEATURES)
    if problem is None:
        return
    words, wasm_offset = message_offset(problem)
    place = "" if wasm_offset is None else f"byte {wasm_offset:#x}: "
    if parses(data):
        raise InvalidModule(f"invalid component: {place}{words}", wasm_offset=wasm_offset, func_index=None)
    raise MalformedModule(f"malformed component: {place}{words}", wasm_offset=wasm_offset)


def flatten_component(data: bytes) -> tuple[bytes, dict[str, bytes | array[int]]]:
    """Validate, link and flatten a component.

    Returns
    -------
    tuple
        The core module, and its columns of ``schema.COMPONENT_COLUMNS`` by name.

    Raises
    ------
    MalformedModule, InvalidModule, UnsupportedModule, ToolchainError
        As `validate_component`, and what this version lacks.
    """
    validate_component(data)
    flat = flatten(link_component(data, decode_component(data)))
    return flat.data, component_columns(flat)
