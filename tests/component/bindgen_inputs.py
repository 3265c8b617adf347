"""What `bindgen` is tested with: WIT with every kind of type and hard names, and programs that use its packages."""

from __future__ import annotations

#: Everything is imported and exported, for `passing_component`.
STUDIO = """package example:studio@0.1.0;
interface types {
  record point { x: s32, y: s32 }
  type points = list<point>;
  type size = u64;
  variant shape { circle(f64), square(point), named(string), none }
  enum color { red, green-ish, class }
  flags perms { read, write, %async }
  record %list {
    %list: list<string>, str: string, %from: option<u8>, raw: list<u8>, numbers: list<f64>, tags: list<color>,
    shape: shape, perms: perms, pair: tuple<u8, string>, outcome: result<u32, string>,
  }
  resource box {
    constructor(name: string);
    name: func() -> string;
    made: static func() -> u32;
    close: func() -> bool;
  }
}
interface api {
  use types.{point, points, size, shape, color, perms, %list as listing, box as crate};
  record buffer { size: size, points: points }
  move: func(of: point, by: point) -> point;
  flip: func(of: shape) -> shape;
  next: func(of: option<color>) -> option<color>;
  toggle: func(of: perms) -> perms;
  %list: func(of: listing) -> listing;
  rotate: func(of: buffer) -> buffer;
  corners: func(of: points) -> points;
  total: func(prices: list<f64>) -> f64;
  reverse: func(raw: list<u8>) -> list<u8>;
  squares: func(of: list<s16>) -> list<s16>;
  deep: func(o: option<option<u32>>) -> option<option<u32>>;
  type halved = result<u32, shape>;
  halve: func(number: u32) -> halved;
  check: func(ok: bool) -> result;
  scalars: func(a: bool, b: s8, c: u8, d: s16, e: u16, f: s32, g: u32, h: s64, i: u64, j: f32, k: f64, l: char)
    -> tuple<bool, s8, u8, s16, u16, s32, u32, s64, u64, f32, f64, char>;
  minus: func(self: u8, %from: u8) -> u8;
  open: func(it: borrow<crate>) -> string;
  take: func(it: crate);
  give: func(name: string) -> crate;
}
world studio {
  use types.{color, shape};
  import api;
  import say: func(text: string, color: color) -> string;
  import may-fail: func(number: u32) -> result<u32, color>;
  export api;
  export types;
  export say: func(text: string, color: color) -> string;
  export may-fail: func(number: u32) -> result<u32, color>;
}
"""

#: A program that passes mypy, and that knows what every value has to be.
STUDIO_PROGRAM = '''"""Uses every function of the studio."""

from __future__ import annotations

import array
import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from typing import assert_never, assert_type

import studio
import wasmartifact as wa
from studio.exports.api import Api as ExportedApi
from studio.exports.api import Buffer_, Listing
from studio.exports.types import Color, Perms, Point, Shape, ShapeCircle, ShapeNamed, ShapeNone, ShapeSquare
from studio.imports import api as wanted
from studio.imports import types as host
from wasmartifact.bindings import call_async

dropped: list[str] = []


class Box:
    def __init__(self, name: str) -> None:
        self._name = name

    def name(self) -> str:
        return self._name.upper()

    def close(self) -> bool:
        dropped.append(self._name)
        return True


class Types:
    made = 0

    def new_box(self, name: str) -> host.Box:
        self.made += 1
        return Box(name)

    def box_made(self) -> int:
        return self.made


class Api:
    def move(self, of: host.Point, by: host.Point) -> host.Point:
        return host.Point(of.x + by.x, of.y + by.y)

    def flip(self, of: host.Shape) -> host.Shape:
        match of:
            case host.ShapeCircle(radius):
                return host.ShapeSquare(host.Point(int(radius), 0))
            case host.ShapeSquare(point):
                return host.ShapeCircle(float(point.x))
            case host.ShapeNamed(name):
                return host.ShapeNamed(name[::-1])
        return host.ShapeNone()

    def next(self, of: host.Color | None) -> host.Color | None:
        colors = list(host.Color)
        place = -1 if of is None else colors.index(of)
        return None if place + 1 == len(colors) else colors[place + 1]

    def toggle(self, of: host.Perms) -> host.Perms:
        return ~of

    def list(self, of: host.List) -> host.List:
        assert_type(of.tags, Sequence[host.Color])
        return dataclasses.replace(of, list=[*of.list, of.str], raw=of.raw + b"!")

    def rotate(self, of: wanted.Buffer_) -> wanted.Buffer_:
        return wanted.Buffer_(of.size + 1, of.points[::-1])

    def corners(self, of: Sequence[host.Point]) -> Sequence[host.Point]:
        return [host.Point(-point.x, -point.y) for point in of]

    def total(self, prices: memoryview[float]) -> float:
        return sum(prices)

    def reverse(self, raw: bytes) -> bytes:
        return raw[::-1]

    def squares(self, of: memoryview[int]) -> array.array[int]:
        return array.array("h", [number * number for number in of])

    def deep(self, o: wa.Some[int | None] | None) -> wa.Some[int | None] | None:
        match o:
            case None:
                return wa.Some(None)
            case wa.Some(None):
                return wa.Some(7)
        return None

    def halve(self, number: int) -> int:
        if number % 2:
            raise wa.Err(host.ShapeNamed("odd"))
        return number // 2

    def check(self, ok: bool) -> None:
        if not ok:
            raise wa.Err()

    def scalars(
        self, a: bool, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int, j: float, k: float, l: str
    ) -> tuple[bool, int, int, int, int, int, int, int, int, float, float, str]:
        return (a, b, c, d, e, f, g, h, i, j, k, l)

    def minus(self, one: int, other: int) -> int:
        return one - other

    def open(self, it: host.Box) -> str:
        return it.name() + "!"

    def take(self, it: host.Box) -> None:
        dropped.append("taken " + it.name())

    def give(self, name: str) -> host.Box:
        return Box(name)


def say(text: str, color: studio.Color) -> str:
    return f"{text} in {color.value}"


async def say_later(text: str, color: studio.Color) -> str:
    await asyncio.sleep(0)
    return say(text, color)


def may_fail(number: int) -> int:
    if number == 0:
        raise wa.Err(studio.Color.CLASS_)
    return number + 1


def values(api: ExportedApi) -> None:
    assert_type(api.move(Point(1, 2), by=Point(3, -4)), Point)
    assert api.move(Point(1, 2), by=Point(3, -4)) == Point(4, -2)
    assert api.flip(ShapeCircle(2.5)) == ShapeSquare(Point(2, 0))
    assert api.flip(ShapeSquare(Point(3, 1))) == ShapeCircle(3.0)
    assert api.flip(ShapeNamed("Zoë")) == ShapeNamed("ëoZ")
    assert api.flip(of=ShapeNone()) == ShapeNone()
    assert [api.next(None), api.next(Color.RED), api.next(Color.CLASS_)] == [Color.RED, Color.GREEN_ISH, None]
    assert api.toggle(Perms.READ | Perms.ASYNC_) is Perms.WRITE
    given = Listing(
        list=["a"], str="b", from_=None, raw=b"raw", numbers=[1.5, 2], tags=(Color.RED, Color.CLASS_),
        shape=ShapeNone(), perms=Perms.WRITE, pair=(1, "one"), outcome=wa.Err("no"),
    )
    back = api.list(given)
    assert_type(back.from_, int | None)
    assert (back.list, back.str, back.from_, back.raw) == (["a", "b"], "b", None, b"raw!")
    assert list(back.numbers) == [1.5, 2.0]
    assert (back.tags, back.shape, back.perms) == ([Color.RED, Color.CLASS_], ShapeNone(), Perms.WRITE)
    assert (back.pair, back.outcome) == ((1, "one"), wa.Err("no"))
    assert api.rotate(Buffer_(2**40, [Point(1, 2), Point(3, 4)])) == Buffer_(2**40 + 1, [Point(3, 4), Point(1, 2)])
    assert_type(api.corners([Point(5, 6)]), list[Point])
    assert api.corners((Point(5, 6), Point(-7, 8))) == [Point(-5, -6), Point(7, -8)]
    assert api.total([1.5, 2]) == api.total(array.array("d", [3, 0.5])) == 3.5
    assert api.reverse(b"abc") == api.reverse(bytearray(b"abc")) == api.reverse([97, 98, 99]) == b"cba"
    assert list(api.squares(memoryview(array.array("h", [-3, 4])))) == [9, 16]
    assert (api.deep(None), api.deep(wa.Some(None)), api.deep(wa.Some(3))) == (wa.Some(None), wa.Some(7), None)
    everything = (True, -128, 255, -(2**15), 2**16 - 1, -(2**31), 2**32 - 1, -(2**63), 2**64 - 1, 1.5, 0.1, "ß")
    assert api.scalars(*everything) == everything
    assert api.minus(self_=9, from_=2) == api.minus(9, 2) == 7


def errors(instance: studio.Instance) -> None:
    assert_type(instance.api.halve(10), int)
    assert instance.api.halve(10) == 5
    for call, value in (
        (lambda: instance.api.halve(7), ShapeNamed("odd")),
        (lambda: instance.api.check(False), None),
        (lambda: instance.may_fail(0), studio.Color.CLASS_),
    ):
        try:
            call()
        except wa.Err as problem:
            assert problem.value == value, (problem.value, value)
        else:
            raise AssertionError(value)
    instance.api.check(ok=True)
    assert instance.may_fail(1) == 2
    assert instance.say("hello", color=studio.Color.GREEN_ISH) == "hello in green-ish"


def resources(instance: studio.Instance) -> None:
    box = instance.types.Box("left")
    assert isinstance(box, studio.exports.types.Box) and instance.types.Box is instance.api.Crate
    with box as same:
        assert_type(same.name(), str)
        assert (same.name(), same.close_(), instance.types.Box.made(), same.closed) == ("LEFT", True, 1, False)
        assert instance.api.open(same) == "LEFT!"
    assert (box.closed, dropped) == (True, ["left", "left"])
    given = instance.api.give("given")
    instance.api.take(given)
    assert given.closed and dropped[2:] == ["taken GIVEN"]
    for wrong in (studio.exports.types.Box, studio.exports.types.Box.made):
        try:
            print(wrong("x") if isinstance(wrong, type) else wrong())
        except TypeError as problem:
            assert "call the function of an instance" in str(problem)
        else:
            raise AssertionError(wrong)


async def later(instance: studio.Instance) -> None:
    sum_ = await call_async(instance.api.move, Point(1, 2), Point(3, 4))
    assert_type(sum_, Point)
    assert sum_ == Point(4, 6)
    box = instance.types.Box("later")
    assert_type(await call_async(box.name), str)
    assert await call_async(box.name) == "LATER"
    other = studio.instantiate(api=Api(), types=Types(), say=say_later, may_fail=may_fail)
    assert await call_async(other.say, "hello", studio.Color.RED) == "hello in red"


def area(shape: Shape) -> float:
    match shape:
        case ShapeCircle(radius):
            return radius * radius
        case ShapeSquare(point):
            return float(point.x * point.y)
        case ShapeNamed() | ShapeNone():
            return 0.0
    assert_never(shape)


def main() -> None:
    instance = studio.instantiate(api=Api(), types=Types(), say=say, may_fail=may_fail, store=wa.Store())
    values(instance.api)
    errors(instance)
    resources(instance)
    asyncio.run(later(instance))
    assert area(ShapeSquare(Point(2, 3))) == 6.0
    print("all right", file=sys.stdout)


if __name__ == "__main__":
    main()
'''

#: Lines that mypy has to refuse; each says so.
WRONG_PROGRAM = """from __future__ import annotations

import counters
import studio
import wasmartifact as wa
from typing import assert_never
from studio.exports.types import Color, Point, Shape, ShapeCircle, ShapeNone, ShapeSquare
from studio.imports.api import Api
from wasmartifact.bindings import call_async


def use(instance: studio.Instance, api: Api) -> None:
    instance.api.move(Point(1, 2), (3, 4))  # wrong
    instance.api.move(Point(1, 2))  # wrong
    instance.api.move(Point(1, 2), by=Point(x=1, z=2))  # wrong
    instance.api.move(Point("1", 2), Point(1, 2))  # wrong
    instance.api.next("red")  # wrong
    instance.api.flip(ShapeCircle("wide"))  # wrong
    instance.api.total("123")  # wrong
    instance.api.minus(1, from_="2")  # wrong
    instance.api.deep(3)  # wrong
    instance.api.close()  # wrong
    text: str = instance.api.halve(3)  # wrong
    instance.api.open(Point(1, 2))  # wrong
    call_async(instance.api.open, Point(1, 2))  # wrong
    call_async(instance.api.open)  # wrong
    instance.types.Box(3)  # wrong
    instance.types.Box("a").name(3)  # wrong
    Point(1, 2).x = 3  # wrong
    Color.BLUE  # wrong
    wa.Ok(3).value.upper()  # wrong
    studio.instantiate(api=api)  # wrong


def area(shape: Shape) -> float:
    match shape:
        case ShapeCircle(radius):
            return radius
        case ShapeSquare() | ShapeNone():
            return 0.0
    assert_never(shape)  # wrong


class LaterLog:
    async def note(self, text: str) -> str:
        return text


async def say(text: str, color: studio.Color) -> int:
    return len(text)


counters.instantiate(log=LaterLog())  # wrong
studio.instantiate(api=Halves(), types=Halves(), say=say, may_fail=say)  # wrong


class Halves:
    def halve(self, number: str) -> int:
        return 0


def give(halves: Halves) -> Api:
    return halves  # wrong
"""

COUNTER_PROGRAM = """import asyncio
from typing import assert_type

import wasmartifact as wa
import counters
from wasmartifact.bindings import call_async


class Log:
    def note(self, text: str) -> int:
        if not text:
            raise wa.Err("nothing to note")
        return len(text)


class LaterLog:
    async def note(self, text: str) -> int:
        await asyncio.sleep(0)
        return Log().note(text)


later = counters.instantiate(log=LaterLog())
assert asyncio.run(call_async(later.note, "Zoë")) == 3
instance = counters.instantiate(log=Log())
with instance.Counter(10) as ten:
    assert_type(ten, counters.Counter)
    assert (ten.value(), type(ten).__name__, isinstance(ten, counters.Counter)) == (10, "Counter", True)
assert instance.ended() == 10
left = instance.Counter(value=100)
del left
assert instance.ended() == 110
instance.take(instance.Counter(1000), n=1)
assert (instance.ended(), instance.note("Zoë")) == (1110, 3)
try:
    instance.note("")
except wa.Err as problem:
    assert problem.value == "nothing to note"
    print("all right")
"""

#: Names that mean something in Python, in the text of packages, or twice.
HARD = """package hard:names@1.0.0;
interface typing {
  record sequence { wa: result<u8, string>, int: u8, str: string, float: f64, %tuple: tuple<s8>, bytes: list<u8>,
    %list: list<list<f32>>, builtins: option<option<string>>, %bool: bool, other: bool, FF: f, self: u8, value: u8 }
  record f { x: u8 }
  variant none { none, true(none-such), self }
  enum none-such { none, name, value, mro }
  flags %flags { none, name, x }
  type %type = sequence;
  type again = %type;
  variant f-g { h(u8) }
  record f-g-h { value: list<bool> }
  resource typing { constructor(cls: u8); wit-name: func() -> list<u8>; staticmethod: static func() -> u8;
    closed: func() -> bool; after: static func(typing: borrow<typing>) -> typing; %list: func() -> list<string>;
    many: func(a: list<typing>) -> option<list<string>>; }
}
interface exports {
  use typing.{typing as exports-interface, f as protocol, none as any, sequence};
  resource wa { new: static func() -> wa; }
  resource exports { }
  new-wa: func() -> u8;
  %bool: func(self: bool, cls: bool, %list: list<bool>, wit-name: u8) -> list<bool>;
  builtins: func(a: list<exports-interface>) -> result<list<string>, list<u8>>;
  instantiate: func(a: any, b: sequence, c: protocol) -> result<_, protocol>;
  keys: func() -> tuple<string, list<tuple<u8, u8>>>;
  super: func(%export: borrow<exports>) -> exports;
}
world w {
  use typing.{none-such as instance};
  use exports.{wa};
  record %package { %package: instance, super: bool }
  import typing; import exports; import store: func(a: %package) -> result<list<u8>>; import wasi: func();
  import instance2: interface { use typing.{f}; type f-alias = f; get: func(a: list<f-alias>); }
  export exports; export typing;
  export component: func() -> u8; export instantiate: func() -> u8; export self: func(self: %package) -> list<bool>;
  export api: interface { record f { x: u8 } get: func() -> f; }
  export other:api/api;
}
package other:api { interface api { record f { x: u8 } %import: func() -> f; } }
"""
