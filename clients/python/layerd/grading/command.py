"""layerd-grade: grades students' layers.py by a rubric, with the verdicts of a layerd daemon.

exit status:
  0  every submission was graded, or has nothing in it to grade
  1  at least one was not graded: that is never a mark, and the same command can be run again
  2  the command or the rubric is wrong, or no wall stands here (see --weak)
  3  results could not be written
"""
import argparse
import csv
import io
import json
import os
import sys
from typing import Any, Optional

from .. import Client
from . import check, files
from .grader import Grader, Target, TooWeak
from .inside import kernel
from .oracle import NotGraded, Oracle
from .results import GRADED, NOT_GRADED, Report
from .rubric import Rubric, RubricError, read
from .sandbox import SandboxError
from .writers import WRITERS, Given

_METADATA = "/autograder/submission_metadata.json"
_RUBRICS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rubrics")


def main(arguments: Optional[list[str]] = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return _run(given, parser)
    except (RubricError, TooWeak, NotGraded, SandboxError) as error:
        print(f"layerd-grade: {error}", file=sys.stderr)
        return 1 if isinstance(error, (NotGraded, SandboxError)) else 2
    except files.ResultsError as error:
        print(f"layerd-grade: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    description, _, statuses = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "layerd-grade", description=description, epilog=statuses,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--rubric", required=True, metavar="FILE",
        help="what is tested, in JSON; or the name of one that comes along: "
             f"{', '.join(bundled_rubrics())}")
    add("--submission", action="append", default=[], metavar="DIR",
        help="a submission; may be given several times")
    add("--submissions", metavar="DIR", help="a directory in which each directory is a submission")
    add("--server", metavar="URL", help="the daemon; else LAYERD_URL, else http://127.0.0.1:8080")
    add("--token-file", metavar="FILE", help="a file with the daemon's token; else LAYERD_TOKEN")
    add("--results", action="append", default=[], metavar="PLATFORM:PATH",
        help="where results go, as the platform takes them; {name} in PATH is the submission's; - "
             f"is stdout; may be given several times. Platforms: {', '.join(WRITERS)}")
    add("--grades", metavar="FILE", help="a table of all points, as CSV")
    add("--metadata", metavar="FILE",
        help=f"Gradescope's, of the submission; else {_METADATA}, if it is there")
    add("--user", metavar="ID", help="whom an ags result is about")
    add("--jobs", type=int, default=1, metavar="N", help="submissions graded at a time (1)")
    add("--patience", type=float, default=60.0, metavar="SECONDS",
        help="how long a daemon is waited for that does not answer (60)")
    add("--weak", action="store_true",
        help="go on where students' code would run with the grader's own rights")
    add("--check-rubric", action="store_true",
        help="grade a right answer and planted faults, and say which test finds which")
    return parser


def _run(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if sys.platform != "linux":
        parser.error("the walls around students' code are Linux's: run this on Linux, or in a "
                     "container of it")
    if given.jobs < 1:
        parser.error("--jobs must be at least 1")
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # nobody but root reads this process's memory
    rubric = _rubric(given.rubric)
    token = _token(given.token_file, parser)
    with Client(given.server, form="json", timeout=30, retries=0, token=token) as client:
        oracle = Oracle(client, given.patience)
        if given.check_rubric:
            return check.run(rubric, oracle, given.jobs)
        return _grade(given, parser, rubric, oracle)


def _grade(given: argparse.Namespace, parser: argparse.ArgumentParser, rubric: Rubric,
           oracle: Oracle) -> int:
    targets, on_stdout = _targets(given, parser)
    submissions = _submissions(given, parser)
    if len(submissions) > 1 and any("{name}" not in target.path for target in targets):
        parser.error("with several submissions, each PATH of --results must hold {name}")
    hidden = [path for path in (given.token_file, given.rubric, given.metadata, given.submissions,
                                *given.submission) if path]
    context = Given(_metadata(given.metadata, rubric), given.user)
    progress = _Progress(len(submissions), len(rubric.tests))
    grader = Grader(rubric, oracle, targets, context, hidden, given.weak, progress.test)
    reports = []
    for report in grader.grade_all(submissions, given.jobs):
        reports.append(report)
        progress.done(report)
        if on_stdout:
            data = WRITERS[on_stdout](report, context)
            sys.stdout.buffer.write(data or b"")
        elif not given.results:
            progress.clear()
            print(_for_people(report, len(submissions) == 1))
    progress.clear()
    _tell_walls(reports, on_stdout is not None)
    if given.grades:
        files.write(given.grades, _table(rubric, reports).encode())
    return int(any(report.state == NOT_GRADED for report in reports))


def bundled_rubrics() -> list[str]:
    return sorted(name[:-len(".json")] for name in os.listdir(_RUBRICS) if name.endswith(".json"))


def _rubric(path: str) -> Rubric:
    if path in bundled_rubrics() and not os.path.exists(path):
        path = os.path.join(_RUBRICS, f"{path}.json")
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(1 << 20)
    except (OSError, UnicodeError) as error:
        raise RubricError(f"the rubric {path} cannot be read: {error}") from error
    return read(text)


def _token(path: Optional[str], parser: argparse.ArgumentParser) -> Optional[str]:
    if path is None:
        return None
    try:
        with open(path, encoding="ascii") as file:
            token = file.read(4096).strip()
    except (OSError, UnicodeError) as error:
        parser.error(f"the token file {path} cannot be read: {error}")
    if not token or len(token.split()) != 1:
        parser.error(f"the token file {path} must hold one token")
    return token


def _targets(given: argparse.Namespace, parser: argparse.ArgumentParser
             ) -> tuple[list[Target], Optional[str]]:
    """The files that results go to, and the platform whose results go to stdout."""
    targets, on_stdout = [], None
    for text in given.results:
        platform, _, path = text.partition(":")
        if platform not in WRITERS or not path:
            parser.error(f"--results is {text}, but must be PLATFORM:PATH with one of "
                         f"{', '.join(WRITERS)}")
        if platform == "ags" and not given.user:
            parser.error("ags results need --user")
        if path != "-":
            targets.append(Target(platform, path))
        elif on_stdout:
            parser.error("only one of --results can go to stdout")
        else:
            on_stdout = platform
    return targets, on_stdout


def _submissions(given: argparse.Namespace, parser: argparse.ArgumentParser
                 ) -> list[tuple[str, str]]:
    found = [(os.path.basename(os.path.abspath(path)), path) for path in given.submission]
    if given.submissions:
        try:
            entries = sorted(os.scandir(given.submissions), key=lambda entry: entry.name)
        except OSError as error:
            parser.error(f"{given.submissions} cannot be read: {error.strerror}")
        found += [(entry.name, entry.path) for entry in entries
                  if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")]
    if not found:
        parser.error("no submission is given: see --submission and --submissions")
    names = [name for name, _ in found]
    for name in names:
        if names.count(name) > 1:
            parser.error(f"two submissions are named {name}")
    return found


def _metadata(path: Optional[str], rubric: Rubric) -> Any:
    """Gradescope's document on the submission; None: there is none that can be read."""
    if path is None and not os.path.exists(_METADATA):
        return None
    try:
        with open(path or _METADATA, encoding="utf-8") as file:
            document = json.load(file)
        total = float(document["assignment"]["total_points"])
        if total != rubric.points:
            print(f"layerd-grade: the assignment has {total:g} points at the platform, but "
                  f"{rubric.points:g} in the rubric", file=sys.stderr)
    except (OSError, ValueError, LookupError, TypeError) as error:
        print(f"layerd-grade: the metadata say too little: {error!r}", file=sys.stderr)
        return None
    return document


def _for_people(report: Report, is_alone: bool) -> str:
    if report.state != GRADED:
        return f"{report.name}: {report.state}: {report.words}"
    lines = [f"{report.name}: {report.points:g} of {report.rubric.points:g}"]
    for result in report.tests if is_alone else ():
        lines.append(f"  {result.test.name}: {result.points:g} of {result.test.points:g}")
        lines += [f"    {line}" for line in result.words.splitlines()]
    return "\n".join(lines)


def _tell_walls(reports: list[Report], is_quiet: bool) -> None:
    """Says once which walls there are not, except where stdout is a platform's, which may take
    anything on stderr for an error."""
    walls = next((report.about["walls"] for report in reports if "walls" in report.about), {})
    missing = [f"{name} ({reason})" for name, reason in walls.items() if reason is not True]
    if missing and not is_quiet:
        print(f"layerd-grade: walls that do not stand here: {', '.join(missing)}", file=sys.stderr)


def _table(rubric: Rubric, reports: list[Report]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["submission", "state", "points", "of", *[test.name for test in rubric.tests]])
    for report in sorted(reports, key=lambda report: report.name):
        is_graded = report.state == GRADED
        points = {result.test.name: f"{result.points:g}" for result in report.tests if is_graded}
        writer.writerow([report.name, report.state, f"{report.points:g}" if is_graded else "",
                         f"{rubric.points:g}",
                         *[points.get(test.name, "") for test in rubric.tests]])
    return text.getvalue()


class _Progress:
    """A line on stderr that says how far grading is, where stderr is a terminal."""

    def __init__(self, submissions: int, tests: int):
        self._submissions = submissions
        self._tests = tests
        self._graded = self._not_graded = 0
        self._is_shown = sys.stderr.isatty()

    def test(self, name: str, done: int) -> None:
        if self._submissions == 1:
            self._show(f"{name}: {done} of {self._tests} tests")

    def done(self, report: Report) -> None:
        self._graded += 1
        self._not_graded += report.state == NOT_GRADED
        failed = f", {self._not_graded} not graded" if self._not_graded else ""
        self._show(f"{self._graded} of {self._submissions} submissions{failed}")

    def clear(self) -> None:
        self._show("")

    def _show(self, text: str) -> None:
        if self._is_shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
