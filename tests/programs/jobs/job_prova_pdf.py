"""prova-pdf sets exams as PDF: an answer sheet, and what it says about a wrong one."""

from prova_pdf import ProvaPdfError, generate_answer_sheet, generate_pdf
from running import run


def answer(call, *arguments):
    """What a call gives, or its error."""
    try:
        return call(*arguments)
    except ProvaPdfError as problem:
        return str(problem)


def job() -> object:
    """Specifications that it takes and that it does not."""
    return [
        answer(generate_pdf, {}, []),
        answer(generate_pdf, {"metadata": {}, "sections": []}, []),
        answer(generate_pdf, {"sections": [{"questions": "none"}]}, []),
        answer(generate_pdf, {}, [{"family": "no font", "variant": 0, "data": b"\0\1\0\0 no font"}]),
        answer(generate_answer_sheet, {"trackingCode": "A-1", "qrData": "A-1", "answers": []}, []),
    ]


run(job)
