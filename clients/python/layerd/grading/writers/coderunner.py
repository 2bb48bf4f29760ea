"""Moodle's CodeRunner, as a combinator template grader: one JSON object, alone on stdout, with a
fraction from 0 to 1."""
from typing import Any, Optional

from ..results import GRADED, NOT_GRADABLE, Report
from .common import as_html, as_json, rows


def write(report: Report, _given: Any) -> Optional[bytes]:
    """None where the submission was not graded: CodeRunner then tells of an error of the question,
    and gives no mark."""
    if report.state == NOT_GRADABLE:
        return as_json({"fraction": 0, "epiloguehtml": f"<p>{as_html(report.words)}</p>"})
    if report.state != GRADED:
        return None
    table: list[list[Any]] = [["iscorrect", "Test", "Points", "Explanation"]]
    for row in rows(report):
        table.append([int(row["passed"]), as_html(row["name"]),
                      f"{row['points']:g} of {row['max_points']:g}", as_html(row["words"])])
    return as_json({"fraction": report.share, "testresults": table,
                    "columnformats": ["%h", "%s", "%h"]})
