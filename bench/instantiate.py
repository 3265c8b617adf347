"""Instantiating: growth with data, tables and functions, and QuickJS against wasmtime-py, with and without dropping.

Every sample gets a store of its own on both sides. Imports are made once: Funcs here, a Linker there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import wasmtime

import wasmartifact as wa
from bench import scratch
from bench.figures import Figure
from bench.load import curve_name
from bench.quickjs import WASI_MODULE, QuickJs, module_path
from bench.synthetic import data_segments, exported_functions, filled_table
from bench.timing import actions_ns
from wasmartifact.externtypes import FuncType

SMALL_DATA_BYTES: Final = 64 << 10
LARGE_DATA_BYTES: Final = 64 << 20
QUICK_DATA_BYTES: Final = 1 << 20
SMALL_TABLE, LARGE_TABLE, QUICK_TABLE = 100, 100_000, 10_000
SMALL_FUNCTIONS, LARGE_FUNCTIONS, QUICK_FUNCTIONS = 10, 10_000, 1_000

Make = Callable[[], Any]
#: Goal and stretch.
Limits = tuple[float | None, float | None]
NONE_SET: Final[Limits] = (None, None)


def dropping(make: Make) -> Make:
    """The same action with what it makes dropped before it returns, so that dropping counts."""

    def make_and_drop() -> None:
        make()

    return make_and_drop


def our_maker(name: str, wasm: bytes, imports: Any = None) -> Make:
    """Makes instances of the module, packed and loaded once."""
    artifact = wa.load(scratch.packed(name, wasm))
    return lambda: artifact.instantiate(imports)


def quickjs_makers() -> tuple[Make, Make]:
    """Makers of QuickJS instances: ours and wasmtime-py's."""
    wasm, hosts = module_path().read_bytes(), QuickJs().imports()
    artifact = wa.load(scratch.packed("QuickJS", wasm))
    functions = {}
    for row in artifact.metadata.imports:
        assert isinstance(row.type, FuncType)
        functions[row.name] = wa.Func(hosts[row.name], row.type.params, row.type.results)
    imports = {WASI_MODULE: functions}
    engine = scratch.wasmtime_engine()
    module = wasmtime.Module(engine, wasm)
    linker = wasmtime.Linker(engine)
    for entry in module.imports:
        assert entry.name is not None and isinstance(entry.type, wasmtime.FuncType)
        linker.define_func(WASI_MODULE, entry.name, entry.type, hosts[entry.name])

    def theirs() -> tuple[Any, Any]:
        store = wasmtime.Store(engine)
        return store, linker.instantiate(store, module)

    return lambda: artifact.instantiate(imports), theirs


def growth(what: str, small: tuple[str, bytes], large: tuple[str, bytes], samples: int, limits: Limits) -> list[Figure]:
    """The large module against the small one, without and with dropping."""
    makers = {"large": our_maker(*large), "small": our_maker(*small)}
    rows = []
    for note, actions in (("", makers), (" and drop", {name: dropping(make) for name, make in makers.items()})):
        times = actions_ns(actions, samples)
        rows.append(Figure(f"instantiate{note}, {what}", times["large"], times["small"], small[0], *limits))
    return rows


def figures(*, quick: bool) -> list[Figure]:
    """Growth with data, table and functions; QuickJS."""
    samples = 11 if quick else 501
    data_bytes = QUICK_DATA_BYTES if quick else LARGE_DATA_BYTES
    table = QUICK_TABLE if quick else LARGE_TABLE
    functions = QUICK_FUNCTIONS if quick else LARGE_FUNCTIONS
    rows = growth(
        f"{data_bytes >> 20} MB of data",
        ("64 kB of data", data_segments(SMALL_DATA_BYTES)),
        (f"{data_bytes >> 20} MB of data", data_segments(data_bytes)),
        samples,
        (1.5, 1.1),
    )
    rows += growth(
        f"table of {table:,}",
        (f"table of {SMALL_TABLE}", filled_table(SMALL_TABLE)),
        (f"table of {table:,}", filled_table(table)),
        samples,
        NONE_SET,
    )
    rows += growth(
        f"{functions:,} functions",
        (curve_name(SMALL_FUNCTIONS), exported_functions(SMALL_FUNCTIONS)),
        (curve_name(functions), exported_functions(functions)),
        samples,
        NONE_SET,
    )
    if quick:
        return rows
    ours, theirs = quickjs_makers()
    for note, wrap in (("", lambda make: make), (" and drop", dropping)):
        times = actions_ns({"wasmartifact": wrap(ours), "wasmtime-py": wrap(theirs)}, samples)
        rows.append(
            Figure(f"instantiate{note}, QuickJS", times["wasmartifact"], times["wasmtime-py"], "wasmtime-py", 1.0, 0.5)
        )
    return rows
