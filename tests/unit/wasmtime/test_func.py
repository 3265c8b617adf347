"""Functions: made of Python callables, called from both sides, with every kind of argument and result."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import pytest

from .harness import exports, func_type, instantiate

CALL_BACK = '(module (import "" "" (func $f)) (func (export "run") call $f))'


@pytest.mark.core
def test_callable_becomes_a_function(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w), lambda: None)
    assert func(store) is None
    assert isinstance(func.type(store), w.FuncType)


@pytest.mark.core
def test_arguments_and_result(w: ModuleType, store: Any) -> None:
    add = w.Func(store, func_type(w, "i32 i32", "i32"), lambda a, b: a + b)
    assert add(store, 1, 2) == 3
    assert add.type(store).params == [w.ValType.i32(), w.ValType.i32()]
    assert add.type(store).results == [w.ValType.i32()]


@pytest.mark.core
@pytest.mark.parametrize(("name", "value"), [("i32", 1), ("i64", 2), ("f32", 3.0), ("f64", 4.0)])
def test_number_or_val_as_argument(w: ModuleType, store: Any, name: str, value: float) -> None:
    seen: list[float] = []
    func = w.Func(store, func_type(w, name), seen.append)
    func(store, value)
    func(store, getattr(w.Val, name)(value))
    assert seen == [value, value]
    assert {type(one) for one in seen} == {type(value)}


@pytest.mark.core
def test_many_results_are_a_list(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "", "i32 i32"), lambda: [1, 2])
    assert func(store) == [1, 2]
    assert isinstance(func(store), list)


def test_many_results_may_be_a_tuple(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "", "i32 f64"), lambda: (1, 0.5))
    assert func(store) == [1, 0.5]


@pytest.mark.core
def test_all_number_types_in_both_directions(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32 i64 f32 f64", "f64 f32 i64 i32"), lambda *args: args[::-1])
    assert func(store, 1, 2, 3.0, 4.0) == [4.0, 3.0, 2, 1]


def test_integers_arrive_signed(w: ModuleType, store: Any) -> None:
    seen: list[int] = []
    func = w.Func(store, func_type(w, "i32 i64"), lambda a, b: seen.extend((a, b)))
    func(store, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
    func(store, -(1 << 31), -(1 << 63))
    assert seen == [-1, -1, -(1 << 31), -(1 << 63)]


#: What an integer too large for its type becomes; programs compute with unsigned or longer ones, and rely on it.
TOO_LARGE = [
    ("i32", (1 << 40) + 5, 5),
    ("i32", -(2**31) - 1, 2**31 - 1),
    ("i32", 2**64 - 1, -1),
    ("i64", 2**64 + 7, 7),
    ("i64", -13831680398511308800, 4615063675198242816),
]


@pytest.mark.parametrize(("name", "given", "held"), TOO_LARGE)
def test_integer_that_is_too_large_wraps(w: ModuleType, store: Any, name: str, given: int, held: int) -> None:
    echo = f'(module (func (export "f") (param {name} f32) (result {name}) (local.get 0)))'
    func = exports(w, store, echo)["f"]
    assert func(store, given, 1.0) == held
    both = w.Func(store, func_type(w, f"{name} externref", f"{name} externref"), lambda *given: given)
    assert both(store, given, "beside it") == [held, "beside it"]


def test_overflow_of_a_host_function_is_its_own(w: ModuleType, store: Any) -> None:
    """The call has begun: it is not made a second time."""
    seen: list[int] = []

    def overflow(number: int) -> None:
        seen.append(number)
        raise OverflowError("mine")

    with pytest.raises(OverflowError, match="mine"):
        w.Func(store, func_type(w, "i32"), overflow)(store, 1 << 40)
    assert seen == [0]


def test_functions_are_told_apart(w: ModuleType, store: Any) -> None:
    """wasmhost does it that way, for want of another one in wasmtime-py."""
    text = """
        (module
          (table (export "t") funcref (elem $f $f $g))
          (func $f (export "f"))
          (func $g))"""
    found = exports(w, store, text)
    funcs = [found["f"], *(found["t"].get(store, index) for index in range(3))]
    keys = [(one._func.store_id, getattr(one._func, "__private")) for one in funcs]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_bool_counts_as_an_integer(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32 i64", "i32"), lambda a, b: a + b)
    assert func(store, True, False) == 1


def test_host_function_may_return_a_val(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "", "i64"), lambda: w.Val.i64(-5))
    assert func(store) == -5


def test_infinities_and_nan_pass(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "f64 f32", "f64 f32"), lambda a, b: (a, b))
    assert func(store, math.inf, -math.inf) == [math.inf, -math.inf]
    assert all(map(math.isnan, func(store, math.nan, math.nan)))


# ---- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.core
def test_function_takes_a_store_and_a_type(w: ModuleType, store: Any) -> None:
    for bad in (1, None, store.engine):
        with pytest.raises(TypeError):
            w.Func(bad, func_type(w), lambda: None)
    for bad in (1, None, "i32", w.ValType.i32()):
        with pytest.raises(TypeError):
            w.Func(store, bad, lambda: None)


@pytest.mark.core
def test_number_of_arguments_is_checked(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32"), lambda a: None)
    with pytest.raises(w.WasmtimeError, match="too many parameters provided: given 2, expected 1"):
        func(store, 1, 2)
    with pytest.raises(w.WasmtimeError, match="too few parameters provided: given 0, expected 1"):
        func(store)


@pytest.mark.core
@pytest.mark.parametrize(
    ("name", "bad"),
    [("i32", 3.0), ("i64", 3.5), ("f32", "1"), ("f64", None), ("i32", None), ("i32", "1"), ("i32", b"1")],
)
def test_argument_of_another_kind(w: ModuleType, store: Any, name: str, bad: object) -> None:
    func = w.Func(store, func_type(w, name), lambda a: None)
    with pytest.raises(TypeError):
        func(store, bad)


@pytest.mark.core
def test_val_of_another_type(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32"), lambda a: None)
    for value in (w.Val.f64(3.0), w.Val.externref(3), w.Val.funcref(None)):
        with pytest.raises(TypeError):
            func(store, value)


@pytest.mark.differs("numbers cross without a look at each: a Val serves as the integer, or the float, that it holds")
def test_val_of_another_size(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32"), lambda a: None)
    with pytest.raises(TypeError):
        func(store, w.Val.i64(3))


@pytest.mark.core
def test_host_result_where_none_is_expected(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32"), lambda a: a)
    with pytest.raises(w.WasmtimeError, match="produced results"):
        func(store, 1)


@pytest.mark.core
def test_one_host_result_where_many_are_expected(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "", "i32 i32"), lambda: 1)
    with pytest.raises(TypeError):
        func(store)


@pytest.mark.core
def test_wrong_number_of_host_results(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "", "i32 i32"), lambda: [1, 2, 3])
    with pytest.raises(w.WasmtimeError, match="wrong number of results"):
        func(store)


@pytest.mark.parametrize("bad", ["text", None, 1.5, [1]])
def test_host_result_of_another_kind(w: ModuleType, store: Any, bad: object) -> None:
    func = w.Func(store, func_type(w, "", "i32"), lambda: bad)
    with pytest.raises(TypeError):
        func(store)


def test_host_function_with_other_parameters(w: ModuleType, store: Any) -> None:
    func = w.Func(store, func_type(w, "i32"), lambda: None)
    with pytest.raises(TypeError):
        func(store, 1)


def test_what_can_not_be_called(w: ModuleType, store: Any) -> None:
    """Here when it is called, there when it is made."""
    with pytest.raises(TypeError):
        w.Func(store, func_type(w), 3)(store)


# ---- exceptions ----------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_exception_of_a_host_function_comes_out(w: ModuleType, store: Any) -> None:
    error = LookupError("hello")

    def fail() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        w.Func(store, func_type(w), fail)(store)
    assert caught.value is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, OSError, AssertionError])
def test_any_exception_crosses_the_guest(w: ModuleType, store: Any, kind: type[BaseException]) -> None:
    error = kind("words")

    def fail() -> None:
        raise error

    run = exports(w, store, CALL_BACK, [w.Func(store, func_type(w), fail)])["run"]
    with pytest.raises(kind) as caught:
        run(store)
    assert caught.value is error


def test_trap_that_a_host_function_raises(w: ModuleType, store: Any) -> None:
    def fail() -> None:
        raise w.Trap("own words")

    run = exports(w, store, CALL_BACK, [w.Func(store, func_type(w), fail)])["run"]
    with pytest.raises(w.Trap) as caught:
        run(store)
    assert caught.value.message == "own words"
    assert caught.value.trap_code is None


def test_instance_goes_on_after_an_exception(w: ModuleType, store: Any) -> None:
    failing = [True, False]

    def fail() -> None:
        if failing.pop(0):
            raise ValueError("once")

    run = exports(w, store, CALL_BACK, [w.Func(store, func_type(w), fail)])["run"]
    with pytest.raises(ValueError, match="once"):
        run(store)
    assert run(store) is None


def test_exception_within_a_nested_call(w: ModuleType, store: Any) -> None:
    """From the inner guest through the host function to the outer guest, where the host catches it."""
    inner = exports(w, store, '(module (func (export "run") unreachable))')["run"]
    caught: list[Any] = []

    def middle() -> None:
        try:
            inner(store)
        except w.Trap as trap:
            caught.append(trap.trap_code)

    exports(w, store, CALL_BACK, [w.Func(store, func_type(w), middle)])["run"](store)
    assert caught == [w.TrapCode.UNREACHABLE]


# ---- the caller ----------------------------------------------------------------------------------------------------

START_CALLS = """
    (module
      (import "" "" (func $f))
      (memory (export "foo") 1)
      (data (i32.const 0) "foo")
      (start $f))"""


@pytest.mark.core
def test_caller_from_python_has_no_exports(w: ModuleType, store: Any) -> None:
    found: list[object] = []
    func = w.Func(store, func_type(w), lambda caller: found.extend(map(caller.get, ("", "x"))), access_caller=True)
    func(store)
    assert found == [None, None]


@pytest.mark.core
def test_caller_reads_the_memory_of_the_guest(w: ModuleType, store: Any) -> None:
    found: list[Any] = []

    def look(caller: Any) -> None:
        memory = caller.get("foo")
        found.extend((isinstance(caller, w.Caller), isinstance(memory, w.Memory), caller.get("bar")))
        found.append(bytes(memory.data_ptr(caller)[0:4]))
        found.append(bytes(memory.read(caller, 0, 4)))
        found.append(memory.data_len(caller))

    instantiate(w, store, START_CALLS, [w.Func(store, func_type(w), look, access_caller=True)])
    assert found == [True, True, None, b"foo\0", b"foo\0", 65536]


@pytest.mark.core
def test_caller_ends_with_the_call(w: ModuleType, store: Any) -> None:
    kept: list[Any] = []
    instantiate(w, store, START_CALLS, [w.Func(store, func_type(w), kept.append, access_caller=True)])
    assert kept[0].get("foo") is None
    with pytest.raises(KeyError):
        kept[0]["foo"]


@pytest.mark.core
def test_caller_ends_with_an_exception(w: ModuleType, store: Any) -> None:
    kept: list[Any] = []

    def fail(caller: Any) -> None:
        kept.append(caller)
        assert caller["foo"] is not None
        raise w.WasmtimeError("foo")

    with pytest.raises(w.WasmtimeError, match="foo"):
        instantiate(w, store, START_CALLS, [w.Func(store, func_type(w), fail, access_caller=True)])
    assert kept[0].get("foo") is None


def test_caller_that_ended_is_no_store(w: ModuleType, store: Any) -> None:
    kept: list[Any] = []
    found = instantiate(w, store, START_CALLS, [w.Func(store, func_type(w), kept.append, access_caller=True)])
    memory = found.exports(store)["foo"]
    with pytest.raises(ValueError, match="no longer valid"):
        memory.size(kept[0])


def test_caller_is_a_mapping_with_errors(w: ModuleType, store: Any) -> None:
    found: list[Any] = []

    def look(caller: Any) -> None:
        found.append(caller["foo"].size(caller))
        with pytest.raises(KeyError, match="failed to find export bar"):
            caller["bar"]
        with pytest.raises(AttributeError):
            caller.get(3)

    instantiate(w, store, START_CALLS, [w.Func(store, func_type(w), look, access_caller=True)])
    assert found == [1]


def test_caller_stands_for_the_store(w: ModuleType, store: Any) -> None:
    """A host function calls the guest's exports, writes its memory, reads its global, all through the Caller."""
    found: list[Any] = []

    def work(caller: Any) -> None:
        found.append(caller["double"](caller, 21))
        caller["memory"].write(caller, b"hi", 5)
        caller["g"].set_value(caller, caller["g"].value(caller) + 1)
        caller["memory"].grow(caller, 1)

    text = """
        (module
          (import "" "" (func $work))
          (memory (export "memory") 1)
          (global (export "g") (mut i32) (i32.const 7))
          (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
          (func (export "run") call $work))"""
    out = exports(w, store, text, [w.Func(store, func_type(w), work, access_caller=True)])
    out["run"](store)
    assert found == [42]
    assert bytes(out["memory"].read(store, 5, 7)) == b"hi"
    assert out["g"].value(store) == 8
    assert out["memory"].size(store) == 2


def test_caller_finds_every_kind_of_export(w: ModuleType, store: Any) -> None:
    kinds: list[type] = []
    text = """
        (module
          (import "" "" (func $look))
          (memory (export "m") 1)
          (table (export "t") 1 funcref)
          (global (export "g") i32 (i32.const 1))
          (func (export "f"))
          (func (export "run") call $look))"""
    look = w.Func(store, func_type(w), lambda caller: kinds.extend(type(caller[name]) for name in "mtgf"), True)
    exports(w, store, text, [look])["run"](store)
    assert kinds == [w.Memory, w.Table, w.Global, w.Func]


def test_caller_then_arguments(w: ModuleType, store: Any) -> None:
    seen: list[Any] = []

    def host(caller: Any, a: int, b: float) -> int:
        seen.append((type(caller), a, b))
        return a

    func = w.Func(store, func_type(w, "i32 f64", "i32"), host, True)
    assert func(store, 1, 2.0) == 1
    assert seen == [(w.Caller, 1, 2.0)]


# ---- both ways -------------------------------------------------------------------------------------------------------


def test_recursion_between_guest_and_host(w: ModuleType, store: Any) -> None:
    text = """
        (module
          (import "" "" (func $down (param i32) (result i32)))
          (func (export "run") (param i32) (result i32)
            (if (result i32) (local.get 0)
              (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
              (else (i32.const 0)))))"""
    run: list[Any] = []
    down = w.Func(store, func_type(w, "i32", "i32"), lambda n: run[0](store, n))
    run.append(exports(w, store, text, [down])["run"])
    assert run[0](store, 20) == 20


def test_host_function_is_kept_by_what_imports_it(w: ModuleType, store: Any) -> None:
    calls: list[int] = []
    run = exports(w, store, CALL_BACK, [w.Func(store, func_type(w), lambda: calls.append(1))])["run"]
    run(store)
    run(store)
    assert calls == [1, 1]
