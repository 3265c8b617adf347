"""Build of native/: a shared object with the C runtime, its cffi face `_native` and its CPython types `_types`; and one
for each machine that code is made for, `_onepass` and `_onepass_aarch64`, with the compiler of level 0, which only
packing loads.

setuptools finds `ffibuilder`, `onepass_builder` and `onepass_aarch64_builder` here (``cffi_modules``);
``python native/build_native.py`` builds in place.
WASMARTIFACT_SANITIZE=1 builds with AddressSanitizer and UndefinedBehaviorSanitizer (run with libasan preloaded),
WASMARTIFACT_SANITIZE=thread with ThreadSanitizer, WASMARTIFACT_SANITIZE=collect a collector that runs at each
allocation and overwrites what it frees, WASMARTIFACT_SANITIZE=step one that is always at work, in the smallest steps.
Warnings are errors with WASMARTIFACT_WERROR=1, which the Makefile sets, and in a build in place: not in a user's, whose
compiler or Python may be newer than ours and warn of more.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cffi import FFI

ROOT: Final = Path(__file__).resolve().parents[1]
INCLUDE: Final = ROOT / "native" / "include"
ONEPASS: Final = ROOT / "native" / "onepass"
#: Parts of wasmartifact.h that Python needs directly; the rest is reached through the types of `_types`.
PUBLIC_PARTS: Final = ("this host", "memories, tables, globals, tags")

WARNINGS: Final = ("-Wall", "-Wextra", "-Wconversion", "-Wshadow")
#: A newer CPython may deprecate what we call: no reason to refuse the build.
STRICT: Final = ("-Werror", "-Wno-error=deprecated-declarations")
CODE: Final = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-fvisibility=hidden", "-fno-omit-frame-pointer")
#: A signal handler must not call the dynamic linker for a thread-local variable.
THREAD_LOCALS: Final = ("-ftls-model=initial-exec",)
#: The signal handler must not call the dynamic linker for a function either.
LINK: Final = ("-Wl,-z,now",)
#: By the value of WASMARTIFACT_SANITIZE.
SANITIZERS: Final = {
    "1": ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"),
    "thread": ("-fsanitize=thread",),
    "collect": ("-DWA_COLLECT_ALWAYS",),
    "step": ("-DWA_STEP_ALWAYS",),
}

#: cffi's generated code is not written for our warnings.
PREAMBLE: Final = """
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
"""


def declarations() -> str:
    """What cffi shall know, cut from the header itself so that nothing is declared twice."""
    header = (INCLUDE / "wasmartifact.h").read_text(encoding="utf-8")
    opening, *parts = re.split(r"^/\* -{4} (.*?)(?: \(.*\))? -+ \*/$", header, flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    if missing := [part for part in PUBLIC_PARTS if part not in sections]:
        raise SystemExit(f"wasmartifact.h has no part {missing[0]!r}; it has {', '.join(sections)}")
    text = "\n".join([opening, *(sections[part] for part in PUBLIC_PARTS)])
    # cffi has no preprocessor; the header's guards and includes mean nothing to it.
    return re.sub(r"^#.*$", "", text, flags=re.MULTILINE)


def onepass_declarations() -> str:
    """The interface of the one-pass compiler, cut from its header."""
    header = (ROOT / "native" / "onepass" / "onepass.h").read_text(encoding="utf-8")
    return re.split(r"^/\* -{4} .* -+ \*/$", header, flags=re.MULTILINE)[1]


def _extension(
    name: str, cdef: str, preamble: str, sources: Iterable[Path], libraries: list[str], folders: Iterable[Path] = ()
) -> FFI:
    """The build of one module as cffi describes it."""
    sanitizers = SANITIZERS.get(os.environ.get("WASMARTIFACT_SANITIZE", ""), ())
    strict = STRICT if os.environ.get("WASMARTIFACT_WERROR") == "1" or __name__ == "__main__" else ()
    made = FFI()
    made.cdef(cdef)
    made.set_source(
        f"wasmartifact.{name}",
        preamble,
        sources=sorted(path.relative_to(ROOT).as_posix() for path in sources),
        include_dirs=[*map(str, folders), str(INCLUDE), str(ROOT / "native")],
        depends=sorted(str(path) for path in (ROOT / "native").rglob("*.h")),
        extra_compile_args=[*CODE, *THREAD_LOCALS, *WARNINGS, *strict, *sanitizers],
        extra_link_args=[*LINK, *sanitizers],
        libraries=libraries,
        py_limited_api=False,  # the types need vectorcall
    )
    return made


def builder() -> FFI:
    """The runtime."""
    sources = (path for path in (ROOT / "native").rglob("*.c") if not path.is_relative_to(ONEPASS))
    return _extension(
        "_native", declarations(), f'{PREAMBLE}#include "wasmartifact.h"\n', sources, ["dl", "pthread", "rt"]
    )


def compiler_builder(machine: str, name: str) -> FFI:
    """The compiler of level 0 for a machine: its folder has ``machine.h``, which all files include."""
    preamble = f'{PREAMBLE}#include "onepass/onepass.h"\n'
    sources = [*ONEPASS.glob("*.c"), *(ONEPASS / machine).glob("*.c")]
    return _extension(name, onepass_declarations(), preamble, sources, [], [ONEPASS / machine, ONEPASS])


def build_in_place(made: FFI) -> Path:
    """Compile under build/native and put the shared object beside the package's Python files."""
    from setuptools import Distribution

    os.chdir(ROOT)  # the sources are named relative to it
    extension = made.distutils_extension("build/native", verbose=False)
    command = Distribution({"name": "wasmartifact", "ext_modules": [extension]}).get_command_obj("build_ext")
    command.build_lib, command.build_temp, command.force = "build/native/lib", "build/native/temp", True
    command.ensure_finalized()
    command.run()
    built = Path(command.get_ext_fullpath(extension.name))
    # Renamed into place: a process that has the old one mapped keeps it.
    place = ROOT / "wasmartifact" / built.name
    temporary = place.with_suffix(".new")
    shutil.copyfile(built, temporary)
    temporary.chmod(0o755)
    temporary.replace(place)
    return place


ffibuilder: Final = builder()
onepass_builder: Final = compiler_builder("x86_64", "_onepass")
onepass_aarch64_builder: Final = compiler_builder("aarch64", "_onepass_aarch64")

if __name__ == "__main__":
    for made in (ffibuilder, onepass_builder, onepass_aarch64_builder):
        print(build_in_place(made))
