"""Right answers to the normalisations, computed as people do.

Each of them is a normalisation of the columns of some matrix, or of its rows."""
import numpy as np

import data
import oracle
import oracle_norms
import orders


def column_inputs(random, rows=9, columns=6):
    for kind, make in data.KINDS.items():
        yield kind, make(random, (rows, columns))
    yield "one row", random.randn(1, columns)
    yield "two rows", random.randn(2, columns)
    yield "equal rows", np.repeat(random.randn(1, columns), rows, axis=0)
    yield "many rows", random.randn(1500, 3)
    yield "many far rows", 100 + random.randn(700, 2)
    yield "far in float32", 4096 + random.randn(40, 3)
    yield "one column", random.randn(11, 1)


def means_of(x, axis):
    """Means, in each order of summing"""
    for name, add in orders.ORDERS.items():
        yield name, lambda values, add=add: np.expand_dims(add(values, axis), axis) / \
            values.shape[axis]
    yield "mean", lambda values: values.mean(axis=axis, keepdims=True)


def is_near(x, axis):
    """Whether the variance as a difference of squares keeps three digits and more: then people call
    it right"""
    count = x.size // x.mean(axis=axis).size
    square, variance = (x ** 2).mean(axis=axis), x.var(axis=axis)
    lost = (count + 8) * np.finfo(x.dtype).eps * square
    return bool((lost < 2 ** -12 * (variance + np.finfo(x.dtype).tiny)).all())


def statistics(x, axis):
    """Mean, variance and distances"""
    for name, mean_of in means_of(x, axis):
        mean = mean_of(x)
        yield name, mean, mean_of((x - mean) ** 2), x - mean
    mean = x.mean(axis=axis, keepdims=True)
    yield "var", mean, x.var(axis=axis, keepdims=True), x - mean
    if is_near(x, axis):
        yield "mean of squares", mean, (x ** 2).mean(axis=axis, keepdims=True) - mean ** 2, x - mean
    start = np.take(x, [0], axis=axis)
    shifted = x - start
    offset = shifted.mean(axis=axis, keepdims=True)
    distance = shifted - offset
    yield "from the first", start + offset, (distance ** 2).mean(axis=axis, keepdims=True), distance
    yield welford(x, axis)


def welford(x, axis):
    """As it comes, one value at a time"""
    terms = np.moveaxis(x, axis, 0)
    mean, square = np.zeros_like(terms[0]), np.zeros_like(terms[0])
    for count, value in enumerate(terms, 1):
        before = value - mean
        mean = mean + before / x.dtype.type(count)
        square = square + before * (value - mean)
    mean = np.expand_dims(mean, axis)
    return "welford", mean, np.expand_dims(square / x.dtype.type(len(terms)), axis), x - mean


def outs(mean, variance, distance, x, gamma, beta, eps):
    """What is made of the statistics"""
    deviation = np.sqrt(variance + eps)
    one = np.ones((), x.dtype)
    yield "quotient", gamma * (distance / deviation) + beta
    yield "inverse", gamma * (distance * (one / deviation)) + beta
    yield "power", gamma * distance * (variance + eps) ** x.dtype.type(-0.5) + beta
    scale = gamma / deviation
    yield "scaled distance", distance * scale + beta
    yield "folded", x * scale + (beta - mean * scale)


def moved(old, new, momentum):
    one = np.ones((), new.dtype)
    yield momentum * old + (one - momentum) * new
    yield old + (one - momentum) * (new - old)
    yield old - (one - momentum) * (old - new)


def batch_param(random, columns, **more):
    return dict({"mode": "train", "eps": 1e-5, "momentum": 0.9,
                 "running_mean": random.randn(columns), "running_var": random.rand(columns) + 0.5},
                **more)


def batch_inputs(random):
    for kind, x in column_inputs(random):
        columns = x.shape[1]
        yield kind, {"x": x, "gamma": random.randn(columns), "beta": random.randn(columns),
                     "bn_param": batch_param(random, columns)}
    for eps, momentum in (0.01, 0.6), (1e-12, 0.0), (3.0, 1.0):
        yield f"eps {eps}", {"x": random.randn(5, 4), "gamma": random.randn(4),
                             "beta": random.randn(4),
                             "bn_param": batch_param(random, 4, eps=eps, momentum=momentum)}
    for kind, x in column_inputs(random):
        columns = x.shape[1]
        yield kind + ", test", {
            "x": x, "gamma": random.randn(columns), "beta": random.randn(columns),
            "bn_param": batch_param(random, columns, mode="test",
                                    running_mean=x.mean(axis=0) + 0.1 * random.randn(columns),
                                    running_var=x.var(axis=0) * random.uniform(0.5, 2, columns))}


def batch_right(takes):
    out, after = oracle.batchnorm_forward(takes["x"], takes["gamma"], takes["beta"],
                                          takes["bn_param"])
    return {"out": out, "bn_param": {name: after[name] for name in ("running_mean", "running_var")}}


def batch_forward_of(x, gamma, beta, param):
    """(way, out, running statistics or None)"""
    if param["mode"] == "test":
        mean, variance = param["running_mean"], param["running_var"]
        for name, out in outs(mean, variance, x - mean, x, gamma, beta, param["eps"]):
            yield name, out, {"running_mean": mean, "running_var": variance}
        return
    eps, ways = param["eps"], []
    for name, mean, variance, distance in statistics(x, 0):
        running = zip(moved(param["running_mean"], mean[0], param["momentum"]),
                      moved(param["running_var"], variance[0], param["momentum"]))
        states = [{"running_mean": a, "running_var": b} for a, b in running]
        for i, (how, out) in enumerate(outs(mean, variance, distance, x, gamma, beta, eps)):
            ways.append((f"{name}, {how}", out, states[i % len(states)]))
    yield from ways


def batch_forward_ways(takes):
    for name, out, running in batch_forward_of(takes["x"], takes["gamma"], takes["beta"],
                                               takes["bn_param"]):
        yield name, {"out": out, "bn_param": running}


def gradients(dout, xhat, distance, deviation, gamma, axis, mean_of):
    """dx in each way, from dout that is to be multiplied with gamma"""
    count = dout.dtype.type(xhat.shape[axis])
    one = np.ones((), dout.dtype)
    dxhat = dout * gamma
    total = lambda values: mean_of(values) * count
    yield "closed", (dxhat - mean_of(dxhat) - xhat * mean_of(dxhat * xhat)) / deviation
    yield "N times", (one / count) / deviation * (count * dxhat - total(dxhat)
                                                 - xhat * total(dxhat * xhat))
    inverse = one / deviation
    if (inverse ** 3 > np.finfo(dout.dtype).tiny).all():
        dvariance = total(dxhat * distance) * dout.dtype.type(-0.5) * inverse ** 3
        dmean = -total(dxhat * inverse) + dvariance * -2 * mean_of(distance)
        yield "paths", dxhat * inverse + dvariance * 2 * distance / count + dmean / count
    dinverse = total(dxhat * distance)
    dsquares = dinverse * (-one / deviation ** 2) * dout.dtype.type(0.5) * inverse
    dcentred = dxhat * inverse + 2 * distance * dsquares / count
    yield "stages", dcentred - total(dcentred) / count


def sums_of(values, axes, add):
    """Over several axes, in one order"""
    moved_axes = np.moveaxis(values, axes, range(len(axes)))
    return add(moved_axes.reshape((-1,) + moved_axes.shape[len(axes):]), 0)


def batch_backward_of(dout, x, gamma, param):
    if param["mode"] == "test":
        deviation = np.sqrt(param["running_var"] + param["eps"])
        xhat = (x - param["running_mean"]) / deviation
        for name, add in orders.ORDERS.items():
            yield name, dout * gamma / deviation, add(dout * xhat, 0), add(dout, 0)
        dx = dout * (gamma * (1 / deviation))
        yield "inverse", dx, (dout * xhat).sum(axis=0), dout.sum(axis=0)
        return
    found = list(statistics(x, 0))
    adders = list(orders.ORDERS.values())
    for i, (name, mean, variance, distance) in enumerate(found):
        deviation = np.sqrt(variance + param["eps"])
        xhat = distance / deviation
        add = adders[i % len(adders)]
        mean_of = lambda values: np.expand_dims(add(values, 0), 0) / values.dtype.type(len(values))
        for how, dx in gradients(dout, xhat, distance, deviation, gamma, 0, mean_of):
            yield f"{name}, {how}", dx, add(dout * xhat, 0), add(dout, 0)


def batch_backward_inputs(random):
    for kind, takes in batch_inputs(random):
        make = data.KINDS.get(kind, data.normal)
        if kind == "constant columns":
            make = data.normal
        yield kind, dict(takes, dout=make(random, takes["x"].shape))


def batch_backward_right(takes):
    return dict(zip(("dx", "dgamma", "dbeta"), oracle.batchnorm_backward(
        takes["dout"], takes["x"], takes["gamma"], takes["bn_param"])))


def named(ways):
    for name, dx, dgamma, dbeta in ways:
        yield name, {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}


def batch_backward_ways(takes):
    return named(batch_backward_of(takes["dout"], takes["x"], takes["gamma"], takes["bn_param"]))


# ---- layernorm

def layer_inputs(random):
    for kind, make in data.KINDS.items():
        yield kind, {"x": make(random, (5, 12)), "gamma": random.randn(12),
                     "beta": random.randn(12), "ln_param": {"eps": 1e-5}}
    for kind, x in (("one row", random.randn(1, 8)), ("two columns", random.randn(6, 2)),
                    ("one column", random.randn(4, 1)), ("many columns", random.randn(3, 1200)),
                    ("far in float32", 4096 + random.randn(4, 30))):
        columns = x.shape[1]
        yield kind, {"x": x, "gamma": random.randn(columns), "beta": random.randn(columns),
                     "ln_param": {"eps": 1e-5}}
    yield "eps 0.01", {"x": random.randn(4, 6), "gamma": random.randn(6), "beta": random.randn(6),
                       "ln_param": {"eps": 0.01}}


def layer_right(takes):
    return {"out": oracle_norms.layernorm_forward(takes["x"], takes["gamma"], takes["beta"],
                                                  takes["ln_param"]["eps"])}


def row_outs(x, gamma, beta, eps):
    for name, mean, variance, distance in statistics(x, 1):
        for how, out in outs(mean, variance, distance, x, gamma, beta, eps):
            yield f"{name}, {how}", out


def layer_forward_ways(takes):
    for name, out in row_outs(takes["x"], takes["gamma"], takes["beta"], takes["ln_param"]["eps"]):
        yield name, {"out": out}


def row_gradients(dout, x, gamma, eps):
    """(way, dx, xhat, order of its sums); gamma is as wide as x"""
    adders = list(orders.ORDERS.values())
    for i, (name, mean, variance, distance) in enumerate(statistics(x, 1)):
        deviation = np.sqrt(variance + eps)
        xhat = distance / deviation
        add = adders[i % len(adders)]
        mean_of = lambda values: np.expand_dims(add(values, 1), 1) / values.dtype.type(x.shape[1])
        for how, dx in gradients(dout, xhat, distance, deviation, gamma, 1, mean_of):
            yield f"{name}, {how}", dx, xhat, add


def layer_backward_inputs(random):
    for kind, takes in layer_inputs(random):
        make = data.KINDS.get(kind, data.normal)
        yield kind, dict(takes, dout=make(random, takes["x"].shape))


def layer_backward_right(takes):
    return dict(zip(("dx", "dgamma", "dbeta"), oracle_norms.layernorm_backward(
        takes["dout"], takes["x"], takes["gamma"], takes["ln_param"]["eps"])))


def layer_backward_ways(takes):
    dout = takes["dout"]
    return named((name, dx, add(dout * xhat, 0), add(dout, 0)) for name, dx, xhat, add in
                 row_gradients(dout, takes["x"], takes["gamma"], takes["ln_param"]["eps"]))


# ---- spatial_batchnorm

def image_kinds(random, shape=(3, 4, 2, 3)):
    for kind, make in data.KINDS.items():
        yield kind, make(random, shape[:1] + shape[2:] + shape[1:2]).transpose(0, 3, 1, 2)
    yield "one", random.randn(1, 4, 1, 1)
    yield "large", random.randn(2, 4, 11, 13)
    yield "channels apart", random.randn(2, 4, 3, 3) + 10 * np.arange(4)[:, np.newaxis, np.newaxis]


def spatial_batch_inputs(random):
    for kind, x in image_kinds(random):
        yield kind, {"x": x, "gamma": random.randn(4), "beta": random.randn(4),
                     "bn_param": batch_param(random, 4)}
    x = random.randn(2, 4, 3, 2)
    yield "test", {"x": x, "gamma": random.randn(4), "beta": random.randn(4),
                   "bn_param": batch_param(random, 4, mode="test")}
    yield "eps 0.01", {"x": x, "gamma": random.randn(4), "beta": random.randn(4),
                       "bn_param": batch_param(random, 4, eps=0.01, momentum=0.6)}


def spatial_batch_right(takes):
    out, after = oracle_norms.spatial_batchnorm_forward(takes["x"], takes["gamma"], takes["beta"],
                                                        takes["bn_param"])
    return {"out": out, "bn_param": {name: after[name] for name in ("running_mean", "running_var")}}


def spatial_batch_forward_ways(takes):
    x = takes["x"]
    for name, out, running in batch_forward_of(oracle_norms.columns(x), takes["gamma"],
                                               takes["beta"], takes["bn_param"]):
        yield name, {"out": oracle_norms.images(out, x.shape), "bn_param": running}


def with_dout(inputs):
    def made(random):
        for kind, takes in inputs(random):
            x = takes["x"]
            yield kind, dict(takes, dout=random.randn(*x.shape))
    return made


def spatial_batch_backward_right(takes):
    return dict(zip(("dx", "dgamma", "dbeta"), oracle_norms.spatial_batchnorm_backward(
        takes["dout"], takes["x"], takes["gamma"], takes["bn_param"])))


def spatial_batch_backward_ways(takes):
    x, columns = takes["x"], oracle_norms.columns
    return named((name, oracle_norms.images(dx, x.shape), dgamma, dbeta) for name, dx, dgamma, dbeta
                 in batch_backward_of(columns(takes["dout"]), columns(x), takes["gamma"],
                                      takes["bn_param"]))


# ---- spatial_groupnorm

def group_inputs(random):
    for i, (kind, x) in enumerate(image_kinds(random)):
        yield kind, {"x": x, "gamma": random.randn(4), "beta": random.randn(4),
                     "gn_param": {"groups": (2, 1, 4)[i % 3], "eps": 1e-5}}
    yield "eps 0.01", {"x": random.randn(2, 6, 3, 2), "gamma": random.randn(6),
                       "beta": random.randn(6), "gn_param": {"groups": 3, "eps": 0.01}}


def group_right(takes):
    param = takes["gn_param"]
    return {"out": oracle_norms.spatial_groupnorm_forward(
        takes["x"], takes["gamma"], takes["beta"], param["groups"], param["eps"])}


def by_channel(values):
    return values[np.newaxis, :, np.newaxis, np.newaxis]


def grouped(values, takes):
    """(N groups, the rest of a group)"""
    return oracle_norms.grouped(np.ascontiguousarray(values), int(takes["gn_param"]["groups"]))


def widened(values, takes):
    return grouped(np.broadcast_to(by_channel(values), takes["x"].shape), takes)


def group_forward_ways(takes):
    x = takes["x"]
    for name, out in row_outs(grouped(x, takes), widened(takes["gamma"], takes),
                              widened(takes["beta"], takes), takes["gn_param"]["eps"]):
        yield name, {"out": out.reshape(x.shape)}


def group_backward_right(takes):
    param = takes["gn_param"]
    return dict(zip(("dx", "dgamma", "dbeta"), oracle_norms.spatial_groupnorm_backward(
        takes["dout"], takes["x"], takes["gamma"], param["groups"], param["eps"])))


def group_backward_ways(takes):
    x, dout = takes["x"], takes["dout"]
    ways = row_gradients(grouped(dout, takes), grouped(x, takes), widened(takes["gamma"], takes),
                         takes["gn_param"]["eps"])
    return named((name, dx.reshape(x.shape), sums_of(dout * xhat.reshape(x.shape), (0, 2, 3), add),
                  sums_of(dout, (0, 2, 3), add)) for name, dx, xhat, add in ways)


OPERATIONS = {
    "batchnorm/forward": (batch_inputs, batch_right, batch_forward_ways),
    "batchnorm/backward": (batch_backward_inputs, batch_backward_right, batch_backward_ways),
    "layernorm/forward": (layer_inputs, layer_right, layer_forward_ways),
    "layernorm/backward": (layer_backward_inputs, layer_backward_right, layer_backward_ways),
    "spatial_batchnorm/forward": (spatial_batch_inputs, spatial_batch_right,
                                  spatial_batch_forward_ways),
    "spatial_batchnorm/backward": (with_dout(spatial_batch_inputs), spatial_batch_backward_right,
                                   spatial_batch_backward_ways),
    "spatial_groupnorm/forward": (group_inputs, group_right, group_forward_ways),
    "spatial_groupnorm/backward": (with_dout(group_inputs), group_backward_right,
                                   group_backward_ways),
}
