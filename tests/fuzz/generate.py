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

#: Shares of seeds.
CANONICAL_NANS: Final = 0.75
PROGRAMS: Final = 0.4
PAIRS: Final = 0.2


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
        made = bytes(wasmtime.wat2wasm(generate_program(rng, canonical_nans=canonical_nans)))
    else:
        made = smith_module(rng, canonical_nans=canonical_nans, vectors=chosen)
    modules: tuple[bytes, ...] = (make_testable(made),)
    if is_pair:
        available = importer_of(compile_reference(modules[0]).shape)
        try:
            second = smith_module(rng, canonical_nans=canonical_nans, vectors=chosen, available=available)
            modules += (make_testable(second),)
        except SmithError:  # what the first one exports is beyond smith's limits for the second
            is_pair = False
    return Generated(modules, ("program" if is_program else "smith") + " and smith" * is_pair, canonical_nans)
