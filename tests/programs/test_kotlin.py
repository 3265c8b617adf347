"""A program that the Kotlin compiler of npm makes modules of says what the same program says on Java's machine."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import wasmartifact as wa
from tests.programs.packages import NotAvailableError, folder, unpack_package
from wasmartifact import jsstring

VERSION = "2.4.20"
PROGRAM = Path(__file__).parent / "kotlin" / "job.kt"
TIMEOUT_SECONDS = 1200


def compiler() -> Path:
    """Folder of the compiler; skips the test where it or Java is missing."""
    if shutil.which("java") is None:
        pytest.skip("Kotlin's compiler needs Java")
    path = folder() / f"kotlin-compiler-{VERSION}"
    if not path.exists():
        try:
            unpack_package("npm", "kotlin-compiler", VERSION, path)
        except NotAvailableError as problem:
            pytest.skip(f"kotlin-compiler can't be downloaded: {problem}")
    return path


@pytest.fixture(scope="module")
def libraries() -> Path:
    return compiler() / "lib"


def run_java(libraries: Path, *command: str) -> str:
    """What a class of the compiler, or of the program, writes."""
    jars = ":".join(str(path) for path in libraries.glob("*.jar") if "sources" not in path.name)
    started = ["java", "-cp", f"{command[0]}:{jars}", *command[1:]]
    return subprocess.run(started, capture_output=True, text=True, check=True, timeout=TIMEOUT_SECONDS).stdout


@pytest.fixture(scope="module")
def expected(libraries: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    classes = str(tmp_path_factory.mktemp("classes"))
    run_java(libraries, ".", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib", "-no-reflect", "-cp",
             str(libraries / "kotlin-stdlib.jar"), "-d", classes, str(PROGRAM))  # fmt: skip
    return run_java(libraries, classes, "-Dstdout.encoding=UTF-8", "-Dfile.encoding=UTF-8", "JobKt")


@pytest.fixture(scope="module", params=["wasi", "js"])
def module(request: pytest.FixtureRequest, libraries: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as a module: for WASI, or for JavaScript."""
    work = tmp_path_factory.mktemp(request.param)
    common = ["org.jetbrains.kotlin.cli.js.KotlinWasmCompiler", f"-Xwasm-target=wasm-{request.param}", "-libraries",
              str(libraries / f"kotlin-stdlib-wasm-{request.param}.klib"), "-ir-output-dir", str(work),
              "-ir-output-name", "job"]  # fmt: skip
    run_java(libraries, ".", *common, str(PROGRAM))
    run_java(libraries, ".", *common, f"-Xinclude={work / 'job.klib'}", "-Xir-produce-js", "-Xir-dce")
    return work / "job.wasm"


class JsError:
    """An Error of JavaScript, which carries an exception of Kotlin's."""

    def __init__(self, message: object) -> None:
        self.message, self.name, self.exception = message, "Error", None


def glue(said: list[str]) -> dict[str, Any]:
    """As much of the JavaScript beside a module of Kotlin's as this program uses."""
    tag = wa.Tag(["externref"])

    def throw(value: object) -> None:
        raise wa.WasmException(tag, [value])

    functions = {
        "kotlin.createJsError": lambda message, cause: JsError(message),
        "kotlin.wasm.internal.jsThrow": throw,
        "kotlin.wasm.internal.getJsEmptyString": lambda: "",
        "kotlin.wasm.internal.externrefToString": str,
        "kotlin.wasm.internal.externrefEquals": lambda one, other: one is other or one == other,
        "kotlin.wasm.internal.isNullish": lambda value: value is None,
        "kotlin.wasm.internal.kotlinUIntToJsNumberUnsafe": lambda number: number & 0xFFFFFFFF,
        "kotlin.wasm.internal.kotlinULongToJsBigIntUnsafe": lambda number: number & 0xFFFFFFFFFFFFFFFF,
        "kotlin.wasm.internal.getCachedJsObject_$external_fun": lambda known, new: new,
        "kotlin.io.printlnImpl": said.append,
        "kotlin.js.stackPlaceHolder_js_code": lambda: "",
        "kotlin.js.message_$external_prop_getter": lambda error: error.message,
        "kotlin.js.name_$external_prop_setter": lambda error, name: setattr(error, "name", name),
        "kotlin.js.kotlinException_$external_prop_getter": lambda error: error.exception,
        "kotlin.js.kotlinException_$external_prop_setter": lambda error, value: setattr(error, "exception", value),
        "kotlin.js.JsError_$external_class_instanceof": lambda value: isinstance(value, JsError),
        "kotlin.random.initialSeed": lambda: random.Random(1).getrandbits(31),
    }
    for name in ("utoa32", "utoa64", "itoa32", "itoa64"):
        functions[f"kotlin.wasm.internal.{name}_$external_fun"] = str
    return {
        **jsstring.imports("'"),
        "js_code": functions,
        "intrinsics": {"tag": tag, "memory": wa.Memory(0)},
    }


@pytest.mark.large
@pytest.mark.parametrize("opt_level", [0, 2])
def test_it_says_what_it_says_on_java(opt_level: int, module: Path, expected: str, tmp_path: Path) -> None:
    wa.pack(module, tmp_path / "job.so", opt_level=opt_level)
    artifact, said = wa.load(tmp_path / "job.so"), list[str]()
    if any(row.module == "js_code" for row in artifact.metadata.imports):
        imports = glue(said)
        wanted = {row.name for row in artifact.metadata.imports if row.module == "js_code"}
        for name in wanted - imports["js_code"].keys():
            imports["js_code"][name] = lambda *_: pytest.fail("a function that the program does not use")
        artifact.instantiate(imports, store=wa.Store(limits=wa.Limits(memory_bytes=64 << 20))).exports["_start"]()
        output = "".join(f"{line}\n" for line in said)
    else:
        with open(tmp_path / "output", "wb") as file:
            assert wa.run(tmp_path / "job.so", stdout=file, stderr=None) == 0
        output = (tmp_path / "output").read_text(encoding="utf-8")
    assert output == expected
    assert "caught ArithmeticException" in expected
