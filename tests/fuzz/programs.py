"""Generates programs whose every instruction runs, as text: smith's modules rarely reach two operands, or a store.

Functions are sequences of statements over expression trees. Addresses and indices are mostly masked into bounds, and
divisors mostly made odd, so that traps are an exception. Like smith's, programs count down a fuel global, the last one.
With canonical NaNs, a value passes through a canonicalisation wherever its bits could show: the spec leaves open which
NaN an operation gives.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.fuzz.values import VECTOR, Signature, interesting
from wasmartifact.wasm.opcodes import LANE, MEMARG, MEMARG_LANE, NONE, OPCODES, SHUFFLE, Opcode

INTEGERS: Final = ("i32", "i64")
FLOATS: Final = ("f32", "f64")
_BINARY: Final = {
    "i": ("add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"),
    "f": ("add", "sub", "mul", "div", "min", "max"),
}
_DIVISIONS: Final = ("div_s", "div_u", "rem_s", "rem_u")
_UNARY: Final = {
    "i32": ("clz", "ctz", "popcnt", "extend8_s", "extend16_s"),
    "i64": ("clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"),
    "f32": ("abs", "neg", "sqrt", "ceil", "floor", "trunc", "nearest"),
    "f64": ("abs", "neg", "sqrt", "ceil", "floor", "trunc", "nearest"),
}
_COMPARISONS: Final = {
    "i": ("eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"),
    "f": ("eq", "ne", "lt", "gt", "le", "ge"),
}
#: Result type -> (operation, operand type).
_CONVERSIONS: Final = {
    "i32": [("wrap_i64", "i64"), *((f"trunc_sat_{f}_{s}", f) for f in FLOATS for s in "su")],
    "i64": [
        *((f"extend_i32_{s}", "i32") for s in "su"),
        *((f"trunc_sat_{f}_{s}", f) for f in FLOATS for s in "su"),
    ],
    "f32": [("demote_f64", "f64"), *((f"convert_{i}_{s}", i) for i in INTEGERS for s in "su")],
    "f64": [("promote_f32", "f32"), *((f"convert_{i}_{s}", i) for i in INTEGERS for s in "su")],
}
#: Bytes of an atomic access, and the ends of the names of what accesses them.
_ATOMIC_WIDTHS: Final = {
    "i32": ((4, "", ""), (1, "8", "_u"), (2, "16", "_u")),
    "i64": ((8, "", ""), (1, "8", "_u"), (2, "16", "_u"), (4, "32", "_u")),
}
_MODIFIERS: Final = ("add", "sub", "and", "or", "xor", "xchg", "cmpxchg")
_REINTERPRET: Final = {"i32": "f32", "i64": "f64", "f32": "i32", "f64": "i64"}
_LOADS: Final = {
    "i32": ("load", "load8_s", "load8_u", "load16_s", "load16_u"),
    "i64": ("load", "load8_s", "load8_u", "load16_s", "load16_u", "load32_s", "load32_u"),
    "f32": ("load",),
    "f64": ("load",),
}
_STORES: Final = {
    "i32": ("store", "store8", "store16"),
    "i64": ("store", "store8", "store16", "store32"),
    "f32": ("store",),
    "f64": ("store",),
}
#: Vector operators and loads by the type of the result.
_TYPES: Final = {"i": "i32", "l": "i64", "f": "f32", "d": "f64", "v": VECTOR}
_VECTOR_OPCODES: Final = [
    opcode for opcode in OPCODES.values()
    if opcode.feature in ("simd", "relaxed-simd") and opcode.immediate in (NONE, LANE, SHUFFLE, MEMARG, MEMARG_LANE)
    and "madd" not in opcode.name  # see relaxed.py
]  # fmt: skip
_VECTOR_OPERATORS: Final = {
    kind: [opcode for opcode in _VECTOR_OPCODES if str(opcode.signature).endswith(f":{letter}")]
    for letter, kind in _TYPES.items()
}
_VECTOR_STORES: Final = [opcode for opcode in _VECTOR_OPCODES if ".store" in opcode.name]
#: Vector operators that may give any NaN.
_VECTOR_ARITHMETIC: Final = ("add", "sub", "mul", "div", "sqrt", "ceil", "floor", "trunc", "nearest", "min", "max",
                             "relaxed_min", "relaxed_max", "promote_low_f32x4", "demote_f64x2_zero")  # fmt: skip
_EXTREMES: Final = ("min", "max", "relaxed_min", "relaxed_max")
TABLE_SIZE: Final = 16
EXTERN_TABLE_SIZE: Final = 8
DATA_BYTES: Final = 64


@dataclass(frozen=True)
class Memory:
    """A memory; ``size_bytes`` is what it has at the start."""

    index: int
    is_64: bool
    size_bytes: int
    page_log2: int
    is_shared: bool = False

    @property
    def address(self) -> str:
        """Type of addresses."""
        return "i64" if self.is_64 else "i32"

    def text(self, grown_pages: int) -> str:
        """The definition."""
        name = "memory" if self.index == 0 else f"memory{self.index}"
        pages = self.size_bytes >> self.page_log2
        shared = " shared" if self.is_shared else ""
        suffix = "" if self.page_log2 == 16 else f" (pagesize {1 << self.page_log2})"
        return f'(memory $m{self.index} (export "{name}") {self.address} {pages} {pages + grown_pages}{shared}{suffix})'


@dataclass(frozen=True)
class Function:
    """A function to be generated; ``locals`` are the types of parameters and variables."""

    index: int
    signature: Signature
    locals: tuple[str, ...]


def generate_program(rng: random.Random, *, canonical_nans: bool) -> str:
    """Text of a random module."""
    return Program(rng, canonical_nans).text()


class Program:
    """One module in the making."""

    #: Whether code may use the proposal of that name.
    wide_arithmetic = threads = True
    #: How deep statements nest, and how many the body of a function has at most.
    depth, statements = 3, 6

    def __init__(self, rng: random.Random, canonical_nans: bool) -> None:
        self.rng = rng
        self.canonical_nans = canonical_nans
        # A trap ends a call, so that one in many operations may trap.
        self.risk = rng.choice((0.0, 0.01, 0.1))
        self.types = self._value_types()
        self.memories = self._memories()
        self.globals = [rng.choice(self.types) for _ in range(rng.randrange(1, 6))]
        signatures = [self._signature() for _ in range(rng.randrange(1, 4))]
        count = rng.randrange(2, 9)
        hostable = [one for one in signatures if one.crosses]
        self.imports = [rng.choice(hostable) for _ in range(rng.randrange(3))] if hostable else []
        self.functions = [self._function(index, rng.choice(signatures)) for index in range(count)]
        self.signatures = signatures
        self.has_tail_calls = rng.random() < 0.4
        self.function: Function = self.functions[0]
        self.loops = 0

    def _value_types(self) -> list[str]:
        """Types of numbers that the module uses."""
        types = list(INTEGERS + FLOATS) if self.rng.random() < 0.7 else list(INTEGERS)
        return [*types, VECTOR] if len(types) > len(INTEGERS) and self.rng.random() < 0.6 else types

    def _memories(self) -> list[Memory]:
        return [self._memory(index) for index in range(self.rng.choice((1, 1, 1, 2, 3)))]

    def _signature(self) -> Signature:
        rng = self.rng
        params = tuple(rng.choice(self.types) for _ in range(rng.choice((0, 1, 2, 3, 5, 12))))
        return Signature(params, tuple(rng.choice(self.types) for _ in range(rng.choice((0, 1, 1, 1, 2, 4)))))

    def _memory(self, index: int) -> Memory:
        rng = self.rng
        if rng.random() < 0.2:
            return Memory(index, rng.random() < 0.3, rng.randrange(300, 5000), 0)
        return Memory(index, rng.random() < 0.3, 65536 * rng.choice((1, 1, 2)), 16, self.threads and rng.random() < 0.4)

    def _function(self, index: int, signature: Signature) -> Function:
        extra = tuple(self.rng.choice(self.types) for _ in range(self.rng.randrange(1, 6)))
        return Function(index, signature, (*signature.params, *extra))

    # ---- the module

    def text(self) -> str:
        """The whole module; the fuel is the last global."""
        rng, mutable = self.rng, "(mut {0}) ({0}.const {1})"
        names = [f"$h{index}" for index in range(len(self.imports))] + [f"$f{f.index}" for f in self.functions]
        elements = " ".join(rng.choice(names) for _ in range(TABLE_SIZE - rng.randrange(4)))
        own = " ".join(rng.choice(names[len(self.imports) :]) for _ in range(TABLE_SIZE - 2 - rng.randrange(4)))
        data = "".join(f"\\{byte:02x}" for byte in rng.randbytes(DATA_BYTES))
        fields = [
            *(
                f"(type $t{index} (func{params_text(one)}{results_text(one)}))"
                for index, one in enumerate(self.signatures)
            ),
            *(
                f'(import "host" "h{index}" (func $h{index} (type $t{self.signatures.index(one)})))'
                for index, one in enumerate(self.imports)
            ),
            *self._more_imports(),
            *(memory.text(rng.randrange(3)) for memory in self.memories),
            self._table_text(),
            f'(table $x (export "externs") {EXTERN_TABLE_SIZE} {EXTERN_TABLE_SIZE + 4} externref)',
            f"(elem (table $t) (i32.const 0) func {elements})",
            f"(table $fixed {TABLE_SIZE} {TABLE_SIZE} funcref)",  # nothing changes it
            f"(elem (table $fixed) (i32.const {rng.randrange(3)}) func {own})" if rng.random() < 0.9 else "",
            f"(elem $e func {elements})",
            f'(data ({self.memories[0].address}.const {rng.randrange(200)}) "{data}")',
            f'(data $d "{data}")',
            *(
                f"(global $g{index} {mutable.format(kind, self._literal(kind))})"
                for index, kind in enumerate(self.globals)
            ),
            *map(self._function_text, self.functions),
            *self._more_fields(),
            f"(global $fuel {mutable.format('i32', 500)})",
        ]
        return "(module\n" + "\n".join(fields) + "\n)\n"

    def _table_text(self) -> str:
        """The table of functions."""
        return f'(table $t (export "table") {TABLE_SIZE} {TABLE_SIZE + 8} funcref)'

    def _more_imports(self) -> list[str]:
        """What a kind of program imports besides."""
        return []

    def _more_fields(self) -> list[str]:
        """What a kind of program defines besides."""
        return []

    def _function_text(self, function: Function) -> str:
        self.function, self.loops = function, 0
        signature = function.signature
        body = self._body()
        if self.has_tail_calls:
            body.append(self._tail_call())
        body += [self._visible(kind, 4) for kind in signature.results]
        variables = [f"(local $l{i} {kind})" for i, kind in enumerate(function.locals) if i >= len(signature.params)]
        # One variable per type for canonicalisation, one counter per loop.
        variables += [f"(local $n_{kind} {kind})" for kind in (*FLOATS, VECTOR, "i64")]
        variables += [f"(local $c{index} i32)" for index in range(self.loops)]
        variables += self._more_variables()
        params = "".join(f" (param $l{index} {kind})" for index, kind in enumerate(signature.params))
        head = f'(func $f{function.index} (export "f{function.index}") (type $t{self.signatures.index(signature)})'
        return "\n  ".join([f"{head}{params}{results_text(signature)}", *variables, self._burn(), *body]) + ")"

    def _burn(self) -> str:
        """Use up some fuel; the call ends where there is none."""
        return BURN

    def _body(self) -> list[str]:
        """Statements of a function."""
        return [self._statement(self.depth) for _ in range(self.rng.randint(1, self.statements))]

    def _more_variables(self) -> list[str]:
        """Variables that a kind of program needs besides."""
        return []

    # ---- statements

    def _statement(self, depth: int) -> str:
        rng = self.rng
        if depth and rng.random() < 0.35:
            return rng.choice(self._nested())(depth - 1)
        return rng.choice(
            (
                *(
                    self._set_local,
                    self._set_local,
                    self._set_global,
                    self._store,
                    self._store,
                    self._bulk,
                    self._table,
                ),
                self._store_atomic if self.threads else self._store,
            )
        )()

    def _nested(self) -> list[Callable[[int], str]]:
        """Makers of statements that hold others; they take a depth."""
        return [self._if, self._loop, self._switch, self._call_away]

    def _set_local(self) -> str:
        index = self.rng.randrange(len(self.function.locals))
        return f"(local.set $l{index} {self._expression(self.function.locals[index], 4)})"

    def _set_global(self) -> str:
        index = self.rng.randrange(len(self.globals))
        return f"(global.set $g{index} {self._visible(self.globals[index], 4)})"

    def _store(self) -> str:
        kind = self.rng.choice(self.types)
        if kind == VECTOR:
            return self._vector(self.rng.choice(_VECTOR_STORES), 3)
        name = self.rng.choice(_STORES[kind])
        return f"({kind}.{name} {self._place(3)} {self._visible(kind, 3)})"

    def _store_atomic(self) -> str:
        """An atomic store, or a fence."""
        if self.rng.random() < 0.1:
            return "(atomic.fence)"
        kind = self.rng.choice(INTEGERS)
        width, bits, _ = self.rng.choice(_ATOMIC_WIDTHS[kind])
        return f"({kind}.atomic.store{bits} {self._aligned(width, 2)} {self._expression(kind, 2)})"

    def _bulk(self) -> str:
        memory, other = (self.rng.choice(self.memories) for _ in range(2))
        name, size = f"$m{memory.index}", self._masked(63, 1)
        choice = self.rng.randrange(5)
        if choice == 0:
            filled = _extended(size, memory.is_64)
            return f"(memory.fill {name} {self._address(memory, 2)} {self._expression('i32', 1)} {filled})"
        if choice == 1:
            places = f"{self._address(memory, 2)} {self._address(other, 2)}"
            return f"(memory.copy {name} $m{other.index} {places} {_extended(size, memory.is_64 and other.is_64)})"
        if choice == 2:
            return f"(memory.init {name} $d {self._address(memory, 2)} {self._masked(31, 1)} {self._masked(31, 1)})"
        if choice == 3 and self._risky():
            return "(data.drop $d)"
        return f"(drop (memory.grow {name} {_extended(self._masked(1, 1), memory.is_64)}))"

    def _table(self) -> str:
        slot, low = self._masked(TABLE_SIZE - 1, 2), self._masked(7, 1)
        name = f"$f{self.rng.choice(self.functions).index}"
        choices = [
            f"(table.set $t {slot} (table.get $t {low}))",
            f"(table.set $t {slot} (ref.func {name}))",
            f"(table.set $t {slot} (ref.null func))",
            f"(table.copy $t $t {low} {self._masked(7, 1)} {self._masked(7, 1)})",
            f"(table.copy $t $fixed {low} {self._masked(7, 1)} {self._masked(7, 1)})",
            f"(table.init $t $e {low} {self._masked(3, 1)} {self._masked(7, 1)})",
            f"(table.fill $t {slot} (ref.func {name}) (i32.const 1))",
            f"(drop (table.grow $t (ref.null func) {self._masked(1, 1)}))",
            f"(table.set $x {low} (table.get $x {self._masked(EXTERN_TABLE_SIZE - 1, 1)}))",
            "(elem.drop $e)" if self._risky() else f"(table.set $t {slot} (ref.func {name}))",
        ]
        return self.rng.choice(choices)

    def _if(self, depth: int) -> str:
        other = f" (else {self._statement(depth)})" if self.rng.random() < 0.5 else ""
        return f"(if {self._expression('i32', 3)} (then {self._statement(depth)} {self._statement(depth)}){other})"

    def _loop(self, depth: int) -> str:
        counter = f"$c{self.loops}"
        self.loops += 1
        body = f"{self._statement(depth)} {self._statement(depth)}"
        step = f"(local.tee {counter} (i32.add (local.get {counter}) (i32.const 1)))"
        again = f"(br_if 0 (i32.lt_u {step} (i32.const {self.rng.randrange(2, 12)})))"
        return f"(local.set {counter} (i32.const 0)) (loop {self._burn()} {body} {again})"

    def _switch(self, depth: int) -> str:
        index = self._expression("i32", 2) if self.rng.random() < 0.3 else self._masked(3, 2)
        inner = f"(block (block (br_table 0 1 2 {index})) {self._statement(depth)} (br 1))"
        return f"(block {inner} {self._statement(depth)})"

    def _call_away(self, _depth: int) -> str:
        signature, call = self._call(2)
        drops = "(drop) " * len(signature.results)
        return f"{call} {drops}".rstrip()

    def _tail_call(self) -> str:
        """Maybe leave for a function with the same results, if one is found."""
        for _ in range(8):
            signature, call = self._call(2)
            if signature.results == self.function.signature.results:
                return f"(if {self._expression('i32', 2)} (then {call.replace('(call', '(return_call', 1)}))"
        return ""

    def _call(self, depth: int) -> tuple[Signature, str]:
        """A call of an imported function, an own one, or through the table."""
        rng = self.rng
        choice = rng.random()
        if choice < 0.3:
            index = rng.randrange(len(self.signatures))
            signature = self.signatures[index]
            slot = self._expression("i32", 1) if self._risky() else self._masked(TABLE_SIZE - 1, 1)
            table = rng.choice(("$t", "$fixed"))
            return signature, f"(call_indirect {table} (type $t{index}) {self._arguments(signature, depth)} {slot})"
        if choice < 0.6 and self.imports:
            index = rng.randrange(len(self.imports))
            return self.imports[index], f"(call $h{index} {self._arguments(self.imports[index], depth)})"
        function = rng.choice(self.functions)
        return function.signature, f"(call $f{function.index} {self._arguments(function.signature, depth)})"

    def _arguments(self, signature: Signature, depth: int) -> str:
        return " ".join(self._visible(kind, depth if len(signature.params) < 4 else 0) for kind in signature.params)

    # ---- expressions

    def _expression(self, kind: str, depth: int) -> str:
        rng = self.rng
        if depth <= 0 or rng.random() < 0.1:
            return self._leaf(kind)
        makers: list[Callable[[str, int], str]] = [self._select, self._choose, self._tee]
        if kind == VECTOR:
            return rng.choice([*makers, *[self._operate] * 6])(kind, depth - 1)
        makers += [self._binary, self._binary, self._binary, self._unary, self._convert, self._load, self._reinterpret]
        makers += [self._compare, self._compare, self._query] if kind == "i32" else []
        makers += [self._divide] if kind in INTEGERS else [self._copysign]
        makers += [self._atomic] * 2 if kind in INTEGERS and self.threads else []
        makers += [self._wide] if kind == "i64" and self.wide_arithmetic else []
        makers += [self._operate] * 3 if VECTOR in self.types else []
        return rng.choice(makers)(kind, depth - 1)

    def _visible(self, kind: str, depth: int) -> str:
        """An expression in a place where the bits of a NaN would show."""
        return self._canonical(kind, self._expression(kind, depth))

    def _canonical(self, kind: str, value: str) -> str:
        if kind not in FLOATS or not self.canonical_nans:
            return value
        variable = f"$n_{kind}"
        is_number = f"({kind}.eq (local.get {variable}) (local.get {variable}))"
        return f"(select (local.tee {variable} {value}) ({kind}.const nan) {is_number})"

    def _leaf(self, kind: str) -> str:
        rng = self.rng
        variables = [index for index, other in enumerate(self.function.locals) if other == kind]
        if variables and rng.random() < 0.6:
            return f"(local.get $l{rng.choice(variables)})"
        globals_ = [index for index, other in enumerate(self.globals) if other == kind]
        if globals_ and rng.random() < 0.4:
            return f"(global.get $g{rng.choice(globals_)})"
        return f"({kind}.const {self._literal(kind)})"

    def _literal(self, kind: str) -> str:
        bits = interesting(kind, self.rng)
        if kind == VECTOR:
            return f"i64x2 {bits & (1 << 64) - 1} {bits >> 64}"
        if kind in INTEGERS:
            return str(bits)
        width, mantissa = (32, 23) if kind == "f32" else (64, 52)
        sign = "-" if bits >> width - 1 else ""
        exponent, fraction = bits >> mantissa & (1 << width - 1 - mantissa) - 1, bits & (1 << mantissa) - 1
        bias = (1 << width - 2 - mantissa) - 1
        if exponent == 2 * bias + 1:
            return sign + (f"nan:{fraction:#x}" if fraction else "inf")
        # A subnormal has the exponent of the smallest normal number.
        whole = fraction | (1 << mantissa if exponent else 0)
        return f"{sign}{whole:#x}p{max(exponent, 1) - bias - mantissa:+d}"

    def _binary(self, kind: str, depth: int) -> str:
        name = self.rng.choice(_BINARY[kind[0]])
        return f"({kind}.{name} {self._expression(kind, depth)} {self._expression(kind, depth)})"

    def _operate(self, kind: str, depth: int) -> str:
        """A vector operator or load with this result."""
        return self._vector(self.rng.choice(_VECTOR_OPERATORS[kind]), depth)

    def _vector(self, opcode: Opcode, depth: int) -> str:
        words, memory = [opcode.name], self.rng.choice(self.memories)
        if opcode.immediate in (MEMARG, MEMARG_LANE):
            words += [f"$m{memory.index}", self._offset(memory)]
        if opcode.immediate in (LANE, MEMARG_LANE):
            words.append(str(self.rng.randrange(_lane_count(opcode.name))))
        if opcode.immediate == SHUFFLE:
            words += [str(self.rng.randrange(32)) for _ in range(16)]
        for letter in str(opcode.signature).split(":")[0]:
            words.append(self._address(memory, depth) if letter == "a" else self._visible(_TYPES[letter], depth))
        value = f"({' '.join(words)})"
        shape, _, operator = opcode.name.partition(".")
        if shape[0] != "f" or operator not in (_VECTOR_ARITHMETIC if self.canonical_nans else _EXTREMES):
            return value  # of a NaN's payload, wasmtime's min and max keep nothing
        is_number = f"({shape}.eq (local.get $n_{VECTOR}) (local.get $n_{VECTOR}))"
        nans = f"(v128.const {shape} {' '.join(['nan'] * int(shape[4:]))})"
        return f"(v128.bitselect (local.tee $n_{VECTOR} {value}) {nans} {is_number})"

    def _divide(self, kind: str, depth: int) -> str:
        divisor = self._expression(kind, depth)
        if not self._risky():  # an odd positive divisor: no zero, no overflow
            divisor = (
                f"({kind}.or ({kind}.shr_u {divisor} ({kind}.const {self.rng.randrange(1, 31)})) ({kind}.const 1))"
            )
        return f"({kind}.{self.rng.choice(_DIVISIONS)} {self._expression(kind, depth)} {divisor})"

    def _copysign(self, kind: str, depth: int) -> str:
        return f"({kind}.copysign {self._expression(kind, depth)} {self._visible(kind, depth)})"

    def _unary(self, kind: str, depth: int) -> str:
        return f"({kind}.{self.rng.choice(_UNARY[kind])} {self._expression(kind, depth)})"

    def _convert(self, kind: str, depth: int) -> str:
        name, source = self.rng.choice([entry for entry in _CONVERSIONS[kind] if entry[1] in self.types])
        if name.startswith("trunc_sat") and self._risky():
            name = name.replace("_sat", "")
        return f"({kind}.{name} {self._expression(source, depth)})"

    def _reinterpret(self, kind: str, depth: int) -> str:
        source = _REINTERPRET[kind]
        if source not in self.types:
            return self._unary(kind, depth)
        return f"({kind}.reinterpret_{source} {self._visible(source, depth)})"

    def _compare(self, _kind: str, depth: int) -> str:
        source = self.rng.choice([kind for kind in self.types if kind != VECTOR])
        if source in INTEGERS and self.rng.random() < 0.1:
            return f"({source}.eqz {self._expression(source, depth)})"
        name = self.rng.choice(_COMPARISONS[source[0]])
        return f"({source}.{name} {self._expression(source, depth)} {self._expression(source, depth)})"

    def _load(self, kind: str, depth: int) -> str:
        return f"({kind}.{self.rng.choice(_LOADS[kind])} {self._place(depth)})"

    def _atomic(self, kind: str, depth: int) -> str:
        """An atomic load or read-modify-write, or a wait that is soon over."""
        rng = self.rng
        if kind == "i32" and rng.random() < 0.3:
            return self._wait(depth)
        width, bits, sign = rng.choice(_ATOMIC_WIDTHS[kind])
        place = self._aligned(width, depth)
        if rng.random() < 0.2:
            return f"({kind}.atomic.load{bits}{sign} {place})"
        name = rng.choice(_MODIFIERS)
        operands = " ".join(self._expression(kind, depth) for _ in range(2 if name == "cmpxchg" else 1))
        return f"({kind}.atomic.rmw{bits}.{name}{sign} {place} {operands})"

    def _wait(self, depth: int) -> str:
        """There is one thread: nobody is woken, and a wait is for at most a microsecond."""
        rng = self.rng
        kind, width = rng.choice((("i32", 4), ("i64", 8)))
        memories = [memory for memory in self.memories if memory.is_shared]
        if rng.random() < 0.5 or not (memories or self._risky()):
            return f"(memory.atomic.notify {self._aligned(4, depth)} {self._expression('i32', depth)})"
        place = self._aligned(width, depth, memories)
        timeout = rng.choice((0, 1000))
        return f"(memory.atomic.wait{8 * width} {place} {self._expression(kind, depth)} (i64.const {timeout}))"

    def _wide(self, kind: str, depth: int) -> str:
        """An operator with two results; the upper one is what counts, or the lower one."""
        name = self.rng.choice(("mul_wide_s", "mul_wide_u", "add128", "sub128"))
        operands = " ".join(self._expression(kind, depth - 1) for _ in range(2 if name.startswith("mul") else 4))
        rest = "(drop)" if self.rng.random() < 0.3 else "(local.set $n_i64) (drop) (local.get $n_i64)"
        return f"(block (result i64) (i64.{name} {operands}) {rest})"

    def _select(self, kind: str, depth: int) -> str:
        typed = f" (result {kind})" if self.rng.random() < 0.3 else ""
        parts = f"{self._expression(kind, depth)} {self._expression(kind, depth)} {self._expression('i32', depth)}"
        return f"(select{typed} {parts})"

    def _choose(self, kind: str, depth: int) -> str:
        """A block with a result: an if, or one that is left early."""
        if self.rng.random() < 0.5:
            arms = f"(then {self._expression(kind, depth)}) (else {self._expression(kind, depth)})"
            return f"(if (result {kind}) {self._expression('i32', depth)} {arms})"
        early = f"(br_if 0 {self._expression(kind, depth)} {self._expression('i32', depth)})"
        return f"(block (result {kind}) {early} (drop) {self._expression(kind, depth)})"

    def _tee(self, kind: str, depth: int) -> str:
        variables = [index for index, other in enumerate(self.function.locals) if other == kind]
        if self.rng.random() < 0.4:
            signature, call = self._call(depth - 1)
            if signature.results == (kind,):
                return call
        return (
            f"(local.tee $l{self.rng.choice(variables)} {self._expression(kind, depth)})"
            if variables
            else self._leaf(kind)
        )

    def _query(self, _kind: str, _depth: int) -> str:
        slot, memory = self._masked(TABLE_SIZE - 1, 1), self.rng.choice(self.memories)
        size = f"(memory.size $m{memory.index})"
        size = f"(i32.wrap_i64 {size})" if memory.is_64 else size
        return self.rng.choice((size, "(table.size $t)", f"(ref.is_null (table.get $t {slot}))", "(table.size $x)"))

    # ---- places

    def _risky(self) -> bool:
        return self.rng.random() < self.risk

    def _masked(self, limit: int, depth: int) -> str:
        """An i32 from 0 to the limit, or rarely any."""
        value = self._expression("i32", depth)
        return value if self._risky() else f"(i32.rem_u {value} (i32.const {limit + 1}))"

    def _place(self, depth: int) -> str:
        """A memory, an offset and an address."""
        memory = self.rng.choice(self.memories)
        return f"$m{memory.index} {self._offset(memory)} {self._address(memory, depth)}"

    def _aligned(self, width: int, depth: int, memories: Sequence[Memory] = ()) -> str:
        """A place for an access of so many bytes that must be aligned, in one of these memories, else in any."""
        memory = self.rng.choice(memories or self.memories)
        address = self._address(memory, depth)
        if not self._risky():
            address = f"({memory.address}.and {address} ({memory.address}.const {-width}))"
        return f"$m{memory.index} offset={width * self.rng.randrange(8 // width + 1)} {address}"

    def _address(self, memory: Memory, depth: int) -> str:
        if memory.is_64 and self._risky():
            return self._expression("i64", depth)
        return _extended(self._masked(memory.size_bytes - 64 - 16, depth), memory.is_64)

    def _offset(self, memory: Memory) -> str:
        if self._risky():
            beyond = (1 << 32, (1 << 63) - 1, (1 << 64) - 1) if memory.is_64 else ()
            return f"offset={self.rng.choice((65535, 65536, 1 << 20, (1 << 31) - 1, (1 << 32) - 1, *beyond))}"
        return f"offset={self.rng.randrange(8)}"


BURN: Final = (
    "(if (i32.eqz (global.get $fuel)) (then unreachable)) (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))"
)


def _extended(value: str, is_64: bool) -> str:
    """An i32 as an address."""
    return f"(i64.extend_i32_u {value})" if is_64 else value


def _lane_count(name: str) -> int:
    """Lanes of ``i8x16.extract_lane_s`` or ``v128.load8_lane``."""
    shape, operator = name.split(".")
    if shape != VECTOR:
        return int(shape.split("x")[1])
    return 128 // int(operator.split("_")[0].removeprefix("load").removeprefix("store"))


def params_text(signature: Signature) -> str:
    return "".join(f" (param {kind})" for kind in signature.params)


def results_text(signature: Signature) -> str:
    return "".join(f" (result {kind})" for kind in signature.results)
