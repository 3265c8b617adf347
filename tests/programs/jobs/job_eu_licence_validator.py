"""eu-licence-validator looks at licence plates: its README's calls."""

from eu_licence_validator import is_valid
from running import run

PLATES = ["WPI 1234X", "AA-123-SS", "B-AB 1234", "1234 BCD", "", "ÄÖ-X 1", "ZG 123-AB", "12-AB-34"]
COUNTRIES = ["PL", "FR", "DE", "ES", "HR", "NL", "XX", ""]


def job() -> object:
    """Every plate in every country."""
    return {country: [is_valid(plate, country) for plate in PLATES] for country in COUNTRIES}


run(job)
