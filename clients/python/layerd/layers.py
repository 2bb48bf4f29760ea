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

Where a function takes an array it takes a kept tensor, too (layerd.Client.put), and computes in the
dtype that this was kept in. A kept vector is of shape (D,), of groupnorm (C,).

A vector may have any shape that NumPy broadcasts to rows: (), (1,), (D,), (1, D). A cache can be
looked into as the course's (layerd.Cache); a backward of affine, relu, dropout, conv and max_pool
takes the course's own, too: (x, w, b), x, (dropout_param, mask), (x, w, b, conv_param) and
(x, pool_param).

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
from . import tensor as _tensor
from .calls import call as _call
from .calls import like as _like
from .calls import numbers as _numbers
from .calls import only as _only
from .calls import row as _row
from .calls import set_client as set_client  # noqa: F401  pylint: disable=useless-import-alias

_Kept = _t.Union[_cache.Cache, _t.Sequence, np.ndarray]  # what a backward takes as a cache
_Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


def affine_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, _cache.Cache]:
    """out = reshape(x, (N, D)) · w + b.

    x (N, *D), w (D, M), b (M,) -> out (N, M), cache
    """
    arrays = _numbers(x, w, b)
    width = arrays[1].shape[-1:]
    answer = _call("affine/forward", x=arrays[0], w=arrays[1], b=_row(arrays[2], width))
    return answer["out"], _holding(answer["cache"], tuple, (x, w, b))


def affine_backward(dout: np.ndarray, cache: _Kept) -> _Gradients:
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
    return _batchnorm("batchnorm/forward", x, gamma, beta, bn_param)


def batchnorm_backward(dout: np.ndarray, cache: _cache.Cache) -> _Gradients:
    """dout (N, D), cache -> dx (N, D), dgamma (D,), dbeta (D,)"""
    return _norm_backward("batchnorm", dout, cache)


batchnorm_backward_alt = batchnorm_backward


def layernorm_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, ln_param: dict
                      ) -> tuple[np.ndarray, _cache.Cache]:
    """Normalises each example by its own statistics; then out = gamma · x̂ + beta.

    x (N, D), gamma (D,), beta (D,), ln_param -> out (N, D), cache

    ln_param: eps (1e-5). Other keys are left alone.
    """
    x, gamma, beta = _numbers(x, gamma, beta)
    width = x.shape[-1:]
    answer = _call("layernorm/forward", x=x, gamma=_row(gamma, width), beta=_row(beta, width),
                   ln_param=_only(ln_param, "eps"))
    return answer["out"], answer["cache"]


def layernorm_backward(dout: np.ndarray, cache: _cache.Cache) -> _Gradients:
    """dout (N, D), cache -> dx (N, D), dgamma (D,), dbeta (D,)"""
    return _norm_backward("layernorm", dout, cache)


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


def conv_forward_naive(x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict
                       ) -> tuple[np.ndarray, _cache.Cache]:
    """Each of F filters at every place of the image, the filter not flipped:
    out[n, f, p, q] = sum(w[f] · x̄[n, :, p·stride:p·stride+R, q·stride:q·stride+S]) + b[f],
    where x̄ is x with `pad` zeros on each side.

    x (N, C, H, W), w (F, C, R, S), b (F,), conv_param -> out (N, F, P, Q), cache, where
    P = (H + 2·pad - R) // stride + 1, and Q likewise.

    conv_param: stride (1) and pad (0). Other keys are left alone.
    """
    arrays = _numbers(x, w, b)
    filters = arrays[1].shape[:1]
    answer = _call("conv/forward", x=arrays[0], w=arrays[1], b=_row(arrays[2], filters),
                   conv_param=_only(conv_param, "stride", "pad"))
    return answer["out"], _holding(answer["cache"], tuple, (x, w, b, conv_param))


def conv_backward_naive(dout: np.ndarray, cache: _Kept) -> _Gradients:
    """dout (N, F, P, Q), cache -> dx (N, C, H, W), dw (F, C, R, S), db (F,)"""
    if not isinstance(cache, _cache.Cache):
        _, cache = conv_forward_naive(*cache[:4])  # that of fast_layers.py has more
    dout, = _numbers(dout)
    answer = _call("conv/backward", dout=dout, cache=cache)
    return (_like(answer["dx"], dout.dtype, cache.dtypes["w"]),
            _like(answer["dw"], dout.dtype, cache.dtypes["x"]),
            _like(answer["db"], dout.dtype))


def max_pool_forward_naive(x: np.ndarray, pool_param: dict) -> tuple[np.ndarray, _cache.Cache]:
    """The largest number of each window.

    x (N, C, H, W), pool_param -> out (N, C, P, Q), cache, where
    P = (H - pool_height) // stride + 1, and Q likewise.

    pool_param: pool_height, pool_width and stride. Other keys are left alone.
    """
    array, = _numbers(x)
    answer = _call("max_pool/forward", x=array,
                   pool_param=_only(pool_param, "pool_height", "pool_width", "stride"))
    return answer["out"], _holding(answer["cache"], tuple, (x, pool_param))


def max_pool_backward_naive(dout: np.ndarray, cache: _Kept) -> np.ndarray:
    """dout (N, C, P, Q), cache -> dx (N, C, H, W). Of equal numbers, the first has the gradient."""
    if not isinstance(cache, _cache.Cache):
        _, cache = max_pool_forward_naive(*cache)
    dout, = _numbers(dout)
    # Added up in an array like x, so of its dtype, not of dout's.
    return _like(_call("max_pool/backward", dout=dout, cache=cache)["dx"], cache.dtypes["x"])


def spatial_batchnorm_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
                              ) -> tuple[np.ndarray, _cache.Cache]:
    """batchnorm_forward of each channel, over the examples and all their places.

    x (N, C, H, W), gamma (C,), beta (C,), bn_param -> out (N, C, H, W), cache

    bn_param: that of batchnorm_forward, running_mean (C,) and running_var (C,).
    """
    return _batchnorm("spatial_batchnorm/forward", x, gamma, beta, bn_param)


def spatial_batchnorm_backward(dout: np.ndarray, cache: _cache.Cache) -> _Gradients:
    """dout (N, C, H, W), cache -> dx (N, C, H, W), dgamma (C,), dbeta (C,)"""
    return _norm_backward("spatial_batchnorm", dout, cache)


def spatial_groupnorm_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, G: int,
                              gn_param: dict) -> tuple[np.ndarray, _cache.Cache]:
    """Normalises each example's groups of C / G neighbouring channels, each by its own statistics;
    then out = gamma · x̂ + beta.

    x (N, C, H, W), gamma (1, C, 1, 1), beta (1, C, 1, 1), G, gn_param -> out (N, C, H, W), cache

    gn_param: eps (1e-5). Other keys are left alone.
    """
    x, gamma, beta = _numbers(x, gamma, beta)
    answer = _call("spatial_groupnorm/forward", x=x, gamma=_of_channels("gamma", gamma, x),
                   beta=_of_channels("beta", beta, x),
                   gn_param={"groups": G, **_only(gn_param, "eps")})
    return answer["out"], answer["cache"]


def spatial_groupnorm_backward(dout: np.ndarray, cache: _cache.Cache) -> _Gradients:
    """dout (N, C, H, W), cache -> dx (N, C, H, W), dgamma (1, C, 1, 1), dbeta (1, C, 1, 1)"""
    dx, dgamma, dbeta = _norm_backward("spatial_groupnorm", dout, cache)
    for gradient in dgamma, dbeta:
        gradient.shape = (1, -1, 1, 1)  # reshape's would not own its memory
    return dx, dgamma, dbeta


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


def _batchnorm(path: str, x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
               ) -> tuple[np.ndarray, _cache.Cache]:
    sent = _only(bn_param, "mode", "eps", "momentum")
    running = [name for name in ("running_mean", "running_var") if name in bn_param]
    x, gamma, beta, *held = _numbers(x, gamma, beta, *[bn_param[name] for name in running])
    features = x.shape[1:2]
    sent.update({name: _row(array, features) for name, array in zip(running, held)})
    if sent.get("mode") == "test":  # what is normalised is then of the running statistics' dtype
        x = _like(x, x.dtype, *[array.dtype for array in held])
    answer = _call(path, x=x, gamma=_row(gamma, features), beta=_row(beta, features), bn_param=sent)
    before = dict(zip(running, held))
    for name in ("running_mean", "running_var"):
        if sent["mode"] == "train" or name not in bn_param:
            moved = answer["bn_param"][name]
            if name in before:
                moved.shape = np.broadcast_shapes(moved.shape, before[name].shape)
            bn_param[name] = _like(moved, x.dtype, before.get(name, x).dtype)
    return _like(answer["out"], x.dtype, gamma.dtype, beta.dtype), answer["cache"]


def _norm_backward(layer: str, dout: np.ndarray, cache: _cache.Cache) -> _Gradients:
    if not isinstance(cache, _cache.Cache):
        raise TypeError(f"the cache must be the one that {layer}_forward of layerd gave: in other "
                        "code each holds something else")
    dout, = _numbers(dout)
    answer = _call(f"{layer}/backward", dout=dout, cache=cache)
    return (_like(answer["dx"], dout.dtype, cache.dtypes["x"], cache.dtypes["gamma"]),
            _like(answer["dgamma"], dout.dtype, cache.dtypes["x"]),
            _like(answer["dbeta"], dout.dtype))


def _of_channels(name: str, value: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The vector of channels in a value that NumPy broadcasts to images; a kept tensor is one."""
    if isinstance(value, _tensor.Tensor) or x.ndim != 4:
        return value  # for the daemon to say what is wrong with x
    shape = (1, 1, 1, 1, *value.shape)[-4:]
    if value.ndim > 4 or shape != (1, shape[1], 1, 1):
        raise ValueError(f"{name} has shape {value.shape}, but must have (1, {x.shape[1]}, 1, 1), "
                         f"with x of shape {x.shape}")
    return _row(value.reshape(shape[1]), x.shape[1:2])


def _holding(cache: _cache.Cache, content: _t.Callable, *arguments: _t.Any) -> _cache.Cache:
    """A forward's cache, in which a caller finds content(*arguments)."""
    cache.content = _functools.partial(content, *arguments)
    return cache


def _dropout_cache(dropout_param: dict, kept: _t.Optional[np.ndarray], p: float) -> tuple:
    return dropout_param, None if kept is None else kept / p
