"""What can go wrong, as exceptions: every one is an `Error`, and what Python would call it too."""
import json
from typing import Optional

from .connection import Answer
from .origins import is_ours


class Error(Exception):
    """A call that got no result. `str(error)` is a sentence to act on.

    detail       that sentence: the daemon's own, where it sent one
    status       HTTP status; None where no answer came
    code         the daemon's stable code ("shape_mismatch"), or None
    pointer      the input at fault as a JSON pointer ("/w"), or None
    retry_after  seconds after which the daemon asks to try again, or None
    """

    def __init__(self, detail: str, status: Optional[int] = None, code: Optional[str] = None,
                 pointer: Optional[str] = None, retry_after: Optional[float] = None):
        super().__init__(detail, status, code, pointer, retry_after)  # all of it, for pickle
        self.detail = detail
        self.status = status
        self.code = code
        self.pointer = pointer
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.detail


class InvalidRequest(Error, ValueError):
    """An input that the operation cannot take: a shape, a dtype, a label, a parameter."""


class Unavailable(Error):
    """The daemon cannot now: it is full, draining or asked too often. See `retry_after`."""


class ConnectionFailed(Error, ConnectionError):
    """No answer: the daemon could not be reached, or the connection was cut."""


class TimedOut(ConnectionFailed, TimeoutError):
    """No answer within the client's timeout."""


_CLASSES = {400: InvalidRequest, 413: InvalidRequest, 422: InvalidRequest,
            429: Unavailable, 503: Unavailable}


def from_answer(answer: Answer) -> Error:
    """The error that an answer of status 400 and above stands for."""
    try:
        problem = json.loads(answer.read(answer.length))
        detail = problem["detail"]
    except (ValueError, LookupError, TypeError) as error:
        if not is_ours(error):
            raise
        # It is from something between the daemon and here.
        problem, detail = {}, f"the answer is {answer.status} {answer.reason}, without a reason"
    wait = answer.headers.get(b"retry-after", b"")
    return _CLASSES.get(answer.status, Error)(
        detail, answer.status, problem.get("code"), problem.get("pointer"),
        float(wait) if wait.isdigit() else None)
