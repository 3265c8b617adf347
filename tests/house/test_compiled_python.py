"""The Python files that mypyc compiles do the same as extension modules and as Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.quickjs import module_path

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    name.removesuffix(".py").replace("/", ".") for name in (ROOT / "native/compiled_python.txt").read_text().split()
]
#: Prints where the files were loaded from, and a digest of the IR and of an address map.
PROGRAM = """
import hashlib, importlib.util, sys
from pathlib import Path

root, names, is_pure, wasm = sys.argv[1], sys.argv[2].split(), sys.argv[3] == "pure", sys.argv[4]

class PureFinder:
    def find_spec(self, name, path=None, target=None):
        if name in names:
            return importlib.util.spec_from_file_location(name, Path(root, *name.split(".")).with_suffix(".py"))

sys.path.insert(0, root)
if is_pure:
    sys.meta_path.insert(0, PureFinder())
from wasmartifact.codegen import context, emit_group, llvm, options
from wasmartifact.codegen.module import GROUP_LIMITS, group_functions
from wasmartifact.wasm.decode import decode_module
from wasmartifact.wasm.initial import plan_initial_state
from wasmartifact.wasm.types import canonical_types, type_digests

module = decode_module(Path(wasm).read_bytes())
chosen = options.CodegenOptions(0, options.resolve_target("x86_64", "baseline"))
known = context.build_context(module, plan_initial_state(module, 4096), chosen, canonical_types(type_digests(module)))
digest = hashlib.sha256()
for number, functions in enumerate(group_functions(module, GROUP_LIMITS)):
    if number % 8 == 0:
        digest.update(emit_group.emit_group(known, functions)[0].encode())
        rows = llvm.compile_group(known, functions)[0].address_map
        digest.update(rows.text_offsets.tobytes() + rows.wasm_offsets.tobytes() + rows.traps)
print(digest.hexdigest(), *sorted({Path(sys.modules[name].__file__).suffix for name in names}))
"""


def run(kind: str) -> list[str]:
    """What the program prints: the digest, and the suffixes of the loaded files."""
    command = [sys.executable, "-c", PROGRAM, str(ROOT), " ".join(NAMES), kind, str(module_path())]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_compiled_and_pure_agree() -> None:
    digest, *suffixes = run("compiled")
    if suffixes == [".py"]:
        pytest.skip("built without mypyc")
    assert suffixes == [".so"]
    assert run("pure") == [digest, ".py"]
