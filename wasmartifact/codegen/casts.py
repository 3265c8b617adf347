"""Tests and casts of references (spec section 4.4.5): by the low bits of a value, then by the type of the object.

A type knows all its supertypes, by their depth: one look and one comparison, whatever the depth.
"""

from __future__ import annotations

from typing import Any, Final

from wasmartifact import schema
from wasmartifact.codegen.control import branch_if
from wasmartifact.codegen.emitter import INSTANCE, FunctionEmitter, Handler
from wasmartifact.codegen.irmodule import INVARIANT

_HEAPS: Final = schema.HEAP_TYPES
_RTT: Final = schema.RTT.offsets()
_TOPS: Final = frozenset(_HEAPS[name] for name in ("any", "extern", "func", "exn"))
_BOTTOMS: Final = frozenset(_HEAPS[name] for name in ("none", "noextern", "nofunc", "noexn"))
_KINDS: Final = {_HEAPS["struct"]: schema.TYPE_STRUCT, _HEAPS["array"]: schema.TYPE_ARRAY}

# What is known ----------------------------------------------------------------------------------------------------


def is_not_null(fn: FunctionEmitter, reference: str) -> bool:
    """Whether a reference is known not to be null."""
    return any(valtype & 0xFF == schema.VALTYPE_REF for valtype in fn.proven.get(reference, ()))


def _has_heap_type(fn: FunctionEmitter, reference: str, heap: int) -> bool:
    wanted = _canonical(fn, heap)
    return any(_canonical(fn, valtype >> 8) == wanted for valtype in fn.proven.get(reference, ()))


def _canonical(fn: FunctionEmitter, heap: int) -> int:
    return fn.context.canonical[heap] if heap < schema.HEAP_ABSTRACT else heap


def _is_object_or_null(fn: FunctionEmitter, reference: str) -> bool:
    return any(_is_of_objects(fn, valtype >> 8) for valtype in fn.proven.get(reference, ()))


def _is_of_objects(fn: FunctionEmitter, heap: int) -> bool:
    return heap in _KINDS or (heap < schema.HEAP_ABSTRACT and not fn.context.is_function_type(heap))


# Tests ------------------------------------------------------------------------------------------------------------


def _null(fn: FunctionEmitter, reference: str, is_meant: bool = True) -> str:
    return fn.define("c", f"icmp {'eq' if is_meant else 'ne'} i64 {reference}, 0")


def _test(fn: FunctionEmitter, reference: str, target: int, is_meant: bool = True) -> str:
    """The i1 that tells whether a reference is of a type, or that it is not if that is meant."""
    heap, nullable = target >> 8, target & 0xFF == schema.VALTYPE_REF_NULL
    if heap in _TOPS or _has_heap_type(fn, reference, heap):
        if nullable or is_not_null(fn, reference):
            return _constant(is_meant)
        return _null(fn, reference, not is_meant)
    if heap in _BOTTOMS:
        return _null(fn, reference, is_meant) if nullable else _constant(not is_meant)
    if heap == _HEAPS["i31"] or heap == _HEAPS["eq"]:
        test = (_test_tag if heap == _HEAPS["i31"] else _test_equatable)(fn, reference, nullable)
        return test if is_meant else fn.define("c", f"xor i1 {test}, true")
    return _test_object(fn, reference, heap, nullable, is_meant)


def _constant(is_true: bool) -> str:
    return "true" if is_true else "false"


def _test_tag(fn: FunctionEmitter, reference: str, nullable: bool) -> str:
    bits = fn.define("l", f"and i64 {reference}, {schema.REFERENCE_I31}")
    test = fn.define("c", f"icmp ne i64 {bits}, 0")
    return fn.define("c", f"or i1 {test}, {_null(fn, reference)}") if nullable else test


def _test_equatable(fn: FunctionEmitter, reference: str, nullable: bool) -> str:
    """All but handles of the embedder."""
    bits = fn.define("l", f"and i64 {reference}, {schema.REFERENCE_HANDLE}")
    test = fn.define("c", f"icmp eq i64 {bits}, 0")
    if nullable:
        return test
    return fn.define("c", f"and i1 {test}, {_null(fn, reference, False)}")


def _test_object(fn: FunctionEmitter, reference: str, heap: int, nullable: bool, is_meant: bool) -> str:
    """Of the type of an object or a function, null and other values aside."""
    is_function = heap < schema.HEAP_ABSTRACT and fn.context.is_function_type(heap)
    look = _test_function if is_function else _test_rtt
    asides = []
    if not is_not_null(fn, reference):
        asides.append((_null(fn, reference), _constant(nullable == is_meant)))
    if not is_function and not _is_object_or_null(fn, reference):
        bits = fn.define("l", f"and i64 {reference}, {schema.REFERENCE_TAGS}")
        asides.append((fn.define("c", f"icmp ne i64 {bits}, 0"), _constant(not is_meant)))
    if not asides:
        return look(fn, reference, heap, is_meant)
    number = fn.fresh()
    edges = []
    for place, (aside, answer) in enumerate(asides):
        edges.append(f"[ {answer}, %{fn.block} ]")
        fn.out.append(f"  br i1 {aside}, label %tested{number}, label %look{number}.{place}{fn.dbg}")
        fn.start_block(f"look{number}.{place}")
    test = look(fn, reference, heap, is_meant)
    edges.append(f"[ {test}, %{fn.block} ]")
    fn.out.append(f"  br label %tested{number}{fn.dbg}")
    fn.start_block(f"tested{number}")
    name = fn.name("c")
    fn.out.append(f"  {name} = phi i1 {', '.join(edges)}")
    return name


def _test_function(fn: FunctionEmitter, reference: str, type_index: int, is_meant: bool) -> str:
    matches = fn.runtime_call("function_matches", str(type_index), reference)
    return fn.define("c", f"icmp {'ne' if is_meant else 'eq'} i32 {matches}, 0")


def _test_rtt(fn: FunctionEmitter, reference: str, heap: int, is_meant: bool) -> str:
    comparison = f"icmp {'eq' if is_meant else 'ne'}"
    found = fn.load_field(fn.define("p", f"inttoptr i64 {reference} to ptr"), 0)
    if heap in _KINDS:
        return fn.define("c", f"{comparison} i32 {_rtt_number(fn, found, 'kind')}, {_KINDS[heap]}")
    wanted = rtt_of(fn, heap)
    facts = fn.context.types[heap]
    if facts.final:
        return fn.define("c", f"{comparison} ptr {found}, {wanted}")
    place = schema.RTT.size_bytes + 8 * facts.depth
    if facts.depth < schema.RTT_DISPLAY_MIN:
        return fn.define("c", f"{comparison} ptr {fn.load_field(found, place)}, {wanted}")
    # Few types have so many supertypes: what is no subtype may have no such place.
    is_deep = fn.define("c", f"icmp uge i32 {_rtt_number(fn, found, 'depth')}, {facts.depth}")
    offset = fn.define("l", f"select i1 {is_deep}, i64 {place}, i64 {schema.RTT.size_bytes}")
    address = fn.define("p", f"getelementptr i8, ptr {found}, i64 {offset}")
    above = fn.define("p", f"load ptr, ptr {address}, align 8")
    return fn.define("c", f"{comparison} ptr {above}, {wanted}")


def _rtt_number(fn: FunctionEmitter, rtt: str, field: str) -> str:
    place = fn.define("p", f"getelementptr i8, ptr {rtt}, i64 {_RTT[field]}")
    return fn.define("i", f"load i32, ptr {place}, align 4")


def rtt_of(fn: FunctionEmitter, type_index: int) -> str:
    """The type at run time of a type of the module."""
    rtts = fn.load_invariant(INSTANCE["rtts"])
    place = fn.define("p", f"getelementptr i8, ptr {rtts}, i64 {8 * type_index}")
    return fn.define("p", f"load ptr, ptr {place}, align 8, {INVARIANT}")


# Instructions -----------------------------------------------------------------------------------------------------


def _ref_test(kind: int) -> Handler:
    def emit(fn: FunctionEmitter, heap: int) -> None:
        reference, target = fn.stack.pop(), kind | heap << 8
        test = _test(fn, reference, target)
        if test[0] != "%":
            fn.push("i", f"zext i1 {test} to i32")
            return
        fn.tested[test] = reference, target
        fn.push_condition(test)

    return emit


def _ref_cast(kind: int) -> Handler:
    def emit(fn: FunctionEmitter, heap: int) -> None:
        is_other = _test(fn, fn.stack[-1], kind | heap << 8, is_meant=False)
        if is_other != "false":
            fn.trap_if(is_other, schema.TRAP_BY_NAME["cast_failure"])
            fn.prove(fn.stack[-1], kind | heap << 8)

    return emit


def _br_on_cast(fn: FunctionEmitter, immediate: tuple[int, int, int]) -> None:
    label, _, target = immediate
    branch_if(fn, _test(fn, fn.stack[-1], target), label)


def _br_on_cast_fail(fn: FunctionEmitter, immediate: tuple[int, int, int]) -> None:
    label, _, target = immediate
    branch_if(fn, _test(fn, fn.stack[-1], target, is_meant=False), label)
    fn.prove(fn.stack[-1], target)


def _ref_eq(fn: FunctionEmitter, _: Any) -> None:
    left, right = fn.pop_values(2)
    fn.push_test(f"icmp eq i64 {left}, {right}")


def _convert(fn: FunctionEmitter, _: Any) -> None:
    """Both hierarchies have the same values."""


HANDLERS: Final[dict[str, Handler]] = {
    "ref.test": _ref_test(schema.VALTYPE_REF),
    "ref.test_null": _ref_test(schema.VALTYPE_REF_NULL),
    "ref.cast": _ref_cast(schema.VALTYPE_REF),
    "ref.cast_null": _ref_cast(schema.VALTYPE_REF_NULL),
    "br_on_cast": _br_on_cast,
    "br_on_cast_fail": _br_on_cast_fail,
    "ref.eq": _ref_eq,
    "any.convert_extern": _convert,
    "extern.convert_any": _convert,
}
