"""What tests of other people's programs share: artifacts that outlive the run, downloads that may be missing."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import pytest

import wasmartifact as wa
from tests.programs.packages import NotAvailableError, folder

PACKAGE = Path(wa.__file__).parent
Source = TypeVar("Source")
T = TypeVar("T")


#: So long after its last new artifact, a folder is nobody's.
UNUSED_S = 24 * 3600


@lru_cache
def artifacts_folder() -> Path:
    """A cache of artifacts for this very state of the package, of which the version tells nothing."""
    digest = hashlib.sha256()
    for path in sorted((*PACKAGE.rglob("*.py"), *PACKAGE.glob("_onepass*.so"))):
        digest.update(path.read_bytes())
    chosen = folder() / f"artifacts-{digest.hexdigest()[:16]}"
    for other in folder().glob("artifacts-*"):
        # One that is in use belongs to another tree, whose tests run now.
        if other != chosen and time.time() - other.stat().st_mtime > UNUSED_S:
            shutil.rmtree(other, ignore_errors=True)
    return chosen


def available(part: Callable[[Source], T], source: Source) -> T:
    """A part of a package; skips the test, or fails it under CI, where it can't be downloaded."""
    try:
        return part(source)
    except NotAvailableError as problem:
        words = f"{source} can't be downloaded: {problem}"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
