"""Right answers to affine, relu, dropout and the losses, computed as people do.

A way takes what the operation takes, all of its numbers in the dtype to compute in, and gives what
is claimed; `usable` says of which inputs it is right."""
import numpy as np

import data
import oracle
import orders


# ---- affine

def affine_inputs(random):
    for kind, make in data.KINDS.items():
        x, w, b = make(random, (7, 40)), make(random, (40, 5)), make(random, (5,))
        yield kind, {"x": x, "w": w, "b": b}
    yield "images", {"x": random.randn(3, 2, 4, 3), "w": random.randn(24, 6), "b": random.randn(6)}
    yield "one", {"x": random.randn(1, 8), "w": random.randn(8, 1), "b": random.randn(1)}
    yield "mixed with normal", {"x": data.mixed(random, (5, 30)), "w": random.randn(30, 4),
                                "b": random.randn(4)}
    yield "equal terms", {"x": np.full((3, 3000), 0.1), "w": np.full((3000, 2), 0.7),
                          "b": np.ones(2)}
    yield "large", {"x": random.randn(24, 3072), "w": 0.01 * random.randn(3072, 10),
                    "b": random.randn(10)}


def affine_right(takes):
    return {"out": oracle.affine_forward(takes["x"], takes["w"], takes["b"])}


def affine_forward_ways(takes):
    x, w, b = takes["x"].reshape(len(takes["x"]), -1), takes["w"], takes["b"]
    terms = x[:, :, np.newaxis] * w[np.newaxis]
    for name, add in orders.ORDERS.items():
        yield name, {"out": add(terms, 1) + b}
    bias_first = np.concatenate([np.broadcast_to(b, (len(x), 1, len(b))), terms], axis=1)
    yield "bias first", {"out": orders.forward(bias_first, 1)}
    yield "fused", {"out": orders.fused(x[:, :, np.newaxis], w[np.newaxis], 1) + b}
    yield "dot", {"out": x.dot(w) + b}
    yield "einsum", {"out": np.einsum("nd,dm->nm", x, w) + b}
    yield "a row at a time", {"out": np.array([row.dot(w) + b for row in x])}
    yield "transposed", {"out": (w.T.dot(x.T) + b[:, np.newaxis]).T}


def affine_backward_inputs(random):
    for kind, takes in affine_inputs(random):
        make = data.KINDS.get(kind, data.normal)
        yield kind, dict(takes, dout=make(random, (len(takes["x"]), len(takes["b"]))))


def affine_backward_right(takes):
    return dict(zip(("dx", "dw", "db"),
                    oracle.affine_backward(takes["dout"], takes["x"], takes["w"])))


def affine_backward_ways(takes):
    x, w, dout = takes["x"].reshape(len(takes["x"]), -1), takes["w"], takes["dout"]
    shape = takes["x"].shape
    of_dx = dout[:, np.newaxis] * w[np.newaxis]
    of_dw = x[:, :, np.newaxis] * dout[:, np.newaxis]
    for name, add in orders.ORDERS.items():
        yield name, {"dx": add(of_dx, 2).reshape(shape), "dw": add(of_dw, 0), "db": add(dout, 0)}
    yield "fused", {"dx": orders.fused(dout[:, np.newaxis], w[np.newaxis], 2).reshape(shape),
                    "dw": orders.fused(x[:, :, np.newaxis], dout[:, np.newaxis], 0)}
    yield "dot", {"dx": dout.dot(w.T).reshape(shape), "dw": x.T.dot(dout), "db": dout.sum(axis=0)}
    yield "einsum", {"dx": np.einsum("nm,dm->nd", dout, w).reshape(shape),
                     "dw": np.einsum("nd,nm->dm", x, dout), "db": np.einsum("nm->m", dout)}
    yield "ones", {"db": np.ones(len(x), dout.dtype).dot(dout)}


# ---- relu

def relu_inputs(random):
    for kind, make in data.KINDS.items():
        yield kind, {"x": make(random, (4, 3, 5))}
    yield "zeros", {"x": np.array([0.0, -0.0, 1.0, -1.0])}
    yield "one", {"x": np.array([[[-3.5]]])}


def relu_right(takes):
    return {"out": oracle.relu_forward(takes["x"])}


def relu_forward_ways(takes):
    x = takes["x"]
    yield "maximum", {"out": np.maximum(x, 0)}
    yield "product", {"out": x * (x > 0)}
    yield "where", {"out": np.where(x > 0, x, 0).astype(x.dtype)}
    yield "clip", {"out": x.clip(0)}
    yield "half", {"out": (x + np.abs(x)) / 2}
    yield "where not", {"out": np.where(x < 0, -0.0 * x, x)}


def relu_backward_inputs(random):
    for kind, takes in relu_inputs(random):
        if kind != "zeros":  # of which there are two conventions
            x = np.where(takes["x"] == 0, 0.25, takes["x"])
            yield kind, {"x": x, "dout": data.KINDS.get(kind, data.normal)(random, x.shape)}


def relu_backward_right(takes):
    return {"dx": oracle.relu_backward(takes["dout"], takes["x"])}


def relu_backward_ways(takes):
    x, dout = takes["x"], takes["dout"]
    yield "product", {"dx": dout * (x > 0)}
    yield "where", {"dx": np.where(x > 0, dout, 0).astype(x.dtype)}
    dx = dout.copy()
    dx[x <= 0] = 0
    yield "assigned", {"dx": dx}
    yield "of out", {"dx": dout * (np.maximum(x, 0) > 0)}
    yield "sign", {"dx": dout * np.maximum(np.sign(x), 0)}


# ---- dropout

def dropout_inputs(random):
    for p, mode in (0.3, "train"), (0.75, "train"), (0.3, "test"):
        param = {"p": p, "mode": mode, "seed": random.randint(2 ** 31)}
        for kind, make in data.KINDS.items():
            yield kind, {"x": make(random, (6, 7)), "dropout_param": param}
        yield "images", {"x": random.randn(2, 3, 4, 5), "dropout_param": param}
    mask = (random.rand(5, 6) < 0.6).astype(np.uint8)
    yield "mask", {"x": random.randn(5, 6),
                   "dropout_param": {"p": 0.6, "mode": "train", "mask": mask}}


def dropout_right(takes):
    return {"out": oracle.dropout(takes["x"], takes["dropout_param"])}


def dropped(values, param):
    """In each way that scales what is kept"""
    if param["mode"] == "test":
        yield "as it is", values.copy()
        return
    p = param["p"]
    mask = (param["mask"] == 1 if "mask" in param
            else oracle.dropout_mask(values.shape, float(np.float64(p)), param["seed"]))
    yield "mask / p", values * (mask / p).astype(values.dtype)
    yield "then / p", values * mask / p
    yield "times 1 / p", values * mask * (1 / p)
    yield "1 / (1 - q)", values * mask * (1 / (1 - (1 - p)))
    yield "where", np.where(mask, values / p, 0).astype(values.dtype)


def dropout_forward_ways(takes):
    for name, out in dropped(takes["x"], takes["dropout_param"]):
        yield name, {"out": out}


def dropout_backward_inputs(random):
    for kind, takes in dropout_inputs(random):
        make = data.KINDS.get(kind, data.normal)
        yield kind, dict(takes, dout=make(random, takes["x"].shape))


def dropout_backward_right(takes):
    return {"dx": oracle.dropout(takes["dout"], takes["dropout_param"])}


def dropout_backward_ways(takes):
    for name, dx in dropped(takes["dout"], takes["dropout_param"]):
        yield name, {"dx": dx}


# ---- losses

def loss_inputs(random, spread=1.0):
    for kind, make in data.KINDS.items():
        yield kind, {"x": spread * make(random, (6, 5)), "y": random.randint(5, size=6)}
    yield "one", {"x": random.randn(1, 4), "y": np.array([2])}
    yield "two classes", {"x": random.randn(5, 2), "y": random.randint(2, size=5)}
    yield "one class", {"x": random.randn(3, 1), "y": np.zeros(3, int)}
    yield "steps of 20", {"x": 20 * random.randn(8, 6), "y": random.randint(6, size=8)}
    yield "to 1000", {"x": random.uniform(-1000, 1000, (7, 5)), "y": random.randint(5, size=7)}
    yield "shifted far", {"x": 1e6 + random.randn(7, 5), "y": random.randint(5, size=7)}
    x = 0.1 * random.randn(9, 6)
    y = x.argmax(axis=1)
    x[np.arange(9), y] += 30
    yield "sure", {"x": x, "y": y}
    yield "equal scores", {"x": np.full((4, 7), 3.7), "y": np.arange(4)}
    yield "large", {"x": random.randn(300, 40), "y": random.randint(40, size=300)}


def svm_inputs(random):
    return loss_inputs(random)


def svm_right(takes):
    return dict(zip(("loss", "dx"), oracle.svm_loss(takes["x"], takes["y"])))


def svm_ways(takes):
    x, y = takes["x"], takes["y"]
    n, rows = len(x), np.arange(len(x))
    margins = np.maximum(0, x - x[rows, y][:, np.newaxis] + 1)
    margins[rows, y] = 0
    counts = (margins > 0).astype(x.dtype)
    counts[rows, y] = -counts.sum(axis=1)
    one = np.ones((), x.dtype)
    for name, add in orders.ORDERS.items():
        yield name, {"loss": add(margins.reshape(-1), 0) / n, "dx": counts / n}
    yield "mean of rows", {"loss": margins.sum(axis=1).mean(), "dx": counts * (one / n)}
    yield "each / N", {"loss": (margins / n).sum()}
    share = (margins > 0) * (one / n)
    share[rows, y] = -share.sum(axis=1)
    yield "shares added up", {"loss": margins.sum() * (one / n), "dx": share}
    other = x - (x[rows, y][:, np.newaxis] - 1)
    other[rows, y] = 0
    yield "1 taken off the label's", {"loss": np.maximum(0, other).sum() / n}
    kept = np.maximum(0, x - x[rows, y][:, np.newaxis] + 1)
    if np.abs(kept).max() < 1e3:
        yield "less 1 a row", {"loss": kept.sum() / n - 1}


def softmax_right(takes):
    return dict(zip(("loss", "dx"), oracle.softmax_loss(takes["x"], takes["y"])))


def less_one(p, rows, y):
    p = p.copy()
    p[rows, y] -= 1
    return p


def softmax_ways(takes):
    x, y = takes["x"], takes["y"]
    n, rows = len(x), np.arange(len(x))
    one = np.ones((), x.dtype)
    z = x - x.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    logs = z - np.log(total)
    yield "logarithms", {"loss": -logs[rows, y].sum() / n,
                         "dx": less_one(np.exp(logs), rows, y) / n}
    for name, add in orders.ORDERS.items():
        total = add(e, 1)[:, np.newaxis]
        terms = np.log(total)[:, 0] - z[rows, y]
        yield name, {"loss": add(terms, 0) / n, "dx": less_one(e / total, rows, y) / n}
    yield "mean", {"loss": -logs[rows, y].mean(),
                   "dx": less_one(e * (1 / total), rows, y) * (one / n)}
    onehot = np.zeros_like(x)
    onehot[rows, y] = 1
    yield "one-hot", {"loss": -(onehot * np.where(onehot > 0, logs, 0)).sum() / n,
                      "dx": (e / total - onehot) / n}
    yield "p / N first", {"dx": e / total / n - onehot / n}
    if -logs.min() < 80:
        yield "log of p", {"loss": -np.log(e / total)[rows, y].sum() / n}
    if np.abs(x).max() < 8:
        bare = np.exp(x)
        yield "not shifted", {"loss": (np.log(bare.sum(axis=1)) - x[rows, y]).sum() / n,
                              "dx": less_one(bare / bare.sum(axis=1, keepdims=True), rows, y) / n}


OPERATIONS = {
    "affine/forward": (affine_inputs, affine_right, affine_forward_ways),
    "affine/backward": (affine_backward_inputs, affine_backward_right, affine_backward_ways),
    "relu/forward": (relu_inputs, relu_right, relu_forward_ways),
    "relu/backward": (relu_backward_inputs, relu_backward_right, relu_backward_ways),
    "dropout/forward": (dropout_inputs, dropout_right, dropout_forward_ways),
    "dropout/backward": (dropout_backward_inputs, dropout_backward_right, dropout_backward_ways),
    "svm/loss": (svm_inputs, svm_right, svm_ways),
    "softmax/loss": (loss_inputs, softmax_right, softmax_ways),
}
