"""The daemon as a grader sees it: challenges, and verdicts on their answers."""
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .. import errors
from ..client import Client

_PAUSE = 0.2  # seconds before the first repetition; doubled with each, up to:
_LONGEST_PAUSE = 5.0


class NotGraded(Exception):
    """No verdict can be had, and that is not the student's fault: `str` says why."""


@dataclass(frozen=True)
class Challenge:
    token: str
    case: str
    inputs: Mapping[str, Any]
    claims: tuple[str, ...]


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
            self._cases = self._ask("GET", "/challenge", None)["operations"]
        return tuple(self._cases.get(operation, ()))

    def challenge(self, operation: str, case: str, dtype: str, assignment: str, submission: str
                  ) -> Challenge:
        """The inputs for this submission; the same whenever they are asked for."""
        answer = self._ask("POST", "/challenge", {
            "operation": operation, "case": case, "dtype": dtype, "assignment": assignment,
            "submission": submission})
        return Challenge(answer["challenge"], case, answer["inputs"], tuple(answer["claims"]))

    def judge(self, challenge: Challenge, claim: Mapping[str, Any]) -> Mapping[str, Any]:
        """The verdict on a claim: {"verdict", "claim": {...}}."""
        return self._ask("POST", "/challenge/answer", {"challenge": challenge.token,
                                                       "claim": claim})

    def _ask(self, method: str, path: str, body: Optional[Mapping[str, Any]]) -> dict[str, Any]:
        end = time.monotonic() + self._patience
        pause = _PAUSE
        while True:
            try:
                return self._client.exchange(method, path, body)
            except (errors.ConnectionFailed, errors.Unavailable) as error:
                wait = max(pause, getattr(error, "retry_after", None) or 0)
                wait *= 1 + random.random() / 4
                if time.monotonic() + wait > end:
                    raise NotGraded(f"the server gave no answer: {error}") from error
            except errors.Error as error:
                raise NotGraded(f"the server refused: {error}") from error
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
