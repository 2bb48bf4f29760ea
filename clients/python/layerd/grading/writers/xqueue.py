"""Open edX: the reply to an xqueue. Its msg must be XML with one root, or the score is lost."""
from typing import Any, Optional

from ..results import NOT_GRADED, Report
from .common import as_html, as_json, rows


def write(report: Report, _given: Any) -> Optional[bytes]:
    """None where the submission was not graded: without a reply it is handed out again."""
    if report.state == NOT_GRADED:
        return None
    lines = [f"<p>{as_html(report.words)}</p>"] if report.words else []
    for row in rows(report):
        points = f"{row['points']:g} of {row['max_points']:g}"
        lines.append(f"<p>{as_html(row['name'])}: {points}<br/>{as_html(row['words'])}</p>")
    return as_json({"correct": report.share == 1, "score": report.points,
                    "msg": f"<div>{''.join(lines)}</div>"})
