"""Runs one module in both engines, side by side, and tells the first difference."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import wasmartifact as wa
from tests.fuzz.engine import STACK_EXHAUSTED, Broken, Engine, Returned, Trapped, Window
from tests.fuzz.engine import Outcome as Outcome
from tests.fuzz.plan import MemoryType, Plan, Shape, TableType, compared_globals, make_plan
from tests.fuzz.reference import Reference, ReferenceModule, Rejected, compile_reference
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
    """What became of a module.

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


def compare_module(data: bytes, seed: str, *, canonical_nans: bool, opt_level: int, cpu: str) -> Report:
    """Run a module in both engines.

    Parameters
    ----------
    data : bytes
        A binary module.
    seed : str
        Chooses imports and arguments.
    canonical_nans : bool
        Whether the module itself makes every NaN canonical.
    opt_level, cpu
        Options of ``wa.pack``.
    """
    try:
        reference = compile_reference(data)
    except Rejected as error:
        return Report(SKIPPED, f"wasmtime rejects it: {error}")
    if len({(item.module, item.name) for item in reference.shape.imports}) < len(reference.shape.imports):
        return Report(SKIPPED, "two imports of one name can't be given different values")
    with tempfile.TemporaryDirectory(dir=_fast_directory()) as directory:
        output = Path(directory, "module.so")
        try:
            wa.pack(data, output, opt_level=opt_level, cpu=cpu, jobs=1)
            artifact = wa.load(output)
        except wa.UnsupportedModule as error:
            return Report(SKIPPED, f"unsupported: {getattr(error, 'feature', error)}")
        except Exception as error:
            return Report(DIFFERENT, f"pack or load: {type(error).__name__}: {error}")
        report = _compare_artifact(reference, artifact, make_plan(seed, reference.shape))
    if report.verdict == DIFFERENT and not canonical_nans and _depends_on_nans(data, seed):
        report.verdict = EXCUSED
    return report


def _fast_directory() -> str | None:
    """A directory in memory, where there is one: artifacts live for milliseconds."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _compare_artifact(reference: ReferenceModule, artifact: wa.Artifact, plan: Plan) -> Report:
    report = Report(COMPARED)
    try:
        for number in range(INSTANCES):
            pair = Pair(Reference(reference), Subject(artifact, reference.shape.imports), reference.shape, report.counts)
            pair.run(plan, f"instance {number}")
    except Difference as difference:
        report.verdict, report.reason = DIFFERENT, str(difference)
    except StackExhausted as stop:
        report.verdict, report.reason = STOPPED, str(stop)
    return report


def _depends_on_nans(data: bytes, seed: str) -> bool:
    """Whether wasmtime differs from itself when it makes every NaN canonical."""
    plain, canonical = compile_reference(data), compile_reference(data, canonical_nans=True)
    try:
        Pair(Reference(canonical), Reference(plain), plain.shape, Counter()).run(make_plan(seed, plain.shape), "")
    except Difference:
        return True
    except StackExhausted:
        pass
    return False


class Pair:
    """Two engines with the same module: ``left`` says what is right."""

    def __init__(self, left: Engine, right: Engine, shape: Shape, counts: Counter[str]) -> None:
        self.left, self.right = left, right
        self.counts = counts
        self.globals = compared_globals(shape)
        self.memories = [name for name, type_ in shape.exports.items() if isinstance(type_, MemoryType)]
        self.tables = [name for name, type_ in shape.exports.items() if isinstance(type_, TableType)]

    def run(self, plan: Plan, where: str) -> None:
        """Instantiate, make all calls. Raises Difference or StackExhausted."""
        place = f"{where}: instantiation"
        outcome = self._same(place, self.left.instantiate(plan.imports), self.right.instantiate(plan.imports))
        if isinstance(outcome, Broken):
            raise Difference(f"{place}: {outcome.message}")
        self.counts[f"instantiation {_kind(outcome)}"] += 1
        if not isinstance(outcome, Returned):
            self._compare_state(place, exports=False, whole=True)
            return
        self._compare_state(place, exports=True, whole=True)
        for number, call in enumerate(plan.calls):
            place = f"{where}: call {number}, {call.name!r}{call.arguments} with fuel {call.fuel}"
            if plan.has_fuel:
                self.left.set_fuel(call.fuel)
                self.right.set_fuel(call.fuel)
            outcome = self._same(place, self.left.call(call), self.right.call(call))
            self.counts["calls"] += 1
            self.counts[f"call {_kind(outcome)}"] += 1
            self._compare_state(place, exports=True, whole=number + 1 == len(plan.calls))

    def _same(self, place: str, left: Outcome, right: Outcome) -> Outcome:
        if Trapped(STACK_EXHAUSTED) in (left, right):
            raise StackExhausted(f"{place}: stack exhausted in {'both' if left == right else 'one'}")
        if left != right:
            raise Difference(f"{place}: expected {left}, found {right}")
        return left

    def _compare_state(self, place: str, *, exports: bool, whole: bool) -> None:
        """Compare calls of host functions, globals and memories, and tables too if ``whole``."""
        left, right = self.left, self.right
        if left.trace != right.trace:
            raise Difference(f"{place}: host calls: {_first(left.trace, right.trace)}")
        left.trace.clear()
        right.trace.clear()
        names = self.globals if exports else []
        self._equal(place, "globals", left.globals(names), right.globals(names))
        self._equal(place, "imported globals", left.imported_globals(), right.imported_globals())
        memories = self.memories if exports else []
        for index, pair in enumerate(zip(left.memories(memories), right.memories(memories), strict=True)):
            _compare_memories(f"{place}: memory {index}", *pair, whole=whole)
        if whole:
            tables = self.tables if exports else []
            for index, (one, other) in enumerate(zip(left.tables(tables), right.tables(tables), strict=True)):
                self._equal(place, f"table {index}", one, other)

    @staticmethod
    def _equal(place: str, what: str, left: Sequence[object], right: Sequence[object]) -> None:
        if left != right:
            raise Difference(f"{place}: {what}: {_first(left, right)}")


def _kind(outcome: Outcome) -> str:
    return f"trap {outcome.kind}" if isinstance(outcome, Trapped) else type(outcome).__name__.lower()


def _first(left: Sequence[object], right: Sequence[object]) -> str:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return f"number {index}: expected {one}, found {other}"
    return f"expected {len(left)}, found {len(right)}"


def _compare_memories(place: str, left: Window, right: Window, *, whole: bool) -> None:
    if left.size_bytes != right.size_bytes:
        raise Difference(f"{place}: size in bytes: expected {left.size_bytes}, found {right.size_bytes}")
    if not whole and left.size_bytes > SMALL_BYTES:
        return
    for start, end in _ranges(left.size_bytes):
        one, other = left.read(start, end), right.read(start, end)
        if one != other:
            raise Difference(f"{place}: from {start:#x} on, byte {_first(one, other)}")


def _ranges(size_bytes: int) -> Iterator[tuple[int, int]]:
    """Chunks of a memory; of a large one, those at its start and the last."""
    for start in range(0, size_bytes, CHUNK_BYTES):
        if start < LARGE_BYTES or start + CHUNK_BYTES >= size_bytes:
            yield start, min(start + CHUNK_BYTES, size_bytes)
