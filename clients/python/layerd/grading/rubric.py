"""Rubrics: what is tested in an assignment, and what it is worth."""
import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, Optional, Union

from .signatures import COURSES, Signature

VISIBILITIES = "visible", "hidden", "after_due_date", "after_published"
_BUILT_IN = "rubrics"


class RubricError(ValueError):
    """A rubric that cannot be used: `str` is a sentence for its author."""


@dataclass(frozen=True)
class Test:
    """One test of a rubric.

    cases         names of the daemon's cases; () for all that it has
    function      that is tested, where it is not the course's usual name
    forward       that gives a backward's cache, likewise
    partial       whether points are given for a part of what is right
    own_gradient  whether a backward earns its points that is the exact gradient of a wrong forward
    seconds       that all of its cases may take
    visibility    of the result, and `words` of its explanation
    """

    name: str
    operation: str
    signature: Signature
    file: str
    function: str
    forward: Optional[str]
    cases: tuple[str, ...]
    points: float
    partial: bool
    own_gradient: bool
    seconds: float
    dtype: str
    visibility: str
    words: str
    number: str


@dataclass(frozen=True)
class Rubric:
    assignment: str
    course: str
    tests: tuple[Test, ...]

    @property
    def points(self) -> float:
        return rounded(sum(test.points for test in self.tests))

    @property
    def files(self) -> list[str]:
        return list(dict.fromkeys(test.file for test in self.tests))


def rounded(points: Union[float, Fraction]) -> float:
    """Points without what adding fractions leaves behind."""
    return round(float(points), 6)


_TOP = {"assignment": str, "course": str, "file": str, "points": float, "tests": list}
_TEST = {"name": str, "operation": str, "file": str, "function": str, "forward": str, "cases": list,
         "points": float, "partial": bool, "own_gradient": bool, "seconds": float, "dtype": str,
         "visibility": str, "words": str, "number": str}
_KINDS = {str: "a string", float: "a number", bool: "true or false", list: "a list"}


def read(text: str) -> Rubric:
    """The rubric that a JSON text is. RubricError: it is none."""
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise RubricError("the rubric is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise RubricError(f"the rubric is no JSON: line {error.lineno}, column {error.colno}: "
                          f"{error.msg}") from error
    _check(document, _TOP, "the rubric", ("assignment", "tests"))
    course = document.get("course", "cs231n")
    if course not in COURSES:
        raise RubricError(f"the course is {_quoted(course)}, but must be one of "
                          f"{', '.join(COURSES)}")
    if not document["tests"]:
        raise RubricError("the rubric has no tests")
    if not document["assignment"]:
        raise RubricError("the rubric's assignment is empty: give it a name")
    tests = tuple(_test(item, document, course, place)
                  for place, item in enumerate(document["tests"], 1))
    names = [test.name for test in tests]
    for name in names:
        if names.count(name) > 1:
            raise RubricError(f"two tests are named {_quoted(name)}: names must differ")
    rubric = Rubric(document["assignment"], course, tests)
    if not rubric.points:
        raise RubricError("the tests' points add up to 0")
    if "points" in document and not math.isclose(document["points"], rubric.points):
        raise RubricError(f"the tests' points add up to {rubric.points:g}, but the rubric says "
                          f"{document['points']:g}")
    return rubric


def _test(item: Any, document: Mapping[str, Any], course: str, place: int) -> Test:
    where = f"test {place}"
    _check(item, _TEST, where, ("operation", "points"))
    operation = item["operation"]
    signature = COURSES[course].get(operation)
    if signature is None:
        raise RubricError(f"{where} has the operation {_quoted(operation)}, which there is not"
                          f"{_nearest(operation, COURSES[course])}")
    name = item.get("name", item.get("function", signature.function))
    where = f"the test {_quoted(name)}"
    file = item.get("file", document.get("file"))
    _check_file(file, where)
    _check_range(item["points"], 0, 1e6, "points", where)
    seconds = item.get("seconds", 5)
    _check_range(seconds, 0.1, 600, "seconds", where)
    for key in "visibility", "words":
        if item.get(key, "visible") not in VISIBILITIES:
            raise RubricError(f"{where} has the {key} {_quoted(item[key])}, but it must be one of "
                              f"{', '.join(VISIBILITIES)}")
    if item.get("dtype", "float64") not in ("float64", "float32"):
        raise RubricError(f"{where} has the dtype {_quoted(item['dtype'])}, but it must be float64 "
                          "or float32")
    cases = item.get("cases", [])
    if not all(isinstance(case, str) for case in cases) or len(set(cases)) < len(cases):
        raise RubricError(f"{where} has cases that are not strings, each once")
    if item.get("forward") and not signature.forward:
        raise RubricError(f"{where} has a forward, but {operation} takes no cache")
    forward = signature.forward and item.get(
        "forward", COURSES[course][signature.forward].function)
    return Test(name, operation, signature, file, item.get("function", signature.function), forward,
                tuple(cases), float(item["points"]), item.get("partial", True),
                item.get("own_gradient", False), float(seconds), item.get("dtype", "float64"),
                item.get("visibility", "visible"),
                item.get("words", item.get("visibility", "visible")), item.get("number", ""))


def _check(item: Any, keys: Mapping[str, type], where: str, required: tuple[str, ...]) -> None:
    if not isinstance(item, dict):
        raise RubricError(f"{where} must be a JSON object")
    for key, value in item.items():
        if key not in keys:
            raise RubricError(f"{where} has the key {_quoted(key)}, which there is not"
                              f"{_nearest(key, keys)}")
        kind = keys[key]
        fits = (isinstance(value, (int, float)) and not isinstance(value, bool) if kind is float
                else isinstance(value, kind))
        if not fits:
            raise RubricError(f"{where}: {key} must be {_KINDS[kind]}")
    for key in required:
        if key not in item:
            raise RubricError(f"{where} has no {key}")


def _check_file(file: Optional[str], where: str) -> None:
    if not file:
        raise RubricError(f"{where} has no file, and the rubric has none for all tests")
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or path.suffix != ".py" or "\0" in file:
        raise RubricError(f"{where} has the file {_quoted(file)}, but it must be the path of a .py "
                          "file within the submission")


def _check_range(value: float, least: float, most: float, key: str, where: str) -> None:
    if not least <= value <= most:
        raise RubricError(f"{where}: {key} is {value:g}, but must be from {least:g} to {most:g}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RubricError(f"the rubric has the key {_quoted(twice)} twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise RubricError(f"the rubric holds {name}, which is no number")


def _nearest(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, list(names), 1)
    return f": is it {_quoted(near[0])}?" if near else ""


def _quoted(text: str) -> str:
    return json.dumps(text)
