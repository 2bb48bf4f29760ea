"""Calls of a student's functions as messages, and what comes back."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np

from ..checks import Challenge
from .rubric import Test
from .signatures import COURSES, Signature

Inputs = Mapping[str, Any]


@dataclass
class Call:
    """A call to be sent: its header and the arrays that this refers to."""

    header: dict[str, Any]
    arrays: list[np.ndarray]


def inputs_of(challenge: Challenge) -> dict[str, Any]:
    """The inputs of a challenge as the course's functions take them."""
    return {name: value.astype(np.int64) if name == "y" else value
            for name, value in challenge.inputs.items()}


def call_of(test: Test, course: str, inputs: Inputs, then: bool = True) -> Call:
    """The call that a test makes; of a backward's, its forward alone without `then`."""
    arrays: list[np.ndarray] = []
    signature = test.signature
    if not signature.forward:
        return Call(_header(test.function, signature, inputs, arrays), arrays)
    forward = COURSES[course][signature.forward]
    header = _header(test.forward or forward.function, forward, inputs, arrays)
    if then:
        header["then"] = _header(test.function, signature, inputs, arrays)
        header["both"] = True
    return Call(header, arrays)


def _header(function: str, signature: Signature, inputs: Inputs, arrays: list[np.ndarray]
            ) -> dict[str, Any]:
    count = expected_results(signature)
    return {"function": function, "names": list(signature.takes), "several": count > 1,
            "arguments": [_told(_argument(name, signature, inputs), arrays)
                          for name in signature.takes]}


def _argument(name: str, signature: Signature, inputs: Inputs) -> Any:
    if name == "G":
        return int(inputs["gn_param"]["groups"])
    value = inputs.get(name, {})
    if not isinstance(value, dict):
        return value
    return {signature.keys.get(key, key) if signature.keys else key: held
            for key, held in value.items() if key != "groups"}


def _told(value: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": len(arrays) - 1}
    if isinstance(value, dict):
        return {"dictionary": {name: _told(held, arrays) for name, held in value.items()}}
    return {"number": value}


def expected_results(signature: Signature) -> int:
    """How many results a function returns: a forward's cache and an update's config too."""
    is_loss = signature.gives[0] == "loss"
    return len(signature.gives) + (not signature.forward and not is_loss)


@dataclass
class Outcome:
    """What came back of a call.

    raised    the exception, as the student's process tells it, or None
    failed    that of a backward's forward, whose cache was made without it, or None
    during    the function that ran last
    returned  results: arrays, or strings that name what is none
    moved     what is then in a dictionary among the arguments, or the second result
    first     what a backward's forward returned first; `no_forward`: that is None; `no_cache`:
              as its cache
    built     by results, in which argument, overwritten, they were made
    """

    raised: Optional[Mapping[str, Any]] = None
    failed: Optional[Mapping[str, Any]] = None
    during: str = ""
    returned: list[Any] = field(default_factory=list)
    alone: bool = False
    moved: dict[str, Any] = field(default_factory=dict)
    first: Any = None
    no_forward: bool = False
    no_cache: bool = False
    built: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def outcome_of(told: Any, frames: Sequence[np.ndarray], signature: Signature) -> Outcome:
    """Reads what a student's process tells of a call. ValueError: it makes no sense."""
    try:
        returned = [_result(item, frames) for item in told.get("returned", [])]
        moved = told.get("dictionaries", {}).get(signature.moves, {})
        if signature.moves == "config" and len(returned) > 1:
            moved = told["returned"][1].get("items", moved)
        names = {theirs: ours for ours, theirs in (signature.keys or {}).items()}
        raised, failed = told.get("raised"), told.get("failed")
        if not all(each is None or isinstance(each, dict) for each in (raised, failed)):
            raise ValueError("an exception is told of by no object")
        notes = [note for note in told.get("notes", [])[:8]
                 if signature.function != "sgd"]  # the course's own changes w
        gives = dict(enumerate(signature.gives))
        built = {gives[place]: str(note["changed"])[:40] for note in notes
                 for place in note.get("into", ()) if place in gives}
        return Outcome(
            raised=raised, failed=failed, during=str(told.get("during", ""))[:200],
            returned=returned,
            alone=bool(told.get("alone")), first=_result(told.get("first", {"is": "None"}), frames),
            moved={names.get(key, key): _result(item, frames) for key, item in moved.items()},
            no_forward=bool(told.get("no_forward")), no_cache=bool(told.get("no_cache")),
            built=built, notes=_notes(notes, built, signature, told.get("returned", [])))
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError("an answer is not made as the grader's own are") from error


def _notes(changes: Sequence[Mapping[str, Any]], built: Mapping[str, str], signature: Signature,
           returned: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is to be said of a call whatever it gave."""
    notes = []
    for changed in dict.fromkeys(str(note["changed"])[:40] for note in changes):
        inside = [name for name, argument in built.items() if argument == changed]
        more = f"; {' and '.join(inside)} {'are' if inside[1:] else 'is'} built in it" \
            if inside else ""
        notes.append(f"{changed} is overwritten: a second use of it would be wrong{more}")
    return notes + [f"{name} is a {str(item['listed'])[:20]}: others who use it count on an array"
                    for name, item in zip(signature.gives, returned)
                    if item["is"] == "array" and "listed" in item]


def _result(item: Mapping[str, Any], frames: Sequence[np.ndarray]) -> Any:
    if item["is"] != "array":
        kind = str(item["is"])[:100]
        shape = item.get("shape")
        return f"of shape {tuple(map(int, shape))}" if kind == "too large" else kind
    return frames[int(item["frame"])]
