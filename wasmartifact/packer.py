"""The pack flow: a WebAssembly module becomes an artifact. One list of passes; each pass lives in its package."""

from __future__ import annotations

import os
import re
import time
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from wasmartifact import schema
from wasmartifact.arguments import (
    check_callables,
    check_executor,
    check_flags,
    check_incremental,
    cpu_names,
    wrong_type,
)
from wasmartifact.codegen.chunks import chunk_columns
from wasmartifact.codegen.compiled import CompiledModule
from wasmartifact.codegen.module import Progress, compile_module
from wasmartifact.codegen.onepass import xxh64
from wasmartifact.codegen.options import (
    CodegenOptions,
    TargetSpec,
    codegen_options,
    host_machine,
    llvmlite_version,
    resolve_levels,
)
from wasmartifact.dataclass import dataclass, field, replace
from wasmartifact.elf.assemble import SharedObject, assemble
from wasmartifact.elf.check import CHECKERS, check_shared_object
from wasmartifact.elf.layout import Layout, layout
from wasmartifact.errors import MalformedModule, UnsupportedModule
from wasmartifact.hints import unknown_argument
from wasmartifact.host import libllvm
from wasmartifact.host.cache_folder import open_folder
from wasmartifact.host.input import refuse_text
from wasmartifact.host.output import absolute_path, resolve_output, write_output
from wasmartifact.host.packages import check_installed
from wasmartifact.limits import PackLimits
from wasmartifact.metadata import digests
from wasmartifact.metadata.contract import (
    contract_size_bytes,
    encode_contract,
    encode_subtypes,
    mapped_images,
)
from wasmartifact.metadata.encode import CodeFacts, LayoutFacts, MetadataFacts, encode_metadata, runtime_abi
from wasmartifact.metadata.header import patch_header
from wasmartifact.verifier import open_metadata
from wasmartifact.version import VERSION, VERSION_NUMBERS
from wasmartifact.wasm.decode import COMPONENT_MAGIC, decode_module
from wasmartifact.wasm.features import module_features
from wasmartifact.wasm.initial import InitialState, plan_initial_state
from wasmartifact.wasm.model import Module
from wasmartifact.wasm.source import read_source
from wasmartifact.wasm.types import canonical_types, type_digests
from wasmartifact.wasm.validate import validate

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from typing import Never

#: What helps where LLVM is missing, but to install it.
_OTHERWISE: Final = ", or pack with opt_level=0 (-O 0 on the command line), which takes none of it"
#: Environment variable that keeps no code of functions with 0, for programs that don't say.
INCREMENTAL_VARIABLE: Final = "WASMARTIFACT_INCREMENTAL"
Source = str | os.PathLike[str] | bytes


@dataclass(frozen=True)
class PackReport:
    """What a pack did.

    Attributes
    ----------
    output : str
        Path of the artifact.
    size_bytes, text_size_bytes, metadata_size_bytes : int
        The file, its machine code, its metadata section with the memory image; in bytes.
    functions : int
        Defined functions.
    machine : str
        What the code is for: "x86_64" or "aarch64".
    cpu : str | tuple[str, ...]
        As it was given to `pack`.
    opt_level : int
        0 to 3.
    wasm_features, cpu_features : tuple[str, ...]
        What the module uses, what the code needs; of several CPU levels, the first.
    wasm_sha256, build_id : str
        Hexadecimal digests of the module and of the artifact.
    seconds : dict[str, float]
        Wall-clock time of each pass in seconds, by the pass's name.
    """

    output: str
    size_bytes: int
    text_size_bytes: int
    metadata_size_bytes: int
    functions: int
    machine: str
    cpu: str | tuple[str, ...]
    opt_level: int
    wasm_features: tuple[str, ...]
    cpu_features: tuple[str, ...]
    wasm_sha256: str
    build_id: str
    seconds: dict[str, float] = field(compare=False)


def pack(
    source: Source,
    output: str | os.PathLike[str] | int,
    *,
    opt_level: int = 2,
    cpu: str | Sequence[str] = "baseline",
    target: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
    keep: str | os.PathLike[str] | None = None,
    min_glibc: str | None = None,
    fuel: bool = False,
    limits: PackLimits | None = None,
    executor: Executor | None = None,
    keep_debug: bool = False,
    incremental: bool | str | os.PathLike[str] | None = None,
    **unknown: Never,
) -> PackReport:
    """Compile a WebAssembly module into an artifact.

    A file as output is replaced atomically when all is done; a pack that fails or is killed leaves it untouched. Equal
    input and options give equal bytes, whatever ``jobs``.

    Parameters
    ----------
    source : str | os.PathLike | bytes
        Path of a .wasm or .wat file, or its bytes.
    output : str | os.PathLike | int
        Path of the artifact; a symbolic link is followed, a device or FIFO is written into. Or an open descriptor.
    opt_level : int
        0 (fastest to pack) to 3.
    cpu : str | Sequence[str]
        "baseline" (x86-64-v2, armv8-a), "native", or a CPU name that LLVM knows. Several, as ``("baseline",
        "x86-64-v3")``, give one artifact with code for each, of which a load takes the best that the host has. Each
        must have all features of the others that have fewer. Functions whose code is the same are stored once. Level 0
        compiles for the first one only: it hardly uses what the others add.
    target : str | None
        Machine or triple, None for this host: "x86_64", "aarch64", "aarch64-linux-gnu".
    jobs : int | None
        Number of compiling processes, None for one per CPU.
    progress : callable | None
        Called with (functions compiled, functions in total).
    keep : str | os.PathLike | None
        Folder, made if need be, that gets LLVM IR (.ll, before optimisation), assembly (.s) and object (.o) of every
        group of functions; the names tell the function indices. The artifact is the same with and without.
    min_glibc : str | None
        Oldest glibc that the artifact shall load under, as "2.17"; None for this host's. Below 2.35 the artifact has
        two segments in place of one and loads a little slower.
    fuel : bool
        Whether the code counts what it does, so that ``Store.fuel`` bounds it: the same count everywhere, for some
        time. A store holds modules with or without, never both.
    limits : PackLimits | None
        Time and memory that all of it may take; None: what it needs.
    executor : concurrent.futures.Executor | None
        Compiles groups of functions in place of processes of this machine: `dask.distributed`'s
        ``Client.get_executor()``, say. Its workers need this package in this version, with the extra ``pack``. What it
        loses is compiled here, after a RuntimeWarning. Level 0 takes less time than to send it, and stays here.
    keep_debug : bool
        Whether the module's DWARF (custom sections ``.debug_*``) goes into the artifact as it is, for tools that look
        for it there. Traps name source lines with and without.
    incremental : bool | str | os.PathLike | None
        Keep the code of each function in the cache's folder, or in this one, and take from there what depends on
        nothing that has changed: then a module of which 1% changed packs in a tenth of the time. The artifact is the
        same with and without. Levels 1 and 2 do so, for modules with 32 KiB of code and more. None: yes, unless there
        are ``keep`` or ``limits``, or the environment variable WASMARTIFACT_INCREMENTAL is 0. What can't be kept or
        read, is not.

    Returns
    -------
    PackReport
        What was written, and how long each pass took.

    Raises
    ------
    MalformedModule, InvalidModule, UnsupportedModule
        What is wrong with the module (spec sections 5 and 3), or what it needs that this version lacks.
    ToolchainError
        The code generator failed: a defect of this package, not of the module. Or a package of the extra ``pack`` is
        missing or broken; ``package`` names it.
    LimitExceeded
        It took more than ``limits`` allow, and was ended.
    ValueError
        An option is out of range, or contradicts another one.
    OSError
        The source can't be read, or the output can't be written; a wrong output path shows before any work.

    Examples
    --------
    >>> import wasmartifact as wa
    >>> report = wa.pack(b'(module (func (export "answer") (result i32) (i32.const 42)))', "answer.so", opt_level=0)
    >>> report.functions, report.opt_level
    (1, 0)
    >>> wa.load("answer.so").instantiate().exports.answer()
    42
    """
    if unknown:
        raise unknown_argument("pack", *unknown)
    refuse_text(source)
    clock = Clock()
    check_flags(fuel=fuel, keep_debug=keep_debug)
    check_callables(progress=progress)
    check_executor(executor)
    check_incremental(incremental)
    cpu = cpu_names(cpu)
    first, *above = resolve_levels(target, cpu)
    options = codegen_options(opt_level, first, fuel=bool(fuel))
    oldest_glibc = None if min_glibc is None else _glibc_version(min_glibc)
    if jobs is not None and (not isinstance(jobs, int) or jobs < 1):
        raise ValueError(f"jobs is {jobs!r}, expected at least 1, or None for one per CPU")
    if executor is not None and not (keep is None and limits is None):
        raise ValueError(
            "executor goes without keep and limits: its workers may be on other machines, where no folder of this one "
            "is and no process of theirs can be ended from here"
        )
    output = resolve_output(output)
    name = f"/proc/self/fd/{output}" if isinstance(output, int) else output
    if keep is not None:
        keep = absolute_path(keep)
    kept_folder = None
    if options.splits_groups:
        kept_folder = _kept_folder(incremental, is_wanted=keep is None and limits is None)
    if limits is not None:
        from wasmartifact.bounded import pack_bounded  # few packs need it, and what it imports

        # The same flow from here on, in a process that can be ended.
        report: PackReport = pack_bounded(
            source, output, limits, progress=progress,
            opt_level=opt_level, cpu=cpu, target=target, jobs=jobs, keep=keep, min_glibc=min_glibc,
            fuel=fuel, keep_debug=keep_debug, incremental=kept_folder or False,
        )  # fmt: skip
        return replace(report, output=name)
    if keep is not None:
        with suppress(FileNotFoundError):
            os.stat(keep)  # says of a path that it is too long; makedirs would recurse over it
        os.makedirs(keep, exist_ok=True)
    if opt_level > 0:
        check_optimiser_installed()

    # Text becomes binary.
    given = data = read_source(source)
    clock.lap("read")

    # The core modules of a component become one, and columns tell the rest.
    component = None
    if given[:8] == COMPONENT_MAGIC:
        from wasmartifact.component.flow import flatten_component  # modules need nothing of it

        data, component = flatten_component(given)
        clock.lap("flatten")

    try:
        # Bytes become the typed model; what is malformed ends here.
        module = decode_module(data)
        clock.lap("decode")

        # A validator that is not ours has the word.
        call_features = validate(data, module)
        clock.lap("validate")
    except (MalformedModule, UnsupportedModule) as problem:
        if component is not None:
            raise
        from wasmartifact.wasm.unsupported import judge  # sound modules need nothing of it

        raise judge(data, problem) from None
    # Beyond this point the module is valid, and code generation has an answer to all of it.

    # What memories, tables and globals start as: images where it is known now, init code where it is not.
    initial = plan_initial_state(module, schema.PAGE_BYTES[options.target.machine])
    types = type_digests(module)
    plan = _Plan(module, initial, options, canonical_types(types), types, bool(keep_debug))

    # Groups of functions become relocatable objects, in worker processes.
    compiled = compile_module(
        module,
        initial,
        options,
        above=above if opt_level > 0 else (),
        jobs=jobs,
        progress=progress,
        type_canonical=plan.canonical,
        call_features=call_features,
        keep=keep,
        executor=executor if opt_level > 0 else None,
        kept_folder=kept_folder if keep is None else None,
    )
    clock.lap("compile")

    # Objects become one image with all references resolved. Beyond this point code offsets are fixed.
    images = mapped_images(initial)
    placed = layout(
        compiled.objects,
        machine=options.target.machine,
        contract_size_bytes=contract_size_bytes(
            module,
            has_tail_calls=compiled.inward_symbols is not None,
            levels=len(compiled.levels) or 1,
            variants=len(compiled.variants),
        ),
        images=[image.slots.tobytes() for image in images],
        segments=_segment_count(options.target, oldest_glibc),
    )
    clock.lap("layout")

    # Module and code offsets become columns.
    facts = _metadata_facts(plan, compiled, placed, digests.wasm_digest(given), component)
    section = encode_metadata(facts)

    # What code and runtime rely on together goes into the code, where no change of metadata reaches it.
    places = {
        image.table_index: (offset, len(image.slots))
        for image, offset in zip(images, placed.image_offsets, strict=True)
    }
    placed.write_contract(*encode_contract(section, places, encode_subtypes(module)))
    clock.lap("metadata")

    # The pieces become one file. Beyond this point nothing but sizes and digests changes.
    built = assemble(
        placed,
        section=section,
        runtime_abi=runtime_abi(facts.wasm_features),
        symbol_names=_symbol_names(module, compiled),
    )
    build_id = seal(built)
    clock.lap("seal")

    # The file is looked at as its readers will, and appears under its name whole or not at all.
    write_output(output, built.pieces, check=partial(_check, opt_level=opt_level))
    clock.lap("write")
    return PackReport(
        output=name,
        size_bytes=built.size_bytes,
        text_size_bytes=placed.text_size,
        metadata_size_bytes=len(section),
        functions=len(module.codes),
        machine=options.target.machine,
        cpu=cpu,
        opt_level=opt_level,
        wasm_features=tuple(sorted(facts.wasm_features)),
        cpu_features=options.target.cpu_features,
        wasm_sha256=facts.wasm_sha256.hex(),
        build_id=build_id.hex(),
        seconds=clock.seconds,
    )


def seal(built: SharedObject) -> bytes:
    """Fill in what depends on the finished file, each field after all that it covers: see ``metadata/digests.py``.

    Returns
    -------
    bytes
        The build id.
    """
    patch_header(built.section, file_size_bytes=built.size_bytes)
    build_id = digests.build_id(built.code, built.section)
    patch_header(built.section, build_id=build_id)
    built.write_build_id(build_id)
    digests.seal(built.head, built.section, built.pieces, xxh64)
    return build_id


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stands before any code is generated.

    ``canonical`` and ``type_digests`` have an entry per type: the first type that equals it, and its digest.
    ``keep_debug`` is as for `pack`.
    """

    module: Module
    initial: InitialState
    options: CodegenOptions
    canonical: Sequence[int]
    type_digests: Sequence[bytes]
    keep_debug: bool


class Clock:
    """Wall-clock time per pass."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def check_optimiser_installed() -> None:
    """Find out before the work whether what levels above 0 need is there. Raises ToolchainError if not."""
    check_installed("llvmlite", *CHECKERS, otherwise=_OTHERWISE)


def _kept_folder(incremental: bool | str | os.PathLike[str] | None, *, is_wanted: bool) -> str | None:
    """Where the code of functions is kept; None for nowhere, as where the folder can't be used."""
    if incremental is None:
        incremental = is_wanted and os.environ.get(INCREMENTAL_VARIABLE) != "0"
    if isinstance(incremental, bool) and not incremental:
        return None
    try:
        return open_folder(None if isinstance(incremental, bool) else incremental)
    except OSError:
        return None


def _glibc_version(text: str) -> tuple[int, int]:
    """(2, 17) of "2.17"."""
    if not isinstance(text, str):
        raise wrong_type("min_glibc", text, 'a version as "2.17", or None')
    match = re.fullmatch(r"([0-9]{1,3})\.([0-9]{1,3})", text)
    if match is None:
        raise ValueError(f'min_glibc is {text!r}, expected a version as "2.17"')
    return int(match[1]), int(match[2])


def _segment_count(target: TargetSpec, oldest_glibc: tuple[int, int] | None) -> int:
    """One segment loads fastest, but not under an older glibc: the one asked for, else this host's, as of its users.

    Code for another machine, and a host with another C library, say nothing about the library where it will run.
    """
    if oldest_glibc is None:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        if target.machine != host_machine() or name != "glibc":
            return 1
        major, minor = version.split(".")[:2]
        oldest_glibc = int(major), int(minor)
    return 1 if oldest_glibc >= schema.GLIBC_MIN else 2


def _metadata_facts(
    plan: _Plan,
    compiled: CompiledModule,
    placed: Layout,
    wasm_sha256: bytes,
    component: Mapping[str, bytes | array[int]] | None,
) -> MetadataFacts:
    """Join what is known of what was given, of the module, of its code and of the file."""
    module, target = plan.module, plan.options.target
    return MetadataFacts(
        module=module,
        initial=plan.initial,
        code=_code_facts(plan, compiled, placed),
        layout=layout_facts(placed),
        type_digests=plan.type_digests,
        type_canonical=plan.canonical,
        cpu_features=target.cpu_features,
        wasm_features=module_features(module) | compiled.features,
        info=_info(module, plan.options, compiled),
        library_version=VERSION_NUMBERS,
        wasm_sha256=wasm_sha256,
        component=component,
        checks_exceptions=compiled.checks_exceptions,
        fuel=plan.options.fuel,
        keep_debug=plan.keep_debug,
        cpu_levels=[(level.cpu_name, level.cpu_features) for level in compiled.levels if compiled.variants],
    )


def layout_facts(placed: Layout) -> LayoutFacts:
    """What the metadata says of the file."""
    return LayoutFacts(
        machine=placed.machine,
        head_size_bytes=placed.head_size_bytes,
        segments=placed.head.segments,
        anchor_vaddr=placed.anchor_vaddr,
        text_vaddr=placed.text_vaddr,
        text_size_bytes=placed.text_size,
        type_digests_vaddr=placed.type_digests_vaddr,
    )


def _code_facts(plan: _Plan, compiled: CompiledModule, placed: Layout) -> CodeFacts:
    """Join what the code generator knows of functions with where the layout put them."""
    module, canonical = plan.module, plan.canonical
    first = module.imported_functions
    places = [placed.functions[f"f{first + index}"] for index in range(len(module.codes))]
    text_offsets, wasm_offsets, traps = array("I"), array("I"), array("I")
    for rows, start in zip(compiled.address_maps, placed.object_text_offsets, strict=True):
        # The first object, which at level 0 is nearly all of it, lies where its rows say.
        text_offsets.extend([start + offset for offset in rows.text_offsets] if start else rows.text_offsets)
        wasm_offsets.extend(rows.wasm_offsets)
        traps.extend(rows.traps)
    with_copies = [module.codes[func_index - first] for func_index in compiled.inlined]
    chunks, source_files = chunk_columns(module, text_offsets, wasm_offsets, traps, with_copies)
    return CodeFacts(
        text_offsets=[offset for offset, _ in places],
        sizes_bytes=[size for _, size in places],
        flags=[int(first + index in compiled.short_functions) for index in range(len(places))],
        entry_text_offsets=_trampolines(compiled.entry_symbols, placed, canonical),
        host_text_offsets=_trampolines(compiled.host_symbols, placed, canonical),
        inward_text_offsets=(
            [] if compiled.inward_symbols is None else _trampolines(compiled.inward_symbols, placed, canonical)
        ),
        init_text_offset=placed.functions[compiled.init_symbol][0] if compiled.init_symbol else None,
        memory_guards=compiled.memory_guards,
        chunks=chunks,
        source_files=source_files,
        variants=sorted((*placed.functions[item.symbol], item.func_index, item.levels) for item in compiled.variants),
        inlined_calls=[(index, offset) for index, item in compiled.inlined.items() for offset in item.call_offsets],
    )


def _trampolines(symbols: dict[int, str], placed: Layout, canonical: Sequence[int]) -> list[int | None]:
    """Text offset of the trampoline of each type, by its canonical type."""
    return [placed.functions[symbols[type_]][0] if type_ in symbols else None for type_ in canonical]


def _info(module: Module, options: CodegenOptions, compiled: CompiledModule) -> dict[str, str]:
    """What the info columns tell: nothing that differs between machines or runs. No llvmlite where none was needed."""
    return {
        "module_name": module.name or "",
        "opt_level": str(options.opt_level),
        "cpu": ",".join(level.cpu_name for level in compiled.levels or (options.target,)),
        "target": options.target.triple,
        "packer": f"wasmartifact {VERSION}",
        "llvmlite": llvmlite_version() if compiled.has_llvm_code else "",
        **({"libllvm": libllvm.VERSION} if compiled.has_llvm_code and options.libllvm else {}),
    }


def _symbol_names(module: Module, compiled: CompiledModule) -> dict[str, str]:
    """Names for debuggers: what the name section says, else the export, else the index; of a variant, then its CPU."""
    names = {entry.index: entry.name for entry in module.exports if entry.kind == schema.KIND_FUNC}
    names |= module.function_names
    first = module.imported_functions
    functions = range(first, first + len(module.codes))
    found = {f"f{index}": names.get(index) or f"wasm[{index}]" for index in functions}
    if compiled.variants:
        from wasmartifact.codegen.cpulevels import CHOICE_SUFFIX  # with what one level does not need

        found |= {f"f{index}{CHOICE_SUFFIX}": f"{found[f'f{index}']}.choice" for index in functions}
    for item in compiled.variants:
        level = compiled.levels[(item.levels & -item.levels).bit_length() - 1]
        found[item.symbol] = f"{found[f'f{item.func_index}']}.{level.cpu_name}"
    return found


def _check(path: str, opt_level: int) -> None:
    """Reopen what was written the way its readers will; where time allows, let readers that are not ours look too."""
    open_metadata(path).close()
    if opt_level > 0:
        check_shared_object(path)
