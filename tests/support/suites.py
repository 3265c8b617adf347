"""Where official test suites are: they are no part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"


def find_suite(variable: str, beside: Path, folder: str, entry: str, what: str) -> Path:
    """Root of a suite: what the variable names, else a folder beside the runner, else one beside the repository.

    Parameters
    ----------
    variable : str
        Of the environment.
    beside : Path
        Where it may lie in the tree.
    folder : str
        Its name in the folder ``shared`` beside the repository.
    entry : str
        A file or a folder that it has.
    what : str
        What the variable is to name, for the message.

    Raises
    ------
    FileNotFoundError
        It is in none of these places; the message says what to do.
    """
    given = os.environ.get(variable)
    places = [Path(given)] if given else [beside, SHARED / folder]
    for place in places:
        if (place / entry).exists():
            return place.resolve()
    raise FileNotFoundError(f"{what} is not in {' or '.join(map(str, places))}; set {variable} to it")
