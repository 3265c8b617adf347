"""Exceptions (spec sections 4.4.8.5 to 4.4.8.8) and their legacy encoding.

A thrown exception waits in a cell of the store while functions return, one after the other: after each call they look
there, and branch to the *landing* of the innermost try block around, or to the end of the function. A landing compares
tags and goes on to the landing around it where none fits. Locals live in allocas, so a landing finds them there.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from wasmartifact import schema
from wasmartifact.codegen.control import BlockType, add_edge, block_letters, die, end_block, leave
from wasmartifact.codegen.emitter import FunctionEmitter, Handler, Label
from wasmartifact.codegen.signature import LLVM_TYPES, slot_places
from wasmartifact.wasm.opcodes import CATCH_ALL_REF, CATCH_TAG_REF

_EXCEPTION: Final = schema.EXCEPTION.offsets()
#: A catch of a try_table: kind, tag, label.
Catch = tuple[int, int | None, int]


# The pending exception --------------------------------------------------------------------------------------------


def _set_pending(fn: FunctionEmitter, exception: str) -> None:
    fn.out.append(f"  store i64 {exception}, ptr {fn.pending_cell()}, align 8{fn.dbg}")


def _begin_landing(fn: FunctionEmitter, label: Label) -> str:
    """Begin the landing of a try block; return the pending exception."""
    fn.start_block(label.landing)
    fn.forget()
    del fn.stack[label.height :]
    fn.dead = False
    return fn.define("l", f"load i64, ptr {fn.pending_cell()}, align 8")


def _go_to_landing(fn: FunctionEmitter, landing: str) -> None:
    fn.out.append(f"  br label %{landing}{fn.dbg}")


def _compare_tag(fn: FunctionEmitter, exception: str, tag: int) -> str:
    """Begin a block where the exception has the tag; return the name of the one where it has not."""
    pointer = fn.define("p", f"inttoptr i64 {exception} to ptr")
    found = fn.load_field(pointer, _EXCEPTION["tag"])
    wanted = fn.load_invariant(fn.context.layout.tags_offset + 8 * tag)
    test = fn.define("c", f"icmp eq ptr {found}, {wanted}")
    number = fn.fresh()
    fn.out.append(f"  br i1 {test}, label %caught{number}, label %other{number}{fn.dbg}")
    fn.start_block(f"caught{number}")
    return f"other{number}"


def _push_values(fn: FunctionEmitter, exception: str, tag: int) -> None:
    pointer = fn.define("p", f"inttoptr i64 {exception} to ptr")
    for letter, offset in slot_places(fn.context.tag_letters(tag)):
        place = fn.define("p", f"getelementptr i8, ptr {pointer}, i64 {schema.EXCEPTION.size_bytes + offset}")
        fn.push(letter, f"load {LLVM_TYPES[letter]}, ptr {place}, align 8")


def _share(fn: FunctionEmitter, exception: str) -> None:
    """Leave the exception to the collector: a reference to it is made."""
    pointer = fn.define("p", f"inttoptr i64 {exception} to ptr")
    place = fn.define("p", f"getelementptr i8, ptr {pointer}, i64 {_EXCEPTION['is_shared']}")
    fn.out.append(f"  store i64 1, ptr {place}, align 8{fn.dbg}")


def _take(fn: FunctionEmitter, exception: str, tag: int | None, *, keeps: bool) -> None:
    """Catch the pending exception: push its values; ``keeps`` says whether code goes on to refer to it."""
    _set_pending(fn, "0")
    if tag is not None:
        _push_values(fn, exception, tag)
    if keeps:
        _share(fn, exception)
    else:
        fn.runtime_call("exception_done", exception)


# Throwing ---------------------------------------------------------------------------------------------------------


def _throw(fn: FunctionEmitter, tag: int) -> None:
    letters = fn.context.tag_letters(tag)
    values = fn.pop_values(len(letters))
    exception = fn.runtime_call("exception_new", str(tag))
    pointer = fn.define("p", f"inttoptr i64 {exception} to ptr")
    for (letter, offset), value in zip(slot_places(letters), values, strict=True):
        place = fn.define("p", f"getelementptr i8, ptr {pointer}, i64 {schema.EXCEPTION.size_bytes + offset}")
        fn.out.append(f"  store {LLVM_TYPES[letter]} {fn.opaque(value)}, ptr {place}, align 8{fn.dbg}")
    _raise(fn, exception)


def _throw_ref(fn: FunctionEmitter, _: Any) -> None:
    exception = fn.stack.pop()
    test = fn.define("c", f"icmp eq i64 {exception}, 0")
    fn.trap_if(test, schema.TRAP_BY_NAME["null_exception_reference"])
    _raise(fn, exception)


def _raise(fn: FunctionEmitter, exception: str) -> None:
    _set_pending(fn, exception)
    _go_to_landing(fn, fn.landing(fn.labels))
    die(fn)


# try_table --------------------------------------------------------------------------------------------------------


def _open(fn: FunctionEmitter, block_type: BlockType) -> Label:
    params, results = block_letters(fn, block_type)
    number = fn.fresh()
    label = Label("try", f"end{number}", results, results, len(fn.stack) - len(params), landing=f"landing{number}")
    fn.labels.append(label)
    return label


def _try_table(fn: FunctionEmitter, immediate: tuple[BlockType, tuple[Catch, ...]]) -> None:
    block_type, catches = immediate
    label = _open(fn, block_type)
    label.close = partial(_close_try_table, catches=catches)


def _close_try_table(fn: FunctionEmitter, label: Label, catches: tuple[Catch, ...]) -> None:
    leave(fn, label)
    fn.dead = True
    if not label.is_landed:
        return
    exception = _begin_landing(fn, label)
    around = fn.labels[:-1]
    for kind, tag, depth in catches:
        other = "" if tag is None else _compare_tag(fn, exception, tag)
        keeps = kind in (CATCH_TAG_REF, CATCH_ALL_REF)
        _take(fn, exception, tag, keeps=keeps)
        if keeps:
            fn.stack.append(exception)
        target = around[-1 - depth]
        add_edge(fn, target)
        fn.out.append(f"  br label %{target.name}{fn.dbg}")
        del fn.stack[label.height :]
        if not other:
            break
        fn.start_block(other)
    else:
        _go_to_landing(fn, fn.landing(around))
    fn.dead = True


# The legacy encoding ----------------------------------------------------------------------------------------------


def _try(fn: FunctionEmitter, block_type: BlockType) -> None:
    _open(fn, block_type).close = _close_try


def _begin_arm(fn: FunctionEmitter) -> Label | None:
    """End what came before a catch; begin the block where its turn comes. None where no exception gets there."""
    label = fn.labels[-1]
    leave(fn, label)
    fn.dead = True
    if label.kind == "try":
        label.kind = "catch"
        if label.is_landed:
            label.caught = _begin_landing(fn, label)
    elif label.other_name:
        fn.start_block(label.other_name)
        fn.forget()
        del fn.stack[label.height :]
        fn.dead = False
        label.other_name = ""
    return None if fn.dead else label


def _catch(fn: FunctionEmitter, tag: int) -> None:
    if (label := _begin_arm(fn)) is not None:
        label.other_name = _compare_tag(fn, label.caught, tag)
        _take(fn, label.caught, tag, keeps=fn.rethrows)


def _catch_all(fn: FunctionEmitter, _: Any) -> None:
    if (label := _begin_arm(fn)) is not None:
        _take(fn, label.caught, None, keeps=fn.rethrows)


def _close_try(fn: FunctionEmitter, label: Label) -> None:
    """The end: what no arm caught goes on to the landing around."""
    leave(fn, label)
    fn.dead = True
    if label.kind == "try":
        if label.is_landed:
            fn.start_block(label.landing)
            _go_to_landing(fn, fn.landing(fn.labels[:-1]))
    elif label.other_name:
        fn.start_block(label.other_name)
        _go_to_landing(fn, fn.landing(fn.labels[:-1]))


def _delegate(fn: FunctionEmitter, depth: int) -> None:
    fn.labels[-1].close = partial(_close_delegate, depth=depth)
    end_block(fn, None)


def _close_delegate(fn: FunctionEmitter, label: Label, depth: int) -> None:
    """Exceptions go to the label's own landing if it has one, else to the next one around it."""
    leave(fn, label)
    fn.dead = True
    if label.is_landed:
        around = fn.labels[:-1]
        fn.start_block(label.landing)
        _go_to_landing(fn, fn.landing(around[: len(around) - depth]))


def _rethrow(fn: FunctionEmitter, depth: int) -> None:
    _raise(fn, fn.labels[-1 - depth].caught)


HANDLERS: Final[dict[str, Handler]] = {
    "throw": _throw,
    "throw_ref": _throw_ref,
    "try_table": _try_table,
    "try": _try,
    "catch": _catch,
    "catch_all": _catch_all,
    "delegate": _delegate,
    "rethrow": _rethrow,
}
