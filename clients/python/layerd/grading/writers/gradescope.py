"""Gradescope: /autograder/results/results.json.

There is no "not graded" there: the results of the submission before are written again, with words
on top. Where there was none before, the file has no score, which Gradescope shows as a run that
failed and not as 0 points."""
from typing import Any

from ..results import GRADED, NOT_GRADABLE, Report, TestResult, clean
from .common import as_json, name_of


def write(report: Report, given: Any) -> bytes:
    document: dict[str, Any]
    if report.state == GRADED:
        words = report.all_words()
        document = {"score": report.points, "execution_time": round(report.seconds, 2),
                    "output": "", "output_format": "text", "test_output_format": "text",
                    "test_name_format": "text",
                    "tests": [entry for result in report.tests
                              for entry in _entries(result, words[result.test.name])]}
    elif report.state == NOT_GRADABLE:
        document = {"score": 0, "output": clean(report.words), "output_format": "text", "tests": []}
    else:
        document = {**_before(given.metadata), "output_format": "text",
                    "output": clean(f"This submission was not graded: {report.words}. The score, "
                                    "if there is one, is that of the submission before")}
    return as_json({**document, "extra_data": {"state": report.state, "digest": report.digest,
                                               **report.about}})


def _entries(result: TestResult, words: str) -> list[dict[str, Any]]:
    test = result.test
    entry: dict[str, Any] = {
        "name": name_of(result), "score": result.points, "max_score": test.points,
        "status": "passed" if result.passed else "failed", "visibility": test.visibility,
        "extra_data": {"faults": result.faults}}
    if test.number:
        entry["number"] = clean(test.number)
    if not words:
        return [entry]
    if test.words == test.visibility:
        return [{**entry, "output": words}]
    later = {"name": f"{name_of(result)}: explanation", "output": words, "visibility": test.words,
             "status": entry["status"]}
    return [entry, later]


def _before(metadata: Any) -> dict[str, Any]:
    """The results of the last submission that has some, or none."""
    previous = metadata.get("previous_submissions") if isinstance(metadata, dict) else None
    for submission in reversed(previous if isinstance(previous, list) else []):
        results = submission.get("results") if isinstance(submission, dict) else None
        if isinstance(results, dict) and results:
            return dict(results)
    return {}
