"""What ``inspect`` tells of components: their world as WIT, and of one that is not packed a page and a dict."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from wasmartifact.component.decode import decode_component
from wasmartifact.component.describe import program_rows
from wasmartifact.component.flow import validate_component
from wasmartifact.component.link import Program, link_component
from wasmartifact.errors import printable
from wasmartifact.metadata import Metadata
from wasmartifact.metadata.component_rows import component_rows
from wasmartifact.wit.read import read_world
from wasmartifact.wit.text import world_text


def read_program(data: bytes) -> Program:
    """Decode, validate and link a component. Raises as `pack` does."""
    validate_component(data)
    return link_component(data, decode_component(data))


def program_wit(program: Program) -> Iterator[str]:
    """Lines of the WIT of a linked component."""
    return map(printable, world_text(read_world(program_rows(program))))


def artifact_wit(metadata: Metadata) -> Iterator[str]:
    """Lines of the WIT of a packed component. Raises CorruptArtifact where a row is damaged."""
    return map(printable, world_text(read_world(component_rows(metadata.columns))))


def describe_program(data: bytes, program: Program) -> dict[str, Any]:
    """What there is to tell of a component that is not packed, as JSON-ready values."""
    return {
        "file_size_bytes": len(data),
        "digests": {"wasm_digest": hashlib.sha256(data).hexdigest()},
        "core_instances": len(program.cores),
        "component_instances": program.instances,
        "canonical_functions": len(program.canons),
        "resources": len(program.resources),
        "wit": "\n".join(program_wit(program)) + "\n",
    }


def program_page(data: bytes, program: Program) -> Iterator[str]:
    """Lines of the readable summary."""
    head = describe_program(data, program)
    facts = {
        "file": f"{head['file_size_bytes']:,} bytes",
        "instances": f"{head['core_instances']:,} of core modules, {head['component_instances']:,} of components",
        "resources": f"{head['resources']:,}",
        "wasm SHA-256": head["digests"]["wasm_digest"],
    }
    yield from (f"{name:15}{value}" for name, value in facts.items())
    yield ""
    yield from head["wit"].splitlines()
