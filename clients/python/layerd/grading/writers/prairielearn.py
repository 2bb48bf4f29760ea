"""PrairieLearn's external grader: /grade/results/results.json, with a score from 0 to 1."""
from typing import Any

from ..results import GRADED, Report, clean
from .common import as_json, rows


def write(report: Report, _given: Any) -> bytes:
    if report.state != GRADED:
        return as_json({"gradable": False, "format_errors": [clean(report.words)]})
    tests = [{"name": row["name"], "points": row["points"], "max_points": row["max_points"],
              "output": row["words"]} for row in rows(report)]
    return as_json({"gradable": True, "score": report.share, "tests": tests})
