"""Dataclasses that compile late do what the library's do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from wasmartifact import dataclass as our_module

ours: Any = our_module
MODULES: list[Any] = [ours, dataclasses]
KINDS = [(frozen, slots) for frozen in (False, True) for slots in (False, True)]


def pair(frozen: bool, slots: bool) -> list[Any]:
    """The same class by ours and by the library, of a class with one field more."""
    made = []
    for module in MODULES:

        @module.dataclass(frozen=frozen, slots=slots)
        class Base:
            """One field."""

            name: str

        @module.dataclass(frozen=frozen, slots=slots)
        class Item(Base):
            """With defaults of all kinds, and what is not compared or shown."""

            size: int = 3
            parts: list[int] = module.field(default_factory=list)
            seconds: float = module.field(default=0.0, compare=False)
            secret: str = module.field(default="s", repr=False)

            def __post_init__(self) -> None:
                if self.size < 0:
                    raise ValueError("size")

            @property
            def double(self) -> int:
                return self.size * 2

        made.append(Item)
    return made


@pytest.mark.parametrize("before", [0, 20], ids=["first object", "later one"])
@pytest.mark.parametrize(("frozen", "slots"), KINDS)
@pytest.mark.parametrize(
    "use",
    [
        lambda module, kind: repr(kind("a")),
        lambda module, kind: repr(kind("a", 5, [1], seconds=2.0, secret="t")),
        lambda module, kind: (kind("a").double, kind.__match_args__, kind.__name__, kind.__doc__),
        lambda module, kind: kind("a", seconds=1.0) == kind("a", seconds=2.0),
        lambda module, kind: [kind("a") == other for other in (kind("b"), kind("a", 4), kind("a", secret="t"), 1)],
        lambda module, kind: hash(kind("a", parts=())) == hash(kind("a", parts=(), seconds=2.0)),
        lambda module, kind: repr(module.replace(kind("a", 5), size=7)),
        lambda module, kind: module.replace(kind("a"), nothing=1),
        lambda module, kind: kind("a").parts is kind("a").parts,
        lambda module, kind: kind(),
        lambda module, kind: kind("a", name="b"),
        lambda module, kind: kind("a", 1, [], 0.0, "s", 5),
        lambda module, kind: kind("a", nothing=1),
        lambda module, kind: kind("a", -1),
        lambda module, kind: setattr(kind("a"), "size", 4),
        lambda module, kind: delattr(kind("a"), "size"),
        lambda module, kind: hasattr(kind("a"), "__dict__") and sorted(vars(kind("a"))),
        lambda module, kind: kind.size if hasattr(kind, "__dict__") and isinstance(kind.size, int) else None,
        lambda module, kind: dataclasses.asdict(kind("a")),
        lambda module, kind: [(item.name, item.compare, item.repr) for item in dataclasses.fields(kind)],
        lambda module, kind: repr(dataclasses.replace(kind("a"), size=9)),
        lambda module, kind: dataclasses.is_dataclass(kind),
        lambda module, kind: repr(copy.deepcopy(kind("a", 4, [1]))),
    ],
)
def test_they_are_as_the_librarys(before: int, frozen: bool, slots: bool, use: Callable[[Any, Any], Any]) -> None:
    outcomes = []
    for module, kind in zip(MODULES, pair(frozen, slots), strict=True):
        for _ in range(before):
            kind("a")
        try:
            outcomes.append(use(module, kind))
        except (TypeError, ValueError, AttributeError) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


@our_module.dataclass(frozen=True, slots=True)
class Sent:
    """One that can be found by name."""

    name: str
    size: int


def test_they_are_pickled() -> None:
    assert pickle.loads(pickle.dumps(Sent("a", 4))) == Sent("a", 4)


def test_packing_at_level_0_imports_no_dataclasses_of_the_library() -> None:
    program = "import sys, wasmartifact.packer, wasmartifact.component.flow; print('dataclasses' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
