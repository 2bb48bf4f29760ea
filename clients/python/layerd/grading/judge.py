"""Grading one test: its calls, the claims they make, the verdicts, and what is said of them."""
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Optional

import numpy as np

from . import diagnosis, dropout, patterns
from .gradient import OwnGradient
from .messages import Inputs, Outcome, call_of, expected_results, inputs_of, outcome_of
from .oracle import Challenge, Oracle
from .results import CaseResult, Finding, TestResult
from .rubric import RubricError, Test
from .sandbox import Sandbox, TestEnded, TestProcess
from .signatures import COURSES, DROPOUT_CASES, UNASKED
from .submission import NotGradable

INHERITED = "your backward is the exact gradient of your forward; the fault is in forward"
_IN_LOSS = "dx is the exact gradient of your loss; the fault is in the loss"


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


class Judge:
    """Grades the tests of one submission, whose files are to be looked at first."""

    def __init__(self, oracle: Oracle, sandbox: Sandbox, assignment: str, course: str, digest: str):
        self._oracle = oracle
        self._sandbox = sandbox
        self._assignment = assignment
        self._course = course
        self._digest = digest
        self._seed = int(digest[:8], 16)
        self._defined: dict[str, set[str]] = {}
        self._problems: dict[str, str] = {}

    def look(self, files: Sequence[str], problems: Mapping[str, str], seconds: float) -> None:
        """Imports files and sees which functions they have. NotGradable: none can be imported.

        problems: of files that are not there, a sentence"""
        self._problems.update(problems)
        for file in files:
            if file not in problems:
                try:
                    self._look(file, seconds)
                except NotGradable as error:
                    self._problems[file] = str(error)
        if len(self._problems) == len(files):
            raise NotGradable("\n".join(dict.fromkeys(self._problems.values())))

    def _look(self, file: str, seconds: float) -> None:
        with self._process(seconds) as process:
            try:
                answer, _ = process.ask({"import": file})
            except TestEnded as ended:
                raise NotGradable(f"importing {file} {ended}") from ended
        if "raised" in answer:
            raise NotGradable(diagnosis.of_import(_mapping(answer["raised"]), file))
        names = answer.get("defined")
        self._defined[file] = {name for name in names if isinstance(name, str)} \
            if isinstance(names, list) else set()

    def grade(self, test: Test) -> TestResult:
        started = time.monotonic()
        cases = cases_of(test, self._oracle)
        result = self._missing(test, cases)
        if result is None:
            result = TestResult(test, [])
            with self._process(test.seconds) as process:
                run = _Run(self, test, process)
                for case in cases:
                    result.cases.append(run.case(case))
                process.close()
                result.printed = process.printed()
            result.pattern = patterns.found_in(result.cases)
        result.seconds = time.monotonic() - started
        return result

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

    def _process(self, seconds: float) -> TestProcess:
        return self._sandbox.test(seconds, int(2 * seconds) + 2)

    def challenge(self, test: Test, case: str) -> Challenge:
        return self._oracle.challenge(test.operation, case, test.dtype, self._assignment,
                                      self._digest)

    def cases_of(self, test: Test) -> tuple[str, ...]:
        return cases_of(test, self._oracle)

    def forward_of(self, test: Test) -> Optional[Test]:
        """A test of the forward that a backward takes its cache from, or None."""
        operation = test.signature.forward
        if operation is None or not self._oracle.cases(operation):
            return None
        return replace(test, operation=operation, signature=COURSES[self._course][operation],
                       function=test.forward, forward=None, cases=())

    def verdict(self, challenge: Challenge, claim: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._oracle.judge(challenge, claim)

    @property
    def course(self) -> str:
        return self._course

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def seed(self) -> int:
        return self._seed


class _Run:
    """The cases of one test, in one process of the student's."""

    def __init__(self, judge: Judge, test: Test, process: TestProcess):
        self._judge = judge
        self._test = test
        self._process = process
        self._ended: Optional[Finding] = None
        self._imported = False
        self._conventions: set[str] = set()

    def case(self, case: str) -> CaseResult:
        if self._ended:
            return CaseResult(case, [self._ended])
        try:
            if self._test.operation in DROPOUT_CASES:
                return self._dropout(case)
            return self._challenge(case)
        except TestEnded as ended:
            self._ended = Finding("", "crash", ended.fault, f"{self._test.function} {ended}")
            return CaseResult(case, [self._ended])

    def _challenge(self, case: str) -> CaseResult:
        challenge = self._judge.challenge(self._test, case)
        given = inputs_of(challenge.inputs, self._test.dtype)
        found: list[CaseResult] = []
        for variant in _variants(self._test, given):
            outcome = self._called(variant)
            result = CaseResult(case, [], outcome.notes, patterns.facts_of(given))
            result.findings = self._judged(challenge, variant, outcome)
            if all(finding.verdict == "right" for finding in result.findings):
                return result
            found.append(result)
        return max(found, key=lambda result: result.share(True))

    def _called(self, given: Inputs) -> Outcome:
        call = call_of(self._test, self._judge.course, given)
        answers, frames = self._ask([call.header], call.arrays)
        return self._read(answers[0], frames)

    def _ask(self, calls: list[dict[str, Any]], arrays: list[np.ndarray]
             ) -> tuple[list[Any], list[np.ndarray]]:
        """The outcomes of calls, as the process tells them."""
        if not self._imported:
            self._imported = True
            self._process.ask({"import": self._test.file})
        answer, frames = self._process.ask({"calls": calls, "seed": self._judge.seed}, arrays)
        outcomes = answer.get("calls")
        if not isinstance(outcomes, list) or len(outcomes) != len(calls):
            raise _unreadable()
        return outcomes, frames

    def _read(self, told: Any, frames: list[np.ndarray]) -> Outcome:
        try:
            return outcome_of(told, frames, self._test.signature)
        except ValueError as error:
            raise _unreadable() from error

    def _early(self, outcome: Outcome) -> Optional[Finding]:
        """What is said of a call that gave nothing to judge, or None."""
        test = self._test
        if outcome.raised is not None:
            finding = diagnosis.of_crash(outcome.raised, outcome.during or test.function)
            if outcome.during and outcome.during == test.forward:
                finding.says = f"{test.function} waits for its forward: {finding.says}"
            return finding
        if outcome.no_forward:
            return Finding("", "missing", "not_written", f"{test.function} waits for its forward: "
                           f"{test.forward} returns None")
        wanted = expected_results(test.signature)
        if len(outcome.returned) == 1 and isinstance(outcome.returned[0], str) and wanted > 1 \
                and outcome.returned[0] == "None":
            return Finding("", "missing", "not_written",
                           f"{test.function} returns None: not written yet")
        if len(outcome.returned) != wanted or outcome.alone != (wanted == 1):
            count = "one value" if outcome.alone else f"{len(outcome.returned)} values"
            names = ", ".join([*test.signature.gives, *_also(test)])
            return Finding("", "wrong", "returns", f"{test.function} returns {count}, where "
                           f"{names} {'is' if wanted == 1 else 'are'} wanted")
        return None

    def _judged(self, challenge: Challenge, given: Inputs, outcome: Outcome) -> list[Finding]:
        early = self._early(outcome)
        if early:
            return [early]
        values, findings = _claims(challenge, self._test, outcome)
        if all(isinstance(finding, Finding) and finding.verdict == "missing"
               for finding in findings.values()) and len(findings) == len(values):
            return list(findings.values())
        verdict = self._judge.verdict(challenge, _document(values))
        for name in values:
            if name not in findings:
                findings[name] = _finding(name, _at_path(verdict.get("claim", {}), name))
        self._look_closer(challenge, given, values, findings)
        return [findings[name] for name in values]

    def _look_closer(self, challenge: Challenge, given: Inputs, values: dict[str, Any],
                     findings: dict[str, Finding]) -> None:
        """Says more of what is wrong: right values in a wrong shape, an own forward's gradient."""
        wrong = {name: values[name] for name, finding in findings.items()
                 if finding.verdict == "wrong" and isinstance(values[name], np.ndarray)
                 and values[name].size}
        reshaped = {name: _like(given, name, value) for name, value in wrong.items()}
        reshaped = {name: value for name, value in reshaped.items() if value is not None}
        if reshaped:
            verdict = self._judge.verdict(challenge, _document({**values, **reshaped}))
            for name, value in reshaped.items():
                if _at_path(verdict.get("claim", {}), name).get("verdict") == "right":
                    findings[name] = Finding(
                        name, "wrong", "shape_only", f"the values of {name} are right, but it has "
                        f"shape {wrong.pop(name).shape}, where {value.shape} is wanted")
        for name, finding in findings.items():
            value = values[name]
            if finding.fault == "shape" and name == "dx" and not value.size \
                    and given.get("conv_param", {}).get("pad") == 0:
                findings[name] = Finding(name, "wrong", "pad_zero", "dx is empty because pad is 0: "
                                         "a slice from pad to -pad then runs from 0 to 0; cut with "
                                         "pad : pad + H")
            elif finding.fault == "shape" and not finding.says:
                finding.says = f"{name} has shape {np.shape(values[name])}, which is not right"
        gradients = [name for name in wrong if name.startswith("d")]
        if gradients:
            self._look_at_forward(challenge, given, gradients, findings)

    def _look_at_forward(self, challenge: Challenge, given: Inputs, gradients: list[str],
                         findings: dict[str, Finding]) -> None:
        """Where what gradients are of is wrong too, that is the fault, and the only one."""
        first = findings.get("loss") or self._forward(challenge.case)
        if first is None or first.verdict == "right":
            return
        own = self._own(given, gradients)
        fault = first.says or f"{first.output} is wrong"
        says = f"{INHERITED}: {fault}" if self._test.forward else _IN_LOSS
        if own != set(gradients):
            says = f"{self._test.forward}, whose cache it is made of, is not right either: mend " \
                f"that first: {fault}"
        for name in gradients:
            is_open = self._test.forward and not findings[name].fault
            if name in own or is_open:  # what has a fault of its own is told that
                findings[name] = Finding(name, "wrong", "inherited", says, own=name in own)

    def _forward(self, case: str) -> Optional[Finding]:
        """What is found of the forward that a backward's cache is from, in the same case or the
        first; None: nothing can be."""
        forward = self._judge.forward_of(self._test)
        if forward is None:
            return None
        cases = self._judge.cases_of(forward)
        run = _Run(self._judge, forward, self._process)
        run._imported = True
        self._process.extend(self._test.seconds)
        try:
            findings = run.case(case if case in cases else cases[0]).findings
        except TestEnded:
            return None
        return next((finding for finding in findings if finding.output == "out"), None)

    def _own(self, given: Inputs, gradients: list[str]) -> set[str]:
        """Which gradients are exactly those of the student's own forward."""
        given = {name: value.astype(np.float64) if isinstance(value, np.ndarray)
                 and value.dtype.kind == "f" else value for name, value in given.items()}
        asked = OwnGradient(self._test, self._judge.course, given, gradients, self._judge.seed)
        self._process.extend(self._test.seconds)
        try:
            answers, frames = self._ask(asked.calls, asked.arrays)
            return asked.judge([self._read(told, frames) for told in answers])
        except TestEnded:
            return set()  # which was not what the test was about; the next case will tell

    def _dropout(self, case: str) -> CaseResult:
        is_backward = self._test.forward is not None
        given = dropout.inputs(case, self._judge.digest, is_backward)
        outcome = self._called(given)
        early = self._early(outcome)
        if early:
            return CaseResult(case, [early], outcome.notes)
        name, value = self._test.signature.gives[0], outcome.returned[0]
        convention = None
        if isinstance(value, str):
            finding = diagnosis.of_result(name, value)
        elif not is_backward:
            finding, convention = dropout.judge_forward(given, value)
        elif isinstance(outcome.first, str):
            finding = diagnosis.of_result("out", outcome.first)
            finding.says = f"{self._test.function} waits for its forward: {finding.says}"
        else:
            finding = dropout.judge_backward(given, outcome.first, value)
        if convention:
            self._conventions.add(convention)
            outcome.notes.append("you take p as the probability of "
                                 f"{'keeping' if convention == 'keep' else 'dropping'} an element")
        if len(self._conventions) > 1 and finding.verdict == "right":
            finding = Finding("out", "wrong", "p_changes_meaning", "p is the probability of keeping "
                              "in one case and of dropping in another")
        return CaseResult(case, [finding], outcome.notes, patterns.facts_of(given))


def _unreadable() -> TestEnded:
    return TestEnded("wrote something else where only the grader's own messages go", "not_readable")


def _also(test: Test) -> list[str]:
    if test.signature.forward or "loss" in test.signature.gives:
        return []
    return ["config" if test.signature.moves == "config" else "cache"]


def _variants(test: Test, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Inputs in the forms that right implementations take them in: of a group norm, gamma and beta
    as (1, C, 1, 1) or as (C,)."""
    if not test.operation.startswith("spatial_groupnorm"):
        return [given]
    wide = {name: given[name].reshape(1, -1, 1, 1) for name in ("gamma", "beta")}
    return [{**given, **wide}, given]


def _claims(challenge: Challenge, test: Test, outcome: Outcome
            ) -> tuple[dict[str, Any], dict[str, Finding]]:
    """The values to claim, by dotted names, and what is found already of those that are none."""
    given = dict(zip(test.signature.gives, outcome.returned))
    values: dict[str, Any] = {}
    findings: dict[str, Finding] = {}
    for name in _names(challenge, test):
        path = name.split(".")
        value = given.get(path[0], "None") if len(path) == 1 else outcome.moved.get(path[1])
        if value is None:
            findings[name] = Finding(name, "wrong", "not_stored",
                                     f"{path[0]} has no {path[1]} after the call: it was not stored")
        elif isinstance(value, str):
            findings[name] = diagnosis.of_result(name, value)
        elif name == "loss" and value.ndim:
            findings[name] = Finding(name, "wrong", "shape", f"loss has shape {value.shape}, but "
                                     "must be one number")
        values[name] = _EMPTY if name in findings and name != "loss" else value
        if name in findings and name == "loss":
            values[name] = np.array(np.nan)
        if name.startswith(("dgamma", "dbeta")) and test.operation.startswith("spatial_groupnorm") \
                and isinstance(values[name], np.ndarray) and values[name].shape[:1] == (1,):
            values[name] = values[name].ravel()
    return values, findings


_EMPTY = np.zeros(0)
_MOVED = {"bn_param": ("running_mean", "running_var")}


def _names(challenge: Challenge, test: Test) -> list[str]:
    """What is to be claimed, by dotted names."""
    names: list[str] = []
    for name in challenge.claims:
        inner = _MOVED.get(name, ())
        if name == "config":
            inner = tuple(key for key, value in challenge.inputs.get("config", {}).items()
                          if isinstance(value, (list, dict)) or key == "t")
        names += [f"{name}.{key}" for key in inner] or [name]
    return names


def _document(values: Mapping[str, Any]) -> dict[str, Any]:
    """Claims as JSON has them."""
    claim: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = claim
        for part in path:
            place = place.setdefault(part, {})
        place[last] = _json(value)
    return claim


def _json(value: np.ndarray) -> Any:
    if value.dtype.kind == "b":
        value = value.astype(np.float64)
    if not value.ndim:
        return value.item()
    return {"shape": list(value.shape), "data": value.ravel().tolist()}


def _at_path(document: Any, name: str) -> Mapping[str, Any]:
    for part in name.split("."):
        document = document.get(part, {}) if isinstance(document, dict) else {}
    return document


def _finding(name: str, told: Mapping[str, Any]) -> Finding:
    if told.get("verdict") == "right":
        return Finding(name, "right")
    return Finding(name, "wrong", str(told.get("fault", "")), str(told.get("says", "")))


def _like(given: Inputs, name: str, value: np.ndarray) -> Optional[np.ndarray]:
    """A result in the shape that it should have, where only that is wrong; else None."""
    last = name.rpartition(".")[2]
    like = {"out": None, "running_mean": "beta", "running_var": "beta", "next_w": "w"}.get(
        last, last[1:])
    wanted = given.get(like) if like else None
    if not isinstance(wanted, np.ndarray) or wanted.size != value.size:
        return None
    shape = (wanted.size,) if like in ("gamma", "beta") else wanted.shape
    return value.reshape(shape) if value.shape != shape else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
