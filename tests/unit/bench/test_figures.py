"""The benchmarks give figures of the right shape: tables, JSON and charts hold what was measured. No time is judged."""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

import wasmartifact as wa
from bench import synthetic
from bench.__main__ import BENCHES, CHARTS, as_json, chart, contestants, curves, main, summary
from bench.chart import Axis, line_chart, row_chart, spread
from bench.figures import Figure, figure_table, ratio_text
from tests.support.tools import find_tool
from wasmartifact import cli

#: Those that take a second or two.
CHEAP = ("load", "exports", "instantiate", "calls")
SVG = "{http://www.w3.org/2000/svg}"
MET = Figure("met", 50.0, 100.0, "rival", 0.6, 0.4)
NOT_MET = Figure("missed", 3000.0, 2000.0, "other", 1.0, unit="bytes")


# ---- one figure ----------------------------------------------------------------------------------------------------


def test_ratio_is_ours_by_the_rival_s() -> None:
    """And a limit is met where the ratio is at most the limit."""
    assert MET.ratio == 0.5
    assert MET.meets(MET.goal) is True
    assert MET.meets(MET.stretch) is False
    assert MET.meets(0.5) is True
    assert MET.meets(None) is None


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.0, "1.00"), (12.345, "12.35"), (0.2, "0.20"), (0.1, "1/10"), (1 / 35, "1/35"), (5e-5, "1/20,000")],
)
def test_ratio_text(ratio: float, text: str) -> None:
    assert ratio_text(ratio) == text


def test_table_says_which_goals_are_met() -> None:
    """Goal and stretch have a verdict each; what has no limit has none."""
    header, _, met, missed = figure_table([MET, NOT_MET]).splitlines()
    assert header.split() == ["figure", "ours", "rival", "ratio", "goal", "stretch"]
    assert re.split(r"  +", met) == ["met", "50 ns", "100 ns", "rival", "0.50", "<= 0.60", "met", "<= 0.40", "not met"]
    assert re.split(r"  +", missed) == ["missed", "3,000 bytes", "2,000 bytes", "other", "1.50", "<= 1.00", "not met"]


def test_summary_counts_goals_only() -> None:
    assert summary({"one": [MET, NOT_MET], "two": [replace(MET, goal=None)]}) == "1 of 2 goals are met."


def test_json_holds_everything() -> None:
    """It survives a round trip, verdicts included."""
    document = json.loads(json.dumps(as_json({"calls": [MET, NOT_MET]})))
    first, second = document["figures"]
    assert (first["bench"], first["name"], first["ours"], first["rival"]) == ("calls", "met", 50.0, 100.0)
    assert (first["ratio"], first["goal_met"], first["stretch_met"]) == (0.5, True, False)
    assert (second["unit"], second["goal_met"], second["stretch_met"]) == ("bytes", False, None)


# ---- the chart -----------------------------------------------------------------------------------------------------


def points_of(document: str) -> dict[str, list[tuple[float, float]]]:
    """Pixels of the lines of an SVG document, by the order of its series."""
    root = ElementTree.fromstring(document)
    lines = root.findall(f"{SVG}polyline")
    return {
        line.attrib["class"].split()[-1]: [
            (float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())
        ]
        for line in lines
    }


def test_curves_take_figures_with_a_size_only() -> None:
    """In the order of sizes; ours and each rival once."""
    figures = [
        Figure("load", 3.0, 9.0, "slow", size=100),
        Figure("load", 2.0, 4.0, "slow", size=10),
        Figure("load", 2.0, 1.0, "floor", size=10),
        Figure("load", 7.0, 1.0, "elsewhere"),
    ]
    assert curves(figures) == {
        "wasmartifact": [(10, 2.0), (100, 3.0)],
        "slow": [(10, 4.0), (100, 9.0)],
        "floor": [(10, 1.0)],
    }


def test_chart_has_a_point_for_each_value_at_its_place() -> None:
    """Equal factors are equal distances; larger values stand higher; names and numbers are there as text."""
    series = {
        "one & two": [(10.0, 10.0), (100.0, 100.0), (1000.0, 1000.0)],
        "<three>": [(10.0, 1000.0), (1000.0, 20.0)],
    }
    document = line_chart("title", "across", "up", series, lambda value: f"{value:g} ns")
    root = ElementTree.fromstring(document)
    assert len([element for element in root.iter() if "point" in element.attrib.get("class", "").split()]) == 5
    (first, second, third), (high, low) = points_of(document).values()
    assert second[0] - first[0] == pytest.approx(third[0] - second[0], abs=0.2)
    assert first[1] - second[1] == pytest.approx(second[1] - third[1], abs=0.2)
    assert high[1] < low[1]
    assert (high[0], high[1]) == (first[0], third[1])
    texts = {"".join(element.itertext()) for element in root.iter(f"{SVG}text")}
    assert {"title", "across", "up", "one & two, 1000 ns", "<three>, 20 ns", "10 ns", "1,000"} <= texts


def test_chart_of_rows_has_each_contestant_in_each_row() -> None:
    """Equal factors are equal distances; a contestant keeps its marker; names and values are there as text."""
    rows = {"call": {"ours": 10.0, "<theirs>": 1000.0}, "call back": {"ours": 100.0}}
    document = row_chart("title", "across", rows, lambda value: f"{value:g} ns")
    marks = {
        "".join(element.itertext()): (float(element.get("cx") or element.get("x") or 0), element.tag)
        for element in ElementTree.fromstring(document).iter()
        if "point" in element.attrib.get("class", "").split()
    }
    (small, circle), (large, square), (middle, other) = (
        marks[words] for words in ("ours, call: 10 ns", "<theirs>, call: 1000 ns", "ours, call back: 100 ns")
    )
    assert circle == other != square
    assert middle - small == pytest.approx(large + 4 - middle, abs=0.2) and middle - small > 100
    texts = {"".join(element.itertext()) for element in ElementTree.fromstring(document).iter(f"{SVG}text")}
    assert {"title", "across", "call", "call back", "ours", "<theirs>", "10 ns", "1000 ns"} <= texts


def test_contestants_by_what_was_measured() -> None:
    figures = [Figure("call", 2.0, 9.0, "slow"), Figure("call", 2.0, 4.0, "c"), Figure("back", 3.0, 6.0, "c")]
    assert contestants(figures) == {
        "call": {"wasmartifact": 2.0, "slow": 9.0, "c": 4.0},
        "back": {"wasmartifact": 3.0, "c": 6.0},
    }


def test_axis_of_a_single_value_has_a_length() -> None:
    """A power of ten alone would be an axis without an extent."""
    axis = Axis.around([10.0], 0, 100)
    assert (axis.low, axis.high, axis.pixel(10.0)) == (1, 2, 0)


def test_spread_keeps_order_and_gap() -> None:
    assert spread([10, 50, 12], 18) == [10, 50, 28]


# ---- the inputs ----------------------------------------------------------------------------------------------------


def test_synthetic_modules_are_what_they_say(tmp_path: Path) -> None:
    """Valid modules, of the size that was asked for."""
    for name, wasm in (
        ("tool", synthetic.tool_like(200)),
        ("data", synthetic.data_segments(3 * synthetic.PAGE_BYTES)),
        ("table", synthetic.filled_table(300)),
    ):
        wa.pack(wasm, tmp_path / f"{name}.so", opt_level=0)
    with wa.open_metadata(tmp_path / "tool.so") as metadata:
        assert (len(metadata.functions), len(metadata.exports), metadata.tables[0].type.min) == (200, 16, 67)
    with wa.open_metadata(tmp_path / "data.so") as metadata:
        assert metadata.memories[0].type.min_pages == 3
    with wa.open_metadata(tmp_path / "table.so") as metadata:
        assert metadata.tables[0].type.min == 300


# ---- quick runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHEAP)
def test_quick_run_gives_plausible_figures(name: str) -> None:
    """Positive, finite, of more than a nanosecond and less than a minute, and each figure against a rival once."""
    find_tool("cc")
    figures = import_module(BENCHES[name]).figures(quick=True)
    assert len({(figure.name, figure.rival_name) for figure in figures}) == len(figures) >= 4
    for figure in figures:
        assert figure.unit == "ns"
        assert 1 < figure.ours < 60e9 and 1 < figure.rival < 60e9, figure
        assert math.isfinite(figure.ratio)


def test_every_bench_has_the_function() -> None:
    """Also those that are too slow to run here; one that does not exist yet is no bench."""
    root = Path(__file__).parents[3]
    for module in BENCHES.values():
        path = root.joinpath(*module.split(".")).with_suffix(".py")
        if path.exists():
            functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
            (found,) = [function for function in functions if function.name == "figures"]
            assert [argument.arg for argument in found.args.kwonlyargs] == ["quick"]


def test_command_writes_table_json_and_svg(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All three hold the same figures."""
    find_tool("cc")
    json_path, svg_path = tmp_path / "figures.json", tmp_path / "load.svg"
    assert main(["--quick", "--only", "load", "--json", str(json_path), "--svg", str(svg_path)]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    found = json.loads(json_path.read_text())["figures"]
    assert [row.split("  ")[0] for row in rows[: len(found)]] == [figure["name"] for figure in found]
    assert rows[len(found)] == ""
    for figure in found:
        assert figure["ratio"] == figure["ours"] / figure["rival"]
    points = sum(map(len, points_of(svg_path.read_text()).values()))
    sizes = {figure["size"] for figure in found} - {None}
    assert points == len(sizes) * len({"ours", "C floor", "wasmtime-py"})


def test_plot_needs_what_it_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Words instead of an empty file."""
    with pytest.raises(SystemExit):
        main(["--quick", "--only", "calls", "--svg", str(tmp_path / "load.svg")])
    assert "add it to --only" in capsys.readouterr().err
    assert not (tmp_path / "load.svg").exists()


def test_a_folder_for_plots_that_does_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It could be taken for the name of a file."""
    with pytest.raises(SystemExit):
        main(["--quick", "--only", "load", "calls", "--svg", str(tmp_path / "plots")])
    assert "expected a folder that exists" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_gets_every_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And all benches that are plotted must run."""
    find_tool("cc")
    with pytest.raises(SystemExit):
        main(["--quick", "--only", "load", "--svg", str(tmp_path)])
    assert "calls: add it to --only" in capsys.readouterr().err
    assert main(["--quick", "--only", "load", "calls", "--svg", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.iterdir()} == set(CHARTS)
    for path in tmp_path.iterdir():
        assert "wasmtime-py" in path.read_text()


def test_chart_of_the_load_bench_names_all_contestants() -> None:
    """The series come from the figures."""
    figures = [Figure("load", 2.0, 1.0, rival, size=10) for rival in ("C floor", "wasmtime-py")]
    assert len(points_of(chart(figures))) == 3


def test_command_line_passes_options_on(capsys: pytest.CaptureFixture[str]) -> None:
    """``wasmartifact bench`` takes the options of ``python -m bench``, its help among them."""
    assert cli.main(["bench", "--quick", "--only", "instantiate"]) == 0
    assert "instantiate, " in capsys.readouterr().out
    assert cli.main(["bench", "--help"]) == 0
    assert "--svg FILE" in capsys.readouterr().out
