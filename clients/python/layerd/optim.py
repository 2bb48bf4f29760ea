"""The course's optim.py, computed by a layerd daemon.

Every rule takes the weights w, their gradient dw and a dictionary config, and returns the next
weights and config, for the next step. As in the course: what config lacks is set in it, what moves
(velocity, cache, m, v, t) is stored in it anew, other keys are left alone; without a config there
is a new one. sgd changes w itself; the others leave it as it was.

w and dw are of one shape, or of shapes that NumPy broadcasts; all is computed in the common dtype.
Kept tensors may stand for both, and in config; they stay as they are, of w by sgd, too.

Where config has an `a`, as ECE 239AS's does, rmsprop's moving square is that, and adam's moments
are `v` and `a`, not `m` and `v`.
"""
import typing as _t

import numpy as np

from .calls import call as _call
from .calls import like as _like
from .calls import numbers as _numbers
from .tensor import Tensor as _Tensor

_Step = tuple[np.ndarray, dict]  # next_w, config


def sgd(w: np.ndarray, dw: np.ndarray, config: _t.Optional[dict] = None) -> _Step:
    """w -= learning_rate · dw.

    config: learning_rate (1e-2)
    """
    next_w, config = _update("sgd", w, dw, config, {}, learning_rate=1e-2)
    if isinstance(w, np.ndarray):
        np.copyto(w, next_w, casting="same_kind")
        next_w = w
    return next_w, config


def sgd_momentum(w: np.ndarray, dw: np.ndarray, config: _t.Optional[dict] = None) -> _Step:
    """velocity = momentum · velocity - learning_rate · dw; next_w = w + velocity.

    config: learning_rate (1e-2), momentum (0.9), velocity like w (zeros)
    """
    return _update("sgd_momentum", w, dw, config, {"velocity": "velocity"},
                   learning_rate=1e-2, momentum=0.9)


def rmsprop(w: np.ndarray, dw: np.ndarray, config: _t.Optional[dict] = None) -> _Step:
    """cache = decay_rate · cache + (1 - decay_rate) · dw²;
    next_w = w - learning_rate · dw / (sqrt(cache) + epsilon).

    config: learning_rate (1e-2), decay_rate (0.99), epsilon (1e-8), cache like w (zeros)
    """
    moving = {"cache": "a"} if config and "a" in config else {"cache": "cache"}
    return _update("rmsprop", w, dw, config, moving,
                   learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8)


def adam(w: np.ndarray, dw: np.ndarray, config: _t.Optional[dict] = None) -> _Step:
    """t = t + 1; m = beta1 · m + (1 - beta1) · dw; v = beta2 · v + (1 - beta2) · dw²;
    next_w = w - learning_rate · (m / (1 - beta1ᵗ)) / (sqrt(v / (1 - beta2ᵗ)) + epsilon).

    config: learning_rate (1e-3), beta1 (0.9), beta2 (0.999), epsilon (1e-8), m and v like w
    (zeros), t (0)
    """
    moving = {"m": "v", "v": "a"} if config and "a" in config else {"m": "m", "v": "v"}
    return _update("adam", w, dw, config, moving,
                   learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, t=0)


def _update(rule: str, w: np.ndarray, dw: np.ndarray, config: _t.Optional[dict],
            moving: dict[str, str], **defaults: float) -> _Step:
    """`moving`: of the arrays that move, by the operation's names, those in config."""
    config = {} if config is None else config
    for name, value in defaults.items():
        config.setdefault(name, value)
    held = [name for name in moving if moving[name] in config]
    w, dw, *before = _numbers(w, dw, *[config[moving[name]] for name in held])
    dtypes = {name: array.dtype for name, array in zip(held, before)}
    shape, (w, dw, *before) = _of_one_shape(w, dw, *before)
    answer = _call(f"{rule}/update", w=w, dw=dw,
                   config={**{name: config[name] for name in defaults}, **dict(zip(held, before))})
    next_w, moved = answer["next_w"], answer["config"]
    for name in moving:
        moved[name].shape = shape
        config[moving[name]] = _like(moved[name], dtypes.get(name, w.dtype), dw.dtype)
    if "t" in moved:
        config["t"] = moved["t"]
    next_w.shape = shape
    return next_w, config


def _of_one_shape(*arrays: _t.Any) -> tuple[tuple[int, ...], list]:
    """The shape that NumPy broadcasts arrays to, and they in it, single numbers as vectors of one:
    in config they would be numbers. Where NumPy would not, they as they are, for the daemon to say
    what is wrong. Kept tensors stay."""
    try:
        shape = np.broadcast_shapes(*[array.shape for array in arrays])
    except ValueError:
        return arrays[0].shape, list(arrays)
    return shape, [array if isinstance(array, _Tensor) else np.broadcast_to(array, shape or (1,))
                   for array in arrays]
