"""Judging dropout, which needs no daemon: each implementation draws a mask of its own, so that
there is no right answer, but a right relation of what comes out to what went in.

Whether p is the probability of keeping or of dropping is a convention, which is found and named.
"""
import hashlib
from typing import Any, Optional

import numpy as np

from .gradient import INHERITED
from .results import Finding

_SHAPES = {"plain": (150, 400), "most": (150, 400), "images": (20, 5, 20, 30), "test": (6, 7)}
_P = {"plain": 0.3, "most": 0.75, "images": 0.3, "test": 0.3}
_DEVIATIONS = 6.0
_NORMAL = {0.3: 0.6179, 0.75: 0.7734}  # P(a normal draw < p)


def inputs(case: str, submission: str, backward: bool) -> dict[str, Any]:
    """The inputs of a case for a submission, by its digest: none of them 0."""
    seed = hashlib.sha256(f"dropout {case} {submission}".encode()).digest()
    random = np.random.RandomState(np.frombuffer(seed[:16], np.uint32))
    shape = _SHAPES[case]
    found: dict[str, Any] = {
        "x": random.choice([-1.0, 1.0], shape) * random.randint(4, 33, shape) / 16,
        "dropout_param": {"p": _P[case], "mode": "test" if case == "test" else "train"}}
    if backward:
        found["dout"] = random.choice([-1.0, 1.0], shape) * random.randint(4, 33, shape) / 16
    return found


def judge_forward(given: dict[str, Any], out: np.ndarray) -> tuple[Finding, Optional[str]]:
    """What is found of a forward's out, and the convention that it follows: "keep", "drop"."""
    out = np.asarray(out, np.float64)
    x, p = given["x"], given["dropout_param"]["p"]
    if out.shape != x.shape:
        return _wrong("shape", f"out has shape {out.shape}, but x has {x.shape}"), None
    if not np.isfinite(out).all():
        return _wrong("not_finite", "out holds numbers that are not finite"), None
    ratio = out / x
    if given["dropout_param"]["mode"] == "test":
        return _judge_test_mode(ratio, p), None
    kept = ratio != 0
    fraction = kept.mean()
    if fraction == 0:
        return _wrong("zeros", "everything is dropped"), None
    scale = float(np.median(ratio[kept]))
    if np.abs(ratio[kept] - scale).max() > 1e-5 * abs(scale):
        return _wrong("scale_differs", "what is kept is not all scaled alike: out is x · mask, "
                      "divided by the probability of keeping"), None
    if fraction == 1:
        return _wrong("nothing_dropped", "nothing is dropped in train mode"), None
    return _judge_mask(kept, float(fraction), scale, p)


def _judge_mask(kept: np.ndarray, fraction: float, scale: float, p: float
                ) -> tuple[Finding, Optional[str]]:
    rows = kept.reshape(len(kept), -1)
    if (rows == rows[0]).all() or (rows == rows[:, :1]).all():
        return _wrong("mask_by_row", "one mask is used for every row: each element is to be drawn "
                      "for itself"), None
    spread = _DEVIATIONS * np.sqrt(p * (1 - p) / kept.size)
    convention = ("keep" if abs(fraction - p) < spread else
                  "drop" if abs(fraction - (1 - p)) < spread else None)
    if convention is None:
        says = f"your mask keeps {fraction:.0%} where p is {p:g}"
        if abs(fraction - _NORMAL[p]) < spread or abs(fraction - 1 + _NORMAL[p]) < spread:
            says += ": that is the chance of a normal draw; draw with rand, not randn"
        return _wrong("mask_probability", says), None
    keep = p if convention == "keep" else 1 - p
    if abs(scale * keep - 1) <= 1e-5:
        return Finding("out", "right"), convention
    if abs(scale - 1) <= 1e-5:
        return _wrong("not_scaled", "out is x · mask: in train mode it is to be divided by the "
                      "probability of keeping"), convention
    if abs(scale * (1 - keep) - 1) <= 1e-5:
        return _wrong("scaled_by_dropping", "you divide by the probability of dropping: divide by "
                      "that of keeping"), convention
    if abs(scale * keep * keep - 1) <= 1e-5:
        return _wrong("scaled_twice", "out is divided twice by the probability of keeping"), \
            convention
    return _wrong("scale", "what is kept is to be divided by the probability of keeping"), \
        convention


def _judge_test_mode(ratio: np.ndarray, p: float) -> Finding:
    if np.abs(ratio - 1).max() <= 1e-5:
        return Finding("out", "right")
    for factor in p, 1 - p, 1 / p, 1 / (1 - p):
        if np.abs(ratio - factor).max() <= 1e-5:
            return _wrong("test_scaled", "out is scaled in test mode: it is x there, since "
                          "inverted dropout scales in train mode")
    if (ratio == 0).any():
        return _wrong("drops_in_test", "elements are dropped in test mode: out is x there")
    return _wrong("", "out is to be x in test mode")


def judge_backward(given: dict[str, Any], out: np.ndarray, dx: np.ndarray) -> Finding:
    """What is found of dx, by what the forward of the same call gave."""
    out, dx = np.asarray(out, np.float64), np.asarray(dx, np.float64)
    x, dout = given["x"], given["dout"]
    if dx.shape != dout.shape:
        return Finding("dx", "wrong", "shape", f"dx has shape {dx.shape}, but dout has "
                       f"{dout.shape}")
    if not np.isfinite(dx).all():
        return Finding("dx", "wrong", "not_finite", "dx holds numbers that are not finite")
    if given["dropout_param"]["mode"] == "test":
        return _judge_test_gradient(given, out, dx)
    forward, _ = judge_forward(given, out)
    is_gradient = out.shape == x.shape and np.abs(dx - dout * out / x).max() <= 1e-5 * np.abs(
        dout * out / x).max()
    if is_gradient and forward.verdict == "right":
        return Finding("dx", "right")
    if is_gradient and np.abs(dx).max() > 0:
        return Finding("dx", "wrong", "inherited", f"{INHERITED}: {forward.says}", own=True)
    return Finding("dx", "wrong", *_fault_of_backward(given, out, dx))


def _judge_test_gradient(given: dict[str, Any], out: np.ndarray, dx: np.ndarray) -> Finding:
    """What is found of dx in test mode, where it may be right for a wrong out too."""
    dout = given["dout"]
    if np.abs(dx - dout).max() <= 1e-5 * np.abs(dout).max():
        return Finding("dx", "right")
    forward, _ = judge_forward(given, out)
    slope = dout * out / given["x"] if out.shape == dx.shape else dout
    if np.abs(dx).max() > 0 and np.abs(dx - slope).max() <= 1e-5 * np.abs(slope).max():
        return Finding("dx", "wrong", "inherited", f"{INHERITED}: {forward.says}", own=True)
    zeros = "" if np.abs(dx).max() > 0 else ", and not all zeros"
    return Finding("dx", "wrong", "test_mode", f"in test mode dx is dout{zeros}")


def _fault_of_backward(given: dict[str, Any], out: np.ndarray, dx: np.ndarray) -> tuple[str, str]:
    x, dout = given["x"], given["dout"]
    ratio = dx / dout
    if not np.abs(ratio).max() > 0:
        return "zeros", "dx is all zeros"
    if np.abs(ratio - 1).max() <= 1e-5:
        return "mask_missing", "dx is dout: what was dropped has no gradient"
    if out.shape == x.shape and ((ratio != 0) == (out != 0)).all():
        return "scale", "the mask is right, but dx is not scaled as out was"
    return "other_mask", "dx does not follow the mask that forward drew, which is in the cache"


def _wrong(fault: str, says: str) -> Finding:
    return Finding("out", "wrong", fault, says)
