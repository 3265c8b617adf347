"""Generates programs that throw and catch all the time, and call what may throw: smith seldom gets to throw anything.

What they have besides other programs: tags with values of all types; throws, as statements and in the middle of
expressions; try blocks with all kinds of catches, which lead into handlers, to the heads of loops and out of the
function; exnrefs in variables, globals, tables, parameters and other exceptions. Variables change in try blocks, and
handlers show what they find in them. The second program of a pair calls functions of the first and knows its tags, and
may put its own functions into the table of the first.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tests.fuzz.programs import BURN, TABLE_SIZE, Function, Program, params_text, results_text
from tests.fuzz.sections import CAUGHT_NAME
from tests.fuzz.shape import LINK_MODULE, Shape, TableType
from tests.fuzz.values import EXCEPTION, REFERENCES, Signature

EXN_TABLE_SIZE: Final = 4
_TABLE: Final = TableType("funcref", TABLE_SIZE, TABLE_SIZE + 8)
_KINDS: Final = ("catch", "catch", "catch_ref", "catch_ref", "catch_all", "catch_all_ref")
_COUNT: Final = "(global.set $caught (i32.add (global.get $caught) (i32.const 1)))"


def generate_throwing(rng: random.Random, *, canonical_nans: bool, first: Shape | None) -> str:
    """Text of a random module; ``first`` is the shape of the module whose exports it may import."""
    return _Throwing(rng, canonical_nans, first).text()


class _Throwing(Program):
    """One module in the making."""

    def __init__(self, rng: random.Random, canonical_nans: bool, first: Shape | None) -> None:
        super().__init__(rng, canonical_nans)
        self.labels = 0
        self.first = first or Shape((), {})
        # Chance of a throw where there could be one, out of 8.
        self.eagerness = rng.choice((1, 1, 2, 4))
        self.imported_tags = [(f"host{index}", self._tag_params()) for index in range(rng.randrange(3))]
        self.own_tags = [(f"own{index}", self._tag_params()) for index in range(rng.randrange(1, 4))]
        kinds = {*self.types, *REFERENCES}
        linked = [(name, type_.params) for name, type_ in self.first.tags().items() if kinds.issuperset(type_.params)]
        self.linked_tags = rng.sample(linked, min(len(linked), 2))
        self.linked = [
            (name, type_)
            for name, type_ in self.first.functions().items()
            if kinds.issuperset((*type_.params, *type_.results)) and rng.random() < 0.7
        ]
        self.shares_table = self.first.exports.get("table") == _TABLE and rng.random() < 0.5
        self.tags = [
            *self.imported_tags,
            *self.own_tags,
            *((f"linked{index}", params) for index, (_, params) in enumerate(self.linked_tags)),
        ]

    def _signature(self) -> Signature:
        """Some pass an exception on."""
        made, rng = super()._signature(), self.rng
        params, results = (
            (*kinds, EXCEPTION) if rng.random() < 0.15 else kinds for kinds in (made.params, made.results)
        )
        return Signature(params, results)

    def _function(self, index: int, signature: Signature) -> Function:
        made = super()._function(index, signature)
        return Function(index, signature, (*made.locals, EXCEPTION))

    def _tag_params(self) -> tuple[str, ...]:
        rng = self.rng
        kinds = [*self.types, *self.types, *REFERENCES]
        return tuple(rng.choice(kinds) for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 6))))

    # ---- the module

    def _more_imports(self) -> list[str]:
        linked_tags = [
            f'(import "{LINK_MODULE}" {_quoted(name)} (tag $linked{index}{params_text(Signature(params, ()))}))'
            for index, (name, params) in enumerate(self.linked_tags)
        ]
        return [
            *(
                f'(import "host" "{name}" (tag ${name}{params_text(Signature(params, ()))}))'
                for name, params in self.imported_tags
            ),
            *linked_tags,
            *(
                [f'(import "{LINK_MODULE}" "table" (table $t {_TABLE.min} {_TABLE.max} funcref))']
                if self.shares_table
                else []
            ),
            *(
                f'(import "{LINK_MODULE}" {_quoted(name)} (func $k{index}{params_text(type_)}{results_text(type_)}))'
                for index, (name, type_) in enumerate(self.linked)
            ),
        ]

    def _table_text(self) -> str:
        return "" if self.shares_table else super()._table_text()

    def _more_fields(self) -> list[str]:
        return [
            *(f"(tag ${name}{params_text(Signature(params, ()))})" for name, params in self.own_tags),
            f'(table $exns (export "exns") {EXN_TABLE_SIZE} {EXN_TABLE_SIZE} exnref)',
            "(global $exn (mut exnref) (ref.null exn))",
            f'(global $caught (export "{CAUGHT_NAME}") (mut i32) (i32.const 0))',
        ]

    def _body(self) -> list[str]:
        """Most functions as a whole are a try block; its catches have handlers or leave the function."""
        prepared = [self._keep()] if self.rng.random() < 0.6 else []
        body, results = prepared + super()._body(), self.function.signature.results
        if self.rng.random() < 0.6:
            return [self._handled(lambda clauses: " ".join([f"(try_table {clauses}", *body, ")"]), 1)]
        fitting = [name for name, params in self.tags if params == results]
        if self.rng.random() < 0.4 and (fitting or not results):
            catches = [f"(catch ${self.rng.choice(fitting)} 0)"] if fitting else []
            catches += ["(catch_all 0)"] if not results and self.rng.random() < 0.7 else []
            return [f"(try_table {' '.join(catches)}", *body, ")"]
        return body

    def _more_variables(self) -> list[str]:
        references = [f"(local $r_{kind} {kind})" for kind in REFERENCES]
        return [*references, *(f"(local $p{index} (ref null $t{index}))" for index in range(len(self.signatures)))]

    # ---- statements

    def _statement(self, depth: int) -> str:
        if depth and self.rng.random() < 0.3:
            nested = (self._try, self._try, self._retry, self._retry_with_values, self._call_if_there)
            return self.rng.choice(nested)(depth - 1)
        if self.rng.random() < 0.25:
            makers = (self._throw_maybe, self._throw_maybe, self._throw_again, self._throw_again, self._keep)
            return self.rng.choice(makers)()
        if self.has_tail_calls and self.rng.random() < 0.05:
            return self._tail_call()
        return super()._statement(depth)

    def _label(self) -> int:
        self.labels += 1
        return self.labels

    def _try(self, depth: int) -> str:
        """A try block with handlers."""
        return self._handled(lambda clauses: self._try_table(clauses, depth), depth)

    def _handled(self, make: Callable[[str], str], depth: int) -> str:
        """A try block, made with the catches that it gets, and their handlers."""
        rng, number = self.rng, self._label()
        end = f"$out{number}"
        catches = [(rng.choice(_KINDS), *rng.choice(self.tags)) for _ in range(rng.choice((0, 1, 2, 2, 3)))]
        clauses = [_clause(kind, name, f"$h{number}_{index}") for index, (kind, name, _) in enumerate(catches)]
        clauses += [f"(catch_all {end})"] if rng.random() < 0.2 else []
        text = f"{make(' '.join(clauses))} (br {end})"
        for index, (kind, _, params) in enumerate(catches):
            caught = (() if "all" in kind else params) + ((EXCEPTION,) if kind.endswith("ref") else ())
            results = results_text(Signature((), caught))
            text = f"(block $h{number}_{index}{results} {text}) {self._handler(caught, depth)} (br {end})"
        return f"(block {end} {text})"

    def _try_table(self, clauses: str, depth: int) -> str:
        """A try block that leaves nothing on the stack, with or without parameters and results."""
        rng = self.rng
        kind, variable = rng.choice(self.types), self._variable(rng.choice(self.types))
        before, after = (self._statement(depth) for _ in range(2))
        choice = rng.random()
        if choice < 0.2:
            passed = f"{self._expression(kind, 2)} (try_table (param {kind}) (result {kind}) {clauses}"
            return f"{passed} {before} {after}) {self._put(kind)}"
        if choice < 0.4:
            return f"(try_table (result {kind}) {clauses} {before} {self._expression(kind, 3)}) {self._put(kind)}"
        changed = f"(local.set {variable[0]} {self._expression(variable[1], 2)})" if variable else ""
        return f"(try_table {clauses} {before} {changed} {after})"

    def _variable(self, kind: str) -> tuple[str, str] | None:
        """A variable of a type, and the type."""
        indices = [index for index, other in enumerate(self.function.locals) if other == kind]
        return (f"$l{self.rng.choice(indices)}", kind) if indices else None

    def _put(self, kind: str) -> str:
        """Take a value off the stack."""
        if kind in REFERENCES:
            return f"(local.set $r_{kind})"
        variable = self._variable(kind)
        return f"(local.set {variable[0]})" if variable and self.rng.random() < 0.8 else "(drop)"

    def _handler(self, caught: tuple[str, ...], depth: int) -> str:
        """What is done with an exception: its values come first, then a look at the variables."""
        words = [*map(self._put, reversed(caught)), _COUNT, *self._shown()]
        if EXCEPTION in caught and self.rng.random() < 0.5:
            words.append(self._keep())
        if EXCEPTION in caught and self.rng.random() < 0.3:
            words.append(self._throw_again())
        if self.rng.random() < 0.5:
            words.append(self._statement(depth))
        return " ".join(words)

    def _shown(self) -> list[str]:
        """Some variables, copied to where the bits show."""
        shown = []
        for index, kind in enumerate(self.globals):
            variable = self._variable(kind)
            if variable and self.rng.random() < 0.6:
                shown.append(f"(global.set $g{index} {self._canonical(kind, f'(local.get {variable[0]})')})")
        return shown

    def _retry(self, depth: int) -> str:
        """A loop that begins anew when its body throws."""
        counter, loop = f"$c{self.loops}", f"$again{self._label()}"
        self.loops += 1
        empty = [name for name, params in self.tags if not params]
        clause = _clause("catch", self.rng.choice(empty), loop) if empty and self.rng.random() < 0.5 else ""
        body = f"{' '.join(self._shown())} {self._try_table(f'{clause} (catch_all {loop})', depth)}"
        inner = f"(if {_step(counter, self.rng.randrange(2, 8))} (then {_recount(counter)} {body}))"
        return f"(local.set {counter} (i32.const 0)) (loop {loop} {BURN} {inner})"

    def _retry_with_values(self, depth: int) -> str:
        """Likewise; the values of the exception are what the loop begins with."""
        counter, loop = f"$c{self.loops}", f"$again{self._label()}"
        self.loops += 1
        name, params = self.rng.choice(self.tags)
        kept = (*params, EXCEPTION) if self.rng.random() < 0.5 else params
        clause = _clause("catch" if kept == params else "catch_ref", name, loop)
        start = " ".join(self._visible(kind, 1) for kind in kept)
        taken = " ".join([*map(self._put, reversed(kept)), *self._shown()])
        inner = f"(if {_step(counter, 4)} (then {_recount(counter)} {self._try_table(clause, depth)}))"
        head = f"(loop {loop}{params_text(Signature(kept, ()))}"
        return f"(local.set {counter} (i32.const 0)) {start} {head} {taken} {BURN} {inner})"

    def _chance(self) -> str:
        """An i32 that is true now and then."""
        return f"(i32.lt_u (i32.and {self._expression('i32', 2)} (i32.const 7)) (i32.const {self.eagerness}))"

    def _throw(self, depth: int = 2) -> str:
        name, params = self.rng.choice(self.tags)
        return f"(throw ${name} {' '.join(self._visible(kind, depth - 1) for kind in params)})"

    def _throw_maybe(self) -> str:
        return f"(if {self._chance()} (then {self._throw()}))"

    def _throw_again(self) -> str:
        """Throw an exception that is there from before."""
        if self._risky():
            return f"(throw_ref {self._expression(EXCEPTION, 1)})"
        found = f"(local.tee $r_{EXCEPTION} {self._expression(EXCEPTION, 1)})"
        again = f"(throw_ref (local.get $r_{EXCEPTION}))"
        again = f"(if {self._chance()} (then {again}))" if self.rng.random() < 0.4 else again
        return f"(if (i32.eqz (ref.is_null {found})) (then {again}))"

    def _keep(self) -> str:
        """Keep an exception where it outlives the call."""
        kept = self._new_exception(2) if self.rng.random() < 0.7 else self._expression(EXCEPTION, 1)
        if self.rng.random() < 0.4:
            return f"(global.set $exn {kept})"
        return f"(table.set $exns {self._masked(EXN_TABLE_SIZE - 1, 1)} {kept})"

    # ---- expressions

    def _expression(self, kind: str, depth: int) -> str:
        rng = self.rng
        if kind in REFERENCES:
            return self._reference(kind, depth)
        if depth > 1 and rng.random() < 0.06:
            return self._try_value(kind, depth - 1)
        if depth > 1 and rng.random() < 0.04:
            arms = f"(then {self._throw()}) (else {self._expression(kind, depth - 1)})"
            return f"(if (result {kind}) {self._chance()} {arms})"
        return super()._expression(kind, depth)

    def _reference(self, kind: str, depth: int) -> str:
        rng = self.rng
        if kind == "funcref":
            slot = f"(table.get $t {self._masked(TABLE_SIZE - 1, 0)})"
            return rng.choice((slot, f"(ref.func $f{rng.choice(self.functions).index})", "(ref.null func)"))
        if kind == "externref":
            return rng.choice((f"(table.get $x {self._masked(7, 0)})", "(ref.null extern)", "(local.get $r_externref)"))
        variable = self._variable(kind)
        choices = [
            f"(table.get $exns {self._masked(EXN_TABLE_SIZE - 1, 0)})",
            "(global.get $exn)",
            f"(local.get {variable[0]})" if variable else "(ref.null exn)",
            f"(local.get $r_{EXCEPTION})",
        ]
        if depth > 0:
            choices += [self._new_exception(depth)] * 2
            condition = self._expression("i32", depth - 1)
            choices.append(f"(select (result exnref) {choices[0]} {choices[1]} {condition})")
        return rng.choice(choices)

    def _new_exception(self, depth: int) -> str:
        number = self._label()
        thrown = f"(try_table (catch_all_ref $new{number}) {self._throw(depth)})"
        return f"(block $new{number} (result exnref) {thrown} (unreachable))"

    def _try_value(self, kind: str, depth: int) -> str:
        """A try block with a result, which is a value of the exception if that is the only one."""
        name, params = self.rng.choice(self.tags)
        number, value = self._label(), self._expression(kind, depth)
        if params == (kind,):
            caught = f"(try_table (result {kind}) (catch ${name} $out{number}) {value})"
            return f"(block $out{number} (result {kind}) {caught})"
        results = results_text(Signature((), params))
        inner = f"(br $out{number} (try_table (result {kind}) (catch ${name} $h{number}) {value}))"
        handler = f"{' '.join(map(self._put, reversed(params)))} {_COUNT} {self._expression(kind, depth - 1)}"
        return f"(block $out{number} (result {kind}) (block $h{number}{results} {inner}) {handler})"

    def _call(self, depth: int) -> tuple[Signature, str]:
        """Also one of the other module, or by a typed reference."""
        rng = self.rng
        choice = rng.random()
        if self.linked and choice < 0.35:
            index = rng.randrange(len(self.linked))
            signature = self.linked[index][1]
            return signature, f"(call $k{index} {self._arguments(signature, depth)})"
        if choice > 0.9:
            function = rng.choice(self.functions)
            number = self.signatures.index(function.signature)
            arguments = self._arguments(function.signature, depth)
            return function.signature, f"(call_ref $t{number} {arguments} {self._callee(function, number)})"
        return super()._call(depth)

    def _callee(self, function: Function, number: int) -> str:
        """A reference to a function of a type, rarely null."""
        variable, func = f"$p{number}", f"(ref.func $f{function.index})"
        if self._risky():
            return f"(local.get {variable})"
        found = f"(i32.eqz (ref.is_null (local.get {variable})))"
        either = f"(select (result (ref null $t{number})) (local.get {variable}) {func} {found})"
        return self.rng.choice((func, f"(local.tee {variable} {func})", either, f"(ref.as_non_null {either})"))

    def _call_if_there(self, depth: int) -> str:
        """A call of the function in a typed variable, if there is one."""
        number, nothing = self.rng.randrange(len(self.signatures)), f"$null{self._label()}"
        signature = self.signatures[number]
        callee = f"(br_on_null {nothing} (local.get $p{number}))"
        drops = " (drop)" * len(signature.results)
        return f"(block {nothing} (call_ref $t{number} {self._arguments(signature, depth)} {callee}){drops})"


def _step(counter: str, limit: int) -> str:
    """Count a round; whether it is one of the first."""
    return f"(i32.lt_u (local.tee {counter} (i32.add (local.get {counter}) (i32.const 1))) (i32.const {limit}))"


def _recount(counter: str) -> str:
    """Count an exception in every round but the first."""
    return f"(global.set $caught (i32.add (global.get $caught) (i32.gt_u (local.get {counter}) (i32.const 1))))"


def _clause(kind: str, name: str, label: str) -> str:
    """A catch of a try_table."""
    return f"({kind} {label})" if "all" in kind else f"({kind} ${name} {label})"


def _quoted(name: str) -> str:
    """A name as a string of the text format."""
    return '"' + "".join(f"\\{byte:02x}" for byte in name.encode()) + '"'
