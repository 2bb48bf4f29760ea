#!/usr/bin/python3
"""Writes accuracy.txt: how far NumPy is from the truth on named inputs, for each operation's outputs.

NumPy is the course's listing (tests/bench/peer_numpy.py), the truth is oracle.py in long double. An
error is the largest of an output, over the output's largest number, in units of the dtype's last
place. Where NumPy loses digits that the input has (the kinds of LOST) its error is no measure, and 1
is written. tests/unit/layers/accuracy.c makes the same inputs and holds the library to these errors."""
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "../bench"))
import oracle  # noqa: E402
import oracle_conv  # noqa: E402
import oracle_norms  # noqa: E402
import peer_numpy  # noqa: E402

SHAPES = {  # of the first input, by the input's name
    "affine": {None: (40, 200, 7), "long": (3, 20000, 2)},
    "batchnorm": {None: (150, 6), "long": (20000, 3), "constant": (11, 6), "largest": (5, 6),
                  "near": (150, 6), "drift": (2000, 6)},
    "relu": {None: (30, 33)},
    "dropout": {None: (30, 33)},
    "svm": {None: (64, 12), "long": (5, 3000)},
    "softmax": {None: (64, 12), "long": (5, 3000)},
    "layernorm": {None: (30, 33), "long": (3, 20000), "constant": (6, 11), "largest": (6, 5),
                  "near": (6, 150), "drift": (6, 200)},
    "spatial_batchnorm": {None: (6, 4, 5, 7), "constant": (3, 2, 3, 3), "largest": (3, 2, 2, 2),
                          "near": (6, 4, 5, 7)},
    "spatial_groupnorm": {None: (6, 4, 5, 7), "constant": (3, 2, 3, 3), "largest": (3, 2, 2, 2),
                          "near": (6, 4, 5, 7)},
    "conv": {None: (3, 5, 9, 8, 4, 3, 2), "long": (2, 300, 5, 5, 2, 5, 4)},  # x, F, R, S
}
CONV, GROUPS = {"stride": 2, "pad": 1}, 2
KINDS = ["plain", "offset", "steps", "wide", "tiny", "huge", "equal", "cancel", "outlier", "long"]
LOST = ["constant", "largest", "near", "drift"]


def bits(which, count):
    """64 of them for each element of the call's array number `which`"""
    z = (np.arange(count, dtype=np.uint64) + np.uint64(1 + 1000003 * which)) \
        * np.uint64(0x9e3779b97f4a7c15)
    z = (z ^ (z >> np.uint64(29))) * np.uint64(0xbf58476d1ce4e5b9)
    return z ^ (z >> np.uint64(32))


def values(kind, which, shape, dtype):
    """Numbers that either dtype holds exactly, as the C test makes them"""
    z = bits(which, int(np.prod(shape))).reshape(shape)
    u = (z >> np.uint64(40)).astype(np.int64) - (1 << 23)
    low = (z & np.uint64(63)).astype(np.int64)
    single = dtype == "float32"
    r = u * 2.0 ** -22
    row = np.arange(shape[0]).reshape([-1] + [1] * (len(shape) - 1))
    if kind == "offset":
        made = 1e6 + (low - 32) / 16 if single else 1e8 + r
    elif kind == "steps":
        made = 1e8 + (8 if single else 1) * np.where(low % 2, 1, -1)
    elif kind == "wide":
        made = r * 2.0 ** (low - 32)
    elif kind == "tiny":
        made = r * 2.0 ** -50
    elif kind == "huge":
        made = r * 2.0 ** 50
    elif kind == "equal":
        made = np.broadcast_to(r[:1], shape)
    elif kind == "cancel":
        made = np.where(row % 2, low % 2 - np.roll(u, 1, axis=0), u)
    elif kind == "outlier":
        made = np.where(row == 0, 2.0 ** 20, r)
    elif kind == "constant":
        made = np.full(shape, 33333332.0 if single else 33333333333333.332)
    elif kind == "largest":
        made = np.full(shape, 2.0 ** 127 if single else 1e300)
    elif kind == "near":
        made = 1e4 + (low - 32) / 32 if single else 1e12 + np.where(low % 2, 0.01, -0.01)
    elif kind == "drift":
        made = row + ((low - 32) / 64 if single else r / 1024)
    else:
        made = r
    array = np.asarray(made, dtype)
    assert np.array_equal(array.astype(float), np.asarray(made, float))
    return array


def ulps(got, want, dtype):
    got, want = np.asarray(got, oracle.REAL), np.asarray(want, oracle.REAL)
    with np.errstate(all="ignore"):
        error = np.abs(got - want).max() / (np.abs(want).max() or 1) / np.finfo(dtype).eps
    return float(error) if np.isfinite(error) else np.inf


def affine(kind, shape, dtype):
    N, D, M = shape
    x, w = values(kind, 0, (N, D), dtype), values("plain", 1, (D, M), dtype)
    b, dout = values("plain", 2, (M,), dtype), values(kind, 3, (N, M), dtype)
    out, cache = peer_numpy.affine_forward(x, w, b)
    yield "affine/forward", ["out"], [out], [oracle.affine_forward(x, w, b)]
    yield ("affine/backward", ["dx", "dw", "db"], peer_numpy.affine_backward(dout, cache),
           oracle.affine_backward(dout, x, w))


def relu(kind, shape, dtype):
    x, dout = values(kind, 0, shape, dtype), values(kind, 3, shape, dtype)
    out, cache = peer_numpy.relu_forward(x)
    yield "relu/forward", ["out"], [out], [oracle.relu_forward(x)]
    yield ("relu/backward", ["dx"], [peer_numpy.relu_backward(dout, cache)],
           [oracle.relu_backward(dout, x)])


def batchnorm(kind, shape, dtype):
    x, dout = values(kind, 0, shape, dtype), values("plain", 3, shape, dtype)
    gamma, beta = (values("plain", which, shape[1:], dtype) for which in (1, 2))
    param = {"eps": 1e-5, "momentum": 0.9}
    zeros = np.zeros(shape[1])
    truth = dict(param, mode="train", running_mean=zeros, running_var=zeros)
    out, cache = peer_numpy.batchnorm_forward(x, gamma, beta, param)
    want, after = oracle.batchnorm_forward(x, gamma, beta, truth)
    running = "running_mean", "running_var"
    yield ("batchnorm/forward", ["out", *running], [out, *(param[name] for name in running)],
           [want, *(after[name] for name in running)])
    yield ("batchnorm/backward", ["dx", "dgamma", "dbeta"],
           peer_numpy.batchnorm_backward(dout, cache),
           oracle.batchnorm_backward(dout, x, gamma, truth))


def norm(layer, param, truth):
    """A norm as a function of (kind, shape, dtype): `param` of NumPy's, `truth` the oracle's"""
    def case(kind, shape, dtype):
        x, dout = values(kind, 0, shape, dtype), values("plain", 3, shape, dtype)
        gamma, beta = (values("plain", which, shape[1:2], dtype) for which in (1, 2))
        peer, own = ([getattr(module, f"{layer}_{name}") for name in ("forward", "backward")]
                     for module in (peer_numpy, oracle_norms))
        out, cache = peer[0](x, gamma, beta, dict(param))
        want = own[0](x, gamma, beta, **truth)
        if isinstance(want, tuple):  # and bn_param
            want = want[0]
        yield f"{layer}/forward", ["out"], [out], [want]
        yield (f"{layer}/backward", ["dx", "dgamma", "dbeta"], peer[1](dout, cache),
               own[1](dout, x, gamma, **truth))
    return case


BATCH = {"eps": 1e-5, "momentum": 0.9}
layernorm = norm("layernorm", {"eps": 1e-5}, {"eps": 1e-5})
spatial_groupnorm = norm("spatial_groupnorm", {"groups": GROUPS, "eps": 1e-5},
                         {"groups": GROUPS, "eps": 1e-5})


def spatial_batchnorm(kind, shape, dtype):
    zeros = np.zeros(shape[1])
    truth = dict(BATCH, mode="train", running_mean=zeros, running_var=zeros)
    return norm("spatial_batchnorm", BATCH, {"param": truth})(kind, shape, dtype)


def conv(kind, shape, dtype):
    (N, C, H, W), (F, R, S) = shape[:4], shape[4:]
    x, w = values(kind, 0, (N, C, H, W), dtype), values("plain", 1, (F, C, R, S), dtype)
    b = values("plain", 2, (F,), dtype)
    out, cache = peer_numpy.conv_forward(x, w, b, CONV)
    dout = values(kind, 3, out.shape, dtype)
    yield "conv/forward", ["out"], [out], [oracle_conv.conv_forward(x, w, b, **CONV)]
    yield ("conv/backward", ["dx", "dw", "db"], peer_numpy.conv_backward(dout, cache),
           oracle_conv.conv_backward(dout, x, w, **CONV))


def dropout(kind, shape, dtype):
    x, dout = values(kind, 0, shape, dtype), values(kind, 3, shape, dtype)
    out, cache = peer_numpy.dropout_forward(x, {"p": 0.7, "seed": 5})
    truth = {"p": 0.7, "mode": "train", "seed": 5}
    yield "dropout/forward", ["out"], [out], [oracle.dropout(x, truth)]
    yield ("dropout/backward", ["dx"], [peer_numpy.dropout_backward(dout, cache)],
           [oracle.dropout(dout, truth)])


def loss(layer, kind, shape, dtype):
    x, y = values(kind, 0, shape, dtype), np.arange(shape[0]) * 7 % shape[1]
    yield (layer + "/loss", ["loss", "dx"], getattr(peer_numpy, layer + "_loss")(x, y),
           getattr(oracle, layer + "_loss")(x, y))


def cases(layer, kind, shape, dtype):
    if layer in ("svm", "softmax"):
        return loss(layer, kind, shape, dtype)
    return globals()[layer](kind, shape, dtype)


def main():
    lines = ["# operation dtype input shape output: NumPy's error. Written by make_accuracy.py"]
    for layer, shapes in SHAPES.items():
        for dtype in "float64", "float32":
            for kind in KINDS + LOST:
                if kind in ["long"] + LOST and kind not in shapes:
                    continue
                shape = shapes.get(kind, shapes[None])
                with np.errstate(all="ignore"):
                    for operation, names, got, want in cases(layer, kind, shape, dtype):
                        for name, a, b in zip(names, got, want):
                            lines.append("%s %s %s %s %s %.3g" % (
                                operation, dtype, kind, "x".join(map(str, shape)), name,
                                1 if kind in LOST else ulps(a, b, dtype)))
    with open(os.path.join(HERE, "accuracy.txt"), "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    print("%-16s %3d errors" % ("accuracy.txt", len(lines) - 1))


if __name__ == "__main__":
    main()
