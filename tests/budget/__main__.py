"""``python -m tests.budget``: instruction counts beside their budget."""

import sys

from tests.budget.count import main

if __name__ == "__main__":
    sys.exit(main())
