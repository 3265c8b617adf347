"""How functions take parameters and give results in a module with tail calls.

LLVM's ``musttail`` takes any function for another one of the same prototype. So all functions of such a module have
one: the instance, integers, vectors, as many as its types ask for and registers hold. Nothing goes by the stack. Where
a type's values fit, they lie where C has them, and whoever knows the type may call the function as C does.

The others **spill**: what no register holds goes through a few bytes of the store, which the callee reads before it
does anything else, and the caller when it gets the results. C reaches such functions by a trampoline (see
``trampolines``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from wasmartifact import schema
from wasmartifact.codegen.signature import LLVM_TYPES, Signature
from wasmartifact.dataclass import dataclass

#: Parameters that the C convention has in registers, the instance aside; so do our two machines with two results.
_INTEGERS: Final = {"x86_64": 5, "aarch64": 7}
_VECTORS: Final = 8
_RESULTS: Final = 2
_VECTOR: Final = "<2 x double>"
_OPERANDS: Final = schema.INSTANCE_HEADER.offsets()["operands"]
_SLOT_SIZE_BYTES: Final = 16


class Writer(Protocol):
    """What writes instructions: a ``FunctionEmitter``, or ``Lines``."""

    def define(self, letter: str, expression: str) -> str:
        """Write an instruction that gives a value of a type letter; return its name."""

    def emit(self, instruction: str) -> None:
        """Write an instruction without a value."""


class Lines:
    """Writes where values have names, not numbers: the entry block of a function, and trampolines."""

    def __init__(self, out: list[str]) -> None:
        self.out = out

    def define(self, letter: str, expression: str) -> str:
        """As `Writer`."""
        name = f"%n{len(self.out)}.{letter}"
        self.out.append(f"  {name} = {expression}")
        return name

    def emit(self, instruction: str) -> None:
        """As `Writer`."""
        self.out.append(f"  {instruction}")


@dataclass(frozen=True, slots=True)
class Convention:
    """The prototype of a module's functions: this many integers and vectors."""

    integers: int
    vectors: int

    @property
    def llvm_params(self) -> str:
        """Types of all parameters."""
        return ", ".join(["ptr", *["i64"] * self.integers, *[_VECTOR] * self.vectors])

    def llvm_result(self, signature: Signature) -> str:
        """Result type: void where results spill."""
        return "void" if self.spills_results(signature) else signature.llvm_result

    def spills_results(self, signature: Signature) -> bool:
        """Whether the results are more than registers hold."""
        return len(signature.results) > _RESULTS

    def spills(self, signature: Signature) -> bool:
        """Whether a call of this type differs from one in C."""
        return self.spills_results(signature) or any(place < 0 for place in self._places(signature.params))

    def _places(self, params: str) -> Iterator[int]:
        """For each parameter its place in the prototype after the instance, -1 where it spills."""
        integers, vectors = iter(range(self.integers)), iter(range(self.integers, self.integers + self.vectors))
        for letter in params:
            yield next(integers if letter in "il" else vectors, -1)

    # In a caller --------------------------------------------------------------------------------------------------

    def arguments(self, writer: Writer, instance: str, params: str, operands: Sequence[str]) -> str:
        """Arguments of a call after the instance, each with a leading comma; writes those that spill."""
        passed = ["i64 poison"] * self.integers + [f"{_VECTOR} poison"] * self.vectors
        spilled = []
        for letter, operand, place in zip(params, operands, self._places(params), strict=True):
            if place < 0:
                spilled.append((letter, operand))
            elif letter in "il":
                passed[place] = f"i64 {operand if letter == 'l' else writer.define('l', f'zext i32 {operand} to i64')}"
            else:
                passed[place] = f"{_VECTOR} {_as_vector(writer, letter, operand)}"
        _write(writer, instance, spilled)
        return "".join(f", {argument}" for argument in passed)

    def spilled_results(self, writer: Writer, instance: str, signature: Signature) -> list[str]:
        """Results of a call that gave them this way."""
        return _read(writer, instance, signature.results)

    # In a callee --------------------------------------------------------------------------------------------------

    def parameters(self, first: str = "%instance") -> str:
        """Parameters of a definition, named ``%a0``, ``%a1``, ... after the first one."""
        types = self.llvm_params.split(", ")[1:]
        return ", ".join([f"ptr {first}", *(f"{type_} %a{place}" for place, type_ in enumerate(types))])

    def unpack(self, writer: Writer, instance: str, params: str) -> list[str]:
        """The values of the parameters; must come before anything that may call a function."""
        places = list(self._places(params))
        outside = [letter for letter, place in zip(params, places, strict=True) if place < 0]
        spilled = iter(_read(writer, instance, outside))
        return [
            next(spilled) if place < 0 else _from_register(writer, letter, f"%a{place}")
            for letter, place in zip(params, places, strict=True)
        ]

    def spill_results(self, writer: Writer, instance: str, signature: Signature, values: Sequence[str]) -> bool:
        """Write the results if they go this way, before a ``ret void``."""
        if self.spills_results(signature):
            _write(writer, instance, list(zip(signature.results, values, strict=True)))
        return self.spills_results(signature)


def inward_symbol(type_index: int) -> str:
    """Symbol of the trampoline from C to functions of a type that spills."""
    return f"inward_{type_index}"


def outward_symbol(type_index: int) -> str:
    """Symbol of the trampoline from a tail call to functions that are called as in C, of a type that spills."""
    return f"outward_{type_index}"


def fixed_table_symbol(table: int) -> str:
    """Symbol of the constant that stands for a table which never changes."""
    return f"wa_fixed_table_{table}"


def convention_of(signatures: Iterable[Signature], machine: str) -> Convention:
    """The smallest prototype for functions of these types."""
    integers = vectors = 0
    for signature in signatures:
        count = sum(letter in "il" for letter in signature.params)
        integers, vectors = max(integers, count), max(vectors, len(signature.params) - count)
    return Convention(min(integers, _INTEGERS[machine]), min(vectors, _VECTORS))


def received(writer: Writer, signature: Signature, call: str, then: Callable[[], None] | None = None) -> list[str]:
    """Call a function that gives its results as C does. ``then`` comes between the call and a look at them."""
    whole = ""
    if signature.results:
        whole = writer.define(signature.results if len(signature.results) == 1 else "s", call)
    else:
        writer.emit(call)
    if then is not None:
        then()
    if len(signature.results) < 2:
        return [whole] if whole else []
    values = []
    for position, (letter, returned) in enumerate(zip(signature.results, signature.returned, strict=True)):
        value = writer.define(returned, f"extractvalue {signature.llvm_result} {whole}, {position}")
        values.append(_cast(writer, letter, returned, value))
    return values


def returned(writer: Writer, signature: Signature, values: Sequence[str]) -> str:
    """Operand of a ``ret`` that gives results as C does, "" for none."""
    if len(values) < 2:
        return "".join(values)
    whole = "poison"
    for position, (letter, returned, value) in enumerate(
        zip(signature.results, signature.returned, values, strict=True)
    ):
        part = f"{LLVM_TYPES[returned]} {_cast(writer, returned, letter, value)}"
        whole = writer.define("s", f"insertvalue {signature.llvm_result} {whole}, {part}, {position}")
    return whole


def _cast(writer: Writer, to: str, letter: str, value: str) -> str:
    """A value of type ``letter`` as one of type ``to``, bit by bit."""
    return value if to == letter else writer.define(to, f"bitcast {LLVM_TYPES[letter]} {value} to {LLVM_TYPES[to]}")


def _as_vector(writer: Writer, letter: str, operand: str) -> str:
    """A float or v128 operand as what a vector register takes."""
    if letter == "v":
        return writer.define("n", f"bitcast <2 x i64> {operand} to {_VECTOR}")
    if letter == "d":
        return writer.define("n", f"insertelement {_VECTOR} poison, double {operand}, i64 0")
    lanes = writer.define("n", f"insertelement <4 x float> poison, float {operand}, i64 0")
    return writer.define("n", f"bitcast <4 x float> {lanes} to {_VECTOR}")


def _from_register(writer: Writer, letter: str, value: str) -> str:
    """The value of type ``letter`` that a parameter holds."""
    if letter == "i":
        return writer.define("i", f"trunc i64 {value} to i32")
    if letter == "l":
        return writer.define("l", f"bitcast i64 {value} to i64")
    if letter == "d":
        return writer.define("d", f"extractelement {_VECTOR} {value}, i64 0")
    if letter == "v":
        return writer.define("v", f"bitcast {_VECTOR} {value} to <2 x i64>")
    lanes = writer.define("n", f"bitcast {_VECTOR} {value} to <4 x float>")
    return writer.define("f", f"extractelement <4 x float> {lanes}, i64 0")


def _operands(writer: Writer, instance: str) -> str:
    """Address of the store's bytes for values; it changes when stores join."""
    field = writer.define("p", f"getelementptr i8, ptr {instance}, i64 {_OPERANDS}")
    return writer.define("p", f"load ptr, ptr {field}, align 8")


def _write(writer: Writer, instance: str, values: Sequence[tuple[str, str]]) -> None:
    """Spill values, given with their type letters."""
    if not values:
        return
    operands = _operands(writer, instance)
    for position, (letter, value) in enumerate(values):
        slot = writer.define("p", f"getelementptr i8, ptr {operands}, i64 {_SLOT_SIZE_BYTES * position}")
        writer.emit(f"store {LLVM_TYPES[letter]} {value}, ptr {slot}, align {_SLOT_SIZE_BYTES}")


def _read(writer: Writer, instance: str, letters: Sequence[str]) -> list[str]:
    """Values that were spilled."""
    if not letters:
        return []
    operands = _operands(writer, instance)
    values = []
    for position, letter in enumerate(letters):
        slot = writer.define("p", f"getelementptr i8, ptr {operands}, i64 {_SLOT_SIZE_BYTES * position}")
        values.append(writer.define(letter, f"load {LLVM_TYPES[letter]}, ptr {slot}, align {_SLOT_SIZE_BYTES}"))
    return values
