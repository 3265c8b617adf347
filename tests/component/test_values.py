"""Values, resources, imports and errors of components, from Python."""

from __future__ import annotations

import array
import asyncio
import gc
import random
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.component.libc import LIBC
from tests.fuzz.components import FUNCTIONS, Type, component, random_type, random_value, run_ours

#: A resource with a destructor that counts, and functions that take and give it; a record; a host function.
COUNTER = (
    """(component
  (import "example:host/log" (instance $log
    (export "note" (func (param "text" string) (result (result u32 (error string)))))))
  """
    + LIBC
    + """
  (core module $ends (global $ended (mut i32) (i32.const 0))
    (func (export "end") (param i32) (global.set $ended (i32.add (global.get $ended) (local.get 0))))
    (func (export "ended") (result i32) (global.get $ended)))
  (core instance $ends (instantiate $ends))
  (type $counter' (resource (rep i32) (dtor (core func $ends "end"))))
  (core func $new (canon resource.new $counter'))
  (core func $drop (canon resource.drop $counter'))
  (core func $note (canon lower (func $log "note") (memory $memory) (realloc $realloc)))
  (core module $code
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "note" (func $note (param i32 i32 i32)))
    (import "" "memory" (memory 1))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "value") (param i32) (result i32) (local.get 0))
    (func (export "take") (param i32) (call $drop (local.get 0)))
    (func (export "trap") (unreachable))
    (func (export "note") (param i32 i32) (result i32)
      (call $note (local.get 0) (local.get 1) (i32.const 16)) (i32.const 16)))
  (core instance $code (instantiate $code (with "" (instance
    (export "new" (func $new)) (export "drop" (func $drop)) (export "note" (func $note))
    (export "memory" (memory $memory))))))
  (export $counter "counter" (type $counter'))
  (func (export "[constructor]counter") (param "value" u32) (result (own $counter))
    (canon lift (core func $code "make")))
  (func (export "[method]counter.value") (param "self" (borrow $counter)) (result u32)
    (canon lift (core func $code "value")))
  (func (export "take") (param "it" (own $counter)) (param "n" u8) (canon lift (core func $code "take2")))
  (func (export "merge") (param "it" (own $counter)) (param "other" (borrow $counter))
    (canon lift (core func $code "take2")))
  (func (export "ended") (result u32) (canon lift (core func $ends "ended")))
  (func (export "trap") (canon lift (core func $code "trap")))
  (func (export "note") (param "text" string) (result (result u32 (error string)))
    (canon lift (core func $code "note") (memory $memory) (realloc $realloc))))
""".replace(
        '(func (export "trap") (unreachable))',
        '(func (export "trap") (unreachable))\n    (func (export "take2") (param i32 i32) (call $drop (local.get 0)))',
    )
)


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> wa.Component:
    output = tmp_path_factory.mktemp("counter") / "counter.so"
    wa.pack(COUNTER.encode(), output, opt_level=0)
    return load(output)


def load(path: Path) -> wa.Component:
    loaded = wa.load(path)
    assert isinstance(loaded, wa.Component)
    return loaded


def instance_of(counters: wa.Component, note: Any = len) -> wa.ComponentInstance:
    return counters.instantiate({"example:host/log": {"note": note}})


@pytest.mark.parametrize("seed", range(4))
def test_values_come_back_as_they_were(seed: int, tmp_path: Path) -> None:
    source = random.Random(seed)
    types = [random_type(source, source.randint(0, 4)) for _ in range(FUNCTIONS)]
    values = [[random_value(source, type_) for _ in range(4)] for type_ in types]
    assert list(run_ours(component(types), types, values, tmp_path)) == []


def test_resources_end_once(counters: wa.Component) -> None:
    instance = instance_of(counters)
    one = instance.Counter(1)
    assert one.value() == 1
    assert instance.ended() == 0
    one.close()
    one.close()
    assert (one.closed, instance.ended()) == (True, 1)
    with pytest.raises(ValueError, match="closed"):
        one.value()
    with instance.Counter(10) as ten:
        assert ten.value() == 10
    assert instance.ended() == 11
    hundred = instance.Counter(value=100)
    del hundred
    gc.collect()
    assert instance.ended() == 111
    instance.take(instance.Counter(1000), 1)
    assert instance.ended() == 1111


def test_a_wrong_argument_consumes_nothing(counters: wa.Component) -> None:
    instance, other = instance_of(counters), instance_of(counters)
    one = instance.Counter(1)
    for wrong, error in (
        ((one, 300), OverflowError),
        ((one, "x"), TypeError),
        ((one,), TypeError),
        ((3, 3), TypeError),
    ):
        with pytest.raises(error):
            instance.take(*wrong)
        assert one.value() == 1
    with pytest.raises(ValueError, match="another instance"):
        other.take(one, 1)
    instance.take(one, 1)
    assert (one.closed, instance.ended(), other.ended()) == (True, 1, 0)


class Meanwhile:
    """An integer whose conversion does something first."""

    def __init__(self, first: Callable[[], object]) -> None:
        self.first = first

    def __index__(self) -> int:
        self.first()
        return 1


def test_a_resource_that_is_on_its_way_is_not_closed(counters: wa.Component) -> None:
    """Python code runs while later arguments are converted."""
    instance = instance_of(counters)
    one = instance.Counter(1)
    with pytest.raises(ValueError, match="lent to a call"):
        instance.take(one, Meanwhile(one.close))
    assert (one.value(), one.closed, instance.ended()) == (1, False, 0)
    instance.take(one, Meanwhile(gc.collect))
    assert (one.closed, instance.ended()) == (True, 1)


def test_a_resource_is_not_given_away_and_lent_at_once(counters: wa.Component) -> None:
    instance = instance_of(counters)
    one, two = instance.Counter(1), instance.Counter(20)
    with pytest.raises(ValueError, match="argument twice"):
        instance.merge(one, one)
    assert one.value() == 1
    instance.merge(one, two)
    assert (one.closed, two.value(), instance.ended()) == (True, 20, 1)


@pytest.mark.parametrize("error", [KeyError, RecursionError, MemoryError, KeyboardInterrupt])
def test_what_a_conversion_raises_leaves_the_instance_usable(
    counters: wa.Component, error: type[BaseException]
) -> None:
    def fail() -> None:
        raise error

    instance = instance_of(counters)
    one = instance.Counter(1)
    with pytest.raises(error):
        instance.take(one, Meanwhile(fail))
    instance.take(one, 1)
    assert instance.ended() == 1


def test_a_record_of_the_wrong_length(tmp_path: Path) -> None:
    """`tuple.__new__` makes objects of a record's class that lack its fields."""
    text = """(component
      (core module $code (memory (export "memory") 1)
        (func (export "same") (param i32 i32) (result i32)
          (i32.store (i32.const 16) (local.get 0)) (i32.store (i32.const 20) (local.get 1)) (i32.const 16)))
      (core instance $code (instantiate $code))
      (alias core export $code "memory" (core memory $memory))
      (type $point' (record (field "x" s32) (field "y" s32)))
      (export $point "point" (type $point'))
      (func (export "same") (param "of" $point) (result $point)
        (canon lift (core func $code "same") (memory $memory))))"""
    wa.pack(text.encode(), tmp_path / "point.so", opt_level=0)
    instance = load(tmp_path / "point.so").instantiate()
    point = instance.same({"x": 3, "y": -4})
    assert (point.x, point.y) == (3, -4)
    assert instance.same(point) == point
    for length in (0, 1):
        with pytest.raises((TypeError, IndexError)):
            instance.same(tuple.__new__(type(point), range(length)))
    assert instance.same(point) == point


def test_names_that_python_keeps_for_itself(tmp_path: Path) -> None:
    """Parameters, fields and cases whose names are keywords of Python have an underscore more there."""
    text = """(component
      (core module $code (memory (export "memory") 1)
        (func (export "minus") (param i32 i32) (result i32) (i32.sub (local.get 0) (local.get 1)))
        (func (export "turn") (param i32) (result i32) (i32.eqz (local.get 0))))
      (core instance $code (instantiate $code))
      (type $choice' (variant (case "none") (case "true")))
      (export $choice "choice" (type $choice'))
      (func (export "minus") (param "from" u32) (param "less-than" u32) (result u32)
        (canon lift (core func $code "minus")))
      (func (export "class") (param "in" u32) (param "self" u32) (result u32)
        (canon lift (core func $code "minus")))
      (func (export "turn") (param "choice" $choice) (result $choice) (canon lift (core func $code "turn"))))"""
    wa.pack(text.encode(), tmp_path / "names.so", opt_level=0)
    instance = load(tmp_path / "names.so").instantiate()
    assert instance.minus(from_=9, less_than=2) == 7
    assert instance.minus(**{"from": 9}, less_than_=2) == 7
    assert instance.class_(self_=1, in_=3) == instance.class_(3, self=1) == 2
    for wrong in ({"from_": 9}, {"from_": 9, "less_than": 2, "from": 9}, {"from__": 9, "less_than": 2}):
        with pytest.raises(TypeError, match="minus"):
            instance.minus(**wrong)
    with pytest.raises(TypeError, match="given twice"):
        instance.minus(9, 2, from_=9)
    assert instance.turn(instance.Choice.None_()) == instance.Choice.True_()


def test_a_trap_ends_its_instance_alone(counters: wa.Component) -> None:
    store = wa.Store()
    first = counters.instantiate({"example:host/log": {"note": len}}, store=store)
    second = counters.instantiate({"example:host/log": {"note": len}}, store=store)
    with pytest.raises(wa.Trap) as trap:
        first.trap()
    assert trap.value.facts["code"] == "unreachable"
    with pytest.raises(wa.Trap) as again:
        first.ended()
    assert again.value.facts["code"] == "cannot_enter_component"
    assert second.ended() == 0


def test_results_are_values_or_errors(counters: wa.Component) -> None:
    def note(text: str) -> int:
        if not text:
            raise wa.Err("nothing to note")
        return len(text)

    instance = instance_of(counters, note)
    assert instance.note("Zoë") == 3
    with pytest.raises(wa.Err) as problem:
        instance.note("")
    assert problem.value.value == "nothing to note"
    assert instance.note("still there") == 11


def test_a_host_function_that_raises(counters: wa.Component) -> None:
    def note(text: str) -> int:
        raise KeyError(text)

    instance = instance_of(counters, note)
    with pytest.raises(KeyError, match="text"):
        instance.note("text")
    with pytest.raises(wa.Trap, match="cannot enter"):
        instance.ended()


#: Imports of each place that one can have: by itself, in an interface, of a resource; with results and without.
HOSTED = """(component
  (import "plain" (func $plain (result u8)))
  (import "of:some/host" (instance $host
    (export "blob" (type $blob (sub resource)))
    (export "[constructor]blob" (func (result (own $blob))))
    (export "[method]blob.read" (func (param "self" (borrow $blob)) (result char)))
    (export "quiet" (func))))
  (alias export $host "blob" (type $blob))
  (core func $plain (canon lower (func $plain)))
  (core func $new (canon lower (func $host "[constructor]blob")))
  (core func $read (canon lower (func $host "[method]blob.read")))
  (core func $quiet (canon lower (func $host "quiet")))
  (core module $code
    (import "" "plain" (func $plain (result i32)))
    (import "" "new" (func $new (result i32)))
    (import "" "read" (func $read (param i32) (result i32)))
    (import "" "quiet" (func $quiet))
    (func (export "plain") (drop (call $plain)))
    (func (export "read") (drop (call $read (call $new))))
    (func (export "quiet") (call $quiet)))
  (core instance $code (instantiate $code (with "" (instance
    (export "plain" (func $plain)) (export "new" (func $new)) (export "read" (func $read))
    (export "quiet" (func $quiet))))))
  (func (export "plain") (canon lift (core func $code "plain")))
  (func (export "read") (canon lift (core func $code "read")))
  (func (export "quiet") (canon lift (core func $code "quiet"))))
"""


def test_errors_name_the_host_function(tmp_path: Path) -> None:
    wa.pack(HOSTED.encode(), tmp_path / "hosted.so", opt_level=0)
    hosted = load(tmp_path / "hosted.so")

    class Blob:
        def read(self) -> str:
            return "two"

    imports: dict[str, Any] = {"plain": lambda: 256, "of:some/host": {"blob": Blob, "quiet": lambda: 5}}
    for name, error, words in (
        ("plain", OverflowError, "plain: result: expected a u8, from 0 to 255, found 256"),
        ("read", TypeError, "of:some/host#[method]blob.read: result: expected a str of one character, found str"),
        ("quiet", TypeError, "of:some/host#quiet: result: the host function must return None, found int"),
    ):
        with pytest.raises(error) as caught:
            getattr(hosted.instantiate(imports), name)()
        assert str(caught.value) == words


def test_a_resource_that_is_missing_can_be_a_class(tmp_path: Path) -> None:
    wa.pack(HOSTED.encode(), tmp_path / "hosted.so", opt_level=0)
    advice = (
        r"imports\['of:some/host'\]\['\[constructor\]blob'\], or with a class as imports\['of:some/host'\]\['blob'\]$"
    )
    with pytest.raises(wa.UnlinkableModule, match=advice):
        load(tmp_path / "hosted.so").instantiate({"plain": int, "of:some/host": {"quiet": print}})


def test_a_host_function_cannot_call_back(counters: wa.Component) -> None:
    holder: list[wa.ComponentInstance] = []

    def note(text: str) -> int:
        return int(holder[0].ended())

    holder.append(instance_of(counters, note))
    with pytest.raises(wa.Trap, match="cannot enter"):
        holder[0].note("x")


def test_a_coroutine_has_nobody_to_wait_for_it(counters: wa.Component) -> None:
    async def note(text: str) -> int:
        return len(text)

    with pytest.raises(TypeError, match="coroutine"):
        instance_of(counters, note).note("four")


def test_functions_are_called_from_asyncio(counters: wa.Component) -> None:
    async def note(text: str) -> int:
        await asyncio.sleep(0)
        return len(text)

    async def work() -> tuple[int, int, int]:
        guest: Any = instance_of(counters, note)
        counter = guest.Counter(7)
        method = counter.value
        with pytest.raises(wa.Err, match="wrong"):
            await failing(counters).note.call_async("x")
        return await guest.note.call_async("four"), await method.call_async(), method()

    assert asyncio.run(work()) == (4, 7, 7)


def failing(counters: wa.Component) -> Any:
    async def note(text: str) -> int:
        raise wa.Err("wrong")

    return instance_of(counters, note)


def test_a_call_that_is_cancelled_ends_its_guest(tmp_path: Path) -> None:
    text = """(component (core module $m (func (export "f") (loop $l (br $l)))) (core instance $i (instantiate $m))
      (func (export "f") (canon lift (core func $i "f"))))"""
    wa.pack(text.encode(), tmp_path / "endless.so", opt_level=0)
    instance: Any = load(tmp_path / "endless.so").instantiate()

    async def work() -> None:
        async with asyncio.timeout(0.05):
            await instance.f.call_async()

    with pytest.raises(TimeoutError):
        asyncio.run(work())
    with pytest.raises(wa.Trap, match="cannot enter"):  # as after any trap
        instance.f()


def test_methods_that_are_taken_off_keep_their_resource(counters: wa.Component) -> None:
    guest: Any = instance_of(counters, len)
    method = guest.Counter(9).value
    gc.collect()
    assert guest.ended() == 0
    assert [method(), method.__name__] == [9, "[method]counter.value"]
    for wrong in ((1,), (1,) * 40):
        with pytest.raises(TypeError, match="takes 1 arguments"):
            method(*wrong)
    with pytest.raises(TypeError, match="no parameter"):
        method(other=1)
    del method
    gc.collect()
    assert guest.ended() == 9


def test_a_component_goes_with_its_last_reference(tmp_path: Path) -> None:
    """Its file is unmapped without a collection; a function that was taken off keeps what it needs."""
    text = """(component (import "note" (func $note (result u32))) (core func $n (canon lower (func $note)))
      (core module $m (import "" "n" (func $n (result i32)))
        (func (export "f") (result i32) (call $n)))
      (core instance $i (instantiate $m (with "" (instance (export "n" (func $n))))))
      (type $kind' (enum "plain" "odd")) (export $kind "kind" (type $kind'))
      (func (export "f") (result $kind) (canon lift (core func $i "f"))))"""
    wa.pack(text.encode(), tmp_path / "a.so", opt_level=0)
    gc.collect()
    gc.disable()
    try:
        component = load(tmp_path / "a.so")
        instance: Any = component.instantiate({"note": lambda: 1})
        taken, watch = instance.f, weakref.ref(component)
        assert repr(component.instantiate({"note": lambda: 0}).f()) == "<Kind.PLAIN: 'plain'>"
        del component, instance
        assert taken() == "odd"
        del taken
        assert watch() is None
        assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    finally:
        gc.enable()


def test_imports_by_attributes_and_by_compatible_versions(tmp_path: Path) -> None:
    text = """(component (import "example:host/log@1.2.3" (instance $log (export "the-answer" (func (result u32)))))
      (core func $f (canon lower (func $log "the-answer")))
      (core module $m (import "" "f" (func $f (result i32))) (func (export "f") (result i32) (call $f)))
      (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
      (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
    wa.pack(text.encode(), tmp_path / "a.so", opt_level=0)
    loaded = load(tmp_path / "a.so")

    class Log:
        @staticmethod
        def the_answer() -> int:
            return 42

    for given in (Log, {"the-answer": Log.the_answer}, {"the_answer": Log.the_answer}):
        assert loaded.instantiate({"example:host/log@1.9.0": given}).f() == 42
    for wrong in ({}, {"example:host/log@2.0.0": Log}, {"example:host/log@1.2.3": {"the-answer": 3}}):
        with pytest.raises(wa.UnlinkableModule, match="the-answer"):
            loaded.instantiate(wrong)
    with pytest.raises(TypeError, match="mapping"):
        loaded.instantiate(3)  # type: ignore[arg-type]


def test_wrappers_have_types_for_checkers() -> None:
    assert wa.Ok[int](3) == wa.Ok(3) and wa.Err[str]("x") == wa.Err("x") and wa.Some[None](None) == wa.Some()
    assert str(wa.Ok[int]) == "wasmartifact.runtime.component_types.Ok[int]"


def test_lists_of_numbers_are_buffers(tmp_path: Path) -> None:
    types: list[Type] = [("list", (), ((kind, (), ()),)) for kind in ("u8", "s16", "f64")]
    wa.pack(component(types), tmp_path / "a.so", opt_level=0)
    seen: list[Any] = []

    def echo(value: Any) -> Any:
        seen.append(value)
        return value

    imports = {f"g{number}": echo for number in range(3)}
    instance = load(tmp_path / "a.so").instantiate(imports)
    numbers = array.array("d", [1.5, -2.5])
    assert instance.f2(numbers) == memoryview(numbers)
    assert isinstance(seen[-1], memoryview)
    assert instance.f0(b"bytes") == bytes(bytearray(b"bytes"))
    assert instance.f0(memoryview(b"..bytes")[2:]) == b"bytes"
    assert list(instance.f1(array.array("h", [1, -2]))) == [1, -2]
    assert list(instance.f1((1, -2))) == [1, -2]
    for wrong, error in (
        (array.array("i", [1]), TypeError), (array.array("H", [1]), TypeError), ("text", TypeError),
        ([40000], OverflowError),
        ([1, "x"], TypeError), (3, TypeError),
    ):  # fmt: skip
        with pytest.raises(error, match="f1: argument x"):
            instance.f1(wrong)


def test_wasi_has_arguments_streams_clocks_and_random(tmp_path: Path) -> None:
    text = """(component
      (import "wasi:random/random@0.2.3" (instance $random (export "get-random-u64" (func (result u64)))))
      (import "wasi:cli/exit@0.2.3" (instance $exit (export "exit" (func (param "status" (result))))))
      (import "wasi:clocks/monotonic-clock@0.2.3" (instance $clock (export "now" (func (result u64)))))
      (core func $random (canon lower (func $random "get-random-u64")))
      (core func $exit (canon lower (func $exit "exit")))
      (core func $now (canon lower (func $clock "now")))
      (core module $m
        (import "" "random" (func $random (result i64)))
        (import "" "exit" (func $exit (param i32)))
        (import "" "now" (func $now (result i64)))
        (export "random" (func $random)) (export "exit" (func $exit)) (export "now" (func $now)))
      (core instance $i (instantiate $m (with "" (instance
        (export "random" (func $random)) (export "exit" (func $exit)) (export "now" (func $now))))))
      (func (export "random") (result u64) (canon lift (core func $i "random")))
      (func (export "now") (result u64) (canon lift (core func $i "now")))
      (func (export "exit") (param "status" (result)) (canon lift (core func $i "exit"))))"""
    wa.pack(text.encode(), tmp_path / "a.so", opt_level=0)
    loaded = load(tmp_path / "a.so")
    instance = loaded.instantiate(wa.Wasi())
    assert len({instance.random() for _ in range(5)}) == 5
    assert instance.now() <= instance.now()
    with pytest.raises(wa.Exit) as end:
        instance.exit(wa.Err())
    assert end.value.code == 1
    with pytest.raises(wa.UnlinkableModule, match="Wasi"):
        loaded.instantiate({})


FIRST = """
import sys
import wasmartifact as wa

class Other(Exception): pass

def fail(text):
    raise wa.Err("first") if sys.argv[2] == "Err" else Other("first")

try:
    wa.load(sys.argv[1]).instantiate({"example:host/log": {"note": fail}}).note("x")
except Exception as problem:
    print(type(problem).__name__, problem.__cause__)
"""


@pytest.mark.parametrize("name", ["Err", "Other"])
def test_the_first_exception_of_a_process(name: str, counters: wa.Component) -> None:
    """What looks at it imports the classes of results, and must not do so with an exception set."""
    assert counters.path is not None
    command = [sys.executable, "-c", FIRST, counters.path, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{name} None\n"
