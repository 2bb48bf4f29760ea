"""Right answers to conv and max_pool, computed as people do."""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import data
import oracle_conv
import orders

# (x, w, stride, pad)
SIZES = [((2, 3, 5, 4), (2, 3, 3, 2), 1, 0), ((2, 2, 5, 6), (3, 2, 3, 3), 2, 1),
         ((1, 2, 7, 5), (2, 2, 2, 3), 3, 2), ((2, 1, 4, 4), (1, 1, 4, 4), 1, 0)]


def conv_inputs(random):
    for i, (kind, make) in enumerate(data.KINDS.items()):
        x, w, stride, pad = SIZES[i % len(SIZES)]
        yield kind, {"x": make(random, x), "w": make(random, w), "b": make(random, (w[0],)),
                     "conv_param": {"stride": stride, "pad": pad}}
    for i, (x, w, stride, pad) in enumerate(SIZES):
        yield f"size {i}", {"x": random.randn(*x), "w": random.randn(*w), "b": random.randn(w[0]),
                            "conv_param": {"stride": stride, "pad": pad}}
    yield "deep", {"x": random.randn(1, 60, 4, 4), "w": random.randn(2, 60, 3, 3),
                   "b": random.randn(2), "conv_param": {"stride": 1, "pad": 1}}


def conv_right(takes):
    param = takes["conv_param"]
    return {"out": oracle_conv.conv_forward(takes["x"], takes["w"], takes["b"], param["stride"],
                                            param["pad"])}


def padded(x, pad):
    return np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))


def patches_of(x, size, stride, pad):
    """(N, P, Q, C, R, S)"""
    windows = sliding_window_view(padded(x, pad), size, axis=(2, 3))[:, :, ::stride, ::stride]
    return np.ascontiguousarray(windows.transpose(0, 2, 3, 1, 4, 5))


def channels_second(out):
    return np.ascontiguousarray(out.transpose(0, 3, 1, 2))


def conv_forward_ways(takes):
    x, w, b, param = takes["x"], takes["w"], takes["b"], takes["conv_param"]
    patches = patches_of(x, w.shape[2:], param["stride"], param["pad"])
    lengths, taps = patches.shape[:3], w[0].size
    rows, filters = patches.reshape(-1, taps), w.reshape(len(w), taps)
    terms = rows[:, np.newaxis] * filters
    for name, add in orders.ORDERS.items():
        yield name, {"out": channels_second((add(terms, 2) + b).reshape(lengths + (len(w),)))}
    yield "im2col", {"out": channels_second((rows.dot(filters.T) + b).reshape(lengths + (len(w),)))}
    einsum = np.einsum("npqcrs,fcrs->nfpq", patches, w)
    yield "einsum", {"out": einsum + b[:, np.newaxis, np.newaxis]}
    yield "fused", {"out": channels_second((orders.fused(rows[:, np.newaxis], filters, 2) + b)
                                           .reshape(lengths + (len(w),)))}
    out = np.zeros((len(x), len(w)) + lengths[1:], x.dtype) + b[:, np.newaxis, np.newaxis]
    for c, r, s in np.ndindex(w.shape[1:]):
        out += w[:, c, r, s][:, np.newaxis, np.newaxis] * patches[:, np.newaxis, :, :, c, r, s]
    yield "tap by tap", {"out": out}


def conv_backward_inputs(random):
    for kind, takes in conv_inputs(random):
        make = data.KINDS.get(kind, data.normal)
        yield kind, dict(takes, dout=make(random, conv_right(takes)["out"].shape))


def conv_backward_right(takes):
    param = takes["conv_param"]
    return dict(zip(("dx", "dw", "db"), oracle_conv.conv_backward(
        takes["dout"], takes["x"], takes["w"], param["stride"], param["pad"])))


def spread(columns, takes):
    """dx from the gradients of patches (N, P, Q, C, R, S), window by window"""
    x, param = takes["x"], takes["conv_param"]
    stride, pad = param["stride"], param["pad"]
    rows, width = columns.shape[4:]
    dx = np.zeros_like(padded(x, pad))
    for p, q in np.ndindex(columns.shape[1:3]):
        dx[:, :, p * stride:p * stride + rows, q * stride:q * stride + width] += columns[:, p, q]
    height, breadth = x.shape[2:]
    return dx[:, :, pad:pad + height, pad:pad + breadth]


def conv_backward_ways(takes):
    x, w, dout, param = takes["x"], takes["w"], takes["dout"], takes["conv_param"]
    patches = patches_of(x, w.shape[2:], param["stride"], param["pad"])
    taps, count = w[0].size, dout.size // len(w)
    rows = patches.reshape(-1, taps)
    douts = np.ascontiguousarray(dout.transpose(0, 2, 3, 1)).reshape(count, len(w))
    filters = w.reshape(len(w), taps)
    of_dw, of_dx = douts[:, :, np.newaxis] * rows[:, np.newaxis], douts[:, :, np.newaxis] * filters
    for name, add in orders.ORDERS.items():
        yield name, {"dx": spread(add(of_dx, 1).reshape(patches.shape), takes),
                     "dw": add(of_dw, 0).reshape(w.shape), "db": add(douts, 0)}
    yield "im2col", {"dx": spread(douts.dot(filters).reshape(patches.shape), takes),
                     "dw": douts.T.dot(rows).reshape(w.shape), "db": dout.sum(axis=(0, 2, 3))}
    yield "einsum", {"dx": spread(np.einsum("nfpq,fcrs->npqcrs", dout, w), takes),
                     "dw": np.einsum("nfpq,npqcrs->fcrs", dout, patches)}
    one_dx = np.zeros_like(x)
    for f in range(len(w)):
        one_dx += spread(np.einsum("npq,crs->npqcrs", dout[:, f], w[f]), takes)
    yield "filter by filter", {"dx": one_dx}
    yield "fused", {"dw": orders.fused(douts[:, :, np.newaxis], rows[:, np.newaxis], 0)
                    .reshape(w.shape)}


# ---- max_pool

POOLS = [(2, 2, 2), (2, 3, 1), (3, 2, 2), (1, 1, 1)]


def pool_inputs(random):
    for i, (kind, make) in enumerate(data.KINDS.items()):
        height, width, stride = POOLS[i % len(POOLS)]
        yield kind, {"x": make(random, (2, 3, 5, 6)),
                     "pool_param": {"pool_height": height, "pool_width": width, "stride": stride}}
    for height, width, stride in POOLS:
        x = random.permutation(2 * 2 * 7 * 5).reshape(2, 2, 7, 5) / 16 - 20.0
        yield f"pool {height} {width} {stride}", {
            "x": x, "pool_param": {"pool_height": height, "pool_width": width, "stride": stride}}


def pool_right(takes):
    param = takes["pool_param"]
    return {"out": oracle_conv.max_pool_forward(takes["x"], param["pool_height"],
                                                param["pool_width"], param["stride"])}


def pool_patches(takes):
    """(N, C, P, Q, height, width)"""
    param = takes["pool_param"]
    size, stride = (param["pool_height"], param["pool_width"]), param["stride"]
    return sliding_window_view(takes["x"], size, axis=(2, 3))[:, :, ::stride, ::stride]


def pool_forward_ways(takes):
    patches = pool_patches(takes)
    flat = patches.reshape(patches.shape[:4] + (-1,))
    yield "max", {"out": patches.max(axis=(4, 5))}
    largest = flat.argmax(axis=4)[..., np.newaxis]
    yield "argmax", {"out": np.take_along_axis(flat, largest, 4)[..., 0]}
    yield "sorted", {"out": np.sort(flat, axis=4)[..., -1]}
    yield "rows, then columns", {"out": patches.max(axis=5).max(axis=4)}


def pool_backward_inputs(random):
    for kind, takes in pool_inputs(random):
        if kind in ("sparse", "constant columns", "farther"):  # ties
            continue
        make = data.KINDS.get(kind, data.normal)
        yield kind, dict(takes, dout=make(random, pool_right(takes)["out"].shape))


def pool_backward_right(takes):
    param = takes["pool_param"]
    return {"dx": oracle_conv.max_pool_backward(takes["dout"], takes["x"], param["pool_height"],
                                                param["pool_width"], param["stride"])}


def pool_backward_ways(takes):
    x, dout, param = takes["x"], takes["dout"], takes["pool_param"]
    height, width, stride = (param[name] for name in ("pool_height", "pool_width", "stride"))
    windows = list(np.ndindex(dout.shape[2:]))
    for name, order in (("windows forward", windows), ("windows backward", windows[::-1])):
        dx = np.zeros_like(x)
        for p, q in order:
            where = np.s_[:, :, p * stride:p * stride + height, q * stride:q * stride + width]
            patch = x[where]
            largest = patch.max(axis=(2, 3), keepdims=True)
            dx[where] += (patch == largest) * dout[:, :, p, q][:, :, np.newaxis, np.newaxis]
        yield name, {"dx": dx}


OPERATIONS = {
    "conv/forward": (conv_inputs, conv_right, conv_forward_ways),
    "conv/backward": (conv_backward_inputs, conv_backward_right, conv_backward_ways),
    "max_pool/forward": (pool_inputs, pool_right, pool_forward_ways),
    "max_pool/backward": (pool_backward_inputs, pool_backward_right, pool_backward_ways),
}
