"""Results as platforms take them: a file a platform, each with a `write(report, given)` that
returns the bytes of a results file, or None where "not graded" is said by there being none."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

from ..results import Report
from . import ags, autolab, coderunner, gradescope, json, junit, prairielearn, xqueue


@dataclass(frozen=True)
class Given:
    """What a writer may need beside the report.

    metadata  the platform's own document on the submission
    user      whom the result is about, as the platform names him
    """

    metadata: Any = None
    user: Optional[str] = None


Writer = Callable[[Report, Given], Optional[bytes]]

WRITERS: dict[str, Writer] = {
    "ags": ags.write, "autolab": autolab.write, "coderunner": coderunner.write,
    "gradescope": gradescope.write, "json": json.write, "junit": junit.write,
    "prairielearn": prairielearn.write, "xqueue": xqueue.write}
