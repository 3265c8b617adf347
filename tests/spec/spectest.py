"""The host module ``spectest`` that the suite's scripts import from, made of the public host classes."""

from __future__ import annotations

from typing import Any

import wasmartifact as wa

#: Parameters of the functions print, print_i32, ..., which return nothing.
PRINTS: dict[str, list[str]] = {
    "print": [],
    "print_i32": ["i32"],
    "print_i64": ["i64"],
    "print_f32": ["f32"],
    "print_f64": ["f64"],
    "print_i32_f32": ["i32", "f32"],
    "print_f64_f64": ["f64", "f64"],
}


def _ignore(*_values: Any) -> None:
    """Nothing compares what scripts print."""


def namespace() -> dict[str, Any]:
    """A fresh module, as an import namespace."""
    return {
        **{name: wa.Func(_ignore, params=params, results=[]) for name, params in PRINTS.items()},
        "global_i32": wa.Global("i32", 666),
        "global_i64": wa.Global("i64", 666),
        "global_f32": wa.Global("f32", 666.6),
        "global_f64": wa.Global("f64", 666.6),
        "table": wa.Table("funcref", 10, 20),
        "memory": wa.Memory(1, 2),
        "shared_memory": wa.Memory(1, 2, shared=True),
    }
