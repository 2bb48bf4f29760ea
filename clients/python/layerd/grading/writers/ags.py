"""LTI Advantage, Assignment and Grade Services 2.0 (Canvas and others): the body of a score."""
from datetime import datetime, timezone
from typing import Any

from ..results import NOT_GRADED, Report, clean, cut
from .common import as_json, rows

_COMMENT = 4 << 10


def write(report: Report, given: Any) -> bytes:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    document: dict[str, Any] = {"userId": given.user, "timestamp": now,
                                "activityProgress": "Submitted"}
    if report.state == NOT_GRADED:
        return as_json({**document, "gradingProgress": "Pending"})
    return as_json({**document, "activityProgress": "Completed", "gradingProgress": "FullyGraded",
                    "scoreGiven": report.points, "scoreMaximum": report.rubric.points,
                    "comment": cut(clean(_comment(report)), _COMMENT)})


def _comment(report: Report) -> str:
    if report.words:
        return report.words
    lines = []
    for row in rows(report):
        lines.append(f"{row['name']}: {row['points']:g} of {row['max_points']:g}")
        lines += [f"  {line}" for line in row["words"].splitlines()]
    return "\n".join(lines)
