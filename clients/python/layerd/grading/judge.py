"""Grading the tests of one submission."""
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

from ..checks import Challenge, Verdict
from . import diagnosis, patterns
from .oracle import Oracle
from .results import CaseResult, Finding, TestResult, clean
from .rubric import RubricError, Test
from .run import Run
from .sandbox import Sandbox, TestEnded
from .signatures import COURSES, DROPOUT_CASES, UNASKED
from .student import Student
from .submission import NotGradable


def cases_of(test: Test, oracle: Oracle) -> tuple[str, ...]:
    """The cases of a test. RubricError: one that there is not."""
    there = DROPOUT_CASES.get(test.operation) or oracle.cases(test.operation)
    if not there:
        raise RubricError(f"the server has no challenges of {test.operation}")
    for case in test.cases:
        if case not in there:
            raise RubricError(f"the test {test.name} has the case {case}, but {test.operation} has "
                              f"{', '.join(there)}")
    return test.cases or tuple(case for case in there if (test.operation, case) not in UNASKED)


def _counted(test: Test, cases: list[CaseResult]) -> list[CaseResult]:
    """The cases to tell of: to refuse sizes that leave a remainder, and no others, is a convention.
    Those that a backward was not judged in do not count where its forward's faults cost it
    nothing."""
    if test.own_gradient and not all(case.waits for case in cases):
        for case in cases:
            case.counted = not case.waits
    taken = [case for case in cases if not case.refused]
    others = any(case.refused and not case.facts.get("remainder") for case in cases)
    if others or not taken or len(taken) == len(cases):
        return cases
    names = ", ".join(case.case for case in cases if case.refused)
    taken[0].notes.append("you refuse sizes that leave a remainder when divided by the stride: "
                          f"not counted (case {names})")
    return taken


class Judge:
    """Grades the tests of one submission, whose files are to be looked at first."""

    def __init__(self, oracle: Oracle, sandbox: Sandbox, assignment: str, course: str, digest: str):
        self._oracle = oracle
        self._sandbox = sandbox
        self._assignment = assignment
        self.course = course
        self.digest = digest
        self.seed = int(digest[:8], 16)
        self._defined: dict[str, set[str]] = {}
        self._reused: dict[tuple[str, str], str] = {}
        self._problems: dict[str, str] = {}

    def look(self, tests: Sequence[Test], problems: Mapping[str, str], seconds: float) -> None:
        """Imports the files of tests and sees which functions they have. NotGradable: none can be
        imported.

        problems: of files that are not there, a sentence"""
        self._problems.update(problems)
        files = list(dict.fromkeys(test.file for test in tests))
        for file in files:
            if file not in problems:
                names = {name for test in tests if test.file == file
                         for name in (test.function, test.forward) if name}
                try:
                    self._look(file, sorted(names), seconds)
                except NotGradable as error:
                    self._problems[file] = str(error)
        if len(self._problems) == len(files):
            raise NotGradable("\n".join(dict.fromkeys(self._problems.values())))

    def _look(self, file: str, names: Sequence[str], seconds: float) -> None:
        with Student(self._sandbox, file, seconds, self.seed) as student:
            try:
                answer = student.import_it(names)
            except TestEnded as ended:
                raise NotGradable(f"importing {file} {ended}") from ended
        raised, defined = answer.get("raised"), answer.get("defined")
        reused = answer.get("reused")
        for name, variable in reused.items() if isinstance(reused, dict) else ():
            self._reused[file, name] = clean(str(variable)[:40])
        if isinstance(raised, dict):
            raise NotGradable(diagnosis.of_import(raised, file))
        self._defined[file] = {name for name in names if name in defined} \
            if isinstance(defined, list) else set()

    def grade(self, test: Test) -> TestResult:
        started = time.monotonic()
        cases = cases_of(test, self._oracle)
        result = self._missing(test, cases)
        if result is None:
            with Student(self._sandbox, test.file, test.seconds, self.seed) as student:
                result = self._run(test, cases, student)
            self._try_old_division(result)
        result.seconds = time.monotonic() - started
        return result

    def _run(self, test: Test, cases: Sequence[str], student: Student) -> TestResult:
        run = Run(self, test, student)
        result = TestResult(test, _counted(test, [run.case(case) for case in cases]))
        result.printed = student.close()
        findings = [finding for case in result.cases for finding in case.findings]
        if all(finding.fault == "zeros" for finding in findings):
            for case in result.cases:
                case.findings = [diagnosis.of_zeros(finding.output) for finding in case.findings]
        result.pattern = patterns.found_in(result.cases)
        variable = self._reused.get((test.file, test.function))
        if variable and not result.verdict == "right":
            result.pattern = Finding("", "wrong", "loop_variable", f"{variable} is the loop "
                                     "variable of two loops, one in the other: each needs its own")
        return result

    def _try_old_division(self, result: TestResult) -> None:
        """Finds out whether exceptions are those of / where // is due, and what else is wrong."""
        failed = {case.case: case for case in result.cases if case.raised}
        if not failed:
            return
        test = result.test
        with Student(self._sandbox, test.file, test.seconds, self.seed, divided=True) as student:
            divided = self._run(test, [case.case for case in result.cases], student)
        for case in divided.cases:
            before = failed.get(case.case)
            if before and before.raised != case.raised:
                result.divided = divided
                before.findings = list(map(diagnosis.of_division, before.findings))

    def _missing(self, test: Test, cases: tuple[str, ...]) -> Optional[TestResult]:
        if test.file in self._problems:
            finding = Finding("", "missing", "file", self._problems[test.file])
            return TestResult(test, [CaseResult(case, [finding]) for case in cases])
        for name in test.function, test.forward:
            if name and name not in self._defined[test.file]:
                says = f"there is no {name} in {test.file}"
                if name == test.forward:
                    says = f"{test.function} waits for its forward: {says}"
                finding = Finding("", "missing", "not_there", says)
                return TestResult(test, [CaseResult(case, [finding]) for case in cases])
        return None

    def challenge(self, test: Test, case: str) -> Challenge:
        return self._oracle.challenge(test.operation, case, test.dtype, self._assignment,
                                      self.digest)

    def forward_of(self, test: Test) -> Optional[Test]:
        """A test of the forward that a backward takes its cache from, or None."""
        operation = test.signature.forward
        if operation is None or test.forward is None:
            return None
        return replace(test, operation=operation, signature=COURSES[self.course][operation],
                       function=test.forward, forward=None, cases=self._oracle.cases(operation))

    def verdict(self, challenge: Challenge, claim: Mapping[str, Any]) -> Verdict:
        return self._oracle.judge(challenge, claim)
