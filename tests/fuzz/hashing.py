"""The throwing programs that node can call, too: of one shape, in either encoding, with a hash of what they did.

Every module exports functions "f0" and so on, tags "t0" and so on, "hash", and "reset", which sets the fuel. The host
gives it a function to note a value, a tag, and maybe a function that throws and calls back. What crosses to the host is
i32, i64 and f64 without NaN and infinity.
"""

from __future__ import annotations

import random
from typing import Final

from tests.fuzz.programs import FLOATS, INTEGERS, Memory, params_text
from tests.fuzz.shape import ExternType, Shape, TagType
from tests.fuzz.throwing import Maker, Throwing
from tests.fuzz.values import Signature

#: Types of the values of each tag that a module defines and exports, as "t0" and so on.
TAGS: Final = ((), ("i32",), ("i32", "i64"), ("f64",), ("i32",))
#: The host's own tag, which every module imports.
HOST_TAG: Final = ("i32",)
#: Exported functions of a module, "f0" and so on: (i32) -> i32.
FUNCTIONS: Final = 4
#: What ``act`` of the host can be told to do: see ``Engine.act`` in exception_engines.py.
ACTIONS: Final = 5
_FUNCTION: Final = Signature(("i32",), ("i32",))
_PAIR: Final = Signature(("i32", "i64"), ("i64", "i32"))
_AS_I32: Final = {
    "i32": "{}",
    "i64": "(i32.wrap_i64 {})",
    "f32": "(i32.reinterpret_f32 {})",
    "f64": "(i32.wrap_i64 (i64.shr_u (i64.reinterpret_f64 {}) (i64.const 32)))",
}
#: What the second module of a program imports of the first.
_FIRST: Final[dict[str, ExternType]] = {
    **{f"f{index}": _FUNCTION for index in range(FUNCTIONS)},
    **{f"t{index}": TagType(params) for index, params in enumerate(TAGS)},
}


def generate_hashing(rng: random.Random, *, legacy: bool, host_acts: bool, imports_first: bool) -> str:
    """Text of a module.

    Parameters
    ----------
    rng : random.Random
        Chooses everything.
    legacy : bool
        Which of the two encodings.
    host_acts : bool
        The module imports the function of the host that throws and calls back.
    imports_first : bool
        It imports functions and tags of another one.
    """
    return _Hashing(rng, legacy=legacy, host_acts=host_acts, first=Shape((), _FIRST) if imports_first else None).text()


class _Hashing(Throwing):
    """One module in the making."""

    depth, statements, max_statements = 4, 3, 3
    nested_share, plain_share, handler_share = 0.45, 0.2, 1.0
    any_indirect = False
    wide_arithmetic = threads = False

    def __init__(self, rng: random.Random, *, legacy: bool, host_acts: bool, first: Shape | None) -> None:
        self.legacy = legacy
        super().__init__(rng, canonical_nans=True, first=first)
        self.host_acts = host_acts
        self.risk = rng.choice((0.0, 0.02, 0.04))
        self.eagerness = rng.choice((2, 4, 4, 6))
        self.returns_when_spent = True
        self.imports = []
        self.signatures = [_FUNCTION, _PAIR, *(one for one in self.signatures if one not in (_FUNCTION, _PAIR))]
        of_all = [_FUNCTION] * FUNCTIONS + self.signatures[1:]
        self.functions = [self._function(index, signature) for index, signature in enumerate(of_all)]
        self.imported_tags = [("tag", HOST_TAG)]
        self.own_tags = [(f"t{index}", params) for index, params in enumerate(TAGS)]
        self.linked_tags = [(name, type_.params) for name, type_ in self.first.tags().items()]
        self.linked = list(self.first.functions().items())

    def _value_types(self) -> list[str]:
        return list(INTEGERS + FLOATS)

    def _memories(self) -> list[Memory]:
        return [Memory(0, is_64=False, size_bytes=65536, page_log2=16)]

    def _more_imports(self) -> list[str]:
        acts = ['(import "host" "act" (func $act (param i32 i32) (result i32)))'] if self.host_acts else []
        return ['(import "host" "event" (func $event (param i32) (result i32)))', *acts, *super()._more_imports()]

    def _tag_text(self, name: str, params: tuple[str, ...]) -> str:
        return f'(tag ${name} (export "{name}"){params_text(Signature(params, ()))})'

    def _more_fields(self) -> list[str]:
        return [
            *super()._more_fields(),
            '(func (export "hash") (result i32) (global.get $hash))',
            '(func (export "reset") (param i32) (global.set $fuel (local.get 0)))',
        ]

    def _shown(self) -> list[str]:
        """Some variables, mixed into the hash."""
        chosen = [self._variable(kind) for kind in self.types if self.rng.random() < 0.4]
        return [
            self._mixed(_AS_I32[kind].format(self._canonical(kind, f"(local.get {name})")))
            for name, kind in filter(None, chosen)
        ]

    def _simple(self) -> list[Maker]:
        return [*super()._simple(), self._event, *[self._act] * 3 * self.host_acts]

    def _expression(self, kind: str, depth: int) -> str:
        """Mostly a small one, so that there is room for more statements."""
        return super()._expression(kind, min(depth, self.rng.choice((0, 1, 1, 2))))

    def _event(self) -> str:
        return f"(call $event {self._expression('i32', 2)}) {self._put('i32')}"

    def _act(self) -> str:
        action = self.rng.randrange(ACTIONS)
        return f"(call $act (i32.const {action}) {self._expression('i32', 2)}) {self._put('i32')}"

    def _canonical(self, kind: str, value: str) -> str:
        """Neither NaN nor infinity."""
        if kind not in FLOATS:
            return value
        variable = f"(local.get $n_{kind})"
        is_finite = f"({kind}.eq ({kind}.sub {variable} {variable}) ({kind}.const 0))"
        return f"(select (local.tee $n_{kind} {value}) ({kind}.const 0) {is_finite})"
