"""Emission of one function as LLVM IR text: operand stack, locals, blocks, traps, runtime calls.

An operand is a piece of IR text whose spelling tells its type, so that no stack of types is needed. SSA values are
numbers, which LLVM parses faster than names; the last digit stands for the type letter (``context.LLVM_TYPES``):
``%70`` ``%71`` ``%72`` ``%73`` ``%79`` for i, l, f, d, v; ``%75`` is an i32 that holds the i1 ``%74``. Numbers ascend
in the order of the text. Where they can't, in the entry block, names end with the type letter. Constants: i32 in
decimal, i64 as ``u0x2a``, f64 as ``0x`` and bits, f32 as a bitcast of its bits, which keeps signalling NaNs, v128 as
``<i64 u0x1, i64 u0x2>``. ``type_letter`` reads that back.

Handlers of opcodes live in ``numeric``, ``simd``, ``memory``, ``simd_memory``, ``control``, ``calls`` and
``variables``; ``dispatch`` joins them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from wasmartifact import schema
from wasmartifact.codegen.context import ModuleContext
from wasmartifact.codegen.convention import Lines, returned
from wasmartifact.codegen.irmodule import FUNCTION_ATTRIBUTES, INVARIANT, LINKAGE, NOMERGE, STACK_POINTER, UNLIKELY
from wasmartifact.codegen.signature import LLVM_TYPES, Signature
from wasmartifact.wasm.opcodes import OPCODE_BY_NAME

INSTANCE: Final = schema.INSTANCE_HEADER.offsets()

#: Opcodes that take the i32 on top of the stack as a condition, or do as well with an i1.
TEST_USERS: Final = frozenset(
    OPCODE_BY_NAME[name].code for name in ("br_if", "if", "select", "select_typed", "i32.eqz", "i64.extend_i32_u")
)
#: Opcodes that take an address on top of the stack, and nothing above it.
ADDRESS_USERS: Final = frozenset(
    OPCODE_BY_NAME[name].code for name in OPCODE_BY_NAME if name[:3] in ("i32", "i64") and ".load" in name
)
_REFERENCES: Final = (schema.VALTYPE_REF, schema.VALTYPE_REF_NULL)
#: What is known of a reference that is not null.
NOT_NULL: Final = schema.VALTYPE_REF | schema.HEAP_TYPES["any"] << 8
#: From this level on, LLVM's whole pipeline runs.
FULL_PIPELINE_LEVEL: Final = 3
#: From so many locals on, a frame may pass the stack limit by itself.
MANY_LOCALS: Final = 400
#: A LLVM type by the letter of a runtime call's signature: references are 64 bits, as everywhere.
_RUNTIME_TYPES: Final = {"v": "void", "i": "i32", "l": "i64", "p": "i64"}
#: Last digit of the number of a value, by type letter: c is an i1, b an i32 that holds one, p a pointer; n (an integer
#: or a vector) and s (a structure) never become operands.
DIGITS: Final = {letter: digit for digit, letter in enumerate("ilfdcbpnsv")}
#: Numbers between two counts.
STEP: Final = 10
#: How names of tests end, as an i32 and as an i1.
TEST_DIGITS: Final = f"{DIGITS['b']}{DIGITS['c']}"
_POINTER_DIGIT: Final = str(DIGITS["p"])
_I64_DIGIT: Final = str(DIGITS["l"])
_LETTERS: Final = {str(digit): "i" if letter in "bc" else letter for letter, digit in DIGITS.items()} | {
    letter: letter for letter in "ilfdv"
}


def type_letter(operand: str) -> str:
    """Type letter of an operand."""
    if operand[0] == "%":
        return _LETTERS[operand[-1]]
    return {"u": "l", "b": "f", "<": "v"}.get(operand[0]) or ("d" if operand.startswith("0x") else "i")


def local_cell(index: int) -> str:
    """Name of the alloca of a local; that of a memory's base counts on from there."""
    return f"%{STEP * index + DIGITS['p']}"


def i64_constant(value: int) -> str:
    """An i64 constant of the value modulo 2**64."""
    return f"u0x{value & 0xFFFFFFFFFFFFFFFF:x}"


def constant_of_cell(letter: str, cell: bytes) -> str:
    """Operand for the value that a global's cell holds."""
    bits = int.from_bytes(cell[: _SIZES[letter]], "little")
    return CONSTANTS[letter](bits)


def opaque_value(letter: str, operand: str) -> str:
    """Expression for a float operand that LLVM can't see through. It costs no instruction."""
    type_ = LLVM_TYPES[letter]
    return f"call {type_} @llvm.arithmetic.fence.f{32 if letter == 'f' else 64}({type_} {operand})"


#: Operand for the bits of a constant, by type letter.
CONSTANTS: Final[dict[str, Callable[[int], str]]] = {
    "i": lambda bits: str(bits - ((bits & 0x80000000) << 1)),
    "l": i64_constant,
    "f": lambda bits: f"bitcast (i32 {bits} to float)",
    "d": lambda bits: f"0x{bits:016X}",
    "v": lambda bits: f"<i64 {i64_constant(bits)}, i64 {i64_constant(bits >> 64)}>",
}
ZEROS: Final = {letter: CONSTANTS[letter](0) for letter in "ilfdv"}
_BASE_OFFSET: Final = schema.MEMORY_SLOT.offsets()["base"]
_SIZES: Final = {"i": 4, "l": 8, "f": 4, "d": 8, "v": 16}


#: The alloca of a function's portion of fuel.
FUEL_CELL: Final = "%fuel"


@dataclass(slots=True)
class Label:
    """A block, loop, if or the function's body: where its label leads and what is known there.

    ``incoming`` collects (predecessor, values) of the edges to the label; they become phis.
    """

    kind: str  # "block", "loop", "if", "else", "function"; "try" while exceptions land here, "catch" in its arms
    name: str
    arity: str  # type letters of the values that a branch passes
    results: str  # type letters of the values at the end
    height: int  # of the operand stack below the block
    incoming: list[tuple[str, list[str]]] = field(default_factory=list)
    phi_position: int = 0  # loops: where in the output the phis go
    phi_names: list[str] = field(default_factory=list)
    dispatch: tuple[int, list[str]] | None = None  # loops that begin with a br_table: its local, where it leads
    else_name: str = ""
    else_values: list[str] = field(default_factory=list)
    else_known: dict[int, str] = field(default_factory=dict)
    else_widened: dict[str, str] = field(default_factory=dict)
    else_proven: dict[str, tuple[int, ...]] = field(default_factory=dict)
    close: Callable[[FunctionEmitter, Label], None] | None = None  # ends what a plain block does not have
    landing: str = ""  # try: the block that exceptions branch to
    is_landed: bool = False  # something does
    caught: str = ""  # arms of a legacy try: the exception
    other_name: str = ""  # arms of a legacy try: where those go that the last tag did not fit


#: Where a value was loaded from: location of the load, address operand, memory argument. See ``FunctionEmitter``.
Origin = tuple[str, str, Any]


class FunctionEmitter:
    """State of one function's emission. Handlers take it as their first argument.

    Attributes
    ----------
    stack : list[str]
        Operands.
    out : list[str]
        Lines of the body; ``entry`` holds those of the entry block.
    fixed, known : dict[int, str]
        Values of the locals that the function never sets or has set ``once``, and of those whose value is known at this
        point. The others live in allocas.
    once : set[int]
        Locals that are set once, and have no other value wherever they are read.
    mirrored : dict[int, int]
        Locals that a global has the value of, wherever that is not known: see ``mirrors``.
    widened : dict[str, str]
        The i64 of i32 operands that were addresses before on all ways to this point, and the low half of i64 values.
    cells : dict[int, str]
        Addresses in the instance record by their offset, of this basic block.
    dbg : str
        Debug location that instructions get, "" where they neither trap nor call: locations cost time and space.
    proven : dict[str, tuple[int, ...]]
        Value types that references have on all ways to this point, as types of the module tell or code has tested.
    tested : dict[str, tuple[str, int]]
        What an i1 tells: that a reference is of a value type.
    attributes : str
        Those of the LLVM function, one of `irmodule`'s.
    copy : int
        Number of the copy of the body, 0 for the function itself: see ``recursion``.
    shift : int
        What offsets have more in it.
    copies : dict[int, str]
        Symbols of the copies that are called in place of the function itself, by the offset of the call.
    local_types : tuple[int, ...]
        Value types of the locals, where the module has types of objects; else empty.
    origins : dict[str, Origin]
        Values of this basic block that come from a load by plain operators. LLVM may fold a load into what uses its
        value, and gives the whole the location of the latter; hence such operators get the location of the load.
    loaded : dict[str, str]
        Location of the load that a value comes from by plain operators, in whatever block: LLVM moves what widens it.
    bitwise : dict[str, tuple[str, str, str]]
        Of i32 values among them, how they were made: instruction and operands, where the same is so of wider integers.
    low : dict[str, tuple[str, str]]
        Of i64 values whose low half is simpler than they are: an i32, and a constant that is added to it.
    halved : dict[str, str]
        Of i32 values that are the low half of an i64: that.
    negated : dict[str, str]
        Of i1 values that are the negation of another: that.
    lanes : dict[tuple[str, str], str]
        v128 operands of this basic block seen as lanes, see ``simd``.
    dead : bool
        The current point is unreachable; nothing is emitted until a label is reached.
    """

    __slots__ = (
        "attributes", "bitwise", "block", "calls", "cells", "context", "copies", "copy", "count", "dbg", "dead",
        "dead_depth", "entry", "fixed", "halved", "has_stack_check", "known", "labels", "lanes", "loaded",
        "local_letters", "local_types", "low", "memory_bases", "mirrored", "negated", "offset", "once", "origins",
        "out", "outward_types", "pays", "proven", "rethrows", "scope", "shift", "signature", "stack", "start", "tested",
        "type_uses", "unwinds", "upcoming", "where", "widened",
    )  # fmt: skip

    def __init__(self, context: ModuleContext, signature: Signature, scope: int, start: int, where: str) -> None:
        self.context = context
        self.signature = signature
        self.scope = scope
        self.where = where
        self.stack: list[str] = []
        self.out: list[str] = []
        self.entry: list[str] = []
        self.labels: list[Label] = []
        self.fixed: dict[int, str] = {}
        self.known: dict[int, str] = {}
        self.once: set[int] = set()
        self.mirrored: dict[int, int] = {}
        self.widened: dict[str, str] = {}
        self.proven: dict[str, tuple[int, ...]] = {}
        self.origins: dict[str, Origin] = {}
        self.loaded: dict[str, str] = {}
        self.bitwise: dict[str, tuple[str, str, str]] = {}
        self.low: dict[str, tuple[str, str]] = {}
        self.halved: dict[str, str] = {}
        self.negated: dict[str, str] = {}
        self.lanes: dict[tuple[str, str], str] = {}
        self.cells: dict[int, str] = {}
        self.tested: dict[str, tuple[str, int]] = {}
        self.local_letters = ""
        self.local_types: tuple[int, ...] = ()
        self.memory_bases: dict[int, str] = {}
        self.calls: set[int] = set()  # functions that are called directly
        self.type_uses: set[int] = set()  # canonical types of indirect calls
        self.outward_types: set[int] = set()  # canonical types of tail calls that may need an outward trampoline
        self.attributes = FUNCTION_ATTRIBUTES
        self.copy = 0
        self.shift = 0
        self.copies: dict[int, str] = {}
        self.count = 0
        self.block = "start"
        self.dead = False
        self.dead_depth = 0
        self.has_stack_check = False
        self.pays = context.options.fuel  # all code does that counts it, but for the init function
        self.rethrows = False  # the body has a rethrow: what legacy catches caught is kept
        self.unwinds = False  # something leaves the function with an exception
        self.start = start
        self.offset = start
        self.dbg = ""
        self.upcoming = 0

    # Values -------------------------------------------------------------------------------------------------------

    def fresh(self) -> int:
        """A number for new names."""
        self.count += STEP
        return self.count

    def name(self, letter: str) -> str:
        """A new name of a value, which the next instruction must define."""
        self.count += STEP
        return f"%{self.count + DIGITS[letter]}"

    def define(self, letter: str, expression: str) -> str:
        """Emit an instruction that gives a value; return its name."""
        self.count = count = self.count + STEP
        name = f"%{count + DIGITS[letter]}"
        self.out.append(f"  {name} = {expression}{self.dbg}")
        return name

    def _define_from(self, operand: str, letter: str, expression: str) -> str:
        """`define`, with the location of the load that an operand comes from, if any."""
        location = self.loaded.get(operand)
        if location is None:
            return self.define(letter, expression)
        dbg, self.dbg = self.dbg, location
        name = self.define(letter, expression)
        self.dbg = dbg
        return name

    def note_bitwise(self, name: str, instruction: str, left: str, right: str) -> None:
        """Note how an i32 was made, if a load has to do with it: see ``bitwise``."""
        location = self.loaded.get(left) or self.loaded.get(right)
        if location is not None:
            self.loaded[name] = location
            self.bitwise[name] = instruction, left, right

    def emit(self, instruction: str) -> None:
        """Emit an instruction that gives no value."""
        self.out.append(f"  {instruction}{self.dbg}")

    def push(self, letter: str, expression: str) -> None:
        """Emit an instruction and push its value."""
        name = self.name(letter)
        self.out.append(f"  {name} = {expression}{self.dbg}")
        self.stack.append(name)

    def push_test(self, expression: str) -> None:
        """Emit an instruction that gives an i1 and push it as an i32, or as it is where the next opcode wants an i1."""
        self.push_condition(self.define("c", expression))

    def push_condition(self, test: str) -> None:
        """Push an i1 as an i32, or as it is where the next opcode wants an i1."""
        if self.upcoming in TEST_USERS:
            self.stack.append(test)
        else:
            value = f"{test[:-1]}{DIGITS['b']}"
            self.out.append(f"  {value} = zext i1 {test} to i32{self.dbg}")
            self.stack.append(value)

    def pop_values(self, count: int) -> list[str]:
        """Pop ``count`` operands, in stack order."""
        if not count:
            return []
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def condition(self, operand: str) -> str:
        """The i1 that tells whether an i32 is not zero."""
        test = self.test_of(operand)
        if test is None:
            test = self._define_from(operand, "c", f"icmp ne i32 {operand}, 0")
        return test

    def test_of(self, operand: str) -> str | None:
        """The i1 that an i32 was made from, if any."""
        if operand[0] == "%" and operand[-1] in TEST_DIGITS:
            return f"{operand[:-1]}{DIGITS['c']}"
        return None

    def opaque(self, operand: str) -> str:
        """A float constant as a value that LLVM can't see through, any other operand as it is.

        LLVM folds x*1, x-0 and the like to x, which lets a signalling NaN through. Constants may therefore reach
        arithmetic only where they are harmless (``numeric.arithmetic`` decides), and never through locals or phis.
        """
        if operand[0] == "%" or (letter := type_letter(operand)) not in "fd":
            return operand
        return self.define(letter, opaque_value(letter, operand))

    def widen(self, operand: str, letter: str) -> str:
        """An address or count operand of type ``letter`` as an i64. The low half of one stands for an i32 already."""
        if letter == "l" or (operand[-1] == _I64_DIGIT and operand[0] == "%"):
            return operand
        if operand[0] != "%":
            return i64_constant(int(operand) & 0xFFFFFFFF)
        wide = self.widened.get(operand)
        if wide is None:
            # LLVM does so with an address, and a load in it loses its location; hence it finds nothing left to do.
            if (made := self.bitwise.get(operand)) is not None:
                left, right = self.widen(made[1], "i"), self.widen(made[2], "i")
                wide = self._define_from(operand, "l", f"{made[0]} i64 {left}, {right}")
            elif (whole := self.halved.get(operand)) is not None:
                wide = self.low_half(whole)
            else:
                wide = self._define_from(operand, "l", f"zext i32 {operand} to i64")
            self.widened[operand] = wide
        return wide

    def low_half(self, value: str) -> str:
        """An i64 without its high half."""
        half = self.widened.get(value)
        if half is None:
            half = self.widened[value] = self._define_from(value, "l", f"and i64 {value}, u0xffffffff")
        return half

    def forget(self) -> None:
        """Forget what is known of values: another way leads here."""
        self.known = {}
        self.widened = {}
        self.proven = {}

    def prove(self, operand: str, valtype: int) -> None:
        """From here on an operand is known to be of a type, where that is a reference's."""
        if valtype & 0xFF in _REFERENCES and operand[0] == "%":
            proven = self.proven.get(operand, ())
            if valtype not in proven:
                self.proven[operand] = (*proven, valtype)

    # Blocks and traps ---------------------------------------------------------------------------------------------

    def start_block(self, name: str) -> None:
        """Begin a basic block; the previous one must have ended."""
        self.out.append(f"{name}:")
        self.block = name
        if self.origins:
            self.origins = {}
        if self.lanes:
            self.lanes = {}
        self.cells = {}

    def located(self, trap: int) -> str:
        """Debug location of an instruction that can raise a trap: line is the wasm offset, column the trap code."""
        return f", !dbg !DILocation(line: {self.offset + self.shift}, column: {trap}, scope: !{self.scope})"

    def trap_text(self, trap: int) -> str:
        """IR of a trap, which ends a basic block."""
        at = self.located(trap)
        lines = f"  call void @llvm.ubsantrap(i8 {trap}) {NOMERGE}{at}\n  unreachable{at}"
        if self.context.options.opt_level < FULL_PIPELINE_LEVEL:
            return lines
        # Dead store elimination takes a trap for what reads no memory: the globals would lose their last values.
        return f'  call void asm sideeffect "", "~{{memory}}"(){at}\n{lines}'

    def trap(self, trap: int) -> None:
        """Emit a trap; the basic block ends."""
        self.out.append(self.trap_text(trap))

    def trap_if(self, condition: str, trap: int) -> None:
        """Trap where an i1 is true; emission goes on in a new block where it is false."""
        number = self.fresh()
        at = self.located(trap)
        self.out.append(f"  br i1 {condition}, label %trap{number}, label %ok{number}, {UNLIKELY}{at}\ntrap{number}:")
        self.trap(trap)
        self.start_block(f"ok{number}")

    # The instance record ------------------------------------------------------------------------------------------

    def record_field(self, offset: int) -> str:
        """Address of a byte offset in the instance record."""
        cell = self.cells.get(offset)
        if cell is None:
            cell = self.cells[offset] = self.define("p", f"getelementptr i8, ptr %instance, i64 {offset}")
        return cell

    def load_invariant(self, offset: int) -> str:
        """A pointer in the instance record that never changes."""
        return self.define("p", f"load ptr, ptr {self.record_field(offset)}, align 8, {INVARIANT}")

    def load_field(self, pointer: str, offset: int, type_: str = "ptr") -> str:
        """A field of a structure."""
        address = self.define("p", f"getelementptr i8, ptr {pointer}, i64 {offset}") if offset else pointer
        return self.define("l" if type_ == "i64" else "p", f"load {type_}, ptr {address}, align 8")

    def runtime_call(self, name: str, *arguments: str) -> str:
        """Call a function of the runtime with operands as its signature wants them; return the result, "" if none.

        Pointers may be passed as such: in registers they are the same as an i64.
        """
        index = schema.RUNTIME_CALL_INDEX[name]
        signature = schema.RUNTIME_CALLS[index].signature
        result, params = signature[0], signature[1:]
        table = self.load_invariant(INSTANCE["calls"])
        entry = self.define("p", f"getelementptr i8, ptr {table}, i64 {8 * index}")
        code = self.define("p", f"load ptr, ptr {entry}, align 8, {INVARIANT}")
        passed = "ptr %instance"
        for param, value in zip(params, arguments, strict=True):
            is_pointer = value.startswith("getelementptr") or (value[0] == "%" and value[-1] == _POINTER_DIGIT)
            passed += f", {'ptr' if is_pointer else _RUNTIME_TYPES[param]} {value}"
        call = f"notail call {_RUNTIME_TYPES[result]} {code}({passed}) {NOMERGE}"
        if result == "v":
            self.out.append(f"  {call}{self.dbg}")
            return ""
        return self.define("i" if result == "i" else "l", call)

    def memory_base(self, memory: int) -> str:
        """Base address of a memory; loaded once, in the entry block."""
        base = self.memory_bases.get(memory)
        if base is None:
            base = self.memory_bases[memory] = local_cell(len(self.local_letters) + memory)
        return base

    def _load_bases(self) -> Iterator[str]:
        """Lines that load the bases that are used, in the order of their names."""
        for memory, base in sorted(self.memory_bases.items()):
            offset = self.context.layout.memories_offset + schema.MEMORY_SLOT.size_bytes * memory
            yield f"  %m{memory} = getelementptr i8, ptr %instance, i64 {offset + _BASE_OFFSET}"
            yield f"  {base} = load ptr, ptr %m{memory}, align 8, {INVARIANT}"

    # Fuel ---------------------------------------------------------------------------------------------------------

    def fuel(self) -> str:
        """The portion of fuel that the function has left."""
        return self.define("l", f"load i64, ptr {FUEL_CELL}")

    def set_fuel(self, portion: str) -> None:
        """Go on with another portion."""
        self.emit(f"store i64 {portion}, ptr {FUEL_CELL}")

    def with_fuel(self, values: list[str]) -> list[str]:
        """Operands of a call or a return, with the portion before them where code counts fuel."""
        return [self.fuel(), *values] if self.context.options.fuel else values

    # Exceptions ---------------------------------------------------------------------------------------------------

    def pending_cell(self) -> str:
        """Address of the cell with the pending exception. Another store's, should a call have joined two of them."""
        return self.define("p", f"load ptr, ptr {self.record_field(INSTANCE['exception'])}, align 8")

    def landing(self, around: list[Label]) -> str:
        """The block that an exception goes to inside of these labels."""
        for label in reversed(around):
            if label.kind == "try":
                label.is_landed = True
                return label.landing
        self.unwinds = True
        return "unwind"

    def leave_if_pending(self) -> None:
        """After a call: go to the landing if an exception is pending; emission goes on in a new block."""
        if not self.context.checks_exceptions:
            return
        pending = self.define("p", f"load ptr, ptr {self.pending_cell()}, align 8")
        test = self.define("c", f"icmp ne ptr {pending}, null")
        following = f"returned{self.fresh()}"
        landing = self.landing(self.labels)
        self.out.append(f"  br i1 {test}, label %{landing}, label %{following}, {UNLIKELY}{self.dbg}")
        self.start_block(following)

    # The whole function -------------------------------------------------------------------------------------------

    def open_locals(self, declared: str, assigned: set[int]) -> None:
        """Make locals of the parameters and of the declared ones (type letters); ``assigned`` live in allocas."""
        params = self.signature.params
        passed = self.context.called(self.signature).params
        convention = self.context.convention
        if convention is None:
            arguments = [f"%p{index}.{letter}" for index, letter in enumerate(passed)]
        else:
            arguments = convention.unpack(Lines(self.entry), "%instance", passed)
        if self.context.options.fuel:
            self.entry.append(f"  {FUEL_CELL} = alloca i64\n  store i64 {arguments.pop(0)}, ptr {FUEL_CELL}")
        self.local_letters = params + declared
        # Below are the numbers of the locals' cells and of the memories' bases.
        self.count = STEP * (len(self.local_letters) + len(self.context.memories))
        for index, letter in enumerate(self.local_letters):
            type_ = LLVM_TYPES[letter]
            if index < len(params):
                initial = arguments[index]
            elif letter in "fd":  # opaque, as later blocks don't see that it is a constant
                initial = f"%zero{index}.{letter}"
                self.entry.append(f"  {initial} = {opaque_value(letter, ZEROS[letter])}")
            else:
                initial = ZEROS[letter]
            if index in self.once:
                continue
            if index in self.mirrored:
                self.known[index] = initial
            elif index in assigned:
                self.known[index] = initial
                cell = local_cell(index)
                self.entry.append(f"  {cell} = alloca {type_}\n  store {type_} {initial}, ptr {cell}")
            else:
                self.fixed[index] = initial

    def finish(self, name: str, apart: str = "", linkage: str = LINKAGE) -> str:
        """The function definition as text, once the body is complete; ``apart`` as `irmodule.APART` or empty."""
        result, _ = self.context.llvm_type(self.signature)
        head = f"define {linkage} {result} @{name}({self._parameters()})"
        return "\n".join([
            f"{head} {self.attributes}{apart} !dbg !{self.scope} {{",
            "entry:",
            self._nothing_to_follow(),
            *self.entry,
            *self._load_bases(),
            self._leave_entry(),
            "start:",
            *self.out,
            *self._unwind(),
            "}",
        ])  # fmt: skip

    def _unwind(self) -> list[str]:
        """Where the function returns with a pending exception: nobody looks at its results, but for the fuel."""
        if not self.unwinds:
            return []
        type_, _ = self.context.llvm_type(self.signature)
        if self.context.options.fuel:
            return ["unwind:", *self._unwind_with_fuel(type_)]
        return ["unwind:", f"  ret {type_}{'' if type_ == 'void' else ' poison'}"]

    def _unwind_with_fuel(self, type_: str) -> list[str]:
        called, convention = self.context.called(self.signature), self.context.convention
        start = len(self.out)
        values = [self.fuel(), *(["poison"] * len(self.signature.results))]
        if convention is not None and convention.spill_results(self, "%instance", called, values):
            self.emit("ret void")
        else:
            self.emit(f"ret {type_} {returned(self, called, values)}")
        lines = self.out[start:]
        del self.out[start:]
        return lines

    def _parameters(self) -> str:
        if self.context.convention is not None:
            return self.context.convention.parameters()
        params = self.context.called(self.signature).params
        return ", ".join([
            "ptr %instance",
            *(f"{LLVM_TYPES[letter]} %p{index}.{letter}" for index, letter in enumerate(params)),
        ])  # fmt: skip

    def _nothing_to_follow(self) -> str:
        """A variable for debuggers, which makes LLVM skip the pass that follows variables.

        The pass takes 12% of the back end's time at level 0 and 2% above, and finds none. It skips functions with more
        than so many, and ``llvm`` sets that to zero.
        """
        variable = f"!DILocalVariable(scope: !{self.scope})"
        return f"  #dbg_value(i32 0, {variable}, !DIExpression(), !DILocation(line: 0, scope: !{self.scope}))"

    def _leave_entry(self) -> str:
        if not self.has_stack_check:
            return "  br label %start"
        self.offset = self.start
        trap = schema.TRAP_BY_NAME["stack_exhausted"]
        at = self.located(trap)
        return (
            f"  %sp = call i64 @llvm.read_register.i64({STACK_POINTER}){at}\n"
            f"  %limit = load i64, ptr %instance, align 8{at}\n"
            f"  %exhausted = icmp ult i64 %sp, %limit{at}\n"
            f"  br i1 %exhausted, label %overflow, label %start, {UNLIKELY}{at}\n"
            f"overflow:\n{self.trap_text(trap)}"
        )


#: Emits one instruction from its immediate.
Handler = Callable[[FunctionEmitter, Any], None]
