"""One figure of a benchmark, ours against a rival's in one run, and how figures are printed.

Every module that ``python -m bench`` runs has a function ``figures(*, quick: bool) -> list[Figure]``; with ``quick`` it
takes few samples and small inputs. Smaller values are better in every figure: a ratio is to be at most its goal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.timing import duration, table

HEADER = ("figure", "ours", "rival", "", "ratio", "goal", "", "stretch", "")


@dataclass(frozen=True)
class Figure:
    """Ours against a rival's.

    Attributes
    ----------
    name : str
        What was measured, and of what: "load, QuickJS".
    ours, rival : float
        Values in ``unit``: medians of interleaved samples of one run.
    rival_name : str
        Whose value it is: "wasmtime-py", "C floor".
    goal, stretch : float | None
        Largest ratios that meet them: twice as fast is 0.5. None where none was set.
    unit : str
        "ns" or "bytes".
    size : int | None
        Where the figure is a point of a curve: the module's size, in exported functions.
    """

    name: str
    ours: float
    rival: float
    rival_name: str
    goal: float | None = None
    stretch: float | None = None
    unit: str = "ns"
    size: int | None = None

    @property
    def ratio(self) -> float:
        """Ours divided by the rival's."""
        return self.ours / self.rival

    def meets(self, limit: float | None) -> bool | None:
        """Whether the ratio is at most the limit; None where there is none."""
        return None if limit is None else self.ratio <= limit


def value_text(value: float, unit: str) -> str:
    """A value with its unit."""
    return duration(value) if unit == "ns" else f"{value:,.0f} {unit}"


def ratio_text(ratio: float) -> str:
    """A ratio; below 0.2 as a fraction, because 1/500 is easier to compare than 0.002."""
    if ratio >= 0.2:
        return f"{ratio:.2f}"
    return f"1/{1 / ratio:.3g}" if ratio > 0.001 else f"1/{1 / ratio:,.0f}"


def limit_cells(figure: Figure, limit: float | None) -> tuple[str, str]:
    """Two cells: a limit, and whether it is met."""
    return ("", "") if limit is None else (f"<= {ratio_text(limit)}", "met" if figure.meets(limit) else "not met")


def figure_table(figures: Sequence[Figure]) -> str:
    """The table, one row per figure."""
    rows = [
        (
            figure.name,
            value_text(figure.ours, figure.unit),
            value_text(figure.rival, figure.unit),
            figure.rival_name,
            ratio_text(figure.ratio),
            *limit_cells(figure, figure.goal),
            *limit_cells(figure, figure.stretch),
        )
        for figure in figures
    ]
    return table(HEADER, rows)
