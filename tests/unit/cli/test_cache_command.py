"""`wasmartifact cache`: lists, prunes and clears, without making a cache that nobody has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.unit.cli.test_cli import MODULE, run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    (tmp_path / "a\x1b.wat").write_text(MODULE)
    return tmp_path


def test_there_is_no_cache_yet(home: Path) -> None:
    assert b"0 artifacts" in run("cache", "list").stdout
    assert json.loads(run("cache", "list", "--json").stdout) == {"folder": None, "artifacts": [], "builds": []}
    for action in ("prune", "clear"):
        assert run("cache", action).returncode == 0
    assert not (home / "home").exists()


def test_list_prune_clear(home: Path) -> None:
    os.utime(home / "a\x1b.wat", (1, 1))
    folder = home / "home" / "wasmartifact"
    for level in ("0", "1"):
        result = run("run", "--opt-level", level, home / "a\x1b.wat", "--invoke", "add", "1", "2")
        assert (result.returncode, result.stdout) == (0, b"3\n"), result.stderr
    rows = json.loads(run("cache", "list", "--json").stdout)["artifacts"]
    assert sorted(row["opt_level"] for row in rows) == ["0", "1"]
    assert {row["module_name"] for row in rows} == {"calculator"}
    assert {row["path"] for row in rows} == {str(path) for path in folder.glob("*.so")}
    page = run("cache", "list").stdout
    assert b"level 0" in page and b"2 artifacts" in page and b"\x1b" not in page
    os.utime(rows[0]["path"], (1, 1))
    assert run("cache", "prune").stdout == b"0 artifacts removed\n"
    assert run("cache", "prune", "--age", "30d").stdout == b"1 artifacts removed\n"
    assert run("cache", "--dir", folder, "clear").stdout == b"1 artifacts removed\n"
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_what_is_not_the_caches_stays(home: Path) -> None:
    folder = home / "lib"
    folder.mkdir(mode=0o700)
    names = ["libc.so", "x.src", f"{'a' * 64}.txt", f"{'a' * 63}.so"]
    for name in names:
        (folder / name).touch()
    for action in (["prune", "--size", "0", "--age", "0s"], ["clear"]):
        assert run("cache", "--dir", folder, *action).stdout == b"0 artifacts removed\n"
    assert sorted(os.listdir(folder)) == sorted(names)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["cache"], 2),
        (["cache", "polish"], 2),
        (["cache", "prune", "--size", "2 GB"], 2),
        (["cache", "prune", "--size", "-1"], 2),
        (["cache", "prune", "--size", "9" * 40], 2),
        (["cache", "prune", "--age", "30"], 2),
        (["cache", "--dir", "/dev/null", "list"], 1),
        (["cache", "--dir", "/tmp", "clear"], 1),  # of everybody
    ],
)
def test_what_makes_no_sense(home: Path, arguments: list[str], code: int) -> None:
    result = run(*arguments)
    assert result.returncode == code, result.stderr
    assert b"Traceback" not in result.stderr and result.stderr
