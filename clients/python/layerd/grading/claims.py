"""What a student's results claim, as a challenge wants them, and what is found without asking."""
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np

from ..checks import Challenge
from . import diagnosis
from .messages import Inputs, Outcome
from .results import Finding
from .rubric import Test


def claims_of(challenge: Challenge, test: Test, outcome: Outcome
            ) -> tuple[dict[str, Any], dict[str, Finding]]:
    """The values to claim, by dotted names, and what is found already of those that are none."""
    given = dict(zip(test.signature.gives, outcome.returned))
    values: dict[str, Any] = {}
    findings: dict[str, Finding] = {}
    for name in challenge.claims:
        path = name.split(".")
        value = given.get(path[0], "None") if len(path) == 1 else outcome.moved.get(path[1])
        if value is None:
            key = (test.signature.keys or {}).get(path[1], path[1])
            findings[name] = Finding(name, "wrong", "not_stored", f"{path[0]} has no {key} "
                                     "after the call: it was not stored")
        elif isinstance(value, str):
            findings[name] = diagnosis.of_result(name, value)
        elif value.size > _MOST:
            findings[name] = diagnosis.of_result(name, f"of shape {value.shape}")
        elif value.shape in ((), (1,)) and name not in _SCALARS and not value.any():
            findings[name] = Finding(name, "missing", "not_written",
                                     f"{name} is a single 0: not written yet")
        elif name in _SCALARS and value.ndim:
            findings[name] = Finding(name, "wrong", "shape", f"{name} has shape {value.shape}, but "
                                     "must be one number")
        if name in findings:
            value = np.array(np.nan) if name in _SCALARS else np.zeros(0)  # which is never right
        elif name in ("dgamma", "dbeta") and value.shape[:1] == (1,) and \
                test.operation.startswith("spatial_groupnorm"):
            value = value.ravel()
        values[name] = value
    return values, findings


_SCALARS = "loss", "config.t"
_MOST = 1 << 17  # elements; no challenge's results have a thousandth of it


def as_document(values: Mapping[str, Any]) -> dict[str, Any]:
    """Claims with those of dictionaries in dictionaries."""
    claim: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = claim
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return claim


def at_path(document: Any, name: str) -> Mapping[str, Any]:
    for part in name.split("."):
        document = document.get(part, {}) if isinstance(document, dict) else {}
    return document


def finding_of(name: str, told: Mapping[str, Any]) -> Finding:
    if told.get("verdict") == "right":
        return Finding(name, "right")
    return Finding(name, "wrong", str(told.get("fault", "")), str(told.get("says", "")))


def in_right_shape(given: Inputs, name: str, value: np.ndarray) -> Optional[np.ndarray]:
    """A result in the shape that it should have, where only that is wrong; else None."""
    last = name.rpartition(".")[2]
    like = {"out": None, "running_mean": "beta", "running_var": "beta", "next_w": "w"}.get(
        last, last[1:])
    wanted = given.get(like) if like else None
    if not isinstance(wanted, np.ndarray) or wanted.size != value.size:
        return None
    shape = (wanted.size,) if like in ("gamma", "beta") else wanted.shape
    return value.reshape(shape) if value.shape != shape else None


def shape_finding(name: str, value: np.ndarray, given: Inputs, found: Finding) -> Finding:
    """More of what is found of a result in a wrong shape."""
    if name == "dx" and not value.size and given.get("conv_param", {}).get("pad") == 0:
        return Finding(name, "wrong", "pad_zero", "dx is empty because pad is 0: a slice from pad "
                       "to -pad then runs from 0 to 0; cut with pad : pad + H")
    x = given.get("x")
    if name in ("out", "dx") and "): " not in found.says and isinstance(x, np.ndarray) and \
            sorted(value.shape) == sorted(x.shape) and value.shape != x.shape and "w" not in given:
        found.says += ": its axes are in another order, see your transpose"
    return Finding(name, "wrong", "shape",
                   found.says or f"{name} has shape {value.shape}, which is not right",
                   caused="): " in found.says)
