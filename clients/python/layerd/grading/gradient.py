"""Whether a backward is the exact gradient of the student's own forward: by differences of what
that forward gives along directions drawn at random, taken with steps of h and 2h (an error of order
h⁴)."""
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .messages import Call, Inputs, Outcome, call_of
from .rubric import Test

INHERITED = "your backward is the exact gradient of your forward; the fault is in forward"
_STEPS = 2.0 ** -13, 2.0 ** -17  # which of them is the better depends on how curved a forward is
_PLACES = (1, -1, 2, -2)
_WEIGHTS = np.array([8, -8, -1, 1]) / 12
_DIRECTIONS = 2
_CLOSE = 1e-6  # beside the gradient's norm; a fault is further off than any of the steps' errors


class OwnGradient:
    """Whether gradients are exact at inputs of the same shapes and parameters, drawn anew: a
    challenge's own may be such that a wrong forward has no gradient there, or a rough one.

    names  of the gradients in question ("dx")
    """

    def __init__(self, test: Test, course: str, given: Inputs, names: Iterable[str], seed: int):
        random = np.random.RandomState(seed)
        self._inputs = {name: 2 * random.standard_normal(value.shape) if _is_floats(value)
                        else value for name, value in given.items()}
        self._gives = test.signature.gives
        self._directions: list[tuple[str, np.ndarray]] = []
        self.arrays: list[np.ndarray] = []
        self.calls: list[dict[str, Any]] = []
        self._add(call_of(test, course, self._inputs), 4)
        for name in names:
            value = self._inputs.get(name[1:])
            for _ in range(_DIRECTIONS if _is_floats(value) else 0):
                direction = random.choice([-1.0, 1.0], value.shape)
                self._directions.append((name, direction))
                for step in _STEPS:
                    for place in _PLACES:
                        moved = {**self._inputs, name[1:]: value + place * step * direction}
                        self._add(call_of(test, course, moved, then=False), 1)

    def _add(self, call: Call, results: int) -> None:
        shift = len(self.arrays)
        call.header["arguments"] = [_shifted(told, shift) for told in call.header["arguments"]]
        if "then" in call.header:
            call.header["then"]["arguments"] = [
                _shifted(told, shift) for told in call.header["then"]["arguments"]]
        call.header["only"] = results
        self.calls.append(call.header)
        self.arrays += call.arrays

    def judge(self, outcomes: Sequence[Outcome]) -> tuple[set[str], set[str]]:
        """Which gradients are exact, by the outcomes of `calls`; and of which it cannot be said,
        since the forward is not finite there, or constant."""
        gradients = dict(zip(self._gives, outcomes[0].returned))
        firsts = [outcome.returned[0] if outcome.returned else None for outcome in outcomes[1:]]
        dout = self._inputs.get("dout", np.float64(1))
        if not self._directions or any(not isinstance(first, np.ndarray)
                                       or first.shape != dout.shape for first in firsts):
            return set(), set()
        with np.errstate(all="ignore"):  # they may hold anything
            sums = np.array([float((first * dout).sum()) for first in firsts])
            return self._exact(gradients, sums)

    def _exact(self, gradients: Mapping[str, Any], sums: np.ndarray
               ) -> tuple[set[str], set[str]]:
        names = {name for name, _ in self._directions}
        written = any(isinstance(value, np.ndarray) and value.any()
                      for value in gradients.values())
        if not np.isfinite(sums).all():
            return set(), names
        rough = np.abs(sums).max() * 2.0 ** -50 / np.array(_STEPS)
        sums = sums.reshape(len(self._directions), len(_STEPS), len(_PLACES))
        wrong, flat = set(), set()
        for (name, direction), slopes in zip(self._directions, sums @ _WEIGHTS / _STEPS):
            claim = gradients.get(name)
            if not isinstance(claim, np.ndarray) or claim.size != direction.size:
                wrong.add(name)
                continue
            claim = claim.reshape(direction.shape).astype(np.float64)
            norm = float(np.linalg.norm(claim))
            if not norm > 0 and (np.abs(slopes) <= rough).any():
                if norm != 0 or not written:  # else 0 is what was meant
                    flat.add(name)
                continue
            allowed = _CLOSE * norm + np.minimum(rough, 1e-4 * norm)
            if not norm > 0 or not (np.abs(slopes - (claim * direction).sum()) <= allowed).any():
                wrong.add(name)
        return names - wrong - flat, flat - wrong


def _is_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def _shifted(told: Mapping[str, Any], shift: int) -> dict[str, Any]:
    if "array" in told:
        return {"array": told["array"] + shift}
    if "dictionary" in told:
        return {"dictionary": {name: _shifted(held, shift)
                               for name, held in told["dictionary"].items()}}
    return dict(told)
