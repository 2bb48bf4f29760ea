"""What grading found, before a writer puts it as a platform wants it."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Optional

from .rubric import Rubric, Test, rounded

GRADED, NOT_GRADABLE, NOT_GRADED = "graded", "not gradable", "not graded"

WORDS_OF_A_TEST = 4 << 10  # bytes
WORDS_IN_ALL = 200 << 10
_WORDS_OF_A_FINDING = 1 << 10


@dataclass
class Finding:
    """What was found of one result of one call.

    output   its name; "" for the call as a whole
    verdict  "right", "wrong", "crash", "missing"
    fault    a code; "" for none
    says     a sentence for the student; "" for none
    own      whether it is the exact gradient of the student's own forward
    caused   whether what it says of a shape names the cause
    """

    output: str
    verdict: str
    fault: str = ""
    says: str = ""
    own: bool = False
    caused: bool = False


@dataclass
class CaseResult:
    """
    facts    what may matter of the case's inputs (patterns.py)
    refused  whether the function ended itself, by a check of its own
    waits    whether a backward was not judged, since its forward failed
    raised   an exception that old division may be behind, and where
    counted  whether it counts for the points
    """

    case: str
    findings: list[Finding]
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    refused: bool = False
    waits: bool = False
    raised: Optional[tuple[Any, ...]] = None
    counted: bool = True

    def share(self, own_gradient: bool) -> Fraction:
        """The part of what was asked for that is right."""
        right = [finding.verdict == "right" or own_gradient and finding.own
                 for finding in self.findings]
        return Fraction(sum(right), len(right))


@dataclass
class TestResult:
    """
    pattern  what its cases say together, or None
    divided  the same with / as Python 2 had it, where that makes a difference
    """

    test: Test
    cases: list[CaseResult]
    pattern: Optional[Finding] = None
    divided: Optional["TestResult"] = None
    seconds: float = 0.0
    printed: str = ""

    @property
    def exact_points(self) -> Fraction:
        shares = [case.share(self.test.own_gradient) for case in self.cases if case.counted]
        share = sum(shares, Fraction()) / len(shares)
        if not self.test.partial and share < 1:
            share = Fraction()
        return Fraction(self.test.points) * share

    @property
    def points(self) -> float:
        return rounded(self.exact_points)

    @property
    def passed(self) -> bool:
        return all(case.share(self.test.own_gradient) == 1 for case in self.cases if case.counted)

    @property
    def verdict(self) -> str:
        """The worst of its cases': "crash" where no case got an answer."""
        found = {finding.verdict for case in self.cases for finding in case.findings}
        if found & {"right", "wrong"}:
            return "right" if found == {"right"} else "wrong"
        return "missing" if "missing" in found else "crash"

    def _of_outputs(self, finding: Finding, outputs: set[str]) -> str:
        """What a finding says, with the results it is about where there are others and it names
        none."""
        says = finding.says or f"{finding.output} is wrong"
        gives = self.test.signature.gives
        if outputs < set(gives) and finding.fault != "inherited" and \
                not any(name in says for name in gives):
            return f"{' and '.join(name for name in gives if name in outputs)}: {says}"
        return says

    @property
    def _told(self) -> list[tuple[str, Finding]]:
        """What was found, by cases. In some of them many faults give the same: which of them it is
        the others tell."""
        elsewhere: dict[str, set[str]] = {}
        for case in self.cases:
            for finding in case.findings:
                if finding.verdict != "right" and not case.facts.get("blurred"):
                    elsewhere.setdefault(finding.output, set()).add(finding.says)
        return [(case.case, finding) for case in self.cases for finding in case.findings
                if not case.facts.get("blurred")
                or finding.says in elsewhere.get(finding.output, {finding.says})]

    @property
    def faults(self) -> list[str]:
        """Codes, the most telling first."""
        found = [self.pattern] if self.pattern else []
        found += [finding for _, finding in self._told]
        more = self.divided.faults if self.divided else []
        return list(dict.fromkeys([finding.fault for finding in found if finding.fault] + more))

    @property
    def words(self) -> str:
        """For the student: each sentence once, with the cases that it is about."""
        outputs: dict[str, set[str]] = {}
        for _, finding in self._told:
            outputs.setdefault(finding.says, set()).add(finding.output)
        cases: dict[str, list[str]] = {}
        for name, finding in self._told:
            if finding.verdict != "right":
                says = self._of_outputs(finding, outputs[finding.says])
                places = cases.setdefault(says, [])
                if name not in places:
                    places.append(name)
        lines = [self.pattern.says] if self.pattern else []
        for says, places in cases.items():
            everywhere = len(places) == len(self.cases)
            lines.append(says if everywhere else f"{says} (case {', '.join(places)})")
        if self.divided and self.divided.verdict != "right":
            lines.append(f"Beside that: {self.divided.words}")
        notes = dict.fromkeys(note for case in self.cases for note in case.notes)
        return cut("\n".join([*lines, *[f"Note: {note}" for note in notes]]), WORDS_OF_A_TEST)


@dataclass
class Report:
    """A submission's grading.

    state  GRADED; NOT_GRADABLE: the submission has nothing to test; NOT_GRADED: no verdict could be
           had, or not yet, which must never count as 0 points
    words  why, where it was not graded
    about  for the course's staff: walls, warnings
    """

    rubric: Rubric
    name: str
    state: str
    words: str = ""
    tests: list[TestResult] = field(default_factory=list)
    digest: Optional[str] = None
    about: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def points(self) -> float:
        if self.state != GRADED:
            return 0.0
        return rounded(sum((test.exact_points for test in self.tests), Fraction()))

    @property
    def share(self) -> float:
        """Points, from 0 to 1."""
        return min(1.0, self.points / self.rubric.points)

    def all_words(self) -> dict[str, str]:
        """The words of each test, by name, which in all are not too long for any platform."""
        left = WORDS_IN_ALL
        found: dict[str, str] = {}
        for result in self.tests:
            found[result.test.name] = cut(clean(result.words), left)
            left -= len(found[result.test.name].encode())
        return found


def clean(text: str) -> str:
    """A text without the characters that no platform's format takes."""
    return "".join(character if character in "\t\n" or character >= " " and
                   not "\x7f" <= character <= "\x9f" and not "\ud800" <= character <= "\udfff" and
                   character not in "\ufffe\uffff" else "\ufffd" for character in text)


def cut(text: str, limit: int) -> str:
    """The beginning of a text, of at most so many bytes of UTF-8, cut between characters."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return text
    mark = "…" if limit >= 3 else ""
    return data[:max(0, limit - len(mark.encode()))].decode(errors="ignore") + mark


def as_document(report: Report) -> Mapping[str, Any]:
    """All of a report, as JSON has it."""
    words = report.all_words()
    return {
        "assignment": report.rubric.assignment, "submission": clean(report.name),
        "digest": report.digest, "state": report.state, "words": clean(report.words),
        "points": report.points if report.state == GRADED else None,
        "max_points": report.rubric.points, "seconds": round(report.seconds, 3),
        "about": report.about,
        "tests": [{
            "name": clean(result.test.name), "operation": result.test.operation,
            "points": result.points, "max_points": result.test.points,
            "status": "passed" if result.passed else "failed", "verdict": result.verdict,
            "faults": result.faults, "words": words[result.test.name],
            "visibility": result.test.visibility, "words_visibility": result.test.words,
            "seconds": round(result.seconds, 3), "printed": clean(result.printed[:4096]),
            "cases": [{"case": case.case, "notes": case.notes, "findings": [
                {"output": finding.output, "verdict": finding.verdict, "fault": finding.fault,
                 "says": clean(cut(finding.says, _WORDS_OF_A_FINDING)), "own_gradient": finding.own}
                for finding in case.findings]} for case in result.cases],
        } for result in report.tests]}
