"""Traps as exceptions: a native trap gets its name, its message and the WebAssembly functions that were running."""

from __future__ import annotations

from wasmartifact.errors import ArtifactError, DeadlineExceeded, Frame, Interrupted, OutOfFuel, Trap
from wasmartifact.messages import TRAPS
from wasmartifact.metadata.places import body_offset, calls_at, function_name, source_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmartifact.metadata import Metadata
    from wasmartifact.runtime.artifact import Artifact

#: As many as the runtime looks for, where each function on the stack is one.
_MOST_FRAMES = 64
#: Traps that are no fault of the guest's code have classes of their own.
CLASSES = {"deadline_exceeded": DeadlineExceeded, "interrupted": Interrupted, "out_of_fuel": OutOfFuel}


def make_trap(code: int, frames: list[tuple[Artifact | None, int, int]]) -> Trap:
    """The exception for a trap; ``frames`` are (artifact, func_index, text_offset), innermost first.

    An artifact is None where the collector is taking its store apart.
    """
    metadata_of = {artifact: _metadata(artifact) for artifact, _, _ in frames}
    names = {artifact: _module_name(metadata) if metadata else None for artifact, metadata in metadata_of.items()}
    exported = {artifact: _exported_names(metadata, artifact, frames) for artifact, metadata in metadata_of.items()}
    # A guest that recursed has the same places over and over, and a look-up costs more than all else of a trap.
    shown: dict[tuple[Artifact | None, int, int], list[Frame]] = {}
    for place in frames:
        if place not in shown:
            artifact, func_index, text_offset = place
            shown[place] = _frames(metadata_of[artifact], func_index, text_offset, names[artifact], exported[artifact])
    name, message = TRAPS[code]
    running = [frame for place in frames for frame in shown[place]]
    return CLASSES.get(name, Trap)(message, code=name, frames=tuple(running[:_MOST_FRAMES]))


def _metadata(artifact: Artifact | None) -> Metadata | None:
    """Metadata of the artifact, unless its user closed it."""
    if artifact is None:
        return None
    try:
        artifact.metadata.columns  # noqa: B018
    except ValueError:
        return None
    return artifact.metadata


def _module_name(metadata: Metadata) -> str | None:
    try:
        return metadata.info_value("module_name") or None
    except ArtifactError:  # damaged names must not hide the trap
        return None


def _exported_names(
    metadata: Metadata | None, artifact: Artifact | None, frames: list[tuple[Artifact | None, int, int]]
) -> dict[int, str]:
    """What functions without a name of their own are exported as: gdb calls them so too."""
    if metadata is None:
        return {}
    try:
        running = {func_index for place, func_index, _ in frames if place is artifact}
        unnamed = {func_index for func_index in running if function_name(metadata.columns, func_index) is None}
        return metadata.exported_names(unnamed) if unnamed else {}
    except ArtifactError:
        return {}


def _frames(
    metadata: Metadata | None, func_index: int, text_offset: int, module_name: str | None, exported: dict[int, str]
) -> list[Frame]:
    """The calls of a function that a place in the machine code stands for, innermost first; mostly one."""
    if metadata is None:
        return [Frame(func_index, None, None)]
    try:
        columns = metadata.columns
        found = calls_at(columns, text_offset)
        name = function_name(columns, func_index)
        is_export_name = name is None and func_index in exported
        name = exported[func_index] if is_export_name else name
        frames = []
        for wasm_offset in found[1] if found else [None]:
            source = (None, None) if wasm_offset is None else source_at(columns, wasm_offset)
            func_offset = None if wasm_offset is None else wasm_offset - body_offset(columns, func_index)
            frames.append(Frame(func_index, name, wasm_offset, module_name, *source, func_offset, is_export_name))
        return frames
    except ArtifactError:
        return [Frame(func_index, None, None, module_name)]
