#!/usr/bin/env bash
# setuptools 80.9.0, hatchling 1.28.0, flit-core 3.12.0: a wheel whose package data holds a shared object of one machine is
# tagged py3-none-any, without a warning.
# Guess: the backend sees an ELF file, or a name that ends in .so, and asks for a platform tag, as auditwheel does afterwards.
# Seen: only extension modules that the backend itself was told to build count. pip then installs the wheel on any machine.
# Who ships native code as data sets the tag (wheel tags --platform-tag, or the backend's own option).
. "$(dirname "$0")/lib/scratch.sh"
need gcc gcc
install build==1.3.0
mkdir -p project/pkg
echo '"""A package."""' > project/pkg/__init__.py
echo 'int answer(void) { return 42; }' > answer.c
gcc -shared -fPIC -nostdlib -o project/pkg/code.so answer.c
cd project
for backend in "setuptools==80.9.0 setuptools.build_meta" "hatchling==1.28.0 hatchling.build" "flit-core==3.12.0 flit_core.buildapi"; do
    cat > pyproject.toml << TOML
[build-system]
requires = ["${backend% *}"]
build-backend = "${backend#* }"
[project]
name = "pkg"
version = "1"
description = "A package."
requires-python = ">=3.11"
[tool.setuptools]
packages = ["pkg"]
[tool.setuptools.package-data]
pkg = ["*.so"]
TOML
    rm -rf dist build
    python -m build --wheel > ../log 2>&1 || { cat ../log >&2; exit 1; }
    echo "${backend% *} $(basename dist/*.whl) $(python -m zipfile -l dist/*.whl | grep -c "code[.]so")"
done > ../seen
cd ..
expect << 'SEEN'
setuptools==80.9.0 pkg-1-py3-none-any.whl 1
hatchling==1.28.0 pkg-1-py3-none-any.whl 1
flit-core==3.12.0 pkg-1-py3-none-any.whl 1
SEEN
