"""Rules for every test: CI skips nothing but what needs valgrind, node or an emulator; marked ones run if asked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest

# A shell without job control starts background jobs with SIGINT ignored; the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """What mypyc compiled hides the file it was made of: an old one would be tested in place of what is written."""
    for source in map(ROOT.joinpath, (ROOT / "native" / "compiled_python.txt").read_text().split()):
        for compiled in map(source.with_suffix, EXTENSION_SUFFIXES):  # of this Python; others' may lie beside them
            if compiled.exists() and compiled.stat().st_mtime_ns < source.stat().st_mtime_ns:
                pytest.exit(f"{compiled.relative_to(ROOT)} is older than its .py file; run make .venv/ready.stamp", 2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, unless ``-m`` chooses them, timing tests, the budget, large and frozen programs.

    Others beside timing tests would be measured too; large programs take minutes to pack, others to freeze.
    """
    if config.option.markexpr:
        return
    left_out = ("timing", "budget", "large", "frozen")
    chosen = [item for item in items if not any(map(item.get_closest_marker, left_out))]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Under CI a skipped test is a failed one: nothing was checked. Some kinds need what not every CI has."""
    report = yield
    may_skip = hasattr(report, "wasxfail") or any(map(item.get_closest_marker, ("budget", "node", "emulated")))
    if os.environ.get("CI") == "true" and report.skipped and not may_skip:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: skipped, which CI does not accept: {call.excinfo and call.excinfo.value}"
    return report
