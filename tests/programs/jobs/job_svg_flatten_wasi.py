"""svg-flatten-wasi turns drawings into polygons and Gerber files."""

from pathlib import Path

from running import run
from svg_flatten_wasi import run_svg_flatten

DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" width="64mm" height="48mm" viewBox="0 0 64 48"><defs/>
<path fill="#000000" stroke="none" d="M 2 3 L 42 3 L 42 40 L 2 40 Z"/>
<path fill="#ffffff" stroke="none" d="M 30 12 C 40 12 40 28 30 28 C 20 28 20 12 30 12 Z"/>
</svg>"""


def job() -> object:
    """Both forms of the output."""
    Path("in.svg").write_text(DRAWING)
    codes = []
    for name, form in (("out.gbr", "gerber"), ("out.svg", "svg")):
        try:
            codes.append(run_svg_flatten(["--no-usvg", "-o", form, "in.svg", name], standalone_mode=False))
        except SystemExit as problem:
            codes.append(problem.code)
    return [codes, {path.name: path.read_text() for path in sorted(Path().glob("out.*"))}]


run(job)
