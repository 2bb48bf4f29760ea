"""Checking a rubric: a right answer must get all points, and faults that students make must be
found."""
import os
import sys
import tempfile
from typing import Optional

from .grader import Grader
from .oracle import Oracle
from .planted import FAULTS, FILES, Fault, right, with_fault
from .results import GRADED, Report
from .rubric import Rubric
from .signatures import COURSES


_RENAMED = """
def _renamed(update, names):
    def renamed(w, dw, config):
        inner = {ours: config[theirs] for ours, theirs in names.items() if theirs in config}
        next_w, inner = update(w, dw, {**config, **inner})
        return next_w, {**inner, **{theirs: inner[ours] for ours, theirs in names.items()}}
    return renamed
"""


def run(rubric: Rubric, oracle: Oracle, jobs: int) -> int:
    """Prints what each test finds. Returns an exit status: 1 where the right answer has not all
    points."""
    with tempfile.TemporaryDirectory(prefix="layerd-rubric-") as folder:
        planted: dict[str, Optional[Fault]] = {"right": None}
        _write(os.path.join(folder, "right"), rubric, None, None)
        for name, faults in FAULTS.items():
            for fault in faults:
                if _concerns(rubric, fault):
                    place = f"fault{len(planted)}"
                    planted[place] = fault
                    _write(os.path.join(folder, place), rubric, name, fault)
        # All of it is ours: nothing has to be kept from it.
        grader = Grader(rubric, oracle, weak=True)
        submissions = [(place, os.path.join(folder, place)) for place in planted]
        reports = {report.name: report for report in grader.grade_all(submissions, jobs)}
    for report in reports.values():
        if report.state != GRADED:
            print(f"not checked: {report.words}", file=sys.stderr)
            return 1
    return _tell(rubric, planted, reports)


def _tell(rubric: Rubric, planted: dict[str, Optional[Fault]], reports: dict[str, Report]) -> int:
    is_right = reports["right"].points == rubric.points
    print(f"the right answer has {reports['right'].points:g} of {rubric.points:g} points")
    for result in reports["right"].tests:
        if not result.passed:
            print(f"  {result.test.name}: {result.words}")
    missed = 0
    for place, fault in planted.items():
        if fault:
            found = [result.test.name for result in reports[place].tests if not result.passed]
            missed += not found
            print(f"{fault.function}: {fault.says}: "
                  f"{'found by ' + ', '.join(found) if found else 'NOT FOUND'}")
    print(f"{len(planted) - 1 - missed} of {len(planted) - 1} faults are found")
    return int(not is_right)


def _concerns(rubric: Rubric, fault: Fault) -> bool:
    """Whether a test is of the function that has the fault."""
    return any(test.signature.function == fault.function for test in rubric.tests)


def _write(place: str, rubric: Rubric, faulty: Optional[str], fault: Optional[Fault]) -> None:
    """Writes a submission: each file of the rubric has every function, by the rubric's names."""
    for path in rubric.files:
        text = [with_fault(name, fault) if fault and name == faulty else right(name)
                for name in FILES]
        for test in rubric.tests:
            signature = test.signature
            if test.file == path:
                text.append(f"{test.function} = {signature.function}\n"
                            if test.function != signature.function else "")
                if signature.keys:
                    text.append(f"{_RENAMED}\n{test.function} = _renamed({test.function}, "
                                f"{dict(signature.keys)})\n")
                if signature.forward:
                    usual = COURSES[rubric.course][signature.forward].function
                    text.append(f"{test.forward} = {usual}\n" if test.forward != usual else "")
        target = os.path.join(place, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write("\n".join(text))
