"""Runs one module, or a pair, in both engines, side by side, and tells the first difference."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import wasmartifact as wa
from tests.fuzz.engine import STACK_EXHAUSTED, THROWS, Broken, Engine, Key, Outcome, Returned, Trapped, Window
from tests.fuzz.features import features_of
from tests.fuzz.plan import Plan, compared_globals, make_plan
from tests.fuzz.reference import Reference, Rejected, compile_reference
from tests.fuzz.remote import RemoteSubject, load_there
from tests.fuzz.sections import CAUGHT_NAME, FUEL_NAME
from tests.fuzz.shape import Import, MemoryType, Shape, TableType
from tests.fuzz.subject import Subject

#: Instances of every module, one after the other: what one did must not show in the next.
INSTANCES = 2
#: Memories up to this size are compared after every call, others at the end.
SMALL_BYTES = 1 << 18
CHUNK_BYTES = 1 << 22
#: Of a memory that is larger, only this much at the start and the last chunk.
LARGE_BYTES = 1 << 26

COMPARED, SKIPPED, STOPPED, EXCUSED, DIFFERENT = "compared", "skipped", "stopped", "excused", "different"


@dataclass
class Report:
    """What became of a module or a pair.

    Attributes
    ----------
    verdict : str
        "compared": whole, no difference. "skipped": nothing could be compared. "stopped": no difference until the
        stack was exhausted, which engines do at other depths. "excused": there is a difference, but results depend on
        the bits of a NaN, which the spec leaves open. "different".
    reason : str
        Why it is not "compared"; the first difference.
    counts : Counter[str]
        Calls, and outcomes by kind.
    """

    verdict: str
    reason: str = ""
    counts: Counter[str] = field(default_factory=Counter)


class Difference(Exception):
    """The engines disagree."""


class StackExhausted(Exception):
    """From here on, the engines may differ."""


@dataclass(frozen=True)
class Options:
    """Options of ``wa.pack``; a target is another machine than this one, emulated."""

    opt_level: int = 2
    cpu: str = "baseline"
    target: str | None = None
    fuel: bool = False


def compare(modules: Sequence[bytes], seed: str, options: Options, *, canonical_nans: bool) -> Report:
    """Run a module or a pair in both engines.

    Parameters
    ----------
    modules : sequence of bytes
        Binary modules.
    seed : str
        Chooses imports and arguments.
    options : Options
        How to pack.
    canonical_nans : bool
        Whether the code itself makes every NaN canonical.
    """
    try:
        references = [compile_reference(data) for data in modules]
    except Rejected as error:
        return Report(SKIPPED, f"wasmtime rejects it: {error}")
    shapes = [reference.shape for reference in references]
    try:
        make_subject = load(modules, options, [shape.imports for shape in shapes])
    except wa.UnsupportedModule as error:
        return Report(SKIPPED, f"unsupported: {getattr(error, 'feature', error)}")
    except Exception as error:
        return Report(DIFFERENT, f"pack or load: {type(error).__name__}: {error}")
    report = Report(COMPARED)
    try:
        for number in range(INSTANCES):
            left, right = Reference(references), make_subject()
            Pair(left, right, shapes, report.counts).run(make_plan(seed, shapes), f"pass {number}")
    except StackExhausted as stop:
        report.verdict, report.reason = STOPPED, str(stop)
    except Difference as difference:
        # Nothing makes the NaNs of relaxed operators canonical: findings/wasm_smith_relaxed_nans.sh.
        may_be_open = not canonical_nans or "relaxed-simd" in features_of(modules)
        is_open = may_be_open and _depends_on_nans(modules, seed)
        report.verdict, report.reason = EXCUSED if is_open else DIFFERENT, str(difference)
    return report


def load(
    modules: Sequence[bytes], options: Options, imports: Sequence[Sequence[Import]]
) -> Callable[[], Subject | RemoteSubject]:
    """Pack and load a module or a pair; what is returned makes a store of their instances, here or on the target."""
    # In memory, where there is such a directory: artifacts live for milliseconds.
    fast = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    cpu = options.cpu.split(",")
    with tempfile.TemporaryDirectory(dir=fast, prefix="wasmartifact-fuzz-") as directory:
        files = [Path(directory, f"{index}.so") for index in range(len(modules))]
        for data, file in zip(modules, files, strict=True):
            wa.pack(data, file, opt_level=options.opt_level, cpu=cpu, target=options.target, fuel=options.fuel, jobs=1)
        if options.target is None:
            return partial(Subject, [wa.load(file) for file in files], imports)
        load_there(files, imports)
        return RemoteSubject


def _depends_on_nans(modules: Sequence[bytes], seed: str) -> bool:
    """Whether wasmtime differs from itself when it makes every NaN canonical."""
    plain, canonical = ([compile_reference(data, canonical_nans=flag) for data in modules] for flag in (False, True))
    shapes = [reference.shape for reference in plain]
    try:
        Pair(Reference(canonical), Reference(plain), shapes, Counter()).run(make_plan(seed, shapes), "")
    except Difference:
        return True
    except StackExhausted:
        pass
    return False


class Pair:
    """Two engines with the same modules: ``left`` says what is right."""

    def __init__(self, left: Engine, right: Engine, shapes: Sequence[Shape], counts: Counter[str]) -> None:
        self.left, self.right = left, right
        self.shapes = shapes
        self.counts = counts
        # Of the instances that exist.
        self.fuels: list[int] = []
        self.globals: list[tuple[Key, str]] = []
        self.memories: list[Key] = []
        self.tables: list[Key] = []
        # Counters of what was caught, and the last counts.
        self.catchers: list[tuple[Key, str]] = []
        self.caught: list[int] = []

    def run(self, plan: Plan, where: str) -> None:
        """Instantiate, make all calls. Raises Difference or StackExhausted."""
        for module, imports in enumerate(plan.imports):
            place = f"{where}: instantiation of module {module}"
            outcome = self._same(place, self.left.instantiate(module, imports), self.right.instantiate(module, imports))
            self.counts[f"instantiation {_kind(outcome)}"] += 1
            if isinstance(outcome, Returned):
                self._watch(module)
            self._compare_state(place, whole=True)
            if not isinstance(outcome, Returned):
                return
        for number, call in enumerate(plan.calls):
            place = f"{where}: call {number}, {call.module} {call.name!r}{call.arguments} with fuel {call.fuel}"
            for module in self.fuels:
                self.left.set_fuel(module, call.fuel)
                self.right.set_fuel(module, call.fuel)
            outcome = self._same(place, self.left.call(call), self.right.call(call))
            self.counts["calls"] += 1
            self.counts[f"call {_kind(outcome)}"] += 1
            if self.catchers:
                self._count_caught()
            self._compare_state(place, whole=number + 1 == len(plan.calls))

    def _watch(self, module: int) -> None:
        """From now on, compare what this module exports."""
        shape = self.shapes[module]
        self.fuels += [module] if FUEL_NAME in shape.exports else []
        self.globals += [((module, name), kind) for name, kind in compared_globals(shape)]
        self.catchers += [((module, CAUGHT_NAME), "i32")] if CAUGHT_NAME in shape.exports else []
        self.memories += [(module, name) for name, type_ in shape.exports.items() if isinstance(type_, MemoryType)]
        self.tables += [(module, name) for name, type_ in shape.exports.items() if isinstance(type_, TableType)]

    def _count_caught(self) -> None:
        values = self.left.globals(self.catchers)[: len(self.catchers)]
        caught = [value for value in values if isinstance(value, int)]
        rise = max(0, sum(caught) - sum(self.caught))
        self.counts["exceptions caught in throwers"] += rise
        self.counts["throwers: calls"] += 1
        self.counts["throwers: calls in which some were caught"] += rise > 0
        self.caught = caught

    def _same(self, place: str, left: Outcome, right: Outcome) -> Outcome:
        if Trapped(STACK_EXHAUSTED) in (left, right):
            raise StackExhausted(f"{place}: stack exhausted in {'both' if left == right else 'one'}")
        if (left, right) == _OUTSIDE_AND_UNALIGNED:
            return left
        if left != right or isinstance(left, Broken):
            raise Difference(f"{place}: expected {left}, found {right}")
        return left

    def _compare_state(self, place: str, *, whole: bool) -> None:
        """Compare calls of host functions, globals and small memories; if ``whole``, large ones and tables too."""
        left, right = self.left, self.right
        _equal(f"{place}: host calls", left.trace, right.trace)
        throws = sum(label == THROWS for label, _ in left.trace)
        self.counts["host calls"] += len(left.trace) - throws
        self.counts["exceptions thrown by the host"] += throws
        left.trace.clear()
        right.trace.clear()
        _equal(f"{place}: globals", left.globals(self.globals), right.globals(self.globals))
        for index, pair in enumerate(zip(left.memories(self.memories), right.memories(self.memories), strict=True)):
            _compare_memories(f"{place}: memory {index}", *pair, whole=whole)
        if whole:
            for index, tables in enumerate(zip(left.tables(self.tables), right.tables(self.tables), strict=True)):
                _equal(f"{place}: table {index}", *tables)


#: What wasmtime and the package say of a notify at an address that is both: findings/wasmtime_atomic_trap_order.sh.
_OUTSIDE_AND_UNALIGNED = (Trapped("memory"), Trapped("unaligned"))


def _kind(outcome: Outcome) -> str:
    return f"trap {outcome.kind}" if isinstance(outcome, Trapped) else type(outcome).__name__.lower()


def _equal(place: str, left: Sequence[object], right: Sequence[object]) -> None:
    if left != right:
        raise Difference(f"{place}: {_first(left, right)}")


def _first(left: Sequence[object], right: Sequence[object]) -> str:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return f"number {index}: expected {one}, found {other}"
    return f"expected {len(left)} of them, found {len(right)}"


def _compare_memories(place: str, left: Window, right: Window, *, whole: bool) -> None:
    if left.size_bytes != right.size_bytes:
        raise Difference(f"{place}: size in bytes: expected {left.size_bytes}, found {right.size_bytes}")
    if whole or left.size_bytes <= SMALL_BYTES:
        for start, end in _ranges(left.size_bytes):
            _equal(f"{place}, from {start:#x} on", left.read(start, end), right.read(start, end))


def _ranges(size_bytes: int) -> Iterator[tuple[int, int]]:
    """Chunks of a memory; of a large one, those at its start and the last."""
    for start in range(0, size_bytes, CHUNK_BYTES):
        if start < LARGE_BYTES or start + CHUNK_BYTES >= size_bytes:
            yield start, min(start + CHUNK_BYTES, size_bytes)
