"""Host functions: conversions both ways, exceptions through the guest, re-entrance, recursion, the caller."""

from __future__ import annotations

import subprocess
import sys
import traceback
from typing import Any

import pytest

import wasmartifact as wa
from tests.unit.runtime.harness import exports, instance, load

VALUE_TYPES = ("i32", "i64", "f32", "f64", "funcref", "externref")
THROUGH_WAT = "(module {} {})".format(
    "\n".join(f'(import "env" "{name}" (func ${name} (param {name}) (result {name})))' for name in VALUE_TYPES),
    "\n".join(
        f'(func (export "{name}") (param {name}) (result {name}) (call ${name} (local.get 0)))' for name in VALUE_TYPES
    ),
)


def through(function: Any) -> Any:
    """Exports that hand their argument to a Python function and return what it returns."""
    return exports(THROUGH_WAT, {"env": dict.fromkeys(VALUE_TYPES, function)})


@pytest.mark.parametrize(
    ("valtype", "given", "seen"),
    [
        ("i32", 2**32 - 1, -1),
        ("i64", 2**63, -(2**63)),
        ("f32", 0.5, 0.5),
        ("f64", -1e300, -1e300),
        ("funcref", None, None),
    ],
)
def test_values_arrive_in_python_and_return(valtype: str, given: Any, seen: Any) -> None:
    received = []

    def keep(value: Any) -> Any:
        received.append(value)
        return value

    assert through(keep)[valtype](given) == seen
    assert received == [seen]
    assert type(received[0]) is type(seen)


def test_references_keep_their_identity() -> None:
    anything = object()
    got = through(lambda value: value)
    assert got.externref(anything) is anything
    assert got.externref(None) is None
    host = wa.Func(lambda: None)
    assert got.funcref(host) is host
    assert got.funcref(got.i32) == got.i32


@pytest.mark.parametrize(
    ("valtype", "returned", "error", "message"),
    [
        ("i32", "x", TypeError, r"^env\.i32\(i32\) -> i32: result 1 must be an int \(i32\), found str$"),
        ("i32", None, TypeError, r"found None"),
        ("i32", 2**32, OverflowError, r"env\.i32.*result 1 is 4294967296"),
        ("f64", "1", TypeError, r"result 1 must be a float"),
        ("i32", (1,), TypeError, r"found tuple"),
        ("funcref", len, TypeError, r"a Func or None"),
    ],
)
def test_a_wrong_result_is_an_error_of_the_calling_code(
    valtype: str, returned: Any, error: type[Exception], message: str
) -> None:
    got = through(lambda value: returned)
    with pytest.raises(error, match=message):
        got[valtype](None if valtype == "funcref" else 0)


RESULTS_WAT = """(module
    (import "env" "none" (func $none (param i32)))
    (import "env" "two" (func $two (result i32 f64)))
    (func (export "none") (call $none (i32.const 7)))
    (func (export "two") (result i32 f64) (call $two)))"""


@pytest.mark.parametrize("returned", [(1, 2.5), [1, 2.5]])
def test_several_results_come_as_a_sequence(returned: Any) -> None:
    assert exports(RESULTS_WAT, {"env": {"none": lambda x: None, "two": lambda: returned}}).two() == (1, 2.5)


@pytest.mark.parametrize(
    ("returned", "message"),
    [((1,), "a tuple of 2 values, found 1 values"), (None, "a tuple of 2 values, found NoneType"), (5, "found int")],
)
def test_a_wrong_number_of_results(returned: Any, message: str) -> None:
    got = exports(RESULTS_WAT, {"env": {"none": lambda x: 5, "two": lambda: returned}})
    with pytest.raises(TypeError, match=message):
        got.two()
    with pytest.raises(TypeError, match=r"env\.none\(i32\) -> \(\): the host function must return None, found int"):
        got.none()


def test_an_exception_passes_through_the_guest_unchanged() -> None:
    error = KeyError("from the host")

    def fail(value: int) -> int:
        raise error

    got = through(fail)
    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            got.i32(1)
        assert caught.value is error
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert names[-1] == "fail"
        error.__traceback__ = None
    assert error.__cause__ is None
    assert error.__context__ is None


def test_base_exceptions_pass_too() -> None:
    def leave(value: int) -> int:
        raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        through(leave).i32(1)
    assert caught.value.code == 7


def test_an_exception_is_caught_between_two_guests() -> None:
    inner = through(lambda value: 1 // value)

    def guarded(value: int) -> int:
        try:
            return int(inner.i32(value))
        except ZeroDivisionError:
            return -1

    outer = through(guarded)
    assert [outer.i32(value) for value in (0, 1, 0, 1)] == [-1, 1, -1, 1]


def test_a_trap_is_caught_between_two_guests_and_host_code_goes_on() -> None:
    def again(value: int) -> int:
        try:
            return int(got.go(value - 1)) + 1
        except wa.Trap as trap:
            assert trap.code == "unreachable"
            assert len(trap.frames) == 1  # frames of the innermost call only
            return 100

    got = exports(
        """(module (import "env" "f" (func $f (param i32) (result i32)))
        (func (export "go") (param i32) (result i32)
          (if (i32.eqz (local.get 0)) (then unreachable)) (call $f (local.get 0))))""",
        {"env": {"f": again}},
    )
    assert got.go(3) == 102


def test_python_recursion_through_the_guest_ends_in_an_exception() -> None:
    got: Any = through(lambda value: got.i32(value + 1))
    with pytest.raises((RecursionError, wa.Trap)):
        got.i32(0)
    assert through(lambda value: value).i32(5) == 5


def test_stack_exhaustion_in_recursion_through_python_is_a_trap() -> None:
    # In a process of its own: here the first trap ever comes when the stack is nearly used up.
    program = """
import sys
import wasmartifact as wa
sys.setrecursionlimit(10**6)
artifact = wa.load(sys.argv[1])
def again(value):
    return got.i32(value + 1)
got = artifact.instantiate({"env": dict.fromkeys(["i32", "i64", "f32", "f64", "funcref", "externref"], again)}).exports
for _ in range(3):
    try:
        got.i32(0)
    except wa.Trap as trap:
        print(trap.code)
"""
    path = load(THROUGH_WAT).path
    assert path is not None
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["stack_exhausted"] * 3, done.stderr[-2000:]


CALLER_WAT = """(module (import "env" "who" (func $who (param i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 16) "caller")
    (func (export "ask") (param i32) (result i32) (call $who (local.get 0))))"""


def test_caller_gets_the_calling_instance() -> None:
    seen: list[Any] = []

    def who(caller: Any, address: int) -> int:
        seen.append(caller)
        return len(bytes(caller.exports.memory[address : address + 6]).strip(b"\0")) if caller else -1

    host = wa.Func(who, ["i32"], ["i32"], caller=True)
    first, second = (instance(CALLER_WAT, {"env": {"who": host}}) for _ in range(2))
    assert first.exports.ask(16) == 6
    assert second.exports.ask(18) == 4
    assert seen[0] is first
    assert seen[1] is second
    assert host(16) == -1
    assert seen[2] is None


def test_caller_lives_again_where_python_let_go_of_the_instance() -> None:
    host = wa.Func(lambda caller, address: caller.exports.memory[address], ["i32"], ["i32"], caller=True)
    ask = exports(CALLER_WAT, {"env": {"who": host}}).ask
    assert [ask(16), ask(17)] == list(b"ca")


def test_a_host_function_called_from_python_checks_alike() -> None:
    double = wa.Func(lambda value: value * 2, ["i32"], ["i32"])
    assert double(2**32 - 1) == -2
    assert double(2**30) == -(2**31)  # 2**31 fits i32, as a bit pattern
    with pytest.raises(OverflowError, match=r"argument 1"):
        double(2**32)
    with pytest.raises(OverflowError, match=r"result 1"):
        double(2**31)  # arrives as -2**31, and -2**32 is no i32
    with pytest.raises(TypeError, match=r"expects 1 arguments, found 0"):
        double()
    third = wa.Func(lambda value: value / 3, ["f32"], ["f32"])
    assert third(1.0) == pytest.approx(1 / 3, rel=1e-6)
    assert third(1.0) != 1 / 3
    pair = wa.Func(lambda: [1, "x"], [], ["i32", "externref"])
    assert pair() == (1, "x")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((5,), TypeError, "Func needs a callable, found int"),
        ((print, "i32"), TypeError, r"the string 'i32'"),
        ((print, ["i33"]), ValueError, "'i33' is no value type"),
        ((print, 5), TypeError, r"expected a list of value types"),
        ((print, [int]), TypeError, r'expected the name of a value type such as "i32", found <class \'int\'>'),
        ((print, ["i32"], [None]), TypeError, r'expected the name of a value type such as "i32", found None'),
    ],
)
def test_making_a_func_refuses(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        wa.Func(*arguments)


def test_functions_travel_as_values() -> None:
    got = exports(
        """(module (type $op (func (param i32) (result i32)))
        (table (export "table") 2 funcref)
        (func (export "apply") (param i32 i32) (result i32)
          (call_indirect (type $op) (local.get 1) (local.get 0)))
        (func (export "double") (param i32) (result i32) (i32.mul (i32.const 2) (local.get 0))))"""
    )
    calls = []

    def host(value: int) -> int:
        calls.append(value)
        return value + 1000

    got.table[0] = wa.Func(host, ["i32"], ["i32"])
    got.table[1] = got.double
    assert [got.apply(0, 5), got.apply(1, 5)] == [1005, 10]
    assert calls == [5]
    got.table[0] = wa.Func(host, ["i64"], ["i32"])
    with pytest.raises(wa.Trap) as caught:
        got.apply(0, 5)
    assert caught.value.code == "indirect_call_type_mismatch"
    got.table[0] = None
    with pytest.raises(wa.Trap) as caught:
        got.apply(0, 5)
    assert caught.value.code == "uninitialized_element"


def test_many_arguments_reach_python() -> None:
    count = 40
    params = " ".join(["i32"] * count)
    wat = f"""(module (import "env" "f" (func $f (param {params}) (result i32)))
        (func (export "go") (result i32) {" ".join(f"i32.const {index}" for index in range(count))} call $f))"""
    assert exports(wat, {"env": {"f": lambda *values: int(values == tuple(range(count)))}}).go() == 1
