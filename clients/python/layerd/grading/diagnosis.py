"""Words for what went wrong before there was anything to compare."""
from collections.abc import Mapping
from typing import Any

from .results import Finding, clean

_MESSAGE = 500  # characters
_PYTHON_2 = ("'float' object cannot be interpreted as an integer",
             "slice indices must be integers", "integer argument expected, got float",
             "can't multiply sequence by non-int of type 'float'",
             "'numpy.float64' object cannot be interpreted as an integer")
_OLD_NUMPY = "only integers, slices", "inhomogeneous shape", "arrays used as indices must be of"


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
    if name == "NotImplementedError" or name == "NameError" and text.startswith("return") or \
            name == "AssertionError" and text.startswith("assert False"):
        return Finding("", "missing", "not_written",
                       f"{function} is not written yet: {message or name} at line {line}")
    says = f"{function} raised {name}{_at(told)}"
    if message:
        says += f": {message}"
    if any(part in message for part in _PYTHON_2):
        return Finding("", "crash", "python_2", f"{says}. / gives a float in Python 3: use //")
    if any(part in message for part in _OLD_NUMPY):
        return Finding("", "crash", "old_numpy", f"{says}. Only old NumPys took that: indices are "
                       "whole numbers, by // and not by /, and arrays have one shape")
    hidden = told.get("hidden")
    if isinstance(hidden, str):
        says += f". The loop variable {_text(hidden, 40)} hides the argument of that name"
    return Finding("", "crash", "raised", says)


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
