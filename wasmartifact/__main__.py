"""``python -m wasmartifact`` is the command ``wasmartifact``."""

import sys

from wasmartifact.cli import main

sys.exit(main())
