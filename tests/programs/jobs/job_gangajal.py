"""gangajal looks for words that don't belong into a text."""

from gangajal import validate
from running import run

TEXTS = ["a clean sentence", "what the hell", "d a m n it", "sh1t happens", "नमस्ते दुनिया", "", "class assassin passage"]


def job() -> object:
    """Texts in each mode."""
    return [[validate(text, mode) for mode in (0, 1, 2)] for text in TEXTS if text]


run(job)
