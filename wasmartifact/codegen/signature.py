"""Value and function types as code generation has them: one letter per LLVM type, and signatures of such letters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from wasmartifact import schema
from wasmartifact.dataclass import dataclass
from wasmartifact.wasm.model import FuncType

#: One letter per LLVM type: how operands are named, and the keys of most tables. References are ``l``, 0 is null.
LLVM_TYPES: Final = {"i": "i32", "l": "i64", "f": "float", "d": "double", "v": "<2 x i64>"}
#: The integer with the bits of a float.
FLOAT_BITS: Final = {"f": "i", "d": "l"}
#: A value outside of registers fills the low bytes of one slot; v128 fills two.
SLOT_SIZE_BYTES: Final = 8
SLOTS_OF: Final = {"i": 1, "l": 1, "f": 1, "d": 1, "v": 2}
#: Floats that a call returns as floats; vectors take from the same registers.
_FLOAT_RESULTS: Final = 2
_LETTERS: Final = {
    schema.VALTYPE_I32: "i",
    schema.VALTYPE_I64: "l",
    schema.VALTYPE_F32: "f",
    schema.VALTYPE_F64: "d",
    schema.VALTYPE_V128: "v",
    schema.VALTYPE_REF: "l",
    schema.VALTYPE_REF_NULL: "l",
}


def letter_of(valtype: int) -> str:
    """Type letter of a value type of the schema."""
    return _LETTERS[valtype & 0xFF]


@dataclass(frozen=True, slots=True)
class Signature:
    """A function type as type letters, and in LLVM's words.

    ``returned`` are the letters of the results on their way out: x86-64 returns two floats in SSE registers and the
    next ones in x87 registers, which make signalling NaNs quiet, so these go as integers. ``llvm_result`` is void, a
    type, or a literal struct for several results. ``llvm_params`` includes the leading instance (or context) pointer.
    """

    params: str
    results: str
    returned: str
    llvm_result: str
    llvm_params: str


def signature_of(func_type: FuncType) -> Signature:
    """Signature of a function type."""
    return _signature("".join(map(letter_of, func_type.params)), "".join(map(letter_of, func_type.results)))


@lru_cache(maxsize=4096)
def metered(signature: Signature) -> Signature:
    """The signature of a function that takes and returns its portion of fuel, an i64, before all else."""
    return _signature("l" + signature.params, "l" + signature.results)


def _signature(params: str, results: str) -> Signature:
    returned = "".join(_returned_letters(results))
    types = [LLVM_TYPES[letter] for letter in returned]
    return Signature(
        params,
        results,
        returned,
        "void" if not types else types[0] if len(types) == 1 else f"{{ {', '.join(types)} }}",
        ", ".join(["ptr", *(LLVM_TYPES[letter] for letter in params)]),
    )


def slot_places(letters: str) -> list[tuple[str, int]]:
    """Type letter and byte offset of each value in slots."""
    offset, places = 0, []
    for letter in letters:
        places.append((letter, offset))
        offset += SLOT_SIZE_BYTES * SLOTS_OF[letter]
    return places


def _returned_letters(results: str) -> Iterator[str]:
    floats = 0
    for letter in results:
        floats += letter in "fdv"
        yield FLOAT_BITS.get(letter, letter) if floats > _FLOAT_RESULTS else letter
