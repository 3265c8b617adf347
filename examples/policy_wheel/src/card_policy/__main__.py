"""``python -m card_policy NUMBER ...``: says which numbers are well-formed."""

import sys

from . import allowed

for number in sys.argv[1:]:
    print(f"{number}: {'allowed' if allowed(number) else 'refused'}")
