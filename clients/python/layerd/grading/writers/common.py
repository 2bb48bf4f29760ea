"""What several writers share."""
import html
import json
from collections.abc import Mapping
from typing import Any

from ..results import Report, TestResult, clean, rounded

HIDDEN = "hidden tests"


def as_json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"


def in_one_line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False).encode()


def name_of(result: TestResult) -> str:
    return clean(result.test.name)


def rows(report: Report) -> list[dict[str, Any]]:
    """Name, points, max_points, passed and words of each test, for a platform that cannot show
    something later: tests that are not visible are one row together, without words."""
    words = report.all_words()
    found: list[dict[str, Any]] = []
    hidden = [result for result in report.tests if result.test.visibility != "visible"]
    for result in report.tests:
        if result not in hidden:
            shown = words[result.test.name] if result.test.words == "visible" else ""
            found.append({"name": name_of(result), "points": result.points,
                          "max_points": result.test.points, "passed": result.passed,
                          "words": shown, "seconds": result.seconds})
    if hidden:
        found.append({"name": HIDDEN, "points": rounded(sum(result.points for result in hidden)),
                      "max_points": rounded(sum(result.test.points for result in hidden)),
                      "passed": all(result.passed for result in hidden), "words": "",
                      "seconds": sum(result.seconds for result in hidden)})
    return found


def as_html(text: str) -> str:
    """A text as HTML that is XML too."""
    return html.escape(clean(text), quote=True).replace("\n", "<br/>")
