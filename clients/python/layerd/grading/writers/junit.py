"""JUnit XML, for CodeGrade and for continuous integration.

CodeGrade's score is the share of test cases that succeed, each weighing the same: a test is written
as so many cases as give its points exactly, where that are not too many, else as one a point."""
import math
from fractions import Fraction
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ..results import GRADED, NOT_GRADABLE, Report, clean
from .common import rows

_MOST = 1000  # test cases


def write(report: Report, _given: Any) -> bytes:
    if report.state == GRADED:
        cases = _cases(report)
    else:
        kind = "failure" if report.state == NOT_GRADABLE else "error"
        says = clean(report.words)
        cases = [_case(report, report.state, 0.0, f"<{kind} message={quoteattr(says)}/>")]
    failures = sum("<failure" in case for case in cases)
    errors = sum("<error" in case for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'
    name = quoteattr(clean(report.rubric.assignment))
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>",
             f"<testsuite name={name} {counts} time=\"{report.seconds:.3f}\">", *cases,
             "</testsuite>", "</testsuites>", ""]
    return "\n".join(lines).encode()


def _cases(report: Report) -> list[str]:
    found = rows(report)
    unit = _unit([Fraction(row[key]).limit_denominator(1000) for row in found
                  for key in ("points", "max_points")])
    if sum(row["max_points"] for row in found) / unit > _MOST:
        unit = Fraction(1)
    cases = []
    for row in found:
        count = max(1, math.ceil(Fraction(row["max_points"]).limit_denominator(1000) / unit))
        earned = Fraction(row["points"]).limit_denominator(1000) / unit
        for place in range(1, count + 1):
            name = row["name"] + (f", part {place} of {count}" if count > 1 else "")
            passed = place <= earned or not row["max_points"] and row["passed"]
            says = row["words"] or "not right"
            cases.append(_case(report, name, row["seconds"] / count, "" if passed else
                               f"<failure message={quoteattr(says.partition(chr(10))[0])}>"
                               f"{escape(says)}</failure>"))
    return cases


def _unit(points: list[Fraction]) -> Fraction:
    """The largest number of points that all of these are multiples of."""
    denominator = math.lcm(*[value.denominator for value in points])
    return Fraction(math.gcd(*[int(value * denominator) for value in points]) or 1, denominator)


def _case(report: Report, name: str, seconds: float, inner: str) -> str:
    group = quoteattr(clean(report.rubric.assignment))
    start = f"<testcase classname={group} name={quoteattr(name)} time=\"{seconds:.3f}\""
    return f"{start}>{inner}</testcase>" if inner else f"{start}/>"
