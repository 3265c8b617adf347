#!/usr/bin/env bash
# numpy 2.4.6: an object whose buffer an array shows, and which can reach that array, is never collected.
# Guess: the array tells the collector of its base, as a memoryview does; then the circle goes.
# Seen: an ndarray takes no part in the collection, so the circle stays for ever, array, exporter and all that it holds. Who
# keeps an array over a guest's memory where a host function of that guest finds it has to drop the array by hand.
. "$(dirname "$0")/lib/scratch.sh"
install numpy==2.4.6
cat > look.py << 'PY'
import gc
import weakref

import numpy


class Exporter(bytearray):
    """A buffer that can hold an attribute."""


def is_collected(view_of):
    exporter = Exporter(16)
    exporter.view = view_of(exporter)
    gone = weakref.ref(exporter)
    del exporter
    gc.collect()
    return gone() is None


print("memoryview:", is_collected(memoryview))
print("ndarray:", is_collected(lambda exporter: numpy.frombuffer(exporter, numpy.uint8)))
print("ndarray is tracked:", gc.is_tracked(numpy.zeros(1)))
PY
python look.py > seen
expect << 'SEEN'
memoryview: True
ndarray: False
ndarray is tracked: False
SEEN
