"""One test in a student's process: its calls, the claims they make, and what is said of them."""
from collections.abc import Mapping
from typing import Any, Optional, Protocol

import numpy as np

from ..checks import Challenge, Verdict
from . import diagnosis, dropout, patterns
from .claims import as_document, at_path, claims_of, finding_of, in_right_shape, shape_finding
from .gradient import INHERITED, OwnGradient
from .messages import Inputs, Outcome, call_of, expected_results, inputs_of
from .results import CaseResult, Finding
from .rubric import Test
from .sandbox import TestEnded
from .signatures import DROPOUT_CASES
from .student import Student

_IN_LOSS = "dx is the exact gradient of your loss; the fault is in the loss"


_NEAR_MISS = "variance_cancels"  # right but for numbers that no course has


class Asking(Protocol):
    """What a run asks of those who know the daemon (judge.py)."""

    course: str
    digest: str
    seed: int

    def challenge(self, test: Test, case: str) -> Challenge:
        """The inputs of a case."""

    def verdict(self, challenge: Challenge, claim: Mapping[str, Any]) -> Verdict:
        """What is told of a claim."""

    def forward_of(self, test: Test) -> Optional[Test]:
        """A test of the forward that a backward takes its cache from, or None."""


class Run:
    """The cases of a test, one after the other."""

    def __init__(self, judge: Asking, test: Test, student: Student):
        self._judge = judge
        self._test = test
        self._student = student
        self._case = ""
        self._ended: Optional[Finding] = None
        self._conventions: set[str] = set()
        self._exact: set[str] = set()  # gradients that were the own forward's in some case
        self._inherited: dict[str, str] = {}  # what is said of them

    def case(self, case: str) -> CaseResult:
        self._case = case
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
        given = inputs_of(challenge)
        found: list[CaseResult] = []
        for variant in _variants(self._test, given):
            outcome = self._called(variant)
            result = CaseResult(case, [], outcome.notes, patterns.facts_of(given, case),
                                _declines(outcome), self._waits(outcome),
                                diagnosis.may_be_division(outcome.raised or outcome.failed))
            result.findings = self._judged(challenge, variant, outcome)
            if outcome.failed and all(each.verdict == "right" for each in result.findings):
                result.findings, result.waits = [self._waiting(outcome.failed)], True
            if all(finding.verdict == "right" for finding in result.findings):
                return result
            found.append(result)
        return max(found, key=lambda result: result.share(True))

    def _called(self, given: Inputs) -> Outcome:
        call = call_of(self._test, self._judge.course, given)
        return self._student.call([call.header], call.arrays, self._test.signature)[0]

    def _waits(self, outcome: Outcome) -> bool:
        """Whether a backward failed for what its forward did."""
        failed = outcome.raised is not None
        return self._test.forward is not None and (
            outcome.no_forward or failed and (outcome.during == self._test.forward
                                              or outcome.no_cache))

    def _early(self, outcome: Outcome) -> Optional[Finding]:
        """What is said of a call that gave nothing to judge, or None."""
        test = self._test
        waits = f"{test.function} waits for its forward: "
        if outcome.no_forward:
            return Finding("", "missing", "not_written", f"{waits}{test.forward} returns None")
        if outcome.raised is not None:
            if not self._waits(outcome):
                return diagnosis.of_crash(outcome.raised, outcome.during or test.function)
            if outcome.during != test.forward:
                return Finding("", "missing", "no_cache", f"{waits}{test.forward} returns None in "
                               "the place of its cache")
            return self._waiting(outcome.raised)
        wanted = expected_results(test.signature)
        if len(outcome.returned) == 1 and isinstance(outcome.returned[0], str) and wanted > 1 \
                and outcome.returned[0] == "None":
            return Finding("", "missing", "not_written",
                           f"{test.function} returns None: not written yet")
        if len(outcome.returned) != wanted or outcome.alone != (wanted == 1):
            count = "one value" if outcome.alone else f"{len(outcome.returned)} values"
            names = ", ".join([*test.signature.gives, *_also(test)])
            return Finding("", "crash", "returns", f"{test.function} returns {count}, where "
                           f"{names} {'is' if wanted == 1 else 'are'} wanted")
        return None

    def _waiting(self, raised: Mapping[str, Any]) -> Finding:
        """What is said of a backward whose forward raised an exception."""
        finding = diagnosis.of_crash(raised, self._test.forward or "")
        finding.says = f"{self._test.function} waits for its forward: {finding.says}"
        return finding

    def _judged(self, challenge: Challenge, given: Inputs, outcome: Outcome) -> list[Finding]:
        early = self._early(outcome)
        if early:
            return [self._of_other_shape(given, outcome) or early]
        values, findings = claims_of(challenge, self._test, outcome)
        if [finding.verdict for finding in findings.values()] == ["missing"] * len(values):
            return list(findings.values())
        for name in "out", "next_w":  # without it what else there is was handed out
            if name in findings and findings[name].verdict == "missing":
                return [findings[name]]
        verdict = self._judge.verdict(challenge, as_document(values))
        for name in values:
            if name not in findings:
                findings[name] = finding_of(name, at_path(verdict.claim, name))
                if findings[name].fault == _NEAR_MISS:
                    outcome.notes.append(findings[name].says)
                    findings[name] = Finding(name, "right")
        wrong = [name for name in values
                 if findings[name].verdict == "wrong" and values[name].size]
        self._try_other_shapes(challenge, given, values, wrong, findings)
        for name, value in values.items():
            if findings[name].fault == "shape":
                findings[name] = shape_finding(name, value, given, findings[name])
        gradients = [name for name in wrong
                     if name.startswith("d") and findings[name].fault != "shape_only"]
        if gradients:
            self._look_at_forward(_with_own_dout(given, outcome), gradients, findings)
        for name, argument in outcome.built.items():
            if name in wrong and not findings[name].says:
                findings[name] = Finding(name, "wrong", "aliasing", f"{name} is built in "
                                         f"{argument} itself, which was still to be read: give "
                                         f"{name} memory of its own")
        for name, says in self._inherited.items():
            if patterns.has_no_variance(given) and not np.isfinite(values[name]).all():
                findings[name] = Finding(name, "wrong", "inherited", says, own=True)
        _tell_count(given, values, findings)
        _name_formula(findings)
        _tell_what_is_right(findings)
        return [findings[name] for name in values]

    def _try_other_shapes(self, challenge: Challenge, given: Inputs, values: dict[str, Any],
                          wrong: list[str], findings: dict[str, Finding]) -> None:
        """Finds out which of the wrong values are right in another shape."""
        reshaped = {name: value for name in wrong
                    if (value := in_right_shape(given, name, values[name])) is not None}
        if not reshaped:
            return
        verdict = self._judge.verdict(challenge, as_document({**values, **reshaped}))
        for name, value in reshaped.items():
            if at_path(verdict.claim, name).get("verdict") == "right":
                findings[name] = Finding(
                    name, "wrong", "shape_only", f"the values of {name} are right, but it has "
                    f"shape {values[name].shape}, where {value.shape} is wanted")

    def _look_at_forward(self, given: Inputs, gradients: list[str],
                         findings: dict[str, Finding]) -> None:
        """Where what gradients are of is wrong too, that is the fault, and the only one."""
        first = findings.get("loss") or self._forward(self._case)
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
            if name in own:
                self._inherited[name] = says

    def _of_other_shape(self, given: Inputs, outcome: Outcome) -> Optional[Finding]:
        """What is found of a backward that raised where its forward's out has another shape than
        dout, and that is the exact gradient of that; else None."""
        theirs = _with_own_dout(given, outcome)
        if theirs is given or outcome.during != self._test.function:
            return None
        gradients = [*self._test.signature.gives]
        first = self._forward(self._case)
        if first is None or first.verdict == "right" or \
                self._own(theirs, gradients) != set(gradients):
            return None
        return Finding("", "wrong", "inherited", f"{INHERITED}: {first.says or 'out is wrong'}",
                       own=True)

    def _forward(self, case: str) -> Optional[Finding]:
        """What is found of the forward that a backward's cache is from, in the same case or the
        first that it has; None: nothing can be."""
        forward = self._judge.forward_of(self._test)
        if forward is None:
            return None
        run = Run(self._judge, forward, self._student)
        with self._student.aside():
            findings = run._challenge(case if case in forward.cases else forward.cases[0]).findings
            return next((finding for finding in findings if finding.output == "out"), None)
        return None

    def _own(self, given: Inputs, gradients: list[str]) -> set[str]:
        """Which gradients are exactly those of the student's own forward."""
        given = {name: value.astype(np.float64) if isinstance(value, np.ndarray)
                 and value.dtype.kind == "f" else value for name, value in given.items()}
        asked = OwnGradient(self._test, self._judge.course, given, gradients, self._judge.seed)
        with self._student.aside():
            exact, unclear = asked.judge(
                self._student.call(asked.calls, asked.arrays, self._test.signature))
            self._exact |= exact
            return exact | unclear & self._exact
        return set()

    def _dropout(self, case: str) -> CaseResult:
        is_backward = self._test.forward is not None
        given = dropout.inputs(case, self._judge.digest, is_backward)
        outcome = self._called(given)
        early = self._waiting(outcome.failed) if outcome.failed else self._early(outcome)
        if early:
            return CaseResult(case, [early], outcome.notes, patterns.facts_of(given),
                              waits=self._waits(outcome) or outcome.failed is not None,
                              raised=diagnosis.may_be_division(outcome.raised or outcome.failed))
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
            finding = Finding("out", "wrong", "p_changes_meaning", "p is the probability of "
                              "keeping in one case and of dropping in another")
        return CaseResult(case, [finding], outcome.notes, patterns.facts_of(given))


def _with_own_dout(given: Inputs, outcome: Outcome) -> Inputs:
    """Inputs with a dout of the shape that the student's out has."""
    first, dout = outcome.first, given.get("dout")
    if not isinstance(first, np.ndarray) or dout is None or first.shape == dout.shape:
        return given
    return {**given, "dout": np.zeros(first.shape)}


def _name_formula(findings: dict[str, Finding]) -> None:
    """Names what is wrong with a normalisation's dx alone, where nothing nearer is known of it."""
    dx = findings.get("dx")
    others = [findings[name].verdict for name in ("dgamma", "dbeta") if name in findings]
    if dx and dx.verdict == "wrong" and not dx.fault and others == ["right", "right"]:
        findings["dx"] = Finding(
            "dx", "wrong", "gradient_formula", "dgamma and dbeta are right, dx is not: it lacks or "
            "mistakes a path through the mean or the variance, which depend on x too")


def _tell_count(given: Inputs, values: Mapping[str, Any], findings: dict[str, Finding]) -> None:
    """Names what is wrong with a count of steps."""
    count = findings.get("config.t")
    if count and count.verdict == "wrong" and not count.says and \
            values["config.t"] == given.get("config", {}).get("t", 0):
        findings["config.t"] = Finding("config.t", "wrong", "t_not_stored", "t in config is that "
                                       "of before the step: it counts steps, so store t + 1")


def _declines(outcome: Outcome) -> bool:
    """Whether a function ended itself, by a check that it makes of its inputs."""
    raised = outcome.raised or {}
    return raised.get("exception") in ("AssertionError", "SystemExit") or \
        str(raised.get("text", "")).startswith("raise ")


def _tell_what_is_right(findings: dict[str, Finding]) -> None:
    """Of what nothing nearer is known of: of a gradient, at least which ones beside it are right;
    of running statistics, what they are where out is right, and is due to them where it is not."""
    untold = {name for name, finding in findings.items()
              if finding.verdict == "wrong" and not finding.says}
    if untold >= {"out", "bn_param.running_mean"}:
        findings["out"].says = "out is wrong, and so is the mean that went into running_mean: it " \
            "is not each column's or channel's own, see the axes, reshapes and transposes"
    for what in "mean", "var":
        name = f"bn_param.running_{what}"
        if name in untold and "out" not in untold:
            findings[name].says = f"{name} is to be momentum · running_{what} + (1 − momentum) " \
                f"· the batch's {what} after a call in train mode, and as it was after others"
    right = [name for name, finding in findings.items() if finding.verdict == "right"]
    for name, finding in findings.items():
        if right and name.startswith("d") and finding.verdict == "wrong" and not finding.says:
            finding.says = f"{name} is wrong, where {' and '.join(right)} " \
                f"{'are' if right[1:] else 'is'} right"


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


