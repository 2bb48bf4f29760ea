"""All that was found, as plain JSON."""
from typing import Any

from ..results import Report, as_document
from .common import as_json


def write(report: Report, _given: Any) -> bytes:
    return as_json(as_document(report))
