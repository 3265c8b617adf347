"""Generates programs that throw and catch all the time, and call what may throw: smith seldom gets to throw anything.

What they have besides other programs: tags with values of all types; throws, as statements and in the middle of
expressions; try blocks in either encoding with all kinds of catches, which lead into handlers, to blocks around, to the
heads of loops and out of the function; branches out of all of these. In the legacy encoding delegate and rethrow; else
exnrefs in variables, globals, tables, parameters and other exceptions. Variables change in try blocks, and handlers
show what they find in them. The second program of a pair calls functions of the first and knows its tags.

``generate_throwing`` makes modules of any shape; ``hashing.py`` makes those of one shape that node can call, too.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.fuzz.programs import BURN, TABLE_SIZE, Function, Program, params_text, results_text
from tests.fuzz.sections import CAUGHT_NAME
from tests.fuzz.shape import LINK_MODULE, Shape, TableType
from tests.fuzz.values import EXCEPTION, REFERENCES, VECTOR, Signature

EXN_TABLE_SIZE: Final = 4
_TABLE: Final = TableType("funcref", TABLE_SIZE, TABLE_SIZE + 8)
_COUNT: Final = "(global.set $caught (i32.add (global.get $caught) (i32.const 1)))"
#: How $risk makes values of its parameter, where not as below.
_CONVERTED: Final = {
    "i32": "(local.get 0)",
    "i64": "(i64.extend_i32_s (local.get 0))",
    "f32": "(f32.convert_i32_s (local.get 0))",
    "f64": "(f64.convert_i32_s (local.get 0))",
    VECTOR: "(i32x4.splat (local.get 0))",
}
_NULLS: Final = {"funcref": "(ref.null func)", "externref": "(ref.null extern)", EXCEPTION: "(ref.null exn)"}
#: What was caught last.
_HELD: Final = f"(local.get $r_{EXCEPTION})"
#: Throws an exnref or returns the number.
_AGAIN: Final = """(func $again (param exnref i32) (result i32)
  (if (i32.or (ref.is_null (local.get 0)) (i32.and (local.get 1) (i32.const 1))) (then (return (local.get 1))))
  (throw_ref (local.get 0)))"""

Maker = Callable[[], str]
NestedMaker = Callable[[int], str]


@dataclass(frozen=True)
class _Label:
    """A branch target: the type of the value that a branch carries or ""; what of a legacy try block one is within."""

    name: str
    kind: str
    is_tried: bool = False
    is_caught: bool = False


def generate_throwing(rng: random.Random, *, canonical_nans: bool, first: Shape | None) -> str:
    """Text of a random module; ``first`` is the shape of the module whose exports it may import."""
    return Throwing(rng, canonical_nans, first).text()


class Throwing(Program):
    """One module in the making."""

    #: Which of the two encodings.
    legacy = False
    #: Statements of a sequence at most.
    max_statements = 2
    #: Share of handlers with statements.
    handler_share = 0.6
    #: Share of statements that hold others, where there is room.
    nested_share = 0.4
    #: Share of those without exceptions among all others.
    plain_share = 0.4
    #: Also calls through a table that may hold functions of other types.
    any_indirect = True

    def __init__(self, rng: random.Random, canonical_nans: bool, first: Shape | None) -> None:
        super().__init__(rng, canonical_nans)
        self.numbered = 0
        self.labels: list[_Label] = []
        self.first = first or Shape((), {})
        # Chance of what happens now and then, out of 8.
        self.eagerness = rng.choice((1, 1, 2, 4))
        self.returns_when_spent = rng.random() < 0.5
        self.imported_tags = [(f"host{index}", self._tag_params()) for index in range(rng.randrange(3))]
        self.own_tags = [(f"own{index}", self._tag_params()) for index in range(rng.randrange(1, 4))]
        kinds = {*self.types, *self.references}
        linked = [(name, type_.params) for name, type_ in self.first.tags().items() if kinds.issuperset(type_.params)]
        self.linked_tags = rng.sample(linked, min(len(linked), 2))
        self.linked = [
            (name, type_)
            for name, type_ in self.first.functions().items()
            if kinds.issuperset((*type_.params, *type_.results)) and rng.random() < 0.7
        ]
        self.shares_table = self.first.exports.get("table") == _TABLE and rng.random() < 0.5

    @property
    def tags(self) -> list[tuple[str, tuple[str, ...]]]:
        """All tags: name, types of the values."""
        linked = ((f"linked{index}", params) for index, (_, params) in enumerate(self.linked_tags))
        return [*self.imported_tags, *self.own_tags, *linked]

    @property
    def references(self) -> tuple[str, ...]:
        """Reference types of variables."""
        return tuple(kind for kind in REFERENCES if not (self.legacy and kind == EXCEPTION))

    def _signature(self) -> Signature:
        """Some pass an exception on."""
        made, rng = super()._signature(), self.rng
        if self.legacy:
            return made
        params, results = (
            (*kinds, EXCEPTION) if rng.random() < 0.15 else kinds for kinds in (made.params, made.results)
        )
        return Signature(params, results)

    def _function(self, index: int, signature: Signature) -> Function:
        made = super()._function(index, signature)
        return made if self.legacy else Function(index, signature, (*made.locals, EXCEPTION))

    def _tag_params(self) -> tuple[str, ...]:
        rng = self.rng
        kinds = [*self.types, *self.types, *self.references]
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

    def _tag_text(self, name: str, params: tuple[str, ...]) -> str:
        """The definition of an own tag."""
        return f"(tag ${name}{params_text(Signature(params, ()))})"

    def _more_fields(self) -> list[str]:
        references = [
            f'(table $exns (export "exns") {EXN_TABLE_SIZE} {EXN_TABLE_SIZE} exnref)',
            "(global $exn (mut exnref) (ref.null exn))",
            _AGAIN,
        ]
        return [
            *(self._tag_text(name, params) for name, params in self.own_tags),
            *([] if self.legacy else references),
            # Of one type, and never another.
            f"(table $same funcref (elem {' '.join(f'$f{one.index}' for one in self._same())}))",
            self._risk_text(),
            f'(global $caught (export "{CAUGHT_NAME}") (mut i32) (i32.const 0))',
            "(global $hash (mut i32) (i32.const 1))",
        ]

    def _same(self) -> list[Function]:
        """The functions with the signature of the first."""
        return [one for one in self.functions if one.signature == self.functions[0].signature]

    def _risk_text(self) -> str:
        """A function that throws an exception of any tag, or none, as it happens."""
        bits = (2 * len(self.tags) - 1).bit_length()
        mixed = f"(i32.shr_u (i32.mul (local.get 0) (i32.const 0x9e3779b1)) (i32.const {32 - bits}))"
        throws = [
            f"(if (i32.eq (local.get 1) (i32.const {number})) "
            f"(then (throw ${name} {' '.join((_CONVERTED | _NULLS)[kind] for kind in params)})))"
            for number, (name, params) in enumerate(self.tags)
        ]
        return "\n  ".join(["(func $risk (param i32) (local i32)", f"(local.set 1 {mixed})", *throws]) + ")"

    def _burn(self) -> str:
        """Use up some fuel; without any, trap or return."""
        if not self.returns_when_spent:
            return BURN
        zeros = " ".join(_zero(kind) for kind in self.function.signature.results)
        return BURN.replace("unreachable", f"(return {zeros})")

    def _body(self) -> list[str]:
        """Most functions as a whole are a try block; its catches have handlers or leave the function."""
        prepared = [self._keep()] if not self.legacy and self.rng.random() < 0.6 else []
        body, results = [*prepared, *super()._body()], self.function.signature.results
        if self.rng.random() < 0.6:
            return [self._try(1, body)]
        fitting = [name for name, params in self.tags if params == results]
        if not self.legacy and self.rng.random() < 0.4 and (fitting or not results):
            catches = [f"(catch ${self.rng.choice(fitting)} 0)"] if fitting else []
            catches += ["(catch_all 0)"] if not results and self.rng.random() < 0.7 else []
            return [f"(try_table {' '.join(catches)}", *body, ")"]
        return body

    def _more_variables(self) -> list[str]:
        references = [f"(local $r_{kind} {kind})" for kind in self.references]
        typed = [f"(local $p{index} (ref null $t{index}))" for index in range(len(self.signatures))]
        return references if self.legacy else [*references, *typed]

    # ---- statements

    def _statement(self, depth: int) -> str:
        rng = self.rng
        if depth and rng.random() < self.nested_share:
            return rng.choice(self._nested())(depth - 1)
        if rng.random() < self.plain_share:
            return super()._statement(0)
        return rng.choice(self._simple())()

    def _sequence(self, depth: int) -> str:
        return " ".join(self._statement(depth) for _ in range(self.rng.randint(1, self.max_statements)))

    def _simple(self) -> list[Maker]:
        """Makers of statements that hold no others."""
        own = [self._rethrow] * 3 if self.legacy else [self._throw_again, self._throw_again, self._keep, self._take]
        return [
            *[self._throw_maybe] * 3,
            *[self._risk, self._mark, self._call_something] * 2,
            *[self._branch] * 2,
            *[self._branch_if, self._leave],
            *([self._tail_call] * 2 if self.has_tail_calls else []),
            *own,
        ]

    def _nested(self) -> list[NestedMaker]:
        others = [self._if, self._block, self._loop, self._switch, self._under_operand, self._call_away]
        if not self.legacy:
            others.append(self._call_if_there)
        return [*[self._try] * 7, self._retry, self._retry_with_values, *others]

    @contextmanager
    def _labelled(self, kind: str = "", *, is_tried: bool = False) -> Iterator[str]:
        """A block that branches may leave; gives its name."""
        name = f"$L{self._number()}"
        self.labels.append(_Label(name, kind, is_tried))
        yield name
        self.labels.pop()

    def _number(self) -> int:
        self.numbered += 1
        return self.numbered

    def _kind(self, share: float) -> str:
        """Type of the result of a block, or "" for none."""
        return self.rng.choice(self.types) if self.rng.random() < share else ""

    def _arm(self, depth: int, kind: str) -> str:
        """What a block holds: statements, and its result."""
        risk = f"{self._risk()} " if self.rng.random() < 0.4 else ""
        value = f" {self._expression(kind, 2)}" if kind else ""
        return f"{risk}{self._sequence(depth)}{value}"

    def _ended(self, text: str, kind: str) -> str:
        """A block as a statement."""
        return f"{text} {self._put(kind)}" if kind else text

    def _sometimes(self, statement: str, always: float = 0.2) -> str:
        """A statement that is not always done."""
        return statement if self.rng.random() < always else f"(if {self._chance()} (then {statement}))"

    def _if(self, depth: int) -> str:
        kind, condition = self._kind(0.3), self._chance()
        with self._labelled(kind) as name:
            arms = f"(then {self._arm(depth, kind)})"
            arms += f" (else {self._arm(depth, kind)})" if kind or self.rng.random() < 0.5 else ""
        return self._ended(f"(if {name}{_result(kind)} {condition} {arms})", kind)

    def _block(self, depth: int) -> str:
        kind = self._kind(0.4)
        with self._labelled(kind) as name:
            return self._ended(f"(block {name}{_result(kind)} {self._arm(depth, kind)})", kind)

    def _loop(self, depth: int) -> str:
        """A loop that ends by itself, or without fuel."""
        with self._labelled() as name:
            body = self._sequence(depth)
            if self.rng.random() < 0.5:
                return f"(loop {name} {self._burn()} {body} (br_if {name} {self._chance()}))"
        counter = self._counter()
        again = f"(br_if {name} {_step(counter, self.rng.randrange(2, 12))})"
        return f"(local.set {counter} (i32.const 0)) (loop {name} {self._burn()} {body} {again})"

    def _counter(self) -> str:
        self.loops += 1
        return f"$c{self.loops - 1}"

    def _switch(self, depth: int) -> str:
        index = self._masked(3, 2)
        with self._labelled() as last, self._labelled() as other:
            with self._labelled() as one:
                inner = f"(block {one} (br_table {one} {other} {last} {index}))"
            inner = f"(block {other} {inner} {self._statement(depth)} (br {last}))"
        return f"(block {last} {inner} {self._statement(depth)})"

    def _under_operand(self, depth: int) -> str:
        """A statement while an operand waits on the stack."""
        maker = self.rng.choice([one for one in self._nested() if one != self._under_operand])
        return f"{self._expression('i32', 2)} {maker(depth)} {self._expression('i32', 2)} (i32.xor) {self._put('i32')}"

    def _call_something(self) -> str:
        """A call; its results go into variables."""
        signature, call = self._call(2)
        return " ".join([call, *map(self._put, reversed(signature.results))])

    def _tail_call(self) -> str:
        """What it throws passes the try blocks around by."""
        return super()._tail_call() or self._risk()

    def _branch(self) -> str:
        if not self.labels:
            return self._mark()
        label = self.rng.choice(self.labels)
        value = f" {self._expression(label.kind, 2)}" if label.kind else ""
        return self._sometimes(f"(br {label.name}{value})")

    def _branch_if(self) -> str:
        empty = [label.name for label in self.labels if not label.kind]
        if not empty:
            return self._mark()
        targets = self.rng.choices(empty, k=self.rng.randint(1, 4))
        if len(targets) == 1:
            return f"(br_if {targets[0]} {self._chance()})"
        return self._sometimes(f"(br_table {' '.join(targets)} {self._masked(len(targets), 2)})")

    def _leave(self) -> str:
        values = " ".join(self._visible(kind, 2) for kind in self.function.signature.results)
        return self._sometimes("unreachable" if self.rng.random() < 0.2 else f"(return {values})", always=0)

    def _mark(self) -> str:
        """Mix a value into the hash."""
        return self._mixed(self._expression("i32", 2))

    def _mixed(self, value: str) -> str:
        return f"(global.set $hash (i32.add (i32.mul (global.get $hash) (i32.const 31)) {value}))"

    def _risk(self) -> str:
        return f"(call $risk (i32.xor {self._expression('i32', 2)} (global.get $hash)))"

    # ---- try blocks

    def _try(self, depth: int, body: Sequence[str] = ()) -> str:
        """A try block with handlers; holds these statements, or some others."""
        return (self._try_legacy if self.legacy else self._try_table)(depth, body)

    def _guarded(self, depth: int, kind: str, body: Sequence[str]) -> tuple[str, str, str]:
        """What a try block holds, its type, and what stands before it."""
        param = self._kind(0.2)
        inner = f"{self._put(param)} " if param else ""
        if not body and not kind and self.rng.random() < 0.5:
            inner += f"{self._change()} "
        inner += f"{' '.join(body)} {self._expression(kind, 2) if kind else ''}" if body else self._arm(depth, kind)
        before = f"{self._expression(param, 2)} " if param else ""
        return inner, f"{f' (param {param})' if param else ''}{_result(kind)}", before

    def _try_table(self, depth: int, body: Sequence[str] = ()) -> str:
        rng, kind = self.rng, self._kind(0.4)
        empty = [label.name for label in self.labels if not label.kind]
        handlers: list[tuple[str, tuple[str, ...]]] = []
        clauses = []
        with self._labelled(kind) as done:
            for _ in range(rng.choice((0, 1, 2, 2, 3, 4))):
                clause, types = self._catch()
                to_around = not types and empty and rng.random() < 0.3
                clauses.append(f"({clause} {rng.choice(empty) if to_around else f'$h{self._number()}'})")
                handlers += [] if to_around else [(f"$h{self.numbered}", types)]
            if not kind and rng.random() < 0.2:
                clauses.append(f"(catch_all {done})")
            with self._labelled(kind) as name:
                inner, block_type, before = self._guarded(depth, kind, body)
            text = f"{before}(try_table {name}{block_type} {' '.join(clauses)} {inner}) (br {done})"
            for handler, types in handlers:
                results = results_text(Signature((), types))
                text = f"(block {handler}{results} {text}) {self._handler(types, depth, kind)} (br {done})"
        return self._ended(f"(block {done}{_result(kind)} {text})", kind)

    def _catch(self) -> tuple[str, tuple[str, ...]]:
        """A catch without its label, and the types of what it pushes."""
        name, params = self.rng.choice(self.tags)
        is_all, is_ref = self.rng.random() < 0.3, self.rng.random() < 0.5
        types = (*(() if is_all else params), *((EXCEPTION,) if is_ref else ()))
        return f"catch{'_all' * is_all}{'_ref' * is_ref}{'' if is_all else f' ${name}'}", types

    def _try_legacy(self, depth: int, body: Sequence[str] = ()) -> str:
        kind = self._kind(0.4)
        with self._labelled(kind, is_tried=True) as name:
            inner, block_type, before = self._guarded(depth, kind, body)
            if len(self.labels) > 1 and self.rng.random() < 0.3:
                # Without a throw it makes no difference where one would go.
                inner, end = f"{inner} {self._risk()}", self._delegate()
            else:
                end = f"{self._arms(depth, kind)} end"
        return self._ended(f"{before}try {name}{block_type} {inner} {end}", kind)

    def _delegate(self) -> str:
        """The end of a try block that has no catches, mostly such that the next one around is passed by."""
        # A label is counted from outside of the try block; the one past the last is the function.
        around = self.labels[-2::-1]
        tried = [depth for depth, label in enumerate(around) if label.is_tried]
        low = tried[0] + 1 if tried and self.rng.random() < 0.6 else 0
        return f"delegate {self.rng.randint(low, len(around))}"

    def _arms(self, depth: int, kind: str) -> str:
        """The catches of a try block of the legacy encoding."""
        label = self.labels[-1]
        self.labels[-1] = _Label(label.name, label.kind, is_caught=True)
        caught = [(f"catch ${name}", params) for name, params in self.rng.sample(self.tags, self.rng.randint(0, 3))]
        caught += [("catch_all", ())] if self.rng.random() < 0.4 else []
        arms = []
        for catch, params in caught:
            rethrow = f" (rethrow {label.name})" if self.rng.random() < 0.15 else ""
            arms.append(f"{catch} {self._handler(params, depth, kind)}{rethrow}")
        return " ".join(arms)

    def _handler(self, caught: tuple[str, ...], depth: int, kind: str) -> str:
        """What is done with an exception: its values come first, then a look at the variables."""
        words = [*map(self._put, reversed(caught)), _COUNT, *self._shown()]
        if EXCEPTION in caught and self.rng.random() < 0.5:
            words.append(self._keep(_HELD))
        if EXCEPTION in caught and self.rng.random() < 0.3:
            words.append(self._throw_again())
        if self.rng.random() < self.handler_share:
            words.append(self._arm(depth, ""))
        return " ".join([*words, *([self._expression(kind, 2)] if kind else [])])

    def _rethrow(self) -> str:
        caught = [label.name for label in self.labels if label.is_caught]
        return self._sometimes(f"(rethrow {self.rng.choice(caught)})", always=0.4) if caught else self._throw_maybe()

    def _change(self) -> str:
        """A variable changes."""
        variable = self._variable(self.rng.choice(self.types))
        return f"(local.set {variable[0]} {self._expression(variable[1], 2)})" if variable else ""

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
        counter, rounds = self._counter(), self.rng.randrange(2, 8)
        empty = [name for name, params in self.tags if not params]
        named = self.rng.choice(empty) if empty and self.rng.random() < 0.5 else ""
        with self._labelled() as loop:
            shown, body = " ".join(self._shown()), f"{self._sequence(depth)} {self._change()}"
            if self.legacy:
                arm = f"catch ${named} {_COUNT} (br {loop}) " if named else ""
                body = f"try {body} {arm}catch_all (br {loop}) end"
            else:
                clause = f"(catch ${named} {loop}) " if named else ""
                body = f"(try_table {clause}(catch_all {loop}) {body})"
        inner = f"(if {_step(counter, rounds)} (then {_recount(counter)} {shown} {body}))"
        return f"(local.set {counter} (i32.const 0)) (loop {loop} {self._burn()} {inner})"

    def _retry_with_values(self, depth: int) -> str:
        """Likewise; the values of the exception are what the loop begins with."""
        counter, loop = self._counter(), f"$again{self._number()}"
        name, params = self.rng.choice(self.tags)
        kept = params if self.legacy or self.rng.random() < 0.5 else (*params, EXCEPTION)
        start = " ".join(self._visible(kind, 1) for kind in kept)
        taken = " ".join([*map(self._put, reversed(kept)), *self._shown()])
        body = self._sequence(depth)
        if self.legacy:
            body = f"try {body} catch ${name} (br {loop}) end"
        else:
            body = f"(try_table ({'catch' if kept == params else 'catch_ref'} ${name} {loop}) {body})"
        inner = f"(if {_step(counter, 4)} (then {_recount(counter)} {body}))"
        head = f"(loop {loop}{params_text(Signature(kept, ()))}"
        return f"(local.set {counter} (i32.const 0)) {start} {head} {taken} {self._burn()} {inner})"

    # ---- throws

    def _chance(self) -> str:
        """An i32 that is true now and then."""
        mixed = (
            f"(i32.xor {self._expression('i32', 2)} (i32.shr_u (global.get $hash) (i32.const {self.rng.randrange(8)})))"
        )
        return f"(i32.lt_u (i32.and {mixed} (i32.const 7)) (i32.const {self.eagerness}))"

    def _throw(self, depth: int = 2) -> str:
        name, params = self.rng.choice(self.tags)
        return f"(throw ${name} {' '.join(self._visible(kind, depth - 1) for kind in params)})"

    def _throw_maybe(self) -> str:
        return self._sometimes(self._throw())

    def _throw_again(self) -> str:
        """Throw an exception that is there from before."""
        if self._risky():
            return f"(throw_ref {self._expression(EXCEPTION, 1)})"
        found = _HELD if self.rng.random() < 0.5 else f"(local.tee $r_{EXCEPTION} {self._expression(EXCEPTION, 1)})"
        again = self._sometimes(f"(throw_ref {_HELD})", always=0.6)
        return f"(if (i32.eqz (ref.is_null {found})) (then {again}))"

    def _keep(self, kept: str = "") -> str:
        """Keep this exception, or some, where it outlives the call."""
        kept = kept or (self._new_exception(2) if self.rng.random() < 0.7 else self._expression(EXCEPTION, 1))
        if self.rng.random() < 0.4:
            return f"(global.set $exn {kept})"
        return f"(table.set $exns {self._masked(EXN_TABLE_SIZE - 1, 1)} {kept})"

    def _take(self) -> str:
        """Look at an exception, or pass it on."""
        exception = self._expression(EXCEPTION, 1)
        return self.rng.choice(
            (
                f"(local.set $r_{EXCEPTION} {exception})",
                f"(call $again {exception} {self._expression('i32', 2)}) {self._put('i32')}",
                f"(ref.is_null {exception}) {self._put('i32')}",
            )
        )

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
            _HELD,
        ]
        if depth > 0:
            choices += [self._new_exception(depth)] * 2
            condition = self._expression("i32", depth - 1)
            choices.append(f"(select (result exnref) {choices[0]} {choices[1]} {condition})")
        return rng.choice(choices)

    def _new_exception(self, depth: int) -> str:
        number = self._number()
        thrown = f"(try_table (catch_all_ref $new{number}) {self._throw(depth)})"
        return f"(block $new{number} (result exnref) {thrown} (unreachable))"

    def _try_value(self, kind: str, depth: int) -> str:
        """A try block with a result, which is a value of the exception if that is the only one."""
        name, params = self.rng.choice(self.tags)
        number, value = self._number(), self._expression(kind, depth)
        if params == (kind,) and not self.legacy:
            caught = f"(try_table (result {kind}) (catch ${name} $out{number}) {value})"
            return f"(block $out{number} (result {kind}) {caught})"
        handler = f"{' '.join(map(self._put, reversed(params)))} {_COUNT} {self._expression(kind, depth - 1)}"
        if self.legacy:
            return f"(block (result {kind}) try (result {kind}) {value} catch ${name} {handler} end)"
        results = results_text(Signature((), params))
        inner = f"(br $out{number} (try_table (result {kind}) (catch ${name} $h{number}) {value}))"
        return f"(block $out{number} (result {kind}) (block $h{number}{results} {inner}) {handler})"

    def _call(self, depth: int) -> tuple[Signature, str]:
        """Also one of the other module, through a table that never traps, or by a typed reference."""
        rng = self.rng
        choice = rng.random()
        if self.linked and choice < 0.35:
            index = rng.randrange(len(self.linked))
            signature = self.linked[index][1]
            return signature, f"(call $k{index} {self._arguments(signature, depth)})"
        if choice < 0.5:
            same = self._same()
            signature, slot = same[0].signature, f"(i32.rem_u {self._expression('i32', 1)} (i32.const {len(same)}))"
            number = self.signatures.index(signature)
            return signature, f"(call_indirect $same (type $t{number}) {self._arguments(signature, depth)} {slot})"
        function = rng.choice(self.functions)
        if choice > 0.9 and not self.legacy:
            number = self.signatures.index(function.signature)
            arguments = self._arguments(function.signature, depth)
            return function.signature, f"(call_ref $t{number} {arguments} {self._callee(function, number)})"
        if self.any_indirect:
            return super()._call(depth)
        return function.signature, f"(call $f{function.index} {self._arguments(function.signature, depth)})"

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
        number, nothing = self.rng.randrange(len(self.signatures)), f"$null{self._number()}"
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


def _result(kind: str) -> str:
    return f" (result {kind})" if kind else ""


def _zero(kind: str) -> str:
    if kind in REFERENCES:
        return _NULLS[kind]
    return f"({kind}.const {'i64x2 0 0' if kind == VECTOR else 0})"


def _quoted(name: str) -> str:
    """A name as a string of the text format."""
    return '"' + "".join(f"\\{byte:02x}" for byte in name.encode()) + '"'
