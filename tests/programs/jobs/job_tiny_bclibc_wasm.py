"""tiny-bclibc-wasm solves trajectories: its README's program, with wind, and what can't be reached."""

import tiny_bclibc as bc
from running import run


def job() -> object:
    """Zero, aim, fire, apex, an error."""
    bc.set_host("wasmtime")
    shot = bc.Shot(
        bc=0.310, weight_grain=168.0, diameter_inch=0.308, length_inch=1.2, muzzle_velocity_fps=2750.0,
        sight_height_ft=0.125, twist_inch=11.0,
    )  # fmt: skip
    bc.zero(shot, 100 / 0.3048)
    hold, windage, point = bc.aim(shot, 300 / 0.3048)
    rows, reason = bc.fire(shot, bc.Request(range_limit_ft=3280.84, range_step_ft=328.084))
    try:
        far = repr(bc.find_zero_angle(shot, 1e6))
    except Exception as error:
        far = f"{type(error).__name__}: {error}"
    return [bc.host(), hold, windage, list(point), [list(row) for row in rows], reason, list(bc.find_apex(shot)), far]


run(job)
