"""Generates programs that throw and catch, as text: nothing else, so that every path of that is taken.

In the legacy encoding: try, catch, catch_all, delegate, rethrow; else try_table with each kind of clause, throw_ref,
and exnref in locals, globals and tables. Functions call each other, directly and through a table, those of the module
before, and the host, which may throw and call back. A program counts down its fuel, and mixes what it does into a hash.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

#: Types of the values of each tag that a module defines and exports, as "t0" and so on.
TAGS: Final = ((), ("i32",), ("i32", "i64"), ("f64",), ("i32",))
#: The host's own tag, which every module imports.
HOST_TAG: Final = ("i32",)
#: Exported functions of a module, "f0" and so on: (i32) -> i32.
FUNCTIONS: Final = 4
#: What ``act`` of the host can be told to do: see ``HostActions`` in exception_engines.py.
ACTIONS: Final = 5
#: How deep control may nest, and how many statements a sequence may have.
_MAX_DEPTH: Final = 4
_MAX_STATEMENTS: Final = 3
#: Share of modules with tail calls.
_TAIL_CALLS: Final = 0.3
_LOCALS: Final = {"i32": ("a", "b", "c"), "i64": ("k", "l"), "f64": ("x",)}
_CONVERTED: Final = {"i64": "(i64.extend_i32_s (local.get 0))", "f64": "(f64.convert_i32_s (local.get 0))"}


@dataclass(frozen=True)
class _Label:
    """A branch target: its name, whether a branch carries an i32, whether it is the try block of this catch."""

    name: str
    has_value: bool
    is_caught: bool = False


class _Writer:
    """Writes the functions of one module."""

    def __init__(
        self, rng: random.Random, *, legacy: bool, host_acts: bool, tail_calls: bool, callees: Sequence[str]
    ) -> None:
        self.rng = rng
        self.legacy = legacy
        self.callees = callees
        self.lines: list[str] = []
        self.labels: list[_Label] = []
        self.names = 0
        self.results: Sequence[str] = ()
        self.tags = [("host", HOST_TAG), *((f"t{index}", types) for index, types in enumerate(TAGS))]
        self.simple: list[Callable[[], None]] = [self._set_local] * 3 + [self._mark] * 3 + [self._call] * 3
        self.simple += (
            [self._throw] * 2 + [self._risk] * 3 + [self._branch] * 2 + [self._branch_if, self._event, self._leave]
        )
        self.simple += [self._tail_call] * 3 * tail_calls
        self.simple += [self._act] * 3 * host_acts + ([self._rethrow] * 2 if legacy else [self._reference] * 3)
        self.nested: list[Callable[[int], None]] = [self._try_legacy if legacy else self._try_table] * 6
        self.nested += [self._if, self._block, self._loop, self._under_operand]

    # Lines and labels

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("  " * (len(self.labels) + 2) + text)

    @contextmanager
    def inside(
        self, kind: str, *, has_value: bool = False, has_parameter: bool = False, rest: str = ""
    ) -> Iterator[str]:
        """A block, without its end line; gives its name."""
        self.names += 1
        name = f"$L{self.names}"
        self.line(f"{kind} {name}{' (param i32)' * has_parameter}{' (result i32)' * has_value}{rest}")
        self.labels.append(_Label(name, has_value and kind != "loop"))
        yield name
        self.labels.pop()

    def statements(self, depth: int) -> None:
        """A sequence of statements, each of which leaves the operand stack as it was."""
        for _ in range(self.rng.randint(1, _MAX_STATEMENTS)):
            if depth < _MAX_DEPTH and self.rng.random() < 0.45:
                self.rng.choice(self.nested)(depth + 1)
            else:
                self.rng.choice(self.simple)()

    # Expressions

    def expression(self, kind: str = "i32", depth: int = 0) -> str:
        """An expression in folded form."""
        rng = self.rng
        if depth > 2 or rng.random() < 0.4:
            if kind == "i32" and rng.random() < 0.3:
                return f"(global.get ${rng.choice(('hash', 'fuel'))})"
            if rng.random() < 0.5:
                return f"(local.get ${rng.choice(_LOCALS[kind])})"
            return f"({kind}.const {rng.choice((0, 1, 2, 3, 7, -1, 100, rng.randint(-1000, 1000)))})"
        if kind == "f64":
            if rng.random() < 0.5:
                return f"(f64.convert_i32_s {self.expression('i32', depth + 1)})"
            operator = rng.choice(("add", "sub"))
            return f"(f64.{operator} {self.expression(kind, depth + 1)} {self.expression(kind, depth + 1)})"
        other = rng.random()
        if other < 0.15:
            conversion = "i32.wrap_i64" if kind == "i32" else "i64.extend_i32_s"
            return f"({conversion} {self.expression('i64' if kind == 'i32' else 'i32', depth + 1)})"
        if other < 0.25 and kind == "i32":
            return f"(f64.lt {self.expression('f64', depth + 1)} {self.expression('f64', depth + 1)})"
        operators = ("add", "sub", "xor", "and", "mul", "shr_u") + (("eq", "lt_s") if kind == "i32" else ())
        operator = "rem_u" if rng.random() < 0.02 else rng.choice(operators)
        return f"({kind}.{operator} {self.expression(kind, depth + 1)} {self.expression(kind, depth + 1)})"

    def condition(self) -> str:
        """An i32 that is often zero and often not."""
        mixed = f"(i32.xor {self.expression()} (i32.shr_u (global.get $hash) (i32.const {self.rng.randrange(8)})))"
        return f"(i32.and {mixed} (i32.const {self.rng.choice((1, 2, 3))}))"

    def arguments(self, types: Sequence[str]) -> str:
        """One expression for each type."""
        return " ".join(map(self.expression, types))

    def store(self, types: Sequence[str]) -> None:
        """Put operands, the last one first, into locals."""
        for kind in reversed(types):
            self.line(f"local.set ${self.rng.choice(_LOCALS[kind])}")

    # Simple statements

    def _set_local(self) -> None:
        kind = self.rng.choice(tuple(_LOCALS))
        self.line(f"(local.set ${self.rng.choice(_LOCALS[kind])} {self.expression(kind)})")

    def _mark(self) -> None:
        self.line(f"(call $mark {self.expression()})")

    def _event(self) -> None:
        self.line(f"(local.set $b (call $event {self.expression()}))")

    def _act(self) -> None:
        self.line(f"(local.set $c (call $act (i32.const {self.rng.randrange(ACTIONS)}) {self.expression()}))")

    def _call(self) -> None:
        chosen = self.rng.random()
        if chosen < 0.2:
            self.line(f"(call $pair {self.arguments(('i32', 'i64'))})")
            self.store(("i64", "i32"))
            return
        if chosen < 0.4:
            index = f"(i32.and {self.expression()} (i32.const {FUNCTIONS - 1}))"
            call = f"(call_indirect (type $function) {self.expression()} {index})"
        else:
            call = f"(call {self.rng.choice(self.callees)} {self.expression()})"
        self.line(f"(local.set ${self.rng.choice(_LOCALS['i32'])} {call})")

    def _tail_call(self) -> None:
        """What it throws passes the try blocks around by."""
        if self.results == ("i32",):
            chosen = self.rng.choice(self.callees)
            call = f"(return_call {chosen} {self.expression()})"
            if self.rng.random() < 0.3:
                index = f"(i32.and {self.expression()} (i32.const {FUNCTIONS - 1}))"
                call = f"(return_call_indirect (type $function) {self.expression()} {index})"
        else:
            call = f"(return_call $pair {self.arguments(('i32', 'i64'))})"
        self.line(call if self.rng.random() < 0.2 else f"(if {self.condition()} (then {call}))")

    def _risk(self) -> None:
        """Throw an exception of any tag, or none, as it happens."""
        self.line(f"(call $risk (i32.xor {self.expression()} (global.get $hash)))")

    def _throw(self) -> None:
        name, types = self.rng.choice(self.tags)
        throw = f"(throw ${name} {self.arguments(types)})"
        self.line(throw if self.rng.random() < 0.3 else f"(if {self.condition()} (then {throw}))")

    def _branch(self) -> None:
        if not self.labels:
            return
        label = self.rng.choice(self.labels)
        value = " " + self.expression() if label.has_value else ""
        branch = f"(br {label.name}{value})"
        self.line(branch if self.rng.random() < 0.2 else f"(if {self.condition()} (then {branch}))")

    def _branch_if(self) -> None:
        empty = [label.name for label in self.labels if not label.has_value]
        if empty:
            targets = " ".join(self.rng.choices(empty, k=self.rng.randint(1, 4)))
            kind, index = ("br_if", self.condition()) if " " not in targets else ("br_table", self.expression())
            if kind == "br_if" or self.rng.random() < 0.2:
                self.line(f"({kind} {targets} {index})")
            else:
                self.line(f"(if {self.condition()} (then ({kind} {targets} {index})))")

    def _leave(self) -> None:
        statement = "unreachable" if self.rng.random() < 0.2 else f"(return {self.arguments(self.results)})"
        self.line(f"(if {self.condition()} (then {statement}))")

    def _rethrow(self) -> None:
        caught = [label.name for label in self.labels if label.is_caught]
        if caught:
            statement = f"rethrow {self.rng.choice(caught)}"
            self.line(statement if self.rng.random() < 0.4 else f"(if {self.condition()} (then {statement}))")

    def _reference(self) -> None:
        place = f"(i32.and {self.expression()} (i32.const 3))"
        statement = self.rng.choice(
            (
                "(throw_ref (local.get $e))",
                "(throw_ref (local.get $e))",
                "(local.set $e (global.get $kept))",
                "(global.set $kept (local.get $e))",
                f"(local.set $e (table.get $many {place}))",
                f"(table.set $many {place} (local.get $e))",
                f"(local.set $a (call $again (local.get $e) {self.expression()}))",
                "(call $mark (ref.is_null (local.get $e)))",
            )
        )
        if "throw_ref" in statement and self.rng.random() < 0.8:  # else null traps
            statement = f"(if (i32.eqz (ref.is_null (local.get $e))) (then {statement}))"
        self.line(statement)

    # Nested statements

    def _if(self, depth: int) -> None:
        has_value, has_else = self.rng.random() < 0.3, self.rng.random() < 0.5
        self.line(self.condition())
        with self.inside("if", has_value=has_value):
            self._arm(depth, has_value=has_value)
            if has_else or has_value:
                self.line("else")
                self._arm(depth, has_value=has_value)
        self._end(has_value=has_value)

    def _block(self, depth: int) -> None:
        has_value = self.rng.random() < 0.4
        with self.inside("block", has_value=has_value):
            self._arm(depth, has_value=has_value)
        self._end(has_value=has_value)

    def _loop(self, depth: int) -> None:
        with self.inside("loop") as name:
            self.stop_when_spent()
            self.statements(depth)
            self.line(f"(br_if {name} {self.condition()})")
        self._end(has_value=False)

    def _under_operand(self, depth: int) -> None:
        """A statement while an operand waits on the stack."""
        self.line(self.expression())
        self.rng.choice(self.nested[:-1])(depth)
        self.line(self.expression())
        self.line("i32.xor")
        self.store(("i32",))

    def _arm(self, depth: int, *, has_value: bool) -> None:
        if self.rng.random() < 0.4:
            self._risk()
        self.statements(depth)
        if has_value:
            self.line(self.expression())

    def _end(self, *, has_value: bool) -> None:
        self.line("end")
        if has_value:
            self.store(("i32",))

    # The legacy encoding

    def _try_legacy(self, depth: int) -> None:
        has_value = self.rng.random() < 0.4
        has_parameter = self.rng.random() < 0.2
        if has_parameter:
            self.line(self.expression())
        with self.inside("try", has_value=has_value, has_parameter=has_parameter):
            if has_parameter:
                self.store(("i32",))
            self._arm(depth, has_value=has_value)
            if self.rng.random() < 0.25:
                is_delegate = True
            else:
                is_delegate = False
                self._catches(depth, has_value=has_value)
        if is_delegate:
            # A label is counted from outside of the try block; the one past the last is the function.
            self.line(f"delegate {self.rng.randint(0, len(self.labels))}")
            if has_value:
                self.store(("i32",))
        else:
            self._end(has_value=has_value)

    def _catches(self, depth: int, *, has_value: bool) -> None:
        label = self.labels[-1]
        self.labels[-1] = _Label(label.name, label.has_value, is_caught=True)
        arms = [*self.rng.sample(self.tags, self.rng.randint(0, 3)), *([None] * (self.rng.random() < 0.4))]
        for arm in arms:
            self.line("catch_all" if arm is None else f"catch ${arm[0]}")
            if arm is not None:
                self.store(arm[1])
            self._arm(depth, has_value=has_value)
            if self.rng.random() < 0.15:
                self.line(f"rethrow {label.name}")

    # The encoding of WebAssembly 3.0

    def _try_table(self, depth: int) -> None:
        has_value = self.rng.random() < 0.4
        clauses: list[tuple[str, tuple[str, ...]]] = []
        for _ in range(self.rng.randint(0, 4)):
            tag, types = self.rng.choice(self.tags)
            is_all, is_ref = self.rng.random() < 0.3, self.rng.random() < 0.5
            kept = (*(() if is_all else types), *(("exnref",) if is_ref else ()))
            clauses.append((f"catch{'_all' * is_all}{'_ref' * is_ref}{'' if is_all else f' ${tag}'}", kept))
        empty = [label.name for label in self.labels if not label.has_value]
        with self.inside("block", has_value=has_value) as done:
            handlers, texts = [], []
            for clause, types in reversed(clauses):
                if not types and empty and self.rng.random() < 0.3:
                    texts.append(f"({clause} {self.rng.choice(empty)})")
                    continue
                self.names += 1
                handlers.append((f"$H{self.names}", types))
                result = f" (result {' '.join(types)})" if types else ""
                self.line(f"block $H{self.names}{result}")
                texts.append(f"({clause} $H{self.names})")
            rest = "".join(f" {text}" for text in reversed(texts))
            has_parameter = self.rng.random() < 0.2
            if has_parameter:
                self.line(self.expression())
            with self.inside("try_table", has_value=has_value, has_parameter=has_parameter, rest=rest):
                if has_parameter:
                    self.store(("i32",))
                self._arm(depth, has_value=has_value)
            self.line("end")
            self.line(f"br {done}")
            for _, types in reversed(handlers):
                self.line("end")
                self._handler(types, depth, has_value=has_value)
                self.line(f"br {done}")
            if has_value:
                self.line("unreachable")
        self._end(has_value=has_value)

    def _handler(self, types: Sequence[str], depth: int, *, has_value: bool) -> None:
        is_ref = types[-1:] == ("exnref",)
        if is_ref:
            self.line("local.set $e" if self.rng.random() < 0.8 else "drop")
        self.store(types[:-1] if is_ref else types)
        self._arm(depth, has_value=has_value)
        if is_ref and self.rng.random() < 0.15:
            self._reference()

    # Functions

    def stop_when_spent(self) -> None:
        """Return when there is no more fuel."""
        values = " ".join(f"({kind}.const 0)" for kind in self.results)
        self.line(f"(if (call $is_spent) (then (return {values})))")

    def function(self, params: Sequence[str], results: Sequence[str], *, name: str, is_exported: bool = False) -> None:
        """A function; its parameters are the first locals of their types."""
        self.results = results
        unused = {kind: list(names) for kind, names in _LOCALS.items()}
        given = "".join(f" (param ${unused[kind].pop(0)} {kind})" for kind in params)
        export = f' (export "{name}")' * is_exported
        self.lines.append(f"  (func ${name}{export}{given} (result {' '.join(results)})")
        self.lines += [f"    (local ${local} {kind})" for kind, names in unused.items() for local in names]
        self.lines += ["    (local $e exnref)"] * (not self.legacy)
        self.stop_when_spent()
        self.statements(0)
        self.line(self.arguments(results))
        self.lines.append("  )")


def generate_throwing(rng: random.Random, *, legacy: bool, host_acts: bool, imports_first: bool) -> str:
    """Text of a module.

    Parameters
    ----------
    rng : random.Random
        Chooses everything.
    legacy : bool
        Which of the two encodings.
    host_acts : bool
        The module imports a function of the host that throws and calls back.
    imports_first : bool
        It imports functions and tags of another one, named "first".
    """
    callees = [f"$f{index}" for index in range(FUNCTIONS)]
    head = ["(module", "  (type $function (func (param i32) (result i32)))"]
    head += ['  (import "host" "event" (func $event (param i32) (result i32)))']
    if host_acts:
        head += ['  (import "host" "act" (func $act (param i32 i32) (result i32)))']
    if imports_first:
        head += [f'  (import "first" "f{index}" (func $first{index} (type $function)))' for index in range(FUNCTIONS)]
        callees += [f"$first{index}" for index in range(FUNCTIONS)]
    head += ['  (import "host" "tag" (tag $host (param i32)))']
    tail_calls = rng.random() < _TAIL_CALLS
    writer = _Writer(rng, legacy=legacy, host_acts=host_acts, tail_calls=tail_calls, callees=callees)
    if imports_first:
        # The second tag of one i32 is the module's own.
        head += [
            f'  (import "first" "t{index}" (tag $first_t{index}{_params(types)}))' for index, types in enumerate(TAGS)
        ]
        writer.tags += [(f"first_t{index}", types) for index, types in enumerate(TAGS)]
    head += [f'  (tag $t{index} (export "t{index}"){_params(types)})' for index, types in enumerate(TAGS)]
    head += [
        "  (global $hash (mut i32) (i32.const 1))",
        "  (global $fuel (mut i32) (i32.const 0))",
        f"  (table funcref (elem {' '.join(callees[:FUNCTIONS])}))",
        '  (func (export "hash") (result i32) (global.get $hash))',
        '  (func (export "reset") (param i32) (global.set $fuel (local.get 0)))',
        "  (func $mark (param i32)",
        "    (global.set $hash (i32.add (i32.mul (global.get $hash) (i32.const 31)) (local.get 0))))",
        "  (func $is_spent (result i32)",
        "    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))",
        "    (i32.lt_s (global.get $fuel) (i32.const 0)))",
    ]
    # One of each, and as many where nothing is thrown.
    bits = (2 * len(writer.tags) - 1).bit_length()
    head.append("  (func $risk (param i32) (local i32)")
    head.append(f"    (local.set 1 (i32.shr_u (i32.mul (local.get 0) (i32.const 0x9e3779b1)) (i32.const {32 - bits})))")
    for number, (name, types) in enumerate(writer.tags):
        values = " ".join("(local.get 0)" if kind == "i32" else _CONVERTED[kind] for kind in types)
        head.append(f"    (if (i32.eq (local.get 1) (i32.const {number})) (then (throw ${name} {values})))")
    head.append("  )")
    if not legacy:
        head += [
            "  (global $kept (mut exnref) (ref.null exn))",
            "  (table $many 4 exnref)",
            "  (func $again (param exnref i32) (result i32)",
            "    (if (i32.or (ref.is_null (local.get 0)) (i32.and (local.get 1) (i32.const 1)))",
            "      (then (return (local.get 1))))",
            "    (throw_ref (local.get 0)))",
        ]
    for index in range(FUNCTIONS):
        writer.function(("i32",), ("i32",), name=f"f{index}", is_exported=True)
    writer.function(("i32", "i64"), ("i64", "i32"), name="pair")
    return "\n".join([*head, *writer.lines, ")"]) + "\n"


def _params(types: Sequence[str]) -> str:
    return f" (param {' '.join(types)})" if types else ""
