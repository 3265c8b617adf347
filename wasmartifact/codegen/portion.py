"""The function of an artifact with fuel that takes a portion of it from the store: see ``fuel``."""

from __future__ import annotations

from typing import Final

from wasmartifact import schema
from wasmartifact.codegen.irmodule import FUNCTION_ATTRIBUTES, NOMERGE, TAKE_FUEL

_INSTANCE: Final = schema.INSTANCE_HEADER.offsets()


def take_fuel() -> str:
    """``i64 take_fuel(ptr instance, i64 left, i64 cost)``: the new portion, after cost was paid; or a trap.

    ``left`` is the old portion less the cost, modulo 2**64; the portion was less than the cost.
    """
    trap = schema.TRAP_BY_NAME["out_of_fuel"]
    return "\n".join([
        f"define hidden preserve_allcc i64 @{TAKE_FUEL}(ptr %instance, i64 %left, i64 %cost) {FUNCTION_ATTRIBUTES} {{",
        f"  %field = getelementptr i8, ptr %instance, i64 {_INSTANCE['fuel']}",
        "  %cell = load ptr, ptr %field, align 8",
        "  %fuel = load i64, ptr %cell, align 8",
        "  %needed = sub i64 0, %left",
        "  %enough = icmp ule i64 %needed, %fuel",
        "  br i1 %enough, label %take, label %out",
        "out:",
        "  store volatile i64 0, ptr %cell, align 8",
        f"  call void @llvm.ubsantrap(i8 {trap}) {NOMERGE}",
        "  unreachable",
        "take:",
        f"  %large = icmp ugt i64 %needed, {schema.FUEL_PORTION}",
        f"  %wanted = select i1 %large, i64 %needed, i64 {schema.FUEL_PORTION}",
        "  %all = icmp ult i64 %fuel, %wanted",
        "  %taken = select i1 %all, i64 %fuel, i64 %wanted",
        "  %rest = sub i64 %fuel, %taken",
        "  store i64 %rest, ptr %cell, align 8",
        "  %new = add i64 %left, %taken",
        "  ret i64 %new",
        "}",
    ])  # fmt: skip
