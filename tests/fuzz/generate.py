"""The modules of a seed: from smith or from our own generator, alone or as a pair. A seed gives the same for ever."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import wasmtime

from tests.fuzz.programs import generate_program
from tests.fuzz.reference import compile_reference
from tests.fuzz.sections import make_testable
from tests.fuzz.shape import importer_of
from tests.fuzz.smith import SmithError, smith_module
from tests.fuzz.throwing import generate_throwing

#: Shares of seeds, of programs, and of the second modules of pairs.
CANONICAL_NANS: Final = 0.75
PROGRAMS: Final = 0.5
PAIRS: Final = 0.3
THROWING: Final = 0.6


@dataclass(frozen=True)
class Generated:
    """One module, or two of which the second imports what the first exports.

    ``origin`` says what made it. ``canonical_nans``: the code makes every NaN canonical, so that all its results are
    deterministic.
    """

    modules: tuple[bytes, ...]
    origin: str
    canonical_nans: bool


def generate(seed: str, *, canonical_nans: bool | None = None) -> Generated:
    """Make the module or the pair of a seed.

    Parameters
    ----------
    seed : str
        Chooses everything.
    canonical_nans : bool | None
        Make every NaN canonical, or don't; None leaves that to the seed. The functions of the first module are the
        same for both.

    Raises
    ------
    SmithError
        wasm-tools failed.
    """
    rng = random.Random(f"{seed}/module")
    chosen, is_program, is_pair = (rng.random() < share for share in (CANONICAL_NANS, PROGRAMS, PAIRS))
    canonical_nans = chosen if canonical_nans is None else canonical_nans
    if is_program:
        origin, made = _program(rng, canonical_nans)
    else:
        origin, made = "smith", smith_module(rng, canonical_nans=canonical_nans, vectors=chosen)
    first = make_testable(made)
    if not is_pair:
        return Generated((first,), origin, canonical_nans)
    shape = compile_reference(first).shape
    if rng.random() < THROWING:
        other, second = "thrower", _assembled(generate_throwing(rng, canonical_nans=canonical_nans, first=shape))
    else:
        try:
            available = importer_of(shape)
            second = smith_module(rng, canonical_nans=canonical_nans, vectors=chosen, available=available)
            other = "smith"
        except SmithError:  # what the first one exports is beyond smith's limits for the second
            return Generated((first,), origin, canonical_nans)
    return Generated((first, make_testable(second)), f"{origin} and {other}", canonical_nans)


def _program(rng: random.Random, canonical_nans: bool) -> tuple[str, bytes]:
    if rng.random() < THROWING:
        return "thrower", _assembled(generate_throwing(rng, canonical_nans=canonical_nans, first=None))
    return "program", _assembled(generate_program(rng, canonical_nans=canonical_nans))


def _assembled(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))
