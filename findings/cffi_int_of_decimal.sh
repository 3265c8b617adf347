#!/usr/bin/env bash
# cffi 2.1.1, with numpy 2.4.6: an int parameter takes Decimal("1.9"), Fraction(19, 10) and numpy.float32(1.9) as 1, and
# refuses 1.9.
# Guess: TypeError for all of them: cffi says that a float is no int, and Python's own conversion for C, __index__, none
# of them has.
# Seen: whatever has __int__ is cut, but Python's float and its subclasses, numpy.float64 among them. The same price is
# refused as a float, and loses its cents as a Decimal; an array element is refused or cut by its dtype. Fields and
# array items do likewise. ctypes refuses all.
. "$(dirname "$0")/lib/scratch.sh"
install cffi==2.1.1 numpy==2.4.6
cat > look.py << 'PY'
import ctypes
from decimal import Decimal
from fractions import Fraction

import cffi
import numpy as np

ffi = cffi.FFI()
ffi.cdef("int abs(int);")
by_cffi = ffi.dlopen(None).abs
by_ctypes = ctypes.CDLL(None).abs
by_ctypes.argtypes = [ctypes.c_int]


def ask(call, *arguments):
    try:
        return call(*arguments)
    except Exception as error:
        return type(error).__name__


for value in (1.9, np.float64(1.9), np.float32(1.9), Decimal("1.9"), Fraction(19, 10)):
    kind = f"{type(value).__name__} {value}"
    item = ask(lambda value: ffi.new("int[]", [value])[0], value)
    print(f"{kind}: parameter {ask(by_cffi, value)}, item {item}, ctypes {ask(by_ctypes, value)}")
PY
python look.py > seen
expect << 'SEEN'
float 1.9: parameter TypeError, item TypeError, ctypes ArgumentError
float64 1.9: parameter TypeError, item TypeError, ctypes ArgumentError
float32 1.899999976158142: parameter 1, item 1, ctypes ArgumentError
Decimal 1.9: parameter 1, item 1, ctypes ArgumentError
Fraction 19/10: parameter 1, item 1, ctypes ArgumentError
SEEN
