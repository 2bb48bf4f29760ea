"""The course's layers.py, computed by a layerd daemon.

    from layerd.layers import *

in the place of `from .layers import *` is all that a network needs. Functions, arguments, results
and their dtypes are those of the same names in NumPy: inputs of any memory order, mixed dtypes and
integers among them; results that are the caller's own to change. What is wrong with an argument is
a ValueError that says what to change.

`dropout_param["p"]` is the probability of KEEPING an element. In some forks of the course it is
the probability of dropping one: give 1 - p there.

A backward is computed in the dtype of its forward: of a float32 network, a float64 dout is rounded
first, though the results come back in float64.

A vector may have any shape that NumPy broadcasts to rows: (), (1,), (D,), (1, D). A cache can be
looked into as the course's (layerd.Cache); a backward of affine, relu and dropout takes the
course's own, too: (x, w, b), x and (dropout_param, mask).

The daemon is that of the environment's LAYERD_URL, else http://127.0.0.1:8080; `set_client` names
another.

*D stands for any trailing dimensions whose product is D.
"""
# No __all__: code that imports * from the course's layers.py uses the np, some the pdb, that come.
import functools as _functools
import pdb  # noqa: F401  pylint: disable=unused-import
import typing as _t

import numpy as np

from . import arguments as _arguments
from . import cache as _cache
from . import client as _clients

_Kept = _t.Union[_cache.Cache, _t.Sequence, np.ndarray]  # what a backward takes as a cache

_client: _t.Optional[_clients.Client] = None


def set_client(client: _clients.Client) -> None:
    """Has every later call of this module go through `client`."""
    global _client
    _client = client


def affine_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, _cache.Cache]:
    """out = reshape(x, (N, D)) · w + b.

    x (N, *D), w (D, M), b (M,) -> out (N, M), cache
    """
    arrays = _numbers(x, w, b)
    width = arrays[1].shape[-1:]
    answer = _call("affine/forward", x=arrays[0], w=arrays[1], b=_row(arrays[2], width))
    return answer["out"], _holding(answer["cache"], tuple, (x, w, b))


def affine_backward(dout: np.ndarray, cache: _Kept) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dout (N, M), cache -> dx (N, *D), dw (D, M), db (M,)"""
    if not isinstance(cache, _cache.Cache):
        _, cache = affine_forward(*cache)
    dout, = _numbers(dout)
    answer = _call("affine/backward", dout=dout, cache=cache)
    return (_like(answer["dx"], dout.dtype, cache.dtypes["w"]),
            _like(answer["dw"], dout.dtype, cache.dtypes["x"]),
            _like(answer["db"], dout.dtype))


def relu_forward(x: np.ndarray) -> tuple[np.ndarray, _cache.Cache]:
    """out = max(x, 0).

    x of any shape -> out of the same, cache
    """
    array, = _numbers(x)
    answer = _call("relu/forward", x=array)
    return answer["out"], _holding(answer["cache"], np.asanyarray, x)


def relu_backward(dout: np.ndarray, cache: _Kept) -> np.ndarray:
    """dout like x, cache -> dx like x"""
    if not isinstance(cache, _cache.Cache):
        _, cache = relu_forward(np.asarray(cache))
    dout, = _numbers(dout)
    return _like(_call("relu/backward", dout=dout, cache=cache)["dx"], dout.dtype)


def batchnorm_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
                      ) -> tuple[np.ndarray, _cache.Cache]:
    """Normalises each feature, by the batch's statistics in train mode, by the running ones in
    test mode; then out = gamma · x̂ + beta.

    x (N, D), gamma (D,), beta (D,), bn_param -> out (N, D), cache

    bn_param: mode "train" or "test", eps (1e-5), momentum (0.9), running_mean (D,) and
    running_var (D,). The last two are set in it: zeros to begin with, moved by train mode as
    running = momentum · running + (1 - momentum) · sample. Other keys are left alone.
    """
    sent = {name: bn_param[name] for name in ("mode", "eps", "momentum") if name in bn_param}
    running = [name for name in ("running_mean", "running_var") if name in bn_param]
    x, gamma, beta, *held = _numbers(x, gamma, beta, *[bn_param[name] for name in running])
    width = x.shape[-1:]
    sent.update({name: _row(array, width) for name, array in zip(running, held)})
    if sent.get("mode") == "test":  # what is normalised is then of the running statistics' dtype
        x = _like(x, x.dtype, *[array.dtype for array in held])
    answer = _call("batchnorm/forward", x=x, gamma=_row(gamma, width), beta=_row(beta, width),
                   bn_param=sent)
    before = dict(zip(running, held))
    for name in ("running_mean", "running_var"):
        if sent["mode"] == "train" or name not in bn_param:
            moved = answer["bn_param"][name]
            if name in before:
                moved.shape = np.broadcast_shapes(moved.shape, before[name].shape)
            bn_param[name] = _like(moved, x.dtype, before.get(name, x).dtype)
    return _like(answer["out"], x.dtype, gamma.dtype, beta.dtype), answer["cache"]


def batchnorm_backward(dout: np.ndarray, cache: _cache.Cache
                       ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dout (N, D), cache -> dx (N, D), dgamma (D,), dbeta (D,)"""
    if not isinstance(cache, _cache.Cache):
        raise TypeError("the cache must be the one that batchnorm_forward of layerd gave: in other "
                        "code each holds something else")
    dout, = _numbers(dout)
    answer = _call("batchnorm/backward", dout=dout, cache=cache)
    return (_like(answer["dx"], dout.dtype, cache.dtypes["x"], cache.dtypes["gamma"]),
            _like(answer["dgamma"], dout.dtype, cache.dtypes["x"]),
            _like(answer["dbeta"], dout.dtype))


def dropout_forward(x: np.ndarray, dropout_param: dict) -> tuple[np.ndarray, _cache.Cache]:
    """Inverted dropout: in train mode out = x · mask / p, mask = rand(*x.shape) < p; in test mode
    out = x.

    x of any shape, dropout_param -> out of the same, cache

    dropout_param: p, the probability of KEEPING an element; mode "train" or "test"; and perhaps
    seed. The mask is drawn from NumPy's global generator, after np.random.seed(seed) if there is a
    seed, which is left as the course's code leaves it.
    """
    array, = _numbers(x)
    sent = {name: dropout_param[name] for name in ("p", "mode") if name in dropout_param}
    seed = dropout_param.get("seed")
    if "seed" in dropout_param:
        np.random.seed(seed)
    if seed is not None:
        sent["seed"] = seed
    kept = None
    if sent.get("mode") == "train" and "p" in sent:
        kept = np.asarray(np.random.rand(*array.shape) < sent["p"])
        if seed is None:  # else the daemon draws the same
            sent["mask"] = kept.view(_arguments.MASK)
    answer = _call("dropout/forward", x=array, dropout_param=sent)
    return answer["out"], _holding(answer["cache"], _dropout_cache, dropout_param, kept,
                                   sent["p"])


def dropout_backward(dout: np.ndarray, cache: _Kept) -> np.ndarray:
    """dout like x, cache -> dx like x"""
    dout, = _numbers(dout)
    if isinstance(cache, _cache.Cache):
        answer = _call("dropout/backward", dout=dout, cache=cache)
        return _like(answer["dx"], dout.dtype)
    # What forward does to x: dout · mask / p.
    param, mask = cache
    sent = {"p": 1, "mode": param["mode"]}
    if param["mode"] == "train":
        mask = np.asarray(mask)
        scale = mask.max(initial=0) or 1
        if ((mask != 0) & (mask != scale)).any():
            raise ValueError("the mask of dropout must hold zeros and one other number")
        sent.update(p=1 / scale, mask=mask.astype(bool).view(_arguments.MASK))
    return _call("dropout/forward?cache=none", x=dout, dropout_param=sent)["out"]


def svm_loss(x: np.ndarray, y: np.ndarray) -> tuple[np.float64, np.ndarray]:
    """Multiclass hinge loss with a margin of 1, the mean over the batch.

    x (N, C) scores, y (N,) labels with 0 <= y < C -> loss, dx (N, C)
    """
    x, = _numbers(x)
    answer = _call("svm/loss", x=x, y=y)
    return np.float64(answer["loss"]), answer["dx"]


def softmax_loss(x: np.ndarray, y: np.ndarray) -> tuple[np.float64, np.ndarray]:
    """Cross-entropy of the softmax of the scores, the mean over the batch.

    x (N, C) scores, y (N,) labels with 0 <= y < C -> loss, dx (N, C)
    """
    x, = _numbers(x)
    answer = _call("softmax/loss", x=x, y=y)
    return np.float64(answer["loss"]), answer["dx"]


def _holding(cache: _cache.Cache, content: _t.Callable, *arguments: _t.Any) -> _cache.Cache:
    """A forward's cache, in which a caller finds content(*arguments)."""
    cache.content = _functools.partial(content, *arguments)
    return cache


def _dropout_cache(dropout_param: dict, kept: _t.Optional[np.ndarray], p: float) -> tuple:
    return dropout_param, None if kept is None else kept / p


def _call(path: str, **values: _t.Any) -> dict[str, _t.Any]:
    global _client
    if _client is None:
        _client = _clients.Client()
    return _client.call(path, **values)


def _numbers(*values: _t.Any) -> list[np.ndarray]:
    """As arrays; those of integers as floats of the dtype that NumPy would compute in. A single
    number is of the first one's, as to NumPy 1 it does not decide the dtype of a result; with NumPy
    2, to which np.float64(1) is no such number, it does not here either."""
    arrays = [np.asarray(value) for value in values]
    if {array.dtype.kind for array in arrays} != {"f"}:
        common = _arguments.floating(*[array.dtype for array in arrays])
        shaped = [array.dtype for array in arrays if array.ndim]
        dtype = _arguments.floating(*shaped) if shaped else common
        arrays = [array if array.dtype.kind == "f" else array.astype(dtype) for array in arrays]
    return [array if array.ndim else array.astype(arrays[0].dtype) for array in arrays]


def _row(value: np.ndarray, width: tuple[int, ...]) -> np.ndarray:
    """The vector of this shape that NumPy would broadcast a value to, to add it to rows. Where it
    would not, the value, for the daemon to say what is wrong with it."""
    one_row = value.ndim < 2 or value.ndim == 2 and len(value) == 1
    if not one_row or not width or value.size not in (1, *width):
        return value
    row = np.empty(width, value.dtype)
    row[:] = value.reshape(-1)
    return row


def _like(array: np.ndarray, *dtypes: np.dtype) -> np.ndarray:
    """A result, computed in the dtype of the whole call, in that of the inputs it depends on."""
    return array.astype(_arguments.floating(*dtypes), copy=False)
