"""Grading whole submissions: one after the other, or several at a time."""
import os
import queue
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Optional

from . import files
from .judge import Judge
from .oracle import NotGraded, Oracle
from .results import GRADED, NOT_GRADABLE, NOT_GRADED, Report
from .rubric import Rubric, RubricError
from .sandbox import Sandbox, SandboxError
from .submission import NotGradable, Submission
from .writers import WRITERS, Given

_IMPORT = 10.0  # seconds
_USERS = range(60578, 61184)  # ids that neither distributions nor systemd give to anybody


class TooWeak(Exception):
    """Nothing here keeps a student's code from what is the grader's."""


@dataclass(frozen=True)
class Target:
    """Where results go: a platform's name and a path, in which {name} is the submission's."""

    platform: str
    path: str

    def write(self, report: Report, given: Given) -> None:
        """ResultsError: it cannot be written."""
        path = self.path.replace("{name}", report.name)
        data = WRITERS[self.platform](report, given)
        if data is None:
            files.remove(path)
        else:
            files.write(path, data)


class Grader:
    """Grades submissions by a rubric.

    targets   files that results are written to, first "not graded", and again after each test
    hidden    files and directories that students' code must not see
    weak      whether to go on where no wall keeps it from them
    progress  told of each test: the submission's name, how many tests are done
    """

    def __init__(self, rubric: Rubric, oracle: Oracle, targets: Sequence[Target] = (),
                 given: Given = Given(), hidden: Sequence[str] = (), weak: bool = False,
                 progress: Callable[[str, int], None] = lambda name, done: None):
        self._rubric = rubric
        self._oracle = oracle
        self._targets = targets
        self._given = given
        self._hidden = hidden
        self._weak = weak
        self._progress = progress
        self._sandboxes: "queue.SimpleQueue[Optional[Sandbox]]" = queue.SimpleQueue()
        self._users = _free_users()

    def grade_all(self, submissions: Iterable[tuple[str, str]], jobs: int) -> Iterator[Report]:
        """Grades submissions, each a name and a directory, so many at a time, and gives reports as
        they come. TooWeak, ResultsError."""
        for _ in range(jobs):
            self._sandboxes.put(None)
        try:
            with ThreadPoolExecutor(jobs) as pool:
                tasks = [pool.submit(self._grade, *submission) for submission in submissions]
                try:
                    for task in as_completed(tasks):
                        yield task.result()
                finally:
                    for task in tasks:
                        task.cancel()
        finally:
            while not self._sandboxes.empty():
                sandbox = self._sandboxes.get()
                if sandbox:
                    sandbox.close()

    def _grade(self, name: str, root: str) -> Report:
        report = Report(self._rubric, name, NOT_GRADED, "grading it has not ended yet")
        started = time.monotonic()
        self._write(report)
        sandbox = self._sandboxes.get()
        try:
            sandbox = sandbox or self._new_sandbox()
            report.about["walls"] = sandbox.walls
            self._grade_in(sandbox, root, report)
            report.state, report.words = GRADED, ""
        except NotGradable as error:
            report.state, report.words = NOT_GRADABLE, str(error)
        except (NotGraded, RubricError) as error:
            report.words = str(error)
        except SandboxError as error:
            report.words = str(error)
            if sandbox:
                sandbox.close()
                sandbox = None
        finally:
            self._sandboxes.put(sandbox)
        report.seconds = time.monotonic() - started
        self._write(report)
        return report

    def _grade_in(self, sandbox: Sandbox, root: str, report: Report) -> None:
        rubric = self._rubric
        submission = Submission(root, rubric.files)
        report.digest = submission.digest
        submission.copy(sandbox.submission)
        judge = Judge(self._oracle, sandbox, rubric.assignment, rubric.course, submission.digest)
        judge.look(rubric.tests, submission.problems, _IMPORT)
        for test in rubric.tests:
            report.tests.append(judge.grade(test))
            done = len(report.tests)
            report.words = f"grading it has not ended yet: {done} of {len(rubric.tests)} tests " \
                "are done"
            self._write(report)
            self._progress(report.name, done)

    def _write(self, report: Report) -> None:
        for target in self._targets:
            target.write(report, self._given)

    def _new_sandbox(self) -> Sandbox:
        uid = self._users.pop() if os.getuid() == 0 else None
        sandbox = Sandbox(uid, self._hidden)
        if not self._weak and sandbox.walls["uid"] is not True \
                and sandbox.walls["landlock"] is not True:
            walls = sandbox.walls
            sandbox.close()
            raise TooWeak("students' code would run with the grader's own rights: it could read "
                          "the token and write results (another user: "
                          f"{walls['uid']}; Landlock: {walls['landlock']}). Run it as root, or on "
                          "Linux 5.13 and later, or say --weak if all submissions are trusted")
        return sandbox


def _free_users() -> list[int]:
    """Ids of users that have no process here, in random order."""
    taken = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            taken.add(os.stat(f"/proc/{name}").st_uid)
        except OSError:
            continue
    users = [uid for uid in _USERS if uid not in taken]
    random.SystemRandom().shuffle(users)
    return users
