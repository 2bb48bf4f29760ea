"""Autolab: the last line of stdout, before which stands a line of feedback for people.

Autolab puts each run of letters and digits before a colon in quotes before it parses the last
line: no name in it may have a colon there."""
import re
from typing import Any

from ..results import GRADED, NOT_GRADABLE, Report, clean
from .common import in_one_line, name_of, rows


def write(report: Report, _given: Any) -> bytes:
    """Where the submission was not graded there is no line of scores: those that are there stay."""
    if report.state not in (GRADED, NOT_GRADABLE):
        return clean(f"This submission was not graded: {report.words}\n").encode()
    if report.state == NOT_GRADABLE:
        feedback = {"Submission": {"passed": False, "hint": clean(report.words)}}
    else:
        feedback = {_plain(row["name"]): {"passed": row["passed"], "hint": row["words"]}
                    for row in rows(report)}
    points = {result.test.name: result.points for result in report.tests}
    scores = {_plain(clean(test.name)): points.get(test.name, 0) for test in report.rubric.tests}
    lines = [in_one_line({"_presentation": "semantic", "stages": ["Tests"], "Tests": feedback}),
             in_one_line({"scores": scores})]
    return b"\n".join(lines) + b"\n"


def _plain(name: str) -> str:
    return re.sub(r"\s*:", " -", name)
