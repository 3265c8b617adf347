"""Core signatures of functions of the canonical ABI: what values are in registers (CanonicalABI.md, "flattening")."""

from __future__ import annotations

from typing import Final

from wasmartifact.component.link import CanonRow, Program
from wasmartifact.schema import (
    CANON_ADAPTER,
    CANON_HOST,
    CANON_LIFT,
    CANON_RESOURCE_DROP,
    COMPONENT_KINDS,
    MAX_FLAT_PARAMS,
    MAX_FLAT_RESULTS,
    VALTYPE_F32,
    VALTYPE_F64,
    VALTYPE_I32,
    VALTYPE_I64,
)
from wasmartifact.wasm.model import FuncType

_SCALARS: Final = {"s64": VALTYPE_I64, "u64": VALTYPE_I64, "f32": VALTYPE_F32, "f64": VALTYPE_F64}
Flat = tuple[int, ...]


class Flattener:
    """Flat forms of the types of a program; None where there are more values than any call passes in registers."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.known: list[Flat | None] = []

    def type(self, row: int) -> Flat | None:
        """Flat form of a value type. Types come after their parts, so that this never goes deep."""
        while len(self.known) <= row:
            self.known.append(self._flatten(len(self.known)))
        return self.known[row]

    def _flatten(self, row: int) -> Flat | None:
        type_ = self.program.types[row]
        kind = COMPONENT_KINDS[type_.kind]
        parts = [item for _, item in type_.items]
        if kind in ("string", "list"):
            return (VALTYPE_I32, VALTYPE_I32)
        if kind in ("record", "tuple"):
            return self._joined(parts)
        if kind in ("variant", "option", "result"):
            return self._variant([0, *parts] if kind == "option" else parts)
        if kind == "func":
            return None
        return (_SCALARS.get(kind, VALTYPE_I32),)

    def _part(self, item: int) -> Flat | None:
        return () if item == 0 else self.known[item - 1]

    def _joined(self, parts: list[int]) -> Flat | None:
        flat: Flat = ()
        for part in parts:
            values = self._part(part)
            if values is None or len(flat) + len(values) > MAX_FLAT_PARAMS:
                return None
            flat += values
        return flat

    def _variant(self, parts: list[int]) -> Flat | None:
        payload: list[int] = []
        for part in parts:
            values = self._part(part)
            if values is None:
                return None
            for place, value in enumerate(values):
                if place == len(payload):
                    payload.append(value)
                elif payload[place] != value:
                    narrow = {payload[place], value} == {VALTYPE_I32, VALTYPE_F32}
                    payload[place] = VALTYPE_I32 if narrow else VALTYPE_I64
        return (VALTYPE_I32, *payload) if len(payload) < MAX_FLAT_PARAMS else None

    def core_type(self, canon: CanonRow) -> FuncType:
        """The type of the core function: of the one that is lifted, or of what the canonical function is."""
        if canon.kind not in (CANON_LIFT, CANON_HOST, CANON_ADAPTER):
            results = () if canon.kind == CANON_RESOURCE_DROP else (VALTYPE_I32,)
            return FuncType((VALTYPE_I32,), results)
        assert canon.type is not None
        self.type(canon.type)
        *params, result = [item for _, item in self.program.types[canon.type].items]
        flat = self._joined(params)
        core_params = (VALTYPE_I32,) if flat is None else flat
        core_results = self._part(result)
        if core_results is None or len(core_results) > MAX_FLAT_RESULTS:
            if canon.kind == CANON_LIFT:
                return FuncType(core_params, (VALTYPE_I32,))
            return FuncType((*core_params, VALTYPE_I32), ())
        return FuncType(core_params, core_results)
