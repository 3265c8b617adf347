"""What generated modules may use: the one place to widen when the compiler learns a proposal.

Names are options of ``wasm-tools smith``. A feature that stands under OFF is one that the compiler refuses for now; a
module that it refuses although everything it uses stands under ON counts as skipped, and shows in the report.
"""

from __future__ import annotations

from typing import Final

ON: Final = (
    "bulk-memory",
    "extended-const",
    "multi-value",
    "reference-types",
    "saturating-float-to-int",
    "sign-extension-ops",
    "tail-call",
)
#: On where the seed itself wants canonical NaNs. Else wasmtime's vector min and max drop a NaN's payload; ours keep it.
ON_WITH_CANONICAL_NANS: Final = ("simd",)
OFF: Final = (
    "compact-imports",
    "custom-descriptors",
    "custom-page-sizes",
    "exceptions",
    "gc",
    "memory64",
    "relaxed-simd",
    "shared-everything-threads",
    "threads",
    "wide-arithmetic",
)
#: More than one memory is a proposal, more than one table came with reference types.
MAX_MEMORIES: Final = 1
MAX_TABLES: Final = 4


def smith_options(*, vectors: bool) -> list[str]:
    """Command-line options of ``wasm-tools smith`` for the features."""
    switches = {**dict.fromkeys(ON, "true"), **dict.fromkeys(OFF, "false")}
    switches |= dict.fromkeys(ON_WITH_CANONICAL_NANS, "true" if vectors else "false")
    options = [word for name, value in switches.items() for word in (f"--{name}-enabled", value)]
    return [*options, "--max-memories", str(MAX_MEMORIES), "--max-tables", str(MAX_TABLES)]
