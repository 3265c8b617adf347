"""vt100wasm keeps the screens of terminals."""

from running import run
from vt100wasm import Screen

LINES = [
    b"one\r\ntwo \x1b[1;31mred\x1b[0m",
    b"\x1b[3;5Hthere\x1b[A\x1b[2Kgone? ",
    "é漢".encode(),
    b"\r\n" * 12 + b"last\x1b[?25l",
]


def job() -> object:
    """Text, colours, cursor, another size, a snapshot."""
    found = []
    with Screen(6, 20, 10) as screen:
        for line in LINES:
            screen.process(line)
            found.append([screen.contents(), screen.contents_formatted(), screen.cells(), screen.cells_diff()])
        screen.resize(4, 10)
        screen.set_scrollback(2)
        found.append([screen.contents(), screen.scrollback(), screen.snapshot()])
        with Screen.restore(screen.snapshot()) as other:
            found.append(other.contents_formatted())
    return found


run(job)
