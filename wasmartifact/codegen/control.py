"""Structured control instructions (spec section 4.4.8): blocks become basic blocks, their values phis."""

from __future__ import annotations

from typing import Any, Final

from wasmartifact.codegen.convention import returned
from wasmartifact.codegen.emitter import NOT_NULL, FunctionEmitter, Handler, Label, local_cell
from wasmartifact.codegen.signature import LLVM_TYPES, letter_of
from wasmartifact.schema import TRAP_BY_NAME

#: ("value", value type or None) or ("type", type index).
BlockType = tuple[str, int | None]


def block_letters(fn: FunctionEmitter, block_type: BlockType) -> tuple[str, str]:
    """Type letters of a block's parameters and results."""
    kind, value = block_type
    if kind == "type":
        signature = fn.context.signatures[value or 0]
        return signature.params, signature.results
    return "", "" if value is None else letter_of(value)


def open_function(fn: FunctionEmitter) -> None:
    """Push the label of the function's body."""
    results = fn.signature.results
    fn.labels.append(Label("function", "return", results, results, 0))


# Edges ------------------------------------------------------------------------------------------------------------


def add_edge(fn: FunctionEmitter, label: Label) -> None:
    """Note that the current block branches to a label with the values on top of the stack."""
    count = len(label.arity)
    values = [fn.opaque(value) for value in fn.stack[-count:]] if count else []
    label.incoming.append((fn.block, values))


def _label(fn: FunctionEmitter, depth: int) -> Label:
    return fn.labels[-1 - depth]


def _phis(label: Label, names: list[str]) -> list[str]:
    lines = []
    for position, (letter, name) in enumerate(zip(label.arity, names, strict=True)):
        edges = ", ".join(f"[ {values[position]}, %{block} ]" for block, values in label.incoming)
        lines.append(f"  {name} = phi {LLVM_TYPES[letter]} {edges}")
    return lines


def die(fn: FunctionEmitter) -> None:
    """Go on in unreachable code."""
    fn.dead = True
    del fn.stack[fn.labels[-1].height :]


# Blocks -----------------------------------------------------------------------------------------------------------


def _block(fn: FunctionEmitter, block_type: BlockType) -> None:
    params, results = block_letters(fn, block_type)
    fn.labels.append(Label("block", f"end{fn.fresh()}", results, results, len(fn.stack) - len(params)))


def _loop(fn: FunctionEmitter, block_type: BlockType) -> None:
    params, results = block_letters(fn, block_type)
    label = Label("loop", f"loop{fn.fresh()}", params, results, len(fn.stack) - len(params))
    add_edge(fn, label)
    fn.out.append(f"  br label %{label.name}{fn.dbg}")
    fn.start_block(label.name)
    # The edges from inside the loop are known at its end: the phis replace this line then.
    label.phi_position = len(fn.out)
    fn.out.append("")
    label.phi_names = [fn.name(letter) for letter in params]
    del fn.stack[label.height :]
    fn.stack.extend(label.phi_names)
    fn.forget()
    fn.labels.append(label)


def _if(fn: FunctionEmitter, block_type: BlockType) -> None:
    condition = fn.condition(fn.stack.pop())
    params, results = block_letters(fn, block_type)
    number = fn.fresh()
    height = len(fn.stack) - len(params)
    label = Label("if", f"end{number}", results, results, height, else_name=f"else{number}")
    label.else_values = fn.stack[height:]
    label.else_known, label.else_widened, label.else_proven = dict(fn.known), dict(fn.widened), dict(fn.proven)
    fn.labels.append(label)
    fn.out.append(f"  br i1 {condition}, label %then{number}, label %{label.else_name}{fn.dbg}")
    fn.start_block(f"then{number}")
    if condition in fn.tested:
        fn.prove(*fn.tested[condition])


def _else(fn: FunctionEmitter, _: Any) -> None:
    label = fn.labels[-1]
    leave(fn, label)
    _begin_else(fn, label)


def _begin_else(fn: FunctionEmitter, label: Label) -> None:
    label.kind = "else"
    fn.start_block(label.else_name)
    fn.stack[label.height :] = label.else_values
    fn.known, fn.widened, fn.proven = label.else_known, label.else_widened, label.else_proven
    fn.dead = False


def leave(fn: FunctionEmitter, label: Label) -> None:
    """Fall through to the end of a block, if that is reachable."""
    if not fn.dead:
        add_edge(fn, label)
        fn.out.append(f"  br label %{label.name}{fn.dbg}")


def end_block(fn: FunctionEmitter, _: Any) -> None:
    """Close the innermost block."""
    label = fn.labels[-1]
    if label.close is not None:
        label.close(fn, label)
    if label.kind == "loop":
        fn.out[label.phi_position] = "\n".join(_phis(label, label.phi_names))
        fn.labels.pop()
        return
    if label.kind == "if":  # no else: the parameters are the results
        leave(fn, label)
        _begin_else(fn, label)
    if not label.incoming and label.kind != "function":
        fn.labels.pop()  # nothing branches here: go on in the same basic block, or stay unreachable
        return
    leave(fn, label)
    fn.labels.pop()
    fn.dead = not label.incoming
    del fn.stack[label.height :]
    if fn.dead:
        return
    fn.start_block(label.name)
    names = [fn.name(letter) for letter in label.results]
    fn.out.extend(_phis(label, names))
    fn.stack.extend(names)
    fn.forget()
    if label.kind == "function":
        _emit_return(fn, names)


def _emit_return(fn: FunctionEmitter, values: list[str]) -> None:
    convention, called = fn.context.convention, fn.context.called(fn.signature)
    values = fn.with_fuel(values)
    if convention is not None and convention.spill_results(fn, "%instance", called, values):
        fn.emit("ret void")
        return
    fn.emit(f"ret {called.llvm_result} {returned(fn, called, values)}")


# Branches ---------------------------------------------------------------------------------------------------------


def _br(fn: FunctionEmitter, depth: int) -> None:
    label = _label(fn, depth)
    add_edge(fn, label)
    fn.out.append(f"  br label %{_destination(fn, label)}{fn.dbg}")
    die(fn)


def _destination(fn: FunctionEmitter, label: Label) -> str:
    """Block that a branch leads to: past the ``br_table`` that a loop begins with, where its local is known."""
    if label.dispatch is not None:
        local, names = label.dispatch
        value = fn.known.get(local)
        if value is not None and value[0] != "%":
            return names[min(int(value) & 0xFFFFFFFF, len(names) - 1)]
    return label.name


def _br_if(fn: FunctionEmitter, depth: int) -> None:
    branch_if(fn, fn.condition(fn.stack.pop()), depth)


def _br_on_null(fn: FunctionEmitter, depth: int) -> None:
    reference = fn.stack.pop()
    branch_if(fn, fn.define("c", f"icmp eq i64 {reference}, 0"), depth)
    fn.stack.append(reference)
    fn.prove(reference, NOT_NULL)


def _br_on_non_null(fn: FunctionEmitter, depth: int) -> None:
    branch_if(fn, fn.define("c", f"icmp ne i64 {fn.stack[-1]}, 0"), depth)
    fn.stack.pop()


def branch_if(fn: FunctionEmitter, condition: str, depth: int) -> None:
    """Branch where an i1 is true, with the values on top of the stack; emission goes on where it is false."""
    label = _label(fn, depth)
    add_edge(fn, label)
    following = f"next{fn.fresh()}"
    fn.out.append(f"  br i1 {condition}, label %{_destination(fn, label)}, label %{following}{fn.dbg}")
    fn.start_block(following)


def _br_table(fn: FunctionEmitter, depths: tuple[int, ...]) -> None:
    index = fn.stack.pop()
    labels = [_label(fn, depth) for depth in depths]
    # Constants are made opaque once; a phi has one entry for every edge, also where several lead to one label.
    count = len(labels[-1].arity)
    if count:
        fn.stack[-count:] = [fn.opaque(value) for value in fn.stack[-count:]]
    for label in labels:
        add_edge(fn, label)
    _note_dispatch(fn, index, labels)
    cases = " ".join(f"i32 {position}, label %{label.name}" for position, label in enumerate(labels[:-1]))
    fn.out.append(f"  switch i32 {index}, label %{labels[-1].name} [ {cases} ]{fn.dbg}")
    die(fn)


def _note_dispatch(fn: FunctionEmitter, index: str, labels: list[Label]) -> None:
    """Note where a loop leads that does nothing before the ``br_table`` of a local; a function of Go is such a loop.

    Whoever branches to the loop and knows the local then goes there at once. So what is known at the ends of these
    labels must not come from the loop's first block: neither values of phis, nor the local's.
    """
    loop = next((label for label in reversed(fn.labels) if label.kind == "loop"), None)
    local = next((local for local, value in fn.known.items() if value == index), None)
    if loop is None or local is None or loop.arity or any(label.arity for label in labels):
        return
    if index in fn.stack or index in fn.fixed.values():
        return
    if fn.out[loop.phi_position + 1 :] == [f"  {index} = load i32, ptr {local_cell(local)}"]:
        loop.dispatch = local, [label.name for label in labels]


def _return(fn: FunctionEmitter, _: Any) -> None:
    _br(fn, len(fn.labels) - 1)


def _unreachable(fn: FunctionEmitter, _: Any) -> None:
    fn.trap(TRAP_BY_NAME["unreachable"])
    die(fn)


def _nop(fn: FunctionEmitter, _: Any) -> None:
    """Nothing."""


HANDLERS: Final[dict[str, Handler]] = {
    "block": _block,
    "loop": _loop,
    "if": _if,
    "else": _else,
    "end": end_block,
    "br": _br,
    "br_if": _br_if,
    "br_on_null": _br_on_null,
    "br_on_non_null": _br_on_non_null,
    "br_table": _br_table,
    "return": _return,
    "unreachable": _unreachable,
    "nop": _nop,
}
