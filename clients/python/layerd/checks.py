"""Checks and challenges: what is claimed, and what is found of it."""
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Optional, Union

import numpy as np

from .arguments import FLOAT32, FLOAT64, float_dtype
from .connection import Answer
from .forms import Json, dtype_name


class Verdict:
    """What is found of claims: true where all of them are right, and as text what is the matter.

    verdict  "right", "wrong", or "undecided": these inputs cannot tell right from wrong
    claim    by name, as they were claimed, of each: its verdict, and as far as there are, fault (the
             name of what was done wrongly) and says (the same as a sentence); with detail="values"
             at, claimed, expected, error and bound of the worst element, too
    """

    def __init__(self, verdict: str, claim: dict[str, Any]):
        self.verdict = verdict
        self.claim = claim

    @classmethod
    def decode(cls, answer: Answer) -> "Verdict":
        return cls(**Json.decode(answer, FLOAT64))

    def __bool__(self) -> bool:
        return self.verdict == "right"

    def __str__(self) -> str:
        lines = [f"{name} is {found['verdict']}" + (f": {found['says']}" if "says" in found else "")
                 for name, found in _findings(self.claim) if found["verdict"] != "right"]
        return "\n".join(lines) or "right"

    def __repr__(self) -> str:
        return f"<layerd.Verdict {self.verdict}: {self.claim}>"


def _findings(claim: Mapping[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Names, as in "bn_param.running_mean", and what is found of each."""
    found = []
    for name, value in claim.items():
        if "verdict" in value:
            found.append((prefix + name, value))
        else:
            found += _findings(value, f"{prefix}{name}.")
    return found


class Challenge:
    """Inputs that the daemon has drawn, of which the outputs are to be claimed.

    inputs     by the operation's own names: arrays, and dictionaries of parameters
    claims     the names of what is to be claimed, as in "out", "bn_param.running_mean"
    operation  "affine/forward"
    challenge  the text that goes with the answer
    expires    when it can be answered no more: RFC 3339
    """

    def __init__(self, challenge: str, expires: str, operation: str, inputs: dict[str, Any],
                 claims: list[str]):
        self.challenge = challenge
        self.expires = expires
        self.operation = operation
        self.inputs = inputs
        self.claims = claims

    def __repr__(self) -> str:
        return f"<layerd.Challenge of {self.operation}: {', '.join(self.claims)}>"


def asked(operation: str, case: str, dtype: Any, assignment: str,
          submission: Optional[Union[str, bytes]]) -> dict[str, Any]:
    """What asks for a challenge."""
    if isinstance(submission, bytes):
        submission = hashlib.sha256(submission).hexdigest()
    told = {"operation": operation, "case": case, "assignment": assignment,
            "dtype": dtype_name(float_dtype(dtype))}
    return told if submission is None else {**told, "submission": submission}


def claimed(claim: Mapping[str, Any]) -> dict[str, Any]:
    """Claims as a body holds them: of whatever shape they are, for the daemon to say what is wrong
    with it."""
    return {name: claimed(value) if isinstance(value, Mapping) else
            value if isinstance(value, str) else _numbers(value) for name, value in claim.items()}


def _numbers(value: Any) -> Union[np.ndarray, float]:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a claim is of dtype {array.dtype}, but must be of numbers")
    if not array.ndim:
        return float(array)
    return array.astype(FLOAT32 if array.dtype == FLOAT32 else FLOAT64, order="C", copy=False)


def terms(precision: Any, tolerance: Optional[Mapping[str, float]]) -> dict[str, Any]:
    """What a check is told beside its claims."""
    told: dict[str, Any] = {}
    if precision is not None:
        told["precision"] = dtype_name(float_dtype(precision))
    if tolerance is not None:
        told["tolerance"] = {name: float(value) for name, value in tolerance.items()}
    return told
