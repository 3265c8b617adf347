"""What generated modules may use: the one place to widen when the compiler learns a proposal.

Names are options of ``wasm-tools smith``. A feature that stands under OFF is one that the compiler refuses for now, or
that can't be compared; a module that it refuses although everything it uses stands elsewhere counts as skipped, and
shows in the report.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from wasmartifact.wasm.decode import decode_bodies, decode_module

ON: Final = (
    "bulk-memory",
    "extended-const",
    "multi-value",
    "reference-types",
    "saturating-float-to-int",
    "sign-extension-ops",
)
#: On in many modules only, so that there are combinations, and that older features don't get rare.
OFTEN: Final = (
    "custom-page-sizes",
    "exceptions",
    "gc",
    "memory64",
    "tail-call",
    "threads",
    "wide-arithmetic",
)
OFTEN_SHARE: Final = 0.6
#: On where the seed itself wants canonical NaNs. Else wasmtime's vector min and max drop a NaN's payload; ours keep it.
#: Relaxed operators are those of wasmtime's deterministic mode, see ``relaxed.py``.
ON_WITH_CANONICAL_NANS: Final = ("relaxed-simd", "simd")
OFF: Final = (
    # wasmtime refuses this one; `tests/unit/wasm/test_decode.py` has modules with it.
    "compact-imports",
    # The compiler refuses these: they are no part of WebAssembly 3.0.
    "custom-descriptors",
    "shared-everything-threads",
)
MAX_MEMORIES: Final = 3
MAX_TABLES: Final = 4


def features_of(modules: Sequence[bytes]) -> set[str]:
    """What the code of the modules of a seed uses, by ``schema.WASM_FEATURES``."""
    return {feature for data in modules for feature in decode_bodies(decode_module(data))}


def smith_options(rng: random.Random, *, vectors: bool) -> list[str]:
    """Command-line options of ``wasm-tools smith`` for the features of one module.

    Without a maximum, a 64-bit memory would grow as far as wasmtime likes, so all memories have one where there may be
    such.
    """
    switches = {
        **dict.fromkeys(ON, True),
        **dict.fromkeys(OFF, False),
        **dict.fromkeys(ON_WITH_CANONICAL_NANS, vectors),
    }
    switches |= {name: rng.random() < OFTEN_SHARE for name in OFTEN}
    options = [word for name, on in switches.items() for word in (f"--{name}-enabled", flag(on))]
    options += ["--memory-max-size-required", flag(switches["memory64"] or rng.random() < 0.9)]
    return [*options, "--max-memories", str(MAX_MEMORIES), "--max-tables", str(MAX_TABLES)]


def flag(value: bool) -> str:
    """A switch of the command line."""
    return "true" if value else "false"
