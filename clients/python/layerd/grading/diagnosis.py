"""Words for what went wrong before there was anything to compare."""
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from .results import Finding, clean

_MESSAGE = 500  # characters
_OLD_NUMPY = ("only integers, slices", "slice indices must be integers", "inhomogeneous shape",
              "arrays used as indices must be of", "cannot be interpreted as an integer",
              "numpy boolean")
_ONLY_OLD = ". Only old NumPys took that: indices are whole numbers, arrays have one shape, and " \
    "truth values no minus"


def may_be_division(told: Optional[Mapping[str, Any]]) -> Optional[tuple[Any, ...]]:
    """Of an exception that a float in the place of a whole number may be behind: what it is and
    where it was raised."""
    if not told or told.get("exception") not in ("TypeError", "IndexError", "ValueError"):
        return None
    return told.get("exception"), told.get("message"), told.get("line")


def of_crash(told: Mapping[str, Any], function: str) -> Finding:
    """What to say of an exception in a function."""
    name = _text(told.get("exception"), 100)
    message = _text(told.get("message"), _MESSAGE)
    line = told.get("line")
    if name == "SystemExit":
        return Finding("", "crash", "exits",
                       f"{function} called exit(){_at(told)}, which ends the whole program")
    if name == "MemoryError":
        return Finding("", "crash", "memory", f"{function} used too much memory{_at(told)}")
    if name == "RecursionError":
        return Finding("", "crash", "recursion", f"{function} calls itself without end{_at(told)}")
    text = _text(told.get("text"), 200)
    handed_out = name == "NameError" and text.startswith("return") and "(" not in text
    if name == "NotImplementedError" or handed_out or \
            name == "AssertionError" and text.startswith("assert False"):
        return Finding("", "missing", "not_written",
                       f"{function} is not written yet: {message or name} at line {line}")
    if told.get("unset") and "NoneType" in message:
        return Finding("", "missing", "not_written", f"{function} is not written yet: "
                       f"{_text(told.get('unset'), 40)} is None{_at(told)}")
    says = f"{function} raised {name}{_at(told)}"
    if message:
        says += f": {message}"
    if any(part in message for part in _OLD_NUMPY):
        return Finding("", "crash", "old_numpy", says.rstrip(".") + _ONLY_OLD)
    if "'NoneType' object has no attribute" in message:
        says += ". It is None there: what gives it is not written yet"
    hidden = told.get("hidden")
    if isinstance(hidden, str):
        says += f". The loop variable {_text(hidden, 40)} hides the argument of that name"
    return Finding("", "crash", "raised", says)


def of_division(crash: Finding) -> Finding:
    """What to say of an exception that does not come where / is as in Python 2."""
    return replace(crash, fault="python_2", says=crash.says.removesuffix(_ONLY_OLD) +
                   ". / gives a float in Python 3: use //")


def of_zeros(output: str) -> Finding:
    """What to say of a function that gives zeros in every case."""
    return Finding(output, "missing", "zeros", f"every element of {output} is 0: not written yet")


def of_import(told: Mapping[str, Any], path: str) -> str:
    """What to say of a file that cannot be imported."""
    name, message = _text(told.get("exception"), 100), _text(told.get("message"), _MESSAGE)
    if name not in ("SyntaxError", "IndentationError", "TabError"):
        return f"{path} cannot be imported: it raised {name}{_at(told)}: {message}"
    says = f"{told.get('file') or path} is no Python: {message}{_at(told)}"
    if "Missing parentheses in call to 'print'" in message or "'exec'" in message:
        says += ". It was written for Python 2"
    return f"{says}. Nothing of the file can be tested until it parses"


def of_result(output: str, found: str) -> Finding:
    """What to say of a result that is no array."""
    if found == "masked array":
        return Finding(output, "wrong", "masked", f"{output} is a masked array: what is masked "
                       "keeps its values, and is to become 0")
    if found == "None":
        return Finding(output, "missing", "not_written", f"{output} is None: not written yet")
    if found.startswith("of shape"):
        return Finding(output, "wrong", "too_large", f"{output} is {found}: far too large")
    return Finding(output, "wrong", "type", f"{output} is of type {found}, where a NumPy array is "
                   "wanted")


def _at(told: Mapping[str, Any]) -> str:
    line, file = told.get("line"), told.get("file")
    if not isinstance(line, int):
        return ""
    return f" at line {line}" + (f" of {_text(file, 100)}" if isinstance(file, str) else "")


def _text(value: Any, limit: int) -> str:
    return clean(value[:limit]) if isinstance(value, str) else ""
