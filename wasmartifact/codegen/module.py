"""Code generation from end to end: a module becomes objects, group by group, then its trampolines and init code.

How functions are grouped depends on the module alone, so that the result does not depend on the number of workers.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from wasmartifact.codegen import onepass
from wasmartifact.codegen.compiled import INIT_SYMBOL, CompiledGroup, CompiledModule, FunctionGroup
from wasmartifact.codegen.context import ModuleContext, build_context
from wasmartifact.codegen.fixedtables import fixed_table_constants, fixed_tables
from wasmartifact.codegen.initbody import init_body
from wasmartifact.codegen.onepass import OnePass
from wasmartifact.codegen.options import CodegenOptions, TargetSpec
from wasmartifact.codegen.pool import GroupDied, Session, Task
from wasmartifact.codegen.support import TrampolineTypes, has_init, init_text, trampoline_texts, trampoline_types
from wasmartifact.dataclass import dataclass, replace
from wasmartifact.elf.object import TEXT
from wasmartifact.errors import MalformedModule, ToolchainError
from wasmartifact.host.limits import memory_advice
from wasmartifact.wasm.decode import decode_bodies
from wasmartifact.wasm.initial import InitialState
from wasmartifact.wasm.model import Module

if TYPE_CHECKING:
    from concurrent.futures import Executor

#: A group ends with the function that reaches one of these: so many functions, so many bytes of their code. What each
#: group costs by itself is 3% of a pack at level 0, and nothing measurable at the others.
GROUP_LIMITS: Final = (64, 48 * 1024)
GROUP_LIMITS_LEVEL_0: Final = (256, 128 * 1024)
#: Code that is worth another worker process, whose start takes 0.15 s of CPU.
BYTES_PER_WORKER: Final = 32 * 1024

#: Called with the number of functions compiled so far and their total.
Progress = Callable[[int, int], None]
#: Does tasks, calls with the index of each that is done, and returns the results in the order of the tasks.
Run = Callable[[Sequence[Task], Callable[[int], object]], list[list[CompiledGroup]]]


def compile_module(
    module: Module,
    initial: InitialState,
    options: CodegenOptions,
    *,
    above: Sequence[TargetSpec] = (),
    jobs: int | None,
    progress: Progress | None,
    type_canonical: Sequence[int],
    call_features: frozenset[str] = frozenset(),
    keep: str | None = None,
    executor: Executor | None = None,
    kept_folder: str | None = None,
) -> CompiledModule:
    """Compile all functions of a valid module, its trampolines and its init code.

    Parameters
    ----------
    module : Module
        A module that passed validation.
    initial : InitialState
        What is in images already, and what init code must do.
    options : CodegenOptions
        Level and target.
    above : Sequence[TargetSpec]
        Further CPU levels to compile functions for, ascending; each has all features of the one before it.
    jobs : int | None
        Most worker processes at a time, at least 1; None: one for each CPU that this process may use.
    progress : Progress | None
        Called with (compiled functions, all functions), in this thread.
    type_canonical : Sequence[int]
        For every type the first type that equals it.
    call_features : frozenset[str]
        What functions must be prepared for: see ``validate``.
    keep : str | None
        Folder for IR, assembly and object of every group, None to keep none.
    executor : Executor | None
        Compiles groups of functions in place of worker processes.
    kept_folder : str | None
        Where the code of functions is kept from pack to pack, None where it is not.

    Raises
    ------
    UnsupportedModule
        The module needs a feature that is not compiled; names function and wasm offset.
    MalformedModule
        A function body breaks the binary format.
    ToolchainError
        LLVM failed; names the function.
    OSError
        A file can't be kept.
    """
    count = _Counter(len(module.codes) * (1 + len(above)), progress)
    compiler = _Compiler(module, initial, jobs, count, executor, kept_folder)
    # Where functions have code for several levels, which is called is known when they are loaded.
    fixed = {} if above else fixed_tables(module, initial)
    levels = []
    for target in above:
        context = build_context(module, initial, replace(options, target=target), type_canonical, call_features)
        folder = keep and os.path.join(keep, target.cpu_name)
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
        levels.append(compiler.level(context, folder, with_support=False)[0])
    context = build_context(module, initial, options, type_canonical, call_features, fixed)
    functions, support, types = compiler.level(context, keep, with_support=True)
    init_symbol = INIT_SYMBOL if has_init(module, initial) else None
    if not (levels and functions):
        constants = fixed_table_constants(
            fixed, functions, options.target.machine, module.function_types, type_canonical
        )
        return _join(context, [*functions, *support, *constants], types, init_symbol)
    from wasmartifact.codegen.cpulevels import join_levels  # few packs need it

    joined = join_levels([functions, *levels], support)
    compiled = _join(context, [*joined.functions, *joined.support, *joined.above], types, init_symbol)
    targets = (options.target, *above)
    return replace(compiled, levels=[targets[number] for number in joined.kept], variants=joined.variants)


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Compiles a module for one CPU level after another; fields as the parameters of `compile_module`."""

    module: Module
    initial: InitialState
    jobs: int | None
    count: _Counter
    executor: Executor | None
    kept_folder: str | None

    def level(
        self, context: ModuleContext, keep: str | None, *, with_support: bool
    ) -> tuple[list[CompiledGroup], list[CompiledGroup], TrampolineTypes]:
        """All functions in order; trampolines and init code, if they are wanted; and the types that need the former."""
        module, options = self.module, context.options
        kept = portable = None
        there: dict[int, CompiledGroup] = {}
        equal: dict[int, int] = {}
        if options.splits_groups and keep is None:  # who keeps what LLVM made wants it of every function
            if self.kept_folder is not None:
                from wasmartifact.codegen.kept import KeptCode  # level 0 does not need it

                kept = KeptCode(self.kept_folder, module, context)
                there = kept.find()
                portable = kept.portable
            else:
                from wasmartifact.codegen.portable import PortableCode  # as little

                portable = PortableCode(module, context)
            equal = portable.equal_functions(there)
        self.count.add(len(there))
        one_pass = OnePass(context) if options.opt_level == 0 else None
        parts = list(_parts(context, module, one_pass, self.count, keep, there.keys() | equal))
        groups = [part for part in parts if isinstance(part, FunctionGroup)]
        code_size_bytes = sum(len(group.data) for group in groups)
        workers = min(self.jobs or len(os.sched_getaffinity(0)), 1 + code_size_bytes // BYTES_PER_WORKER)
        with Session(context, workers) as session:
            run: Run = session.run
            if self.executor is not None:
                from wasmartifact.codegen.remote import run_remotely  # with what few packs need

                run = partial(run_remotely, self.executor, session, context)
            by_llvm = iter(_compile_functions(session, run, module, groups, self.count, keep))
            compiled = [one for part in parts for one in (next(by_llvm) if isinstance(part, FunctionGroup) else [part])]
            if portable is not None:
                by_position = there | {_position(module, part): part for part in compiled}
                if kept is not None:
                    kept.add(by_position)
                compiled = portable.with_copies(by_position, equal)
                self.count.add(len(compiled) - len(by_position))
            types = trampoline_types(module, context, compiled)
            support = _compile_support(session, module, self.initial, types, one_pass, keep) if with_support else []
        return compiled, support, types


def _parts(
    context: ModuleContext,
    module: Module,
    one_pass: OnePass | None,
    count: _Counter,
    keep: str | None,
    there: Container[int] = (),
) -> Iterator[CompiledGroup | FunctionGroup]:
    """All functions in order but for those that are there: code of those that need no LLVM, groups of the others.

    One pass does all that it can at level 0, and at the others what would take LLVM too long.
    """
    limits = GROUP_LIMITS if context.options.opt_level > 0 else GROUP_LIMITS_LEVEL_0
    wanted = None
    if not module.codes:
        return
    whole = _whole_group(module)
    if one_pass is None:
        wanted = onepass.large_functions(whole)
        if not wanted:
            yield from group_functions(module, limits, None, there)
            return
        one_pass = OnePass(context)
    for positions, part in one_pass.functions(whole, wanted):
        if part is None:
            yield from group_functions(module, limits, positions, there)
            continue
        if keep is not None:
            path = _kept_path(keep, whole.indices[positions[0]], whole.indices[positions[-1]])
            with open(f"{path}.bin", "wb") as file:
                file.write(part.object.sections[TEXT].data)
        count.add(len(positions))
        yield part


def _compile_functions(
    session: Session, run: Run, module: Module, groups: list[FunctionGroup], count: _Counter, keep: str | None
) -> list[list[CompiledGroup]]:
    """Compile the functions of the module by ``run``, and tell of every group that is done."""

    def done(task: int) -> None:
        count.add(len(groups[task].starts))

    try:
        return run([_function_task(group, keep) for group in groups], done)
    except MalformedModule:
        decode_bodies(module)  # the worker knows a part of the module only; this tells the true offset
        raise
    except GroupDied as death:
        raise _blame(session, module, groups[death.task], death, keep) from None


def _compile_support(
    session: Session,
    module: Module,
    initial: InitialState,
    types: TrampolineTypes,
    one_pass: OnePass | None,
    keep: str | None,
) -> list[CompiledGroup]:
    """Compile trampolines and the init function, if there is something for it to do; the latter comes last."""
    compiled: list[CompiledGroup] = []
    init = _init_in_one_pass(session.context, module, initial, one_pass)
    if one_pass is not None:
        compiled.append(one_pass.trampolines(types))
    texts = trampoline_texts(session.context, types) if one_pass is None else []
    names = [f"trampolines-{number}" for number in range(len(texts))]
    if init is None and has_init(module, initial):
        texts.append(init_text(session.context, module, initial))
        names.append("init")
    tasks = [
        (len(text), ("text", text, keep and os.path.join(keep, name))) for text, name in zip(texts, names, strict=True)
    ]
    try:
        compiled += [part for some in session.run(tasks) for part in some]
    except GroupDied as death:
        raise ToolchainError(f"LLVM ended the process that compiled trampolines and init code ({death})") from None
    return compiled if init is None else [*compiled, init]


def _init_in_one_pass(
    context: ModuleContext, module: Module, initial: InitialState, one_pass: OnePass | None
) -> CompiledGroup | None:
    """The init function, at level 0, and where it has a shape that takes LLVM too long: tables of initial objects."""
    if not has_init(module, initial):
        return None
    body = init_body(module, initial)
    if one_pass is None:
        if not onepass.large_functions(onepass.body_group(0, body)):
            return None
        one_pass = OnePass(context)
    return one_pass.init(body)


def _join(
    context: ModuleContext, compiled: list[CompiledGroup], types: TrampolineTypes, init_symbol: str | None
) -> CompiledModule:
    return CompiledModule(
        objects=[group.object for group in compiled],
        address_maps=[group.address_map for group in compiled],
        features={feature for group in compiled for feature in group.facts.features},
        short_functions={index for group in compiled for index in group.facts.short_functions},
        entry_symbols=types.entry_symbols(),
        host_symbols=types.host_symbols(),
        inward_symbols=None if context.convention is None else types.inward_symbols(),
        init_symbol=init_symbol,
        memory_guards=[int(memory.checked) for memory in context.memories],
        checks_exceptions=context.checks_exceptions,
        has_llvm_code=any(group.is_by_llvm for group in compiled),
        inlined=context.inlined,
    )


def _blame(
    session: Session, module: Module, group: FunctionGroup, death: GroupDied, keep: str | None
) -> ToolchainError:
    """Find the function of a group whose compilation ends the process."""
    for func_index in group.indices:
        position = func_index - module.imported_functions
        try:
            session.run([_function_task(_make_group(module, [position]), keep)])
        except GroupDied as alone:
            name = module.function_names.get(func_index)
            advice = memory_advice() or "report this with the module, or try another opt_level"
            return ToolchainError(
                f"LLVM ended the process that compiled function {func_index}{f' ({name})' if name else ''}: {alone}; "
                f"{advice}",
                func_index=func_index,
                func_name=name,
            )
    first, last = group.indices[0], group.indices[-1]
    return ToolchainError(f"LLVM ended the process that compiled functions {first} to {last} together: {death}")


class _Counter:
    """Tells of functions that are compiled."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        if progress is not None:
            progress(0, total)

    def add(self, functions: int) -> None:
        """So many more are compiled."""
        self._done += functions
        if self._progress is not None and functions:
            self._progress(self._done, self._total)


# Groups -----------------------------------------------------------------------------------------------------------


def group_functions(
    module: Module, limits: tuple[int, int], positions: range | None = None, there: Container[int] = ()
) -> Iterator[FunctionGroup]:
    """Functions in order but for those that are there, until a group has enough of them or enough code."""
    most_functions, most_bytes = limits
    chosen: list[int] = []
    size_bytes = 0
    for position in range(len(module.codes)) if positions is None else positions:
        if position in there:
            continue
        chosen.append(position)
        size_bytes += module.codes[position].end - module.codes[position].start
        if len(chosen) >= most_functions or size_bytes >= most_bytes:
            yield _make_group(module, chosen)
            chosen, size_bytes = [], 0
    if chosen:
        yield _make_group(module, chosen)


def _make_group(module: Module, positions: Sequence[int]) -> FunctionGroup:
    """Functions at these positions."""
    codes = [module.codes[position] for position in positions]
    ends = array("I", accumulate(code.end - code.start for code in codes))
    starts = array("I", [0, *ends[:-1]])
    return FunctionGroup(
        indices=array("I", [module.imported_functions + position for position in positions]),
        data=b"".join([module.data[code.start : code.end] for code in codes]),
        starts=starts,
        ends=ends,
        bases=array("I", [code.start - start for code, start in zip(codes, starts, strict=True)]),
    )


def _whole_group(module: Module) -> FunctionGroup:
    """All functions, with one base."""
    codes, first = module.codes, module.imported_functions
    base = codes[0].start
    return FunctionGroup(
        indices=array("I", range(first, first + len(codes))),
        data=module.data[base : codes[-1].end],
        starts=array("I", [code.start - base for code in codes]),
        ends=array("I", [code.end - base for code in codes]),
        bases=array("I", [base]) * len(codes),
    )


def _position(module: Module, part: CompiledGroup) -> int:
    """Where the function of a part stands among the defined ones."""
    return int(part.object.functions[0][0].removeprefix("f")) - module.imported_functions


def _function_task(group: FunctionGroup, keep: str | None) -> Task:
    """The task of compiling a group; what is kept of it has its first and last function in the name."""
    return len(group.data), ("functions", group, keep and _kept_path(keep, group.indices[0], group.indices[-1]))


def _kept_path(keep: str, first: int, last: int) -> str:
    """Path, but for the suffix, of what is kept of these functions."""
    return os.path.join(keep, f"functions-{first:06}-{last:06}")
