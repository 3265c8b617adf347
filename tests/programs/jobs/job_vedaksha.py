"""vedaksha computes positions of planets: its README's calls."""

from running import run
from vedaksha import Vedaksha

vedaksha = Vedaksha()


def job() -> object:
    """The tools, a chart, divisions, a period."""
    return [
        [tool["name"] for tool in vedaksha.list_tools()],
        vedaksha.natal_chart(
            julian_day=2451545.0,
            latitude=28.6139,
            longitude=77.2090,
            ayanamsha="IndianOfficial",
            house_system="WholeSign",
        ),
        vedaksha.call_tool(
            "compute_panchanga",
            jd=2451545.0,
            sun=280.0,
            moon=120.4,
            latitude=28.6139,
            longitude=77.2090,
            elevation_m=216.0,
            tz_offset_minutes=330,
        ),
        vedaksha.call_tool("compute_dasha", birth_jd=2451545.0, moon_longitude=120.4),
    ]


run(job)
