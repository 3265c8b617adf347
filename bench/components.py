"""Components against wasmtime-py's: calls by type, resources, loads, instances; and large values against copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy
import wasmtime
import wasmtime.component

import wasmartifact as wa
from bench import sandboxes, scratch
from bench.figures import Figure
from bench.timing import actions_ns, statements_ns

OURS, THEIRS = "wasmartifact", "wasmtime-py"
WAT: Final = Path(__file__).with_suffix(".wat").read_text(encoding="utf-8")
LIST_BYTES: Final = 100_000
FLOATS: Final = 100_000
TEXT_100: Final = "wasm" * 25
TEXT_1MB: Final = "wasm" * 250_000


class Theirs:
    """The component in wasmtime-py."""

    def __init__(self) -> None:
        self.engine = scratch.wasmtime_engine()
        self.component = wasmtime.component.Component(self.engine, WAT.encode())
        self.linker = wasmtime.component.Linker(self.engine)
        self.store, self._instance = self.instantiate()

    def instantiate(self) -> tuple[Any, Any]:
        """A store of its own, and an instance in it."""
        store = wasmtime.Store(self.engine)
        return store, self.linker.instantiate(store, self.component)

    def function(self, name: str) -> Callable[..., Any]:
        """An export; it is called with the store first."""
        found = self._instance.get_func(self.store, name)
        assert isinstance(found, wasmtime.component.Func)
        return found


def call_figures(ours: Any, theirs: Theirs, *, quick: bool) -> list[Figure]:
    """One call of each kind on both sides; the goals are microseconds of ours by what wasmtime-py 50 took."""
    record = ours.Four(7, 1 << 40, 2.5, True)
    their_record = wasmtime.component.Record()
    for name, value in (("id", 7), ("size", 1 << 40), ("weight", 2.5), ("ready", True)):
        setattr(their_record, name, value)
    octets = bytes(LIST_BYTES)
    rows: list[tuple[str, Any, Callable[..., Any], Any, Any, float, int]] = [
        ("(u32) -> u32", ours.add, theirs.function("add"), 7, 7, 0.1 / 27, 1000),
        ("string of 100 B there and back", ours.text, theirs.function("text"), TEXT_100, TEXT_100, 0.5 / 52, 1000),
        ("list<u8> of 100 kB there and back", ours.bytes, theirs.function("bytes"), octets, octets, 8 / 629_880, 1),
        ("record of four there and back", ours.same, theirs.function("same"), record, their_record, 0.5 / 252, 1000),
    ]
    found = []
    for name, function, their_function, argument, their_argument, goal, calls in rows:
        mine = {OURS: ("it(value)", {"it": function, "value": argument})}
        rival = {THEIRS: ("it(store, value)", {"it": their_function, "store": theirs.store, "value": their_argument})}
        if calls > 1:
            times = statements_ns(mine | rival, 3 if quick else 31, calls)
        else:  # a second each on their side: taking turns would have us start with cold caches
            times = statements_ns(mine, 3 if quick else 31, 1000) | statements_ns(rival, 3, 1)
        found.append(Figure(f"component call, {name}", times[OURS], times[THEIRS], THEIRS, goal))
    return found


def method_figure(ours: Any, theirs: Theirs, *, quick: bool) -> Figure:
    """A method of a resource that was made before."""
    value, made = theirs.function("[method]counter.value"), theirs.function("[constructor]counter")(theirs.store, 5)
    times = statements_ns(
        {
            OURS: ("it.value()", {"it": ours.Counter(5)}),
            THEIRS: ("it(store, made)", {"it": value, "store": theirs.store, "made": made}),
        },
        3 if quick else 31,
        1000,
    )
    return Figure("component call, resource method", times[OURS], times[THEIRS], THEIRS, 0.3 / 35)


def copy_figures(ours: Any, *, quick: bool) -> list[Figure]:
    """Large values against the copies that they can't do without."""
    numbers, target = numpy.arange(FLOATS, dtype=numpy.float64), numpy.empty(FLOATS)
    samples, calls = (3, 20) if quick else (51, 50)
    text = statements_ns(
        {
            OURS: ("it(text)", {"it": ours.text, "text": TEXT_1MB}),
            "encode, decode": ("text.encode().decode()", {"text": TEXT_1MB}),
        },
        samples,
        calls,
    )
    floats = statements_ns(
        {
            OURS: ("it(numbers)", {"it": ours.floats, "numbers": numbers}),
            "memcpy": ("copy(target, numbers)", {"copy": numpy.copyto, "target": target, "numbers": numbers}),
        },
        samples,
        calls,
    )
    return [
        Figure("component call, string of 1 MB there and back", text[OURS], text["encode, decode"], "two copies", 1.3),
        Figure("component call, list<f64> of 1e5 from numpy", floats[OURS], floats["memcpy"], "memcpy", 1.5),
    ]


def figures(*, quick: bool) -> list[Figure]:
    """Calls, copies, loading, instantiating."""
    path = scratch.packed("components", WAT.encode())
    component = wa.load(path)
    assert isinstance(component, wa.Component)
    ours, theirs = component.instantiate(), Theirs()
    samples = 5 if quick else 101
    serialized = theirs.component.serialize()
    loads = actions_ns(
        {
            OURS: lambda: wa.load(path),
            THEIRS: lambda: wasmtime.component.Component.deserialize(theirs.engine, serialized),
        },
        samples,
    )
    makes = actions_ns({OURS: component.instantiate, THEIRS: theirs.instantiate}, samples)
    wasm = scratch.directory() / "components.wasm"
    wasm.write_bytes(bytes(wasmtime.wat2wasm(WAT)))
    compiled = wasm.with_suffix(".cwasm")
    return [
        *call_figures(ours, theirs, quick=quick),
        method_figure(ours, theirs, quick=quick),
        *copy_figures(ours, quick=quick),
        Figure("load a component", loads[OURS], loads[THEIRS], THEIRS, 1.0),
        Figure("instantiate a component", makes[OURS], makes[THEIRS], THEIRS, 1.0),
        # What is small is done when Python and the validator have started.
        sandboxes.pack_figure("small component", wasm, compiled, 1 if quick else 5, 1.0, None),
        *([] if quick else sandboxes.figures()),
    ]
