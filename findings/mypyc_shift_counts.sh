#!/usr/bin/env bash
# mypyc of mypy 2.4.1 (x86-64): shifting a native i64 by 64 or more, or by a negative number, gives a number that neither
# Python nor two's complement knows.
# Guess: the check that / and // have: those raise ZeroDivisionError, and OverflowError for the one quotient that has no room.
# Seen: the count is taken modulo 64, by the machine's shift: 1 << 64 is 1, and 1 << -1 raises no ValueError.
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
[ "$(uname -m)" = x86_64 ] || { echo "x86-64 only" >&2; exit 2; }
install mypy==2.4.1 setuptools==80.9.0
cat > shifts.py << 'PY'
from mypy_extensions import i64


def left(value: i64, count: i64) -> i64:
    return value << count


def quotient(value: i64, divisor: i64) -> i64:
    return value // divisor
PY
mypyc shifts.py > log 2>&1 || { cat log >&2; exit 1; }
cat > look.py << 'PY'
import sys

sys.path.insert(0, ".")
import shifts

print(shifts.__file__.endswith(".so"), shifts.left(1, 63), shifts.left(1, 64), shifts.left(1, 65), shifts.left(1, -1))
for value, divisor in ((1, 0), (-(2**63), -1)):
    try:
        print(shifts.quotient(value, divisor))
    except ArithmeticError as error:
        print(type(error).__name__)
PY
python look.py > seen
expect << 'SEEN'
True -9223372036854775808 1 2 -9223372036854775808
ZeroDivisionError
OverflowError
SEEN
