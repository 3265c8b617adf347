"""What README and the pages of docs/ show works: their code runs, and prints what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

import wasmartifact as wa
from tests.docs.blocks import PageError, blocks, run_page

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
#: Pages that show code; the others have none that runs.
WITH_CODE = {
    page for page in PAGES if any(block.language in {"python", "console"} for block in blocks(page.read_text()))
}


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a cache of the page's own."""
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("page", sorted(WITH_CODE), ids=lambda page: str(page.relative_to(ROOT)))
def test_page_does_what_it_says(page: Path) -> None:
    assert run_page(page, Path.cwd()) > 0


def test_every_error_is_explained() -> None:
    """On the page that people look at when they meet one."""
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    errors = [name for name in wa.__all__ if name[0].isupper() and issubclass(getattr(wa, name), Exception)]
    assert len(errors) > 10
    assert [name for name in errors if f"**{name}" not in page and f"{name}** " not in page] == []


@pytest.mark.parametrize(
    "page",
    [
        "```python\nprint(6 * 7)\n```\n\n```output\n43\n```\n",
        "```python\nraise ValueError\n```\n",
        "```console\n$ echo yes\nno\n```\n",
        "```console\n$ false\n```\n",
        "```python a.py\nraise SystemExit(3)\n```\n\n<!-- test: python a.py -->\n",
    ],
)
def test_a_page_that_lies_fails(page: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(page)
    with pytest.raises((PageError, ValueError)):
        run_page(path, Path.cwd())


def test_files_outputs_and_ellipses(tmp_path: Path) -> None:
    """A page that tells the truth passes; its namespace is one."""
    path = tmp_path / "page.md"
    fences = [
        "```python a.py\nanswer = 42\n```",
        "```python\nfrom a import answer\n```",
        "```python\nprint(answer, 'x')\n```",
        "```output\n42 ...\n```",
        "```console\n$ cat a.py\nanswer = ...\n$ ls *.py; \\\n  (exit 3); echo $?\na.py\n3\n```",
        "```sh\nfalse\n```",
    ]
    path.write_text("\n\n".join(fences))
    assert run_page(path, Path.cwd()) == 3
