"""Vector operators on corner values against wasmtime, and where LLVM would change NaNs, loads or traps by itself."""

from __future__ import annotations

import itertools
import math
import random
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import pytest
import wasmtime

import wasmartifact as wa
from tests.unit.codegen.simd_modules import (
    ACCESSES,
    OPERATORS,
    access_size_bytes,
    accesses_module,
    integer_types,
    letters,
    operators_module,
)
from wasmartifact.wasm.opcodes import Opcode

Vector = tuple[int, int]
PAGE_BYTES: Final = 65536
LEVELS: Final = range(4)
CPUS: Final = ("baseline", "native")
STRICT: Final = [opcode for opcode in OPERATORS if opcode.feature == "simd"]
RELAXED: Final = [opcode for opcode in OPERATORS if opcode.feature != "simd"]
#: Operators whose NaNs may have any payload, but must be quiet.
ARITHMETIC: Final = (
    *("add", "sub", "mul", "div", "sqrt", "ceil", "floor", "trunc", "nearest", "min", "max"),
    *("promote_low_f32x4", "demote_f64x2_zero", "relaxed_min", "relaxed_max", "relaxed_madd", "relaxed_nmadd"),
)


def compiled(wat: str, folder: Path, opt_level: int, cpu: str = "baseline") -> Any:
    """The exports of a module."""
    wa.pack(bytes(wasmtime.wat2wasm(wat)), folder / f"{opt_level}-{cpu}.so", opt_level=opt_level, cpu=cpu)
    return wa.load(folder / f"{opt_level}-{cpu}.so").instantiate().exports


class Reference:
    """The same module in wasmtime; all values are integers."""

    def __init__(self, wat: str) -> None:
        self.store = wasmtime.Store()
        self.instance = wasmtime.Instance(self.store, wasmtime.Module(self.store.engine, wat), [])

    def call(self, name: str, opcode: Opcode, slots: list[int]) -> list[int]:
        """Results of an operator's function as unsigned numbers."""
        function = self.instance.exports(self.store)[name]
        assert isinstance(function, wasmtime.Func)
        operands, results = (integer_types(kinds) for kinds in letters(opcode))
        returned = function(self.store, *(signed(slot, type_) for slot, type_ in zip(slots, operands, strict=True)))
        values = returned if isinstance(returned, list) else [returned]
        return [value & ((1 << int(type_[1:])) - 1) for value, type_ in zip(values, results, strict=True)]


def signed(value: int, type_: str) -> int:
    """What wasmtime takes for the bits of an integer."""
    bits = int(type_[1:])
    return value - (value >> (bits - 1) << bits)


# --------------------------------------------------------------------------------------------------------------------
# Values

FLOATS: Final = (
    *(0.0, -0.0, 1.0, -1.5, 2.5, 0.4999999, 1e-40, -3.4e38, 2147483647.0, 2147483648.0, -2147483649.0, 4294967295.0),
    *(4294967296.5, 8388609.5, math.inf, -math.inf),
)
F32_NANS: Final = (0x7FC00000, 0x7FA00001, 0xFFA00001, 0xFFC12345)
F64_NANS: Final = (0x7FF8 << 48, 0x7FF4 << 48 | 1, 0xFFF4 << 48 | 1)


def halves(data: bytes) -> Vector:
    """16 bytes as the two integers that the functions take."""
    low, high = struct.unpack("<QQ", data)
    return low, high


def corner_vectors() -> list[Vector]:
    """Vectors whose lanes are interesting in one shape or another."""
    singles = [struct.unpack("<I", struct.pack("<f", value))[0] for value in FLOATS] + list(F32_NANS)
    doubles = [struct.unpack("<Q", struct.pack("<d", value))[0] for value in FLOATS] + list(F64_NANS)
    random_ = random.Random(6)
    random_.shuffle(singles)
    random_.shuffle(doubles)
    vectors = [halves(struct.pack("<4I", *singles[start : start + 4])) for start in range(0, len(singles), 4)]
    vectors += [(doubles[index], doubles[index - 1]) for index in range(0, len(doubles), 2)]
    for code, least, most in (("b", -128, 127), ("h", -(1 << 15), (1 << 15) - 1), ("i", -(1 << 31), (1 << 31) - 1)):
        count = 16 // struct.calcsize(code)
        lanes = [least, most, 0, -1, 1, least + 1, most - 1, 2] * 2
        vectors.append(halves(struct.pack(f"<{count}{code}", *lanes[:count])))
        vectors.append(halves(struct.pack(f"<{count}{code}", *[least] * count)))
    vectors += [(0, 0), (1 << 63, (1 << 63) - 1), ((1 << 64) - 1, (1 << 64) - 1), (0x0F10_1180_7F0E_0D0C, 0x0102)]
    return vectors + [(random_.getrandbits(64), random_.getrandbits(64)) for _ in range(3)]


VECTORS: Final = corner_vectors()
SCALARS: Final = {
    "i": (0, 1, 7, 8, 15, 33, 63, 64, 0x80, 0xFF80, 0xFFFFFFFF, 0x80000000, 0x7FA00001),
    "l": (0, 1, (1 << 64) - 1, 1 << 63, 0x0123456789ABCDEF),
    "f": (0, 0x3F800000, 0x7FA00001),
    "d": (0, 0x3FF0 << 48, 0x7FF4 << 48 | 1),
}


def arguments(opcode: Opcode) -> Iterator[list[int]]:
    """Slots for the function of an operator."""
    pools = [
        [list(vector) for vector in VECTORS] if letter == "v" else [[value] for value in SCALARS[letter]]
        for letter in letters(opcode)[0]
    ]
    for number, values in enumerate(itertools.product(*pools)):
        if number % (1, 3, 48)[len(pools) - 1] == 0:
            yield [slot for value in values for slot in value]


def float_lanes(opcode: Opcode, slots: list[int]) -> list[tuple[int, int]]:
    """(bits, width) of the lanes of a result, width 0 where they are not floats of an arithmetic operator."""
    shape, _, operator = opcode.name.partition(".")
    if shape not in ("f32x4", "f64x2") or operator not in ARITHMETIC:
        return [(slot, 0) for slot in slots]
    if shape == "f64x2":
        return [(slot, 64) for slot in slots]
    return [(slot >> shift & 0xFFFFFFFF, 32) for slot in slots for shift in (0, 32)]


def agree(found: tuple[int, int], expected: tuple[int, int]) -> bool:
    """Whether two lanes agree: in all bits, but for NaNs of arithmetic, where ours must be quiet."""
    bits, width = found
    exponent, quiet = (0x7F800000, 1 << 22) if width == 32 else (0x7FF << 52, 1 << 51)
    sign = 1 << (width - 1) if width else 0
    if width and expected[0] & ~sign > exponent:
        return bits & ~sign > exponent and bool(bits & quiet)
    return found == expected


def check(name: str, opcode: Opcode, slots: list[int], found: list[int], expected: list[int]) -> None:
    """Compare the results of a function."""
    pairs = zip(float_lanes(opcode, found), float_lanes(opcode, expected), strict=True)
    assert all(itertools.starmap(agree, pairs)), (name, *(list(map(hex, part)) for part in (slots, found, expected)))


# --------------------------------------------------------------------------------------------------------------------
# Operators


@pytest.fixture(scope="module")
def expected_results() -> dict[str, list[tuple[list[int], list[int]]]]:
    """Arguments and results of every strict operator, from wasmtime."""
    reference = Reference(operators_module(STRICT))
    return {
        opcode.name: [(slots, reference.call(opcode.name, opcode, slots)) for slots in arguments(opcode)]
        for opcode in STRICT
    }


@pytest.mark.parametrize(("opt_level", "cpu"), [(0, "baseline"), (0, "native"), (2, "baseline"), (2, "native")])
def test_operators(tmp_path: Path, opt_level: int, cpu: str, expected_results: dict[str, Any]) -> None:
    exports = compiled(operators_module(STRICT), tmp_path, opt_level, cpu)
    checked = 0
    for opcode in STRICT:
        function = exports[opcode.name]
        for slots, expected in expected_results[opcode.name]:
            check(opcode.name, opcode, slots, function.call_bits(slots), expected)
            checked += 1
    assert checked > 20_000


#: Relaxed operators and the strict ones that they must equal, for all operands.
STRICT_OF: Final = {
    "i8x16.relaxed_swizzle": "i8x16.swizzle",
    "i16x8.relaxed_q15mulr_s": "i16x8.q15mulr_sat_s",
    **{f"{shape}.relaxed_{name}": f"{shape}.{name}" for shape in ("f32x4", "f64x2") for name in ("min", "max")},
    **{f"{shape}.relaxed_laneselect": "v128.bitselect" for shape in ("i8x16", "i16x8", "i32x4", "i64x2")},
    **{f"i32x4.relaxed_trunc_f32x4_{sign}": f"i32x4.trunc_sat_f32x4_{sign}" for sign in "su"},
    **{f"i32x4.relaxed_trunc_f64x2_{sign}_zero": f"i32x4.trunc_sat_f64x2_{sign}_zero" for sign in "su"},
}


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("opt_level", [0, 2])
def test_relaxed_operators_equal_strict_ones(
    tmp_path: Path, opt_level: int, cpu: str, expected_results: dict[str, Any]
) -> None:
    exports = compiled(operators_module(), tmp_path, opt_level, cpu)
    by_name = {opcode.name: opcode for opcode in OPERATORS}
    for relaxed, strict in STRICT_OF.items():
        for slots, expected in expected_results[strict]:
            check(relaxed, by_name[strict], slots, exports[relaxed].call_bits(slots), expected)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("opt_level", [0, 2])
def test_relaxed_multiply_add_rounds_once_or_twice(tmp_path: Path, opt_level: int, cpu: str) -> None:
    exports = compiled(operators_module(), tmp_path, opt_level, cpu)
    random_ = random.Random(1)
    for name, sign in (("f64x2.relaxed_madd", 1), ("f64x2.relaxed_nmadd", -1)):
        for _ in range(200):
            a, b = random_.uniform(-2, 2), random_.uniform(-2, 2)
            c = -a * b * sign + random_.uniform(-1e-16, 1e-16)  # cancellation shows how often it was rounded
            slots = [bits for value in (a, b, c) for bits in struct.unpack("<2Q", struct.pack("<2d", value, value))]
            found = struct.unpack("<2d", struct.pack("<2Q", *exports[name].call_bits(slots)))
            once = float(sign * Fraction(a) * Fraction(b) + Fraction(c))
            assert found[0] == found[1] and found[0] in (once, sign * a * b + c)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("opt_level", [0, 2])
def test_relaxed_dot_products(tmp_path: Path, opt_level: int, cpu: str) -> None:
    exports = compiled(operators_module(), tmp_path, opt_level, cpu)
    random_ = random.Random(2)
    for _ in range(50):
        a = [random_.randrange(-128, 128) for _ in range(16)]
        b = [random_.randrange(128) for _ in range(16)]
        c = [random_.randrange(-(1 << 31), 1 << 31) for _ in range(4)]
        slots = [*halves(struct.pack("<16b", *a)), *halves(struct.pack("<16b", *b))]
        pairs = [a[i] * b[i] + a[i + 1] * b[i + 1] for i in range(0, 16, 2)]
        found = exports["i16x8.relaxed_dot_i8x16_i7x16_s"].call_bits(slots)
        assert struct.pack("<2Q", *found) == struct.pack("<8h", *pairs)
        sums = [(pairs[2 * i] + pairs[2 * i + 1] + c[i]) & 0xFFFFFFFF for i in range(4)]
        found = exports["i32x4.relaxed_dot_i8x16_i7x16_add_s"].call_bits([*slots, *halves(struct.pack("<4i", *c))])
        assert struct.pack("<2Q", *found) == struct.pack("<4I", *sums)


@pytest.mark.parametrize("cpu", CPUS)
def test_relaxed_operators_choose_the_same_at_all_levels(tmp_path: Path, cpu: str) -> None:
    by_level = [compiled(operators_module(RELAXED), tmp_path, opt_level, cpu) for opt_level in (0, 2)]
    for opcode in RELAXED:
        for slots in itertools.islice(arguments(opcode), 2000):
            found, expected = (exports[opcode.name].call_bits(slots) for exports in by_level)
            check(opcode.name, opcode, slots, found, expected)


# --------------------------------------------------------------------------------------------------------------------
# Shuffles: some masks are instructions of their own


def masks() -> Iterator[list[int]]:
    """Lanes of two operands: interleaved, runs, blended, in larger pieces, of one operand only, and any."""
    random_ = random.Random(4)
    for size_bytes in (1, 2, 4, 8):
        for first in (0, 8):
            low = [first + piece + byte for piece in range(0, 8, size_bytes) for byte in range(size_bytes)]
            pieces = [low[at : at + size_bytes] for at in range(0, 8, size_bytes)]
            yield [lane + operand for piece in pieces for operand in (0, 16) for lane in piece]
    yield from ([start + lane for lane in range(16)] for start in range(17))
    for size_bytes in (2, 4):
        for _ in range(8):
            starts = [size_bytes * random_.randrange(32 // size_bytes) for _ in range(16 // size_bytes)]
            yield [start + byte for start in starts for byte in range(size_bytes)]
            own = [start + 16 * random_.randrange(2) for start in range(0, 16, size_bytes)]
            yield [start + byte for start in own for byte in range(size_bytes)]
    even = list(range(0, 16, 2))
    yield from (even + rest for rest in (even, [16 + lane for lane in even], [0] * 8, [30, 2, *even[:6]]))
    for sides in ((0, 0, 16, 16), (16, 16, 0, 0)):
        yield [4 * random_.randrange(4) + side + byte for side in sides for byte in range(4)]
    for count in (16, 32):
        yield from ([random_.randrange(count) for _ in range(16)] for _ in range(8))


#: The lanes of 16 bits of an operand, brought into the range of a byte.
CLAMPED: Final = (
    "(i16x8.min_s (i16x8.max_s (local.get {}) (v128.const i64x2 0 0))"
    " (v128.const i16x8 255 255 255 255 255 255 255 255))"
)


def clamped(data: bytes) -> bytes:
    """What CLAMPED makes of it."""
    return struct.pack("<8h", *(min(max(lane, 0), 255) for lane in struct.unpack("<8h", data)))


@pytest.mark.parametrize("opt_level", [0, 2])
def test_shuffles_take_the_lanes_of_their_masks(tmp_path: Path, opt_level: int) -> None:
    # Every mask as it is and with exchanged operands; of parameters, of one value twice, and of a constant.
    both = [other for mask in masks() for other in (mask, [lane ^ 16 for lane in mask])]
    constant = bytes(range(100, 116))
    operands = {
        "two": "local.get 0 local.get 1",
        "one": "local.get 1 local.get 1",
        "constant": f"v128.const i8x16 {' '.join(map(str, constant))} local.get 0",
        "sums": "(i8x16.add (local.get 0) (local.get 1)) (i8x16.sub (local.get 0) (local.get 1))",
        "clamped": f"{CLAMPED.format(0)} {CLAMPED.format(1)}",
    }
    wat = "".join(
        f'(func (export "{kind}{number}") (param v128 v128) (result v128)'
        f" {taken} i8x16.shuffle {' '.join(map(str, mask))})"
        for number, mask in enumerate(both)
        for kind, taken in operands.items()
    )
    exports = compiled(f"(module {wat})", tmp_path, opt_level)
    a, b = struct.pack("<8h", 0, 17, 255, 256, -1, -300, 127, 32767), bytes(range(0x75, 0x85))
    sums, differences = (bytes((x + sign * y) & 0xFF for x, y in zip(a, b, strict=True)) for sign in (1, -1))
    sources = {"two": a + b, "one": b + b, "constant": constant + a, "sums": sums + differences}
    sources["clamped"] = clamped(a) + clamped(b)
    for number, mask in enumerate(both):
        for kind, source in sources.items():
            found = struct.pack("<2Q", *exports[f"{kind}{number}"].call_bits([*halves(a), *halves(b)]))
            assert found == bytes(source[lane] for lane in mask), (kind, mask)


# --------------------------------------------------------------------------------------------------------------------
# Calls: code of one generator calls code of the other


VALUES: Final = {
    "i32": lambda n: f"i32.const {n}",
    "i64": lambda n: f"i64.const {n << 40 | n}",
    "f32": lambda n: f"f32.const {n}.5",
    "f64": lambda n: f"f64.const {n}.25",
    "v128": lambda n: f"v128.const i32x4 {n} {n + 1000} {n + 2000} {n + 3000}",
}


def equal(type_: str, local: int, number: int) -> str:
    """An expression that is 1 where a local holds a value."""
    operands = f"(local.get {local}) ({VALUES[type_](number)})"
    return f"(i32x4.all_true (i32x4.eq {operands}))" if type_ == "v128" else f"({type_}.eq {operands})"


def callee(params: list[str], results: list[str]) -> str:
    """Body of a function that traps unless it gets certain values."""
    checks = "".join(
        f"(if (i32.eqz {equal(type_, place, 10 + place)}) (then unreachable))" for place, type_ in enumerate(params)
    )
    return checks + "".join(f"({VALUES[type_](50 + place)})" for place, type_ in enumerate(results))


def caller(params: list[str], results: list[str], call: str) -> str:
    """Body of a function without parameters that is 1 where a call gives certain values and leaves all else alone."""
    kept = len(results)
    arguments_ = "".join(f"({VALUES[type_](10 + place)})" for place, type_ in enumerate(params))
    taken = "".join(f"(local.set {place})" for place in reversed(range(kept)))
    tests = "".join(f"(i32.and {equal(type_, place, 50 + place)})" for place, type_ in enumerate(results))
    return (
        f"(local {' '.join(results)} v128) (local.set {kept} ({VALUES['v128'](7)})) ({VALUES['v128'](8)})"
        f"{arguments_} {call} {taken} (i32x4.eq ({VALUES['v128'](8)})) i32x4.all_true"
        f" (i32.and {equal('v128', kept, 7)}) {tests}"
    )


@pytest.mark.parametrize("levels", [(0, 0), (0, 1), (1, 0)])
def test_functions_of_all_levels_call_each_other_with_vectors(tmp_path: Path, levels: tuple[int, int]) -> None:
    random_ = random.Random(5)
    kinds = [*VALUES, "v128", "v128"]
    types = [
        (random_.choices(kinds, k=random_.randrange(20)), random_.choices(kinds, k=1 + place % 8))
        for place in range(48)
    ]
    types += [([], ["v128"] * count) for count in range(1, 7)]
    headers = [f"(param {' '.join(params)}) (result {' '.join(results)})" for params, results in types]
    exporting = "".join(
        f'(func (export "f{place}") {header} {callee(*types[place])})' for place, header in enumerate(headers)
    )
    importing = "".join(f'(import "m" "f{place}" (func $f{place} {header}))' for place, header in enumerate(headers))
    calling = "".join(
        f'(func (export "f{place}") (result i32) {caller(*type_, f"call $f{place}")})'
        for place, type_ in enumerate(types)
    )
    (tmp_path / "exporting").mkdir()
    functions = compiled(f"(module {exporting})", tmp_path / "exporting", levels[0])
    wa.pack(bytes(wasmtime.wat2wasm(f"(module {importing}{calling})")), tmp_path / "a.so", opt_level=levels[1])
    imports = {"m": {f"f{place}": functions[f"f{place}"] for place in range(len(types))}}
    exports = wa.load(tmp_path / "a.so").instantiate(imports).exports
    assert [exports[f"f{place}"]() for place in range(len(types))] == [1] * len(types)


# --------------------------------------------------------------------------------------------------------------------
# NaNs: what LLVM folds with constants must not let a signalling NaN through

FOLDED: Final = (0.0, -0.0, 1.0, -1.0, 2.0, math.inf, -math.inf, math.nan)


def constant_forms(shape: str, value: float) -> Iterator[str]:
    """Ways to write a constant vector, some of which only LLVM sees through."""
    text = {"inf": "inf", "-inf": "-inf", "nan": "nan:0x200001"}.get(str(value), repr(value))
    scalar = shape[:3]
    constant = f"v128.const {shape} {' '.join([text] * int(shape[4]))}"
    yield f"({constant})"
    yield f"({shape}.splat ({scalar}.const {text}))"
    yield f"(v128.or ({constant}) (v128.xor (local.get 0) (local.get 0)))"
    yield f"(local.set 1 ({constant})) (local.get 1)"


@pytest.mark.parametrize("opt_level", LEVELS)
def test_arithmetic_with_constants_gives_quiet_nans(tmp_path: Path, opt_level: int) -> None:
    functions = {}
    for shape in ("f32x4", "f64x2"):
        for operator, value in itertools.product(("add", "sub", "mul", "div", "min", "max"), FOLDED):
            for form in constant_forms(shape, value):
                functions[f"{form} (local.get 0) {shape}.{operator}"] = shape
                functions[f"(local.get 0) {form} {shape}.{operator}"] = shape
    functions["(local.get 0) f64x2.promote_low_f32x4 f32x4.demote_f64x2_zero"] = "f32x4"
    for shape in ("f32x4", "f64x2"):  # lanes that become scalars
        one = f"({shape}.extract_lane 1 (v128.const {shape} {' '.join('1' * int(shape[4]))}))"
        functions[f"({shape}.splat ({shape[:3]}.mul ({shape}.extract_lane 1 (local.get 0)) {one}))"] = shape
    bodies = [
        f'(func (export "{index}") (param v128) (result v128) (local v128) {body})'
        for index, body in enumerate(functions)
    ]
    exports = compiled(f"(module {' '.join(bodies)})", tmp_path, opt_level)
    signalling = {"f32x4": struct.pack("<4I", *[0x7FA00001] * 4), "f64x2": struct.pack("<2Q", *[0x7FF4 << 48 | 1] * 2)}
    for index, (body, shape) in enumerate(functions.items()):
        result = exports[str(index)](signalling[shape])
        lanes, quiet = (struct.unpack("<4I", result), 0x7FC00000) if shape == "f32x4" else (
            struct.unpack("<2Q", result), 0x7FF8 << 48,
        )  # fmt: skip
        upper = 2 if "demote" in body else 0
        assert all(lane & quiet == quiet for lane in lanes[: len(lanes) - upper]), (body, list(map(hex, lanes)))


@pytest.mark.parametrize("opt_level", LEVELS)
def test_moves_keep_signalling_nans(tmp_path: Path, opt_level: int) -> None:
    wat = """(module (memory 1) (global $g (mut v128) (v128.const i64x2 0 0)) (global $c v128
        (v128.const i32x4 0x7fa00001 0xffa00002 0x7fa00003 0x7f800004))
      (func $pass (param v128 i32 v128) (result v128 v128) (local.get 2) (local.get 0))
      (func (export "moves") (param v128) (result v128 v128 v128 v128 v128) (local $l v128)
        (global.set $g (local.get 0)) (v128.store (i32.const 3) (global.get $g))
        (local.set $l (v128.load (i32.const 3)))
        (local.get $l)
        (f32x4.neg (f32x4.neg (local.get $l)))
        (call $pass (f32x4.replace_lane 1 (local.get $l) (f32x4.extract_lane 1 (local.get $l))) (i32.const 1)
          (select (local.get $l) (v128.const i64x2 0 0) (i32.const 1)))
        (block (result v128) (br_if 0 (global.get $c) (i32.const 1)))))"""
    exports = compiled(wat, tmp_path, opt_level)
    value = struct.pack("<4I", 0x7FA00001, 0xFFA00002, 0x7FA00003, 0x7F800004)
    assert exports.moves(value) == (value,) * 5


# --------------------------------------------------------------------------------------------------------------------
# Loads and stores

STORES: Final = [opcode for opcode in ACCESSES if "store" in opcode.name]
LOADS: Final = [opcode for opcode in ACCESSES if "load" in opcode.name]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("opt_level", [0, 2])
def test_accesses_do_what_wasmtime_does(tmp_path: Path, opt_level: int, cpu: str) -> None:
    wat = accesses_module()
    exports, reference = compiled(wat, tmp_path, opt_level, cpu), Reference(wat)
    memory = reference.instance.exports(reference.store)["memory"]
    assert isinstance(memory, wasmtime.Memory)
    contents = random.Random(3).randbytes(64)
    for opcode in ACCESSES:
        for address in (0, 5, 16, 31):
            exports.memory[0:64] = contents
            memory.write(reference.store, contents, 0)
            function = reference.instance.exports(reference.store)[opcode.name]
            assert isinstance(function, wasmtime.Func)
            expected = function(reference.store, address, 0x0123456789ABCDEF, -3)
            found = exports[opcode.name](address, 0x0123456789ABCDEF, -3)
            assert list(found) == expected, opcode.name
            assert exports.memory[0:64] == bytes(memory.read(reference.store, 0, 64)), opcode.name


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("opt_level", LEVELS)
def test_every_access_traps_at_the_end_of_memory_and_writes_nothing(tmp_path: Path, opt_level: int, cpu: str) -> None:
    exports = compiled(accesses_module(), tmp_path, opt_level, cpu)
    tail = bytes(range(1, 33))
    for opcode in ACCESSES:
        size_bytes = access_size_bytes(opcode)
        exports.memory[PAGE_BYTES - 32 : PAGE_BYTES] = tail
        for beyond in {1, size_bytes // 2, size_bytes - 1, size_bytes} - {0}:
            with pytest.raises(wa.Trap) as caught:
                exports[opcode.name](PAGE_BYTES - size_bytes + beyond, -1, -1)
            assert caught.value.code == "memory_out_of_bounds", opcode.name
            assert exports.memory[PAGE_BYTES - 32 : PAGE_BYTES] == tail, opcode.name
        exports[opcode.name](PAGE_BYTES - size_bytes, -1, -1)


#: What uses less of a loaded vector than all of it, so that LLVM might load less. Local 1 is a vector of zeros.
NARROW_USES: Final = (
    "{} drop",
    *(f"{{}} {wide}.extend_{half}_{narrow}_{sign} local.set 2"
      for wide, narrow in (("i16x8", "i8x16"), ("i32x4", "i16x8"), ("i64x2", "i32x4"))
      for half in ("low", "high") for sign in "su"),
    *(f"{{}} {name} local.set 2"
      for name in ("f64x2.promote_low_f32x4", "f64x2.convert_low_i32x4_s", "f64x2.convert_low_i32x4_u")),
    *(f"{{}} {shape}.extract_lane{suffix} {lane} {shape}.splat local.set 2"
      for shape, suffix, count in (("i8x16", "_u", 16), ("i16x8", "_s", 8), ("i32x4", "", 4), ("i64x2", "", 2),
                                   ("f32x4", "", 4), ("f64x2", "", 2))
      for lane in (0, count - 1)),
    "{} local.get 1 i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 local.set 2",
    "{} local.get 1 i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 local.set 2",
    "{} local.get 1 i8x16.shuffle 16 17 18 19 20 21 22 23 8 9 10 11 12 13 14 15 local.set 2",
    "{} (v128.const i64x2 0 0) v128.and local.set 2",
    "{} i8x16.bitmask drop",
    "(v128.store64_lane 0 (i32.const 0) {})",
    "(v128.store32_lane 3 (i32.const 0) {})",
)  # fmt: skip
#: What uses lanes under a mask, none of which is on: with AVX-512, LLVM might make a masked load. Local 1 is zero.
MASKED_USES: Final = (
    "(v128.bitselect {} (local.get 1) ({shape}.ne (local.get 1) (local.get 1))) local.set 2",
    "(v128.and {} ({shape}.gt{s} (local.get 1) (v128.const i32x4 1 1 1 1))) local.set 2",
    "(v128.bitselect ({shape}.add {} (local.get 1)) (local.get 1) ({shape}.lt{s} (v128.const i32x4 1 1 1 1) "
    "(local.get 1))) local.set 2",
    "(select {} (local.get 1) (i32.eqz (i32.eqz (i32x4.extract_lane 0 (local.get 1))))) local.set 2",
    "(select (local.get 1) {} (i32.eqz (i32x4.extract_lane 0 (local.get 1)))) local.set 2",
    "(if (v128.any_true (local.get 1)) (then (local.set 2 {}))) (drop {})",
)
LOAD_FORMS: Final = (
    "(v128.load (local.get 0))",
    "(v128.load64_splat (local.get 0))",
    "(v128.load32_splat (local.get 0))",
    "(v128.load8_splat (local.get 0))",
    "(v128.load32x2_s (local.get 0))",
    "(v128.load8x8_u (local.get 0))",
    "(v128.load64_zero (local.get 0))",
    "(v128.load32_lane 0 (local.get 0) (local.get 1))",
    "(i32x4.splat (i32.load (local.get 0)))",
    "(i64x2.splat (i64.load (local.get 0)))",
    "(i16x8.splat (i32.load16_u (local.get 0)))",
    "(f32x4.splat (f32.load (local.get 0)))",
    "(f64x2.splat (f64.load (local.get 0)))",
    "(i32x4.replace_lane 0 (local.get 1) (i32.load (local.get 0)))",
)


def narrowing_bodies() -> list[str]:
    """Bodies that load at local 0 and use the value in part or not at all."""
    bodies = [use.format("(v128.load (local.get 0))") for use in NARROW_USES]
    for use, load in itertools.product(MASKED_USES, LOAD_FORMS):
        for shape, suffix in (
            ("i8x16", "_s"),
            ("i16x8", "_u"),
            ("i32x4", "_s"),
            ("i64x2", "_s"),
            ("f32x4", ""),
            ("f64x2", ""),
        ):
            bodies.append(use.replace("{}", load).replace("{shape}", shape).replace("{s}", suffix))
    return list(dict.fromkeys(bodies))


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("opt_level", LEVELS)
def test_a_load_that_is_used_in_part_or_under_a_mask_traps_whole(tmp_path: Path, opt_level: int, cpu: str) -> None:
    bodies = narrowing_bodies()
    functions = [
        f'(func (export "{index}") (param i32 v128) (result v128) (local v128) {body} (local.get 2))'
        for index, body in enumerate(bodies)
    ]
    exports = compiled(f'(module (memory (export "memory") 1) {" ".join(functions)})', tmp_path, opt_level, cpu)
    for index, body in enumerate(bodies):
        exports[str(index)](0, bytes(16))
        whole = "(v128.load (" in body
        for address in (PAGE_BYTES, PAGE_BYTES - 1, PAGE_BYTES - 8, PAGE_BYTES - 15)[: None if whole else 1]:
            with pytest.raises(wa.Trap) as caught:
                exports[str(index)](address, bytes(16))
            assert caught.value.code == "memory_out_of_bounds", body


@pytest.mark.parametrize("opt_level", [1, 2, 3])
def test_avx512_masks_no_memory_operand(tmp_path: Path, opt_level: int) -> None:
    """What the test above shows by traps on a CPU that has AVX-512, from the assembly for one."""
    bodies = [*narrowing_bodies(), "(local.set 2 (f32x4.min (local.get 1) (v128.load (local.get 0))))"]
    functions = [f"(func (param i32 v128) (result v128) (local v128) {body} (local.get 2))" for body in bodies]
    source = bytes(wasmtime.wat2wasm(f"(module (memory 1) {' '.join(functions)})"))
    wa.pack(source, tmp_path / "a.so", cpu="x86-64-v4", target="x86_64", opt_level=opt_level, keep=tmp_path)
    lines = [line for path in tmp_path.glob("functions-*.s") for line in path.read_text().splitlines()]
    masked = [line for line in lines if "{%k" in line]
    assert masked, "the code has nothing under a mask: this test says nothing any more"
    assert not [line for line in masked if "(" in line and "(%rip)" not in line]


@pytest.mark.parametrize("opt_level", LEVELS)
def test_a_trap_finds_globals_and_names_the_place(tmp_path: Path, opt_level: int) -> None:
    wat = """(module (memory 1) (global $g (export "g") (mut v128) (v128.const i64x2 0 0))
      (func (export "f") (param i32 v128) (result v128) (global.set $g (local.get 1))
        (i32x4.add (v128.load (local.get 0)) (v128.load offset=8 (local.get 0))) (global.set $g (local.get 1))))"""
    source = bytes(wasmtime.wat2wasm(wat))
    exports = compiled(wat, tmp_path, opt_level)
    for address, load in ((PAGE_BYTES - 8, b"\xfd\x00\x04\x00"), (PAGE_BYTES - 16, b"\xfd\x00\x04\x08")):
        with pytest.raises(wa.Trap) as caught:
            exports.f(address, b"0123456789abcdef")
        assert caught.value.frames[0].wasm_offset == source.index(load)
        assert exports.g.value == b"0123456789abcdef"


# --------------------------------------------------------------------------------------------------------------------
# Other machines


@pytest.mark.parametrize("opt_level", LEVELS)
@pytest.mark.parametrize(
    ("target", "cpu"), [("aarch64", "baseline"), ("x86_64", "x86-64-v3"), ("x86_64", "skylake-avx512")]
)
def test_no_operator_needs_a_function_of_a_library(tmp_path: Path, target: str, cpu: str, opt_level: int) -> None:
    """What LLVM can't do in line becomes a call of a symbol that nobody defines, which pack refuses."""
    for wat in (operators_module(), accesses_module()):
        report = wa.pack(bytes(wasmtime.wat2wasm(wat)), tmp_path / "x.so", opt_level=opt_level, cpu=cpu, target=target)
        assert report
