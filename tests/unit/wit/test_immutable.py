"""Immutable objects without the imports of dataclasses do what dataclasses do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from wasmartifact.wit.immutable import Frozen


class Ours(Frozen):
    """As an immutable dataclass."""

    name: str
    size: int = 3


class OursNamed(Frozen, eq=False):
    """Equal to itself only."""

    name: str
    size: int = 3


class OursAlone(OursNamed):
    """So is what it is a base of."""

    more: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The library's."""

    name: str
    size: int = 3


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TheirsNamed:
    """The library's."""

    name: str
    size: int = 3


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class TheirsAlone(TheirsNamed):
    """The library's."""

    more: str = ""


KINDS = pytest.mark.parametrize(("kind", "alone"), [(Ours, OursAlone), (Theirs, TheirsAlone)])


@KINDS
def test_values(kind: Any, alone: Any) -> None:
    one = kind("a")
    assert (one.name, one.size) == ("a", 3)
    assert kind(size=4, name="b") == kind("b", 4) != kind("b", 5)
    assert hash(kind("b", 4)) == hash(kind("b", 4))
    assert one != ("a", 3) and kind("a") != alone("a")
    assert repr(one) == f"{kind.__name__}(name='a', size=3)"
    assert repr(alone("a", more="z")) == f"{alone.__name__}(name='a', size=3, more='z')"
    assert alone("a") != alone("a") and len({alone("a"), alone("a")}) == 2
    assert not hasattr(one, "__dict__")
    match alone("n", 7):
        case alone(name, size, more=rest):
            assert (name, size, rest) == ("n", 7, "")
        case _:
            pytest.fail("it is one")


@KINDS
def test_it_does_not_change(kind: Any, alone: Any) -> None:
    for one in (kind("a"), alone("a")):
        for name in ("name", "other"):
            with pytest.raises((AttributeError, TypeError)):  # TypeError: a fault of dataclasses with slots and a base
                setattr(one, name, 1)
        with pytest.raises((AttributeError, TypeError)):
            del one.name
        assert one.name == "a"


@KINDS
def test_wrong_arguments(kind: Any, alone: Any) -> None:
    for arguments, named in (((), {}), ((1, 2, 3, 4), {}), ((1,), {"name": 2}), ((1,), {"other": 2})):
        for class_ in (kind, alone):
            with pytest.raises(TypeError):
                class_(*arguments, **named)


@KINDS
def test_copies(kind: Any, alone: Any) -> None:
    one = kind("a", [1])  # type: ignore[call-arg, unused-ignore]
    assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == copy.deepcopy(one) == one
    assert copy.deepcopy(one).size is not one.size
    assert pickle.loads(pickle.dumps(alone("b", 5))).size == 5
