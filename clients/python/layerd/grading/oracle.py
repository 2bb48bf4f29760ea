"""The daemon as a grader sees it: challenges, and verdicts on their answers."""
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Optional, TypeVar

from .. import errors
from ..checks import Challenge, Verdict
from ..client import Client

_Answer = TypeVar("_Answer")

_PAUSE = 0.2  # seconds before the first repetition; doubled with each, up to:
_LONGEST_PAUSE = 5.0


class NotGraded(Exception):
    """No verdict can be had, and that is not the student's fault: `str` says why."""


class Oracle:
    """Asks the daemon of a client. Refusals for now (429, 503) and connections that fail are
    repeated for `patience` seconds. NotGraded: there is still no answer.

    May be used by several threads."""

    def __init__(self, client: Client, patience: float):
        self._client = client
        self._patience = patience
        self._cases: Optional[dict[str, list[str]]] = None

    def cases(self, operation: str) -> tuple[str, ...]:
        """The cases that the daemon has of an operation."""
        if self._cases is None:
            self._cases = self._asked(self._client.challenges)
        return tuple(self._cases.get(operation, ()))

    def challenge(self, operation: str, case: str, dtype: str, assignment: str, submission: str
                  ) -> Challenge:
        """The inputs for this submission; the same whenever they are asked for."""
        return self._asked(lambda: self._client.challenge(
            operation, case=case, dtype=dtype, assignment=assignment, submission=submission))

    def judge(self, challenge: Challenge, claim: Mapping[str, Any]) -> Verdict:
        """The verdict on a claim. One that cannot be read is wrong."""
        return self._asked(lambda: self._answer(challenge, claim))

    def _answer(self, challenge: Challenge, claim: Mapping[str, Any]) -> Verdict:
        try:
            return self._client.answer(challenge, claim)
        except errors.InvalidRequest as error:
            if not (error.pointer or "").startswith("/claim"):
                raise
            return Verdict("wrong", {})

    def _asked(self, ask: Callable[[], _Answer]) -> _Answer:
        end = time.monotonic() + self._patience
        pause = _PAUSE
        while True:
            try:
                return ask()
            except (errors.ConnectionFailed, errors.Unavailable) as error:
                wait = max(pause, error.retry_after or 0) * (1 + random.random() / 4)
                if time.monotonic() + wait > end:
                    raise NotGraded(f"the server gave no answer: {error}") from error
            except errors.Error as error:
                raise NotGraded(f"the server refused: {error}") from error
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
