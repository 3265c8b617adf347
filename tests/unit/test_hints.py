"""Names of wasmtime-py that the package does not have: the error says what there is instead."""

from __future__ import annotations

import re
from typing import Any

import pytest

import wasmartifact as wa
import wasmartifact.wasmtime as face
from wasmartifact.hints import _INSTEAD

package: Any = wa


@pytest.mark.parametrize("name", sorted(_INSTEAD))
def test_what_there_is_instead(name: str) -> None:
    assert hasattr(face, name)
    with pytest.raises(AttributeError, match=r"wasmartifact\.wasmtime has wasmtime-py's own names") as caught:
        getattr(package, name)
    assert all(hasattr(wa, named) for named in re.findall(r"\bwa\.(\w+)", str(caught.value)))


@pytest.mark.parametrize("name", ["Moduel", "_Module", "__wrapped__"])
def test_nobody_looks_for_others(name: str) -> None:
    with pytest.raises(AttributeError, match=rf"has no attribute '{name}'$") as caught:
        getattr(package, name)
    assert (caught.value.name, caught.value.obj) == (name, wa)  # by which Python finds what was meant


def test_the_class_of_classes_by_its_words() -> None:
    with pytest.raises(AttributeError, match=r"wa\.compile\(source\) packs a module once and loads it"):
        _ = package.Module
