"""Filters an image in WebAssembly where it lies: NumPy arrays over the guest's memory, no copy on either side.

The filter turns RGBA pixels to grey by the integer weights 77, 150 and 29 of 256.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import wasmartifact as wa

WAT = b"""
(module
  (memory (export "memory") 1)
  ;; Grey values of `count` RGBA pixels at `from`, one byte each, to `to`.
  (func (export "grey") (param $from i32) (param $to i32) (param $count i32)
    (local $end i32)
    (local.set $end (i32.add (local.get $to) (local.get $count)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $to) (local.get $end)))
        (i32.store8 (local.get $to)
          (i32.shr_u
            (i32.add
              (i32.mul (i32.const 77) (i32.load8_u (local.get $from)))
              (i32.add
                (i32.mul (i32.const 150) (i32.load8_u offset=1 (local.get $from)))
                (i32.mul (i32.const 29) (i32.load8_u offset=2 (local.get $from)))))
            (i32.const 8)))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br $next)))))
"""


class GreyFilter:
    """The filter for images of one size. ``pixels`` and ``grey`` are views of the guest's memory.

    Parameters
    ----------
    height, width : int
        Size of the images in pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        exports = wa.compile(WAT).instantiate().exports
        memory, self._filter = exports["memory"], exports["grey"]
        self._count = height * width
        missing_bytes = 5 * self._count - memory.size_bytes
        if missing_bytes > 0:
            memory.grow(-(-missing_bytes // 65_536))
        # The bytes of a memory never move, so a view stays right; it keeps the size that the memory has now.
        whole = np.frombuffer(memory, np.uint8)
        self.pixels: np.ndarray[Any, Any] = whole[: 4 * self._count].reshape(height, width, 4)
        self.grey: np.ndarray[Any, Any] = whole[4 * self._count : 5 * self._count].reshape(height, width)

    def run(self) -> None:
        """Fill ``grey`` from ``pixels``."""
        self._filter(0, 4 * self._count, self._count)


def gradient(height: int, width: int) -> np.ndarray[Any, Any]:
    """A test image."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x + y) % 256, x * 0 + 255], axis=-1)


def main() -> None:
    """Filter an image of 640 to 480 pixels."""
    image_filter = GreyFilter(480, 640)
    image_filter.pixels[:] = gradient(480, 640)
    image_filter.run()
    print("shape:", *image_filter.grey.shape)
    print("mean:", round(float(image_filter.grey.mean()), 4))
    print("corners:", *image_filter.grey[[0, 0, -1, -1], [0, -1, 0, -1]])


if __name__ == "__main__":
    main()
