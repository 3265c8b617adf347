"""Metadata sections and whole artifacts for tests: from WebAssembly text, with machine code that never existed."""

from __future__ import annotations

import hashlib
from array import array

import wasmtime

from wasmartifact import schema
from wasmartifact.codegen.chunks import chunk_columns
from wasmartifact.elf.assemble import assemble
from wasmartifact.elf.layout import Layout, layout
from wasmartifact.elf.object import CodeObject, Section
from wasmartifact.metadata.contract import contract_size_bytes, encode_contract
from wasmartifact.metadata.encode import CodeFacts, MetadataFacts, encode_metadata
from wasmartifact.packer import layout_facts, seal
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.initial import plan_initial_state
from wasmartifact.wasm.model import Module
from wasmartifact.wasm.types import canonical_types, type_digests

FUNCTION_SIZE_BYTES = 32

#: A module with something in every group of columns.
RICH_WAT = r"""
(module $rich
  (type $binary (func (param i32 i64) (result f32)))
  (type $plain (func))
  (import "env" "log" (func $log (param i32)))
  (import "env" "värde" (global $base i32))
  (import "other" "" (table 1 10 funcref))
  (import "env" "tag" (tag $tag (param i64)))
  (memory (export "memory") 2 5)
  (table $own 4 externref)
  (table $calls (export "calls") 5 5 funcref)
  (global $counter (export "counter") (mut i64) (i64.const 42))
  (global $copy i32 (global.get $base))
  (func $add (export "add") (type $binary) (f32.const 0))
  (func $start (type $plain))
  (func (export "") (param funcref v128) (result externref i32) unreachable)
  (func $"räksmörgås" (export "naïve") (result (ref null extern)) (ref.null extern))
  (export "log" (func $log))
  (export "tag" (tag $tag))
  (start $start)
  (elem (table $calls) (i32.const 1) func $add $start)
  (elem $passive func $log)
  (elem declare func $add)
  (data (i32.const 8) "hello")
  (data (i32.const 70000) "world")
  (data $bytes "passive")
  (data (global.get $base) "computed")
  (; Lines of $add, whose code entry lies 2 bytes into the code section: 1 at the start, 2 from two bytes further on,
     up to four bytes further on; all of a.c. ;)
  (@custom ".debug_line"
    "\37\00\00\00\04\00\1b\00\00\00\01\01\01\fb\0e\0d\00\01\01\01\01\00\00\00\01\00\00\01\00\61\2e\63\00\00\00\00\00"
    "\00\05\02\02\00\00\00\01\02\01\02\01\03\01\01\02\01\02\01\00\01\01"))
"""


def module_from_text(wat: str) -> Module:
    """Decode a module given as text."""
    return decode_module(bytes(wasmtime.wat2wasm(wat)))


def fake_layout(module: Module, machine: str) -> Layout:
    """Code of 32 bytes for each function, two trampolines per type and the init function."""
    size = FUNCTION_SIZE_BYTES * (len(module.codes) + 2 * len(module.types) + 1)
    text = bytes(index * 7 % 251 for index in range(size))
    code = CodeObject(machine, [Section(".text", text, 16)], [], [], [], array("i"), array("Q"), [])
    size_bytes = contract_size_bytes(module, has_tail_calls=False)
    return layout([code], machine=machine, contract_size_bytes=size_bytes)


def fake_facts(module: Module, machine: str = "x86_64") -> MetadataFacts:
    """Facts of a module whose functions can trap in the second half of their code."""
    functions, types = len(module.codes), len(module.types)
    placed = fake_layout(module, machine)
    starts = [index * FUNCTION_SIZE_BYTES for index in range(functions)]
    trampolines = range(functions * FUNCTION_SIZE_BYTES, placed.text_size, FUNCTION_SIZE_BYTES)
    addresses = [address for start in starts for address in (start, start + 16)]
    chunks, source_files = chunk_columns(
        module,
        array("I", addresses),
        array("I", [entry for code in module.codes for entry in (code.start, 0)]),
        array("I", [0, 1] * functions),
    )
    return MetadataFacts(
        module=module,
        initial=plan_initial_state(module, schema.PAGE_BYTES[machine]),
        code=CodeFacts(
            text_offsets=starts,
            sizes_bytes=[FUNCTION_SIZE_BYTES - 1] * functions,
            flags=[index % 2 for index in range(functions)],
            entry_text_offsets=list(trampolines[:types]),
            host_text_offsets=[None, *trampolines[types + 1 : 2 * types]] if types else [],
            inward_text_offsets=[],
            init_text_offset=trampolines[-1],
            memory_guards=[0] * len(module.memory_types),
            chunks=chunks,
            source_files=source_files,
        ),
        layout=layout_facts(placed),
        type_digests=type_digests(module),
        type_canonical=canonical_types(type_digests(module)),
        cpu_features=schema.BASELINE_FEATURES[machine],
        wasm_features=("multi-value", "reference-types"),
        info={"module_name": module.name or "", "cpu": "x86-64-v2"},
        library_version=(1, 2, 3),
        wasm_sha256=hashlib.sha256(module.data).digest(),
    )


def section_from_text(wat: str, machine: str = "x86_64") -> bytearray:
    """Section of a module given as text, without digests."""
    return encode_metadata(fake_facts(module_from_text(wat), machine))


def artifact_from_text(wat: str, machine: str = "x86_64") -> bytes:
    """A whole artifact of a module given as text, sealed as the packer does it."""
    module = module_from_text(wat)
    placed = fake_layout(module, machine)
    section = encode_metadata(fake_facts(module, machine))
    placed.write_contract(*encode_contract(section, {}))
    built = assemble(placed, section=section, runtime_abi=schema.RUNTIME_ABI_OLDEST, symbol_names={})
    seal(built)
    return b"".join(built.pieces)
