"""A right layers.py and optim.py, and faults that can be planted in them: what a rubric is checked
with. Where students' code runs, none of it can be read (spaces.py, landlock.py)."""
import os
from dataclasses import dataclass

from .faults import LAYERS, OPTIM

_HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True)
class Fault:
    """A fault in one function: in its text, `right` becomes `wrong`."""

    function: str
    says: str
    right: str
    wrong: str


FILES = "layers.py", "optim.py"
FAULTS = {"layers.py": [Fault(*line) for line in LAYERS],
          "optim.py": [Fault(*line) for line in OPTIM]}


def right(name: str) -> str:
    """The text of a right layers.py or optim.py."""
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        return file.read()


def with_fault(name: str, fault: Fault) -> str:
    """The same with one fault."""
    text = right(name)
    begin = text.index(f"def {fault.function}(")
    end = text.find("\ndef ", begin) % (len(text) + 1)
    body = text[begin:end]
    if body.count(fault.right) != 1:
        raise ValueError(f"{fault.right!r} is not once in {fault.function}")
    return text[:begin] + body.replace(fault.right, fault.wrong) + text[end:]
