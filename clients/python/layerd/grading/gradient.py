"""Whether a backward is the exact gradient of the student's own forward: by differences of what
that forward gives along directions drawn at random, taken with steps of h and 2h (an error of order
h⁴)."""
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .messages import Inputs, call_of
from .rubric import Test

_STEPS = 2.0 ** -13, 2.0 ** -17  # which of them is the better depends on how curved a forward is
_PLACES = (1, -1, 2, -2)
_WEIGHTS = np.array([8, -8, -1, 1]) / 12
_DIRECTIONS = 2
_CLOSE = 1e-6  # beside the gradient's norm; a fault is further off than any of the steps' errors


class OwnGradient:
    """Differences of a forward, to be asked for in one message.

    claims  gradients that the student's backward gave, by name ("dx")
    """

    def __init__(self, test: Test, course: str, inputs: Inputs, claims: Mapping[str, np.ndarray],
                 seed: int):
        self._claims = {name: claim for name, claim in claims.items()
                        if _of(name, inputs) is not None
                        and claim.size == _of(name, inputs).size}
        self._inputs = inputs
        self._directions: list[tuple[str, np.ndarray]] = []
        self.arrays: list[np.ndarray] = []
        self.calls: list[dict[str, Any]] = []
        random = np.random.RandomState(seed)
        for name in self._claims:
            value = _of(name, inputs)
            for _ in range(_DIRECTIONS):
                direction = random.choice([-1.0, 1.0], value.shape)
                self._directions.append((name, direction))
                for step in _STEPS:
                    for place in _PLACES:
                        moved = value + place * step * direction
                        self._add(test, course, {**inputs, name[1:]: moved})

    def _add(self, test: Test, course: str, inputs: Inputs) -> None:
        call = call_of(test, course, inputs, then=False)
        shift = len(self.arrays)
        call.header["arguments"] = [_shifted(told, shift) for told in call.header["arguments"]]
        call.header["only"] = 1
        self.calls.append(call.header)
        self.arrays += call.arrays

    def judge(self, values: Sequence[np.ndarray]) -> set[str]:
        """Which claims are exact, by the forward's results in the order of `calls`."""
        with np.errstate(all="ignore"):  # they may hold anything
            return self._judge(values)

    def _judge(self, values: Sequence[np.ndarray]) -> set[str]:
        dout = self._inputs.get("dout")
        sums = [float((value * dout).sum()) if dout is not None else float(value)
                for value in values]
        rough = max(abs(value) for value in sums) * 2.0 ** -52
        numbers = np.array(sums).reshape(len(self._directions), len(_STEPS), len(_PLACES))
        slopes = (numbers @ _WEIGHTS) / _STEPS
        exact = {name: True for name in self._claims}
        for (name, direction), slope in zip(self._directions, slopes):
            claim = self._claims[name].reshape(direction.shape).astype(np.float64)
            norm = float(np.linalg.norm(claim))
            errors = np.abs(slope - (claim * direction).sum())
            allowed = _CLOSE * norm + np.minimum(rough / np.array(_STEPS) * 4, 1e-4 * norm)
            if not norm > 0 or not (errors <= allowed).any():
                exact[name] = False
        return {name for name, is_exact in exact.items() if is_exact}


def _of(name: str, inputs: Inputs) -> Any:
    """What a gradient is of: an input of floats, or None."""
    value = inputs.get(name[1:])
    return value if isinstance(value, np.ndarray) and value.dtype.kind == "f" else None


def _shifted(told: Mapping[str, Any], shift: int) -> dict[str, Any]:
    if "array" in told:
        return {"array": told["array"] + shift}
    if "dictionary" in told:
        return {"dictionary": {name: _shifted(held, shift)
                               for name, held in told["dictionary"].items()}}
    return dict(told)
