"""Identity of types: a digest of a type's structure, equal across modules.

A type is equal to another if both stand at the same place of recursive groups with the same structure (spec section
3.1.4). So the digest of a type is taken over its whole group and its place in it. Within, a reference to a member of
the group is written as its place, a reference to an earlier type as that type's digest. In a module without garbage
collection, a group is one function type, which can refer to itself.

Host functions get their type's digest at run time, so this file imports constants only.
"""

from __future__ import annotations

from wasmartifact.constants import (
    HEAP_ABSTRACT,
    VALTYPE_F32,
    VALTYPE_F64,
    VALTYPE_I8,
    VALTYPE_I16,
    VALTYPE_I32,
    VALTYPE_I64,
    VALTYPE_V128,
)

TYPE_CHECKING = False  # importing typing costs more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final

    from wasmartifact.wasm.model import Module

DIGEST_SIZE_BYTES: Final = 16
_FORM_FUNC: Final = b"\x60"
_FORM_STRUCT, _FORM_ARRAY, _FORM_SUB, _FORM_SUB_FINAL = b"\x5f", b"\x5e", b"\x50", b"\x4f"
_NUMBERS: Final = frozenset((VALTYPE_I32, VALTYPE_I64, VALTYPE_F32, VALTYPE_F64, VALTYPE_V128, VALTYPE_I8, VALTYPE_I16))


def func_type_digest(params: Iterable[int], results: Iterable[int]) -> bytes:
    """Digest of a function type that refers to no concrete type.

    Parameters
    ----------
    params, results : Iterable[int]
        Value types, as ``schema.VALTYPE_*``.

    Returns
    -------
    bytes
        BLAKE2b-128, the same that ``type_digests`` gives for an equal type of a module.

    Raises
    ------
    ValueError
        A value type refers to a concrete type, which means nothing without a module.
    """
    return _group_digests([_func_structure(tuple(params), tuple(results), _no_reference)])[0]


def type_digests(module: Module) -> list[bytes]:
    """Digest of every type of a validated module.

    Returns
    -------
    list[bytes]
        16 bytes for each type; two types of any modules are equal exactly if their digests are.
    """
    from wasmartifact.wasm.model import parts

    digests: list[bytes] = []

    def reference(index: int) -> bytes:
        return _reference(digests, index)

    if not module.subtypes:
        for composite in module.types:
            digests += _group_digests([_func_structure(*parts(composite), reference)])
        return digests
    while len(digests) < len(module.types):
        end = first = len(digests)
        while end < len(module.types) and module.subtypes[end].group == first:
            end += 1
        digests += _group_digests([_definition(module, index, reference) for index in range(first, end)])
    return digests


def canonical_types(digests: Iterable[bytes]) -> list[int]:
    """For every type of a validated module, given their digests, the first type that equals it."""
    first: dict[bytes, int] = {}
    return [first.setdefault(digest, index) for index, digest in enumerate(digests)]


def _group_digests(group: list[bytes]) -> list[bytes]:
    """Digests of the types of one recursive group, given the structure of each."""
    from _blake2 import blake2b  # what hashlib shows, without the import of OpenSSL

    shared = blake2b(len(group).to_bytes(4, "little") + b"".join(group), digest_size=DIGEST_SIZE_BYTES)
    digests = []
    for place in range(len(group)):
        own = shared.copy()  # Kotlin has all of its types, tens of thousands, in one group
        own.update(place.to_bytes(4, "little"))
        digests.append(own.digest())
    return digests


def _definition(module: Module, index: int, reference: Callable[[int], bytes]) -> bytes:
    """Structure of a type definition; one that is final and has no supertype says nothing of that."""
    from wasmartifact.wasm.model import FuncType, StructType, fields, parts

    composite, subtype = module.types[index], module.subtypes[index]
    head = b""
    if subtype.supertype is not None or not subtype.final:
        supertype = b"\0" if subtype.supertype is None else reference(subtype.supertype)
        head = (_FORM_SUB_FINAL if subtype.final else _FORM_SUB) + supertype
    if isinstance(composite, FuncType):
        return head + _func_structure(composite.params, composite.results, reference)
    form = _FORM_STRUCT if isinstance(composite, StructType) else _FORM_ARRAY
    storage, _ = parts(composite)
    mutability = bytes(item.mutable for item in fields(composite))
    return head + form + _valtypes_structure(storage, reference) + mutability


def _func_structure(params: tuple[int, ...], results: tuple[int, ...], reference: Callable[[int], bytes]) -> bytes:
    return _FORM_FUNC + _valtypes_structure(params, reference) + _valtypes_structure(results, reference)


def _valtypes_structure(valtypes: tuple[int, ...], reference: Callable[[int], bytes]) -> bytes:
    parts = [len(valtypes).to_bytes(4, "little")]
    for valtype in valtypes:
        heap = valtype >> 8
        if heap >= HEAP_ABSTRACT or valtype in _NUMBERS:
            parts.append(b"\0" + valtype.to_bytes(4, "little"))
        else:
            parts.append((valtype & 0xFF).to_bytes(1, "little") + reference(heap))
    return b"".join(parts)


def _reference(earlier: list[bytes], index: int) -> bytes:
    """A type index: place in the group that follows the ``earlier`` types, or digest of one of these."""
    first = len(earlier)
    return b"\1" + (index - first).to_bytes(4, "little") if index >= first else b"\2" + earlier[index]


def _no_reference(index: int) -> bytes:
    raise ValueError(f"type index {index} means nothing outside of a module")
