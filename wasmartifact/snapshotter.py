"""The snapshot flow: an initialised instance becomes an artifact, with the same code and its state as new images.

Nothing is compiled, and LLVM is not needed. Each pass lives in its package, as those of ``packer.py`` do.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Final

from wasmartifact import _types as types
from wasmartifact import schema
from wasmartifact.elf.assemble import SharedObject, assemble
from wasmartifact.elf.read import find_section
from wasmartifact.elf.reopen import place_images, read_layout
from wasmartifact.errors import SnapshotError
from wasmartifact.externtypes import GlobalType
from wasmartifact.host.output import resolve_output, write_output
from wasmartifact.host.scratch import read_chunks
from wasmartifact.metadata import Metadata
from wasmartifact.metadata.columns import Columns
from wasmartifact.metadata.contract import encode_contract, mapped_images, read_images, read_subtypes
from wasmartifact.metadata.resume import ComponentState, InstanceState, encode_snapshot
from wasmartifact.packer import Clock, PackReport, seal
from wasmartifact.runtime.component import ComponentInstance
from wasmartifact.verifier import verify, verify_open
from wasmartifact.version import VERSION_NUMBERS
from wasmartifact.wasi.component_kept import kind_of, words
from wasmartifact.wasm.initial import MERGE_GAP_BYTES, InitialState, image_runs, table_image
from wasmartifact.wasm.model import DECLARATIVE

#: What stands in a slot for a reference that no artifact can hold: WA_SNAPSHOT_* of native/include/wasmartifact.h.
_UNKEPT: Final = {
    2: "a function of the host",
    4: "a function of another instance",
    6: "an object of the host",
    8: "an exception",
    10: "a struct or an array",
    12: "an i31",
}


def snapshot(instance: types.Instance | ComponentInstance, output: str | os.PathLike[str] | int) -> PackReport:
    """Write an artifact that is an instance as it stands: same code, its memories, tables and globals as images.

    An instance of it starts where this one is now, by the same copy-on-write pages as any other: an interpreter that
    has started, a policy that is loaded. Its start function and ``_initialize`` have run and don't run again; call
    ``_initialize`` before, where there is one. It imports what the module imports: give it what this instance was
    given, and to a WASI program directories by the same names in the same order. An imported memory or table must be
    as large as this one was, and gets what it held when the snapshot is instantiated, as data and elements of a module
    are copied there. Arguments and environment that the program has read already stay what they were. Equal instances
    give equal bytes. The artifact is not signed.

    Parameters
    ----------
    instance : Instance | ComponentInstance
        No call may run in its store. It is not changed.
    output : str | os.PathLike | int
        As for `pack`.

    Returns
    -------
    PackReport
        What was written.

    Raises
    ------
    SnapshotError
        The instance holds what no artifact can: an imported global that can change, a file that the program has open, a
        reference to a host object, to a struct or an array, to a function of the host that it does not import, or to
        one of another instance, or an i31; of a component: a resource of the embedder but for streams and directories
        that a Wasi gave it, or it trapped; or a call runs.
    CorruptArtifact
        The file that the instance was made from was changed since.
    OSError
        The output can't be written; a wrong path shows before any work.

    Examples
    --------
    >>> instance = wa.load("module.wasm.so").instantiate({"env": {"log": print}})
    >>> report = wa.snapshot(instance, "ready.so")
    >>> wa.load("ready.so").instantiate({"env": {"log": print}}).exports.add(2, 3)
    5
    """
    component = instance._native if isinstance(instance, ComponentInstance) else None
    instance = instance if component is None else component.core
    if not isinstance(instance, types.Instance):
        raise TypeError(f"expected an Instance or ComponentInstance, found {type(instance).__name__}")
    clock = Clock()
    output = resolve_output(output)
    artifact = instance.artifact
    _refuse_imports(artifact.metadata)

    # The state of the instance is copied at one moment; what no artifact can hold ends here.
    state = _take_state(instance, artifact.metadata, component)
    clock.lap("state")

    # Every byte of the file is checked: what is wrong with it must not get new digests.
    fd = artifact._native.fileno()
    verify_open(fd, artifact.path, None)
    data = memoryview(b"".join(read_chunks(fd)))
    clock.lap("read")

    # The same columns, but for what an instance starts with; the same code, but for what it says of that.
    offset, size_bytes = find_section(data)
    columns = Columns(data[offset : offset + size_bytes])
    section = encode_snapshot(columns, state, VERSION_NUMBERS)
    clock.lap("metadata")
    built, text_size_bytes = _assemble(data, columns, section, state)
    build_id = seal(built)
    clock.lap("seal")

    write_output(output, built.pieces, check=verify)
    clock.lap("write")
    return _report(output, built, text_size_bytes, build_id, clock)


# --------------------------------------------------------------------------------------------------------------------
# What an instance holds


def _refuse_imports(metadata: Metadata) -> None:
    """What a mutable global holds is not the instance's to keep; memories and tables are written as by segments."""
    for row in metadata.imports:
        if isinstance(row.type, GlobalType) and row.type.mutable:
            name = f"{row.module}.{row.name}"
            raise SnapshotError(
                f"the instance imports the mutable global {name}, whose value belongs to who made it, so that a "
                "snapshot can't hold it; link the module so that it defines its own",
                what="import",
                index=row.index,
                found=f"mutable global {name}",
            )


def _take_state(
    instance: types.Instance, metadata: Metadata, component: types._NativeComponentInstance | None
) -> InstanceState:
    """Copy what the instance holds. Raises SnapshotError for what no artifact can hold."""
    page_size_bytes = metadata.header.numbers["page_size_bytes"]
    taken = types.take_state(instance, page_size_bytes, MERGE_GAP_BYTES, component)
    if taken is None or taken[-1] == "running":
        raise SnapshotError(
            "a call runs in the instance's store, and what it has on the stack can't be kept; take the snapshot when "
            "all calls have returned",
            what="call",
            found="a running call",
        )
    tables, cells, segments, dropped, memories, files, outside = taken
    columns = metadata.columns
    first_global = columns.row_count("globals") - len(cells) // 16
    _refuse_files(files)
    for index, slots in enumerate(tables):
        _refuse_slots(metadata, "table", index, slots)
    for index, slots in enumerate(segments):
        _refuse_slots(metadata, "element segment", index, slots)
    _refuse_cells(metadata, first_global, cells)
    return InstanceState(
        initial=InitialState(
            memory_runs=tuple(
                run
                for index, (_, stretches) in enumerate(memories)
                for run in image_runs(index, stretches, page_size_bytes)
            ),
            table_images=tuple(
                image for index, slots in enumerate(tables) if (image := table_image(index, array("Q", slots)))
            ),
            global_image=cells,
            elements_in_image=frozenset(_dropped_segments(columns, segments)),
            datas_in_image=frozenset(index for index, flag in enumerate(dropped) if flag),
            actions=(),
        ),
        memory_pages=[pages for pages, _ in memories],
        table_sizes=[len(slots) // 8 for slots in tables],
        segment_slots=segments,
        component=None if outside is None else _component_state(columns, outside),
    )


def _dropped_segments(columns: Columns, segments: list[bytes]) -> Iterator[int]:
    """Segments that are gone, but for declarative ones, which never were there, and empty ones, which may stay."""
    starts, modes = columns.column("element_slots"), columns.column("element_mode")
    for index, slots in enumerate(segments):
        if not slots and starts[index] != starts[index + 1] and modes[index] != DECLARATIVE:
            yield index


def _refuse_slots(metadata: Metadata, what: str, index: int, slots: bytes) -> None:
    for slot, value in enumerate(array("Q", slots)):
        if value and not value & 1:
            advice = (
                f"set it to null before (table[{slot}] = None)" if what == "table" else "let the program drop it before"
            )
            raise _unkept(metadata, what, index, f"{_UNKEPT[value]} in slot {slot}", advice, slot=slot)


def _refuse_cells(metadata: Metadata, first: int, cells: bytes) -> None:
    valtypes = metadata.columns.column("global_type")
    for index, value in enumerate(array("Q", cells)[::2], first):
        is_reference = valtypes[index] & 0xFF in (schema.VALTYPE_REF, schema.VALTYPE_REF_NULL)
        if is_reference and value and not value & 1:
            is_mutable = metadata.columns.column("global_flags")[index] & 1
            advice = "set it to null before" if is_mutable else "instantiate the module anew each time"
            raise _unkept(metadata, "global", index, _UNKEPT[value], advice)


def _unkept(metadata: Metadata, what: str, index: int, found: str, advice: str, **facts: Any) -> SnapshotError:
    name = next((f' (export "{row.name}")' for row in metadata.exports if (row.kind, row.index) == (what, index)), "")
    return SnapshotError(
        f"{what} {index}{name} holds {found}, which no artifact can hold; {advice}",
        what=what,
        index=index,
        found=found,
        **facts,
    )


def _refuse_files(files: Iterable[tuple[int | None, str]]) -> None:
    for number, path in files:
        if number is None:
            raise SnapshotError(
                "the WASI program gave up rights of its descriptors, which an instance of a snapshot would have again; "
                "take the snapshot before it does",
                what="rights",
                found="rights that were given up",
            )
        name = f" ({path})" if path else ""
        raise SnapshotError(
            f"the WASI program has descriptor {number}{name} open, which no artifact can hold; let it close all but "
            "its streams and preopened directories before",
            what="descriptor",
            index=number,
            found=path or "an open descriptor",
        )


# --------------------------------------------------------------------------------------------------------------------
# What an instance of a component holds beside


def _component_state(columns: Columns, outside: tuple[bytes, bytes, list[tuple[int, Any]]] | str) -> ComponentState:
    """Handles, and what of a Wasi those of the embedder's objects stand for."""
    if isinstance(outside, str):
        raise SnapshotError(
            "the instance trapped, and can't be entered any more, so that a snapshot of it would be of no use; make a "
            "new one",
            what="instance",
            found="an instance that trapped",
        )
    tables, handles, objects = outside
    return ComponentState(tables, handles, [_host_object(columns, resource, value) for resource, value in objects])


def _host_object(columns: Columns, resource: int, value: Any) -> tuple[str, str]:
    kind = kind_of(value)
    if kind is not None:
        return kind
    number = columns.value("component_resource.name", resource)
    name = columns.text("component_name", number - 1) if number else "resource"
    raise SnapshotError(
        f"the component has a handle of {words(value)} ({name}), which no artifact can hold; let it drop it before",
        what="handle",
        index=resource,
        found=f"{words(value)} ({name})",
    )


# --------------------------------------------------------------------------------------------------------------------
# The file


def _assemble(data: memoryview, columns: Columns, section: bytearray, state: InstanceState) -> tuple[SharedObject, int]:
    """The file with the new section, and the size of its code in bytes."""
    numbers = columns.header.numbers
    imported = columns.column("import_kind").tobytes().count(schema.KIND_TABLE)
    images = [image for image in mapped_images(state.initial) if image.table_index >= imported]
    counts = {image.table_index: len(image.slots) for image in images}
    layout, names = read_layout(data, numbers)
    found = memoryview(bytes(layout.rodata))
    rooms = {table: (offset, 8 * count) for table, (offset, count) in read_images(columns, found).items()}
    places = place_images(layout, rooms, {image.table_index: image.slots.tobytes() for image in images})
    mapped = {table: (offset, counts[table]) for table, offset in places.items()}
    contract, levels_offset = encode_contract(section, mapped, read_subtypes(columns, found))
    # Nothing that it counts has changed: it is as large as that of the artifact.
    layout.contract_size_bytes = schema.ANCHOR.size_bytes + len(contract)
    layout.write_contract(contract, levels_offset)
    return assemble(layout, section=section, runtime_abi=numbers["runtime_abi"], symbol_names=names), layout.text_size


def _report(output: str | int, built: SharedObject, text_size_bytes: int, build_id: bytes, clock: Clock) -> PackReport:
    metadata = Metadata(memoryview(built.section))
    numbers, info = metadata.header.numbers, metadata.info
    machine = next(name for name, number in schema.MACHINES.items() if number == numbers["machine"])
    return PackReport(
        output=f"/proc/self/fd/{output}" if isinstance(output, int) else output,
        size_bytes=built.size_bytes,
        text_size_bytes=text_size_bytes,
        metadata_size_bytes=len(built.section),
        functions=metadata.columns.row_count("code"),
        machine=machine,
        cpu=info.get("cpu", ""),
        opt_level=int(info.get("opt_level", "0")),
        wasm_features=tuple(sorted(_names(numbers["wasm_features"], schema.WASM_FEATURES))),
        cpu_features=tuple(_names(numbers["cpu_features"], schema.CPU_FEATURES[machine])),
        wasm_sha256=metadata.header.digests["wasm_digest"].hex(),
        build_id=build_id.hex(),
        seconds=clock.seconds,
    )


def _names(bits: int, names: tuple[str, ...]) -> list[str]:
    """Names of the set bits."""
    return [name for bit, name in enumerate(names) if bits >> bit & 1]
