"""A student's file in a process of a test: started with the first call, and again where it was
ended by what was asked to find out more."""
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import numpy as np

from .messages import Outcome, outcome_of
from .sandbox import Sandbox, TestEnded, TestProcess
from .signatures import Signature

_PROCESSOR = 10  # times the seconds of a test that it may use of a processor, if the grader is gone


class Student:
    """file     which is imported
    seconds  that all calls of the test may take together
    seed     of NumPy's generator before each call
    divided  whether / of whole numbers is as Python 2 had it
    """

    def __init__(self, sandbox: Sandbox, file: str, seconds: float, seed: int,
                 divided: bool = False):
        self._sandbox = sandbox
        self._file = file
        self._left = seconds
        self._seconds = seconds
        self._seed = seed
        self._divided = divided
        self._process: Optional[TestProcess] = None
        self._printed = ""

    def call(self, calls: list[dict[str, Any]], arrays: list[np.ndarray], signature: Signature
             ) -> list[Outcome]:
        """The outcomes of calls. TestEnded: the process ended, or sent what is no answer."""
        answer, frames = self._ask({"calls": calls, "seed": self._seed}, arrays)
        outcomes = answer.get("calls")
        try:
            if not isinstance(outcomes, list) or len(outcomes) != len(calls):
                raise ValueError("there are more or fewer outcomes than calls")
            return [outcome_of(told, frames, signature) for told in outcomes]
        except ValueError as error:
            raise TestEnded("wrote something else where only the grader's own messages go",
                            "not_readable") from error

    def import_it(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """What the process tells of importing the file: which of these names it defines."""
        self._start()
        assert self._process
        return self._process.ask({"import": self._file, "names": list(names),
                                  "old_division": self._divided})[0]

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """What is called within is for finding out more: it takes nothing of the test's time, and
        may end without harm to the rest of the test."""
        if self._process is None:
            self.import_it()
        assert self._process
        try:
            with self._process.aside():
                yield
        except TestEnded:
            self.close()

    def close(self) -> str:
        """Ends the process. Returns the beginning of all that was printed."""
        if self._process is not None:
            process, self._process = self._process, None
            with process:
                process.close()
                self._printed += process.printed()
                self._left = process.left
        return self._printed

    def __enter__(self) -> "Student":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _ask(self, header: dict[str, Any], arrays: list[np.ndarray]
             ) -> tuple[dict[str, Any], list[np.ndarray]]:
        if self._process is None:
            self.import_it()
        assert self._process
        return self._process.ask(header, arrays)

    def _start(self) -> None:
        if self._process is None:
            self._process = self._sandbox.test(self._seconds, self._left,
                                               int(_PROCESSOR * self._seconds) + 1)
