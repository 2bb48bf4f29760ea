"""Vectors of batchnorm."""
import numpy as np

import oracle
from vectorfile import DTYPES, NAN, USUAL, Flat, Random, array, empty, step, typed, without_cache


def complete(param, features):
    """bn_param with the defaults of the contract"""
    whole = dict({"eps": 1e-5, "momentum": 0.9, "running_mean": np.zeros(features),
                  "running_var": np.zeros(features)}, **param)
    return {key: v.array if isinstance(v, Flat) else v for key, v in whole.items()}


def batchnorm_forward_step(x, gamma, beta, param, dtype, tolerance, query="", wrap=np.asarray):
    out, after = oracle.batchnorm_forward(x, gamma, beta, complete(param, x.shape[1]))
    request = {"x": wrap(x), "gamma": gamma, "beta": wrap(beta), "bn_param": param}
    return step("/batchnorm/forward", typed(request, dtype), {"out": out, "bn_param": after},
                tolerance, query)


def batchnorm_backward_step(dout, x, gamma, param, dtype, tolerance, query="", wrap=np.asarray):
    dx, dgamma, dbeta = oracle.batchnorm_backward(dout, x, gamma, complete(param, x.shape[1]))
    return step("/batchnorm/backward", typed({"dout": wrap(dout), "cache": "$cache"}, dtype),
                {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}, tolerance, query)


def batchnorm(name, x, param, gamma=None, beta=None, dtype="float64", tolerance=None,
              dx_tolerance=None, query="", flat=False):
    random = Random(name, dtype)
    tolerance = tolerance or USUAL[dtype]
    gamma = random.normal(x.shape[1]) if gamma is None else gamma
    beta = random.normal(x.shape[1]) if beta is None else beta
    dout = random.normal(*x.shape)
    wrap = Flat if flat else np.asarray
    return {"name": name, "steps": [
        batchnorm_forward_step(x, gamma, beta, param, dtype, tolerance, query, wrap),
        batchnorm_backward_step(dout, x, gamma, param, dtype, dx_tolerance or tolerance,
                                query, wrap)]}


def batchnorm_chain(name, dtype):
    """Two batches in train mode, each given the bn_param of the one before, then a test batch."""
    random, tolerance = Random(name, dtype), USUAL[dtype]
    gamma, beta = random.normal(3), random.normal(3)
    param, steps = {"mode": "train"}, []
    for mode in "train", "train", "test":
        x, param = random.normal(5, 3, scale=2, offset=1), dict(param, mode=mode)
        steps += [batchnorm_forward_step(x, gamma, beta, param, dtype, tolerance),
                  batchnorm_backward_step(random.normal(5, 3), x, gamma, param, dtype, tolerance)]
        _, param = oracle.batchnorm_forward(x, gamma, beta, complete(param, 3))
        for key in "running_mean", "running_var":
            param[key] = param[key].astype(dtype).astype(float)
    return {"name": name, "steps": steps}


def course_batchnorm():
    random = Random("course batchnorm", "float64")
    x = random.normal(20, 10).dot(random.normal(10, 3)).round(3) * 3 + 1
    gamma, beta = array(1, 2, 3), array(11, 12, 13)
    plain = batchnorm("course: columns of mean 0 and variance 1", x, {"mode": "train"},
                      np.ones(3), np.zeros(3))
    scaled = batchnorm("course: columns of mean beta and deviation gamma", x, {"mode": "train"},
                       gamma, beta)
    out = np.array(plain["steps"][0]["answer"]["out"])
    assert np.allclose(out.mean(axis=0), 0) and np.allclose(out.std(axis=0), 1, atol=1e-4)
    out = np.array(scaled["steps"][0]["answer"]["out"])
    assert np.allclose(out.mean(axis=0), beta) and np.allclose(out.std(axis=0), gamma, atol=1e-3)
    return [plain, scaled]


def near_a_large_mean(mean, noise, rows=8):
    """Multiples of `noise` around `mean`, whose sum is exact in the case's dtype. The mean of the
    squares less the square of the mean has no correct digit here."""
    offsets = Random("noise %g" % mean, "float64").state.randint(-9, 10, size=(rows, 3))
    return mean + noise * offsets.astype(float)


def batchnorm_usual():
    for dtype in DTYPES:
        random = Random("batchnorm usual", dtype).normal
        of = " of " + dtype
        given = {"running_mean": random(5), "running_var": random(5) ** 2 + 0.5}
        given["running_var"] = given["running_var"].astype(dtype).astype(float)
        train, test = dict(given, mode="train"), dict(given, mode="test")
        loose = USUAL[dtype] if dtype == "float64" else (2e-5, 2e-5)
        yield batchnorm("train" + of, random(7, 5, scale=2, offset=1), {"mode": "train"},
                        dtype=dtype)
        yield batchnorm("train, running statistics given" + of, random(7, 5), train, dtype=dtype)
        yield batchnorm("test" + of, random(7, 5), test, dtype=dtype)
        yield batchnorm("test, another eps" + of, random(6, 5), dict(test, eps=0.125), dtype=dtype)
        yield batchnorm("momentum 0: the statistics of the last batch" + of, random(6, 5),
                        dict(train, momentum=0.0), dtype=dtype)
        yield batchnorm("momentum 1: the statistics stay" + of, random(6, 5),
                        dict(train, momentum=1.0), dtype=dtype)
        yield batchnorm("another eps and momentum" + of, random(6, 5),
                        dict(train, eps=0.125, momentum=0.75), dtype=dtype)
        yield batchnorm("N = 1: out is beta" + of, random(1, 5), train, dtype=dtype,
                        tolerance=loose)
        yield batchnorm("N = 1, test" + of, random(1, 5), test, dtype=dtype)
        yield batchnorm("D = 1" + of, random(9, 1), {"mode": "train"}, dtype=dtype)
        yield batchnorm("N = 2" + of, random(2, 3, scale=4), {"mode": "train"}, dtype=dtype,
                        tolerance=loose)
        yield batchnorm("constant columns" + of, np.array([[3.0, 0.0, -1024.0, 0.5]] * 5),
                        {"mode": "train"}, dtype=dtype,
                        dx_tolerance=(1e-11, 1e-11) if dtype == "float64" else (2e-4, 1e-3))
        yield batchnorm("sizes past a vector register" + of, random(17, 5), {"mode": "train"},
                        dtype=dtype, tolerance=loose)
        yield batchnorm("flat and nested mixed in the request" + of, random(4, 3),
                        {"mode": "train", "running_mean": Flat(np.zeros(3))}, dtype=dtype,
                        flat=True)
        yield batchnorm("flat answer" + of, random(4, 3), {"mode": "train"}, dtype=dtype,
                        query="tensors=flat")
        yield without_cache(batchnorm("nothing kept" + of, random(4, 3), {"mode": "train"},
                                      dtype=dtype))
        yield batchnorm_chain("two batches in train mode, then test" + of, dtype)


def batchnorm_edges():
    random = Random("batchnorm edges", "float64").normal
    yield batchnorm("test, no running statistics: zeros", random(4, 3), {"mode": "test"},
                    tolerance=(1e-12, 1e-11))
    yield batchnorm("test, N = 0", empty(0, 3), {"mode": "test"})
    yield batchnorm("D = 0", empty(3, 0), {"mode": "train"})
    yield batchnorm("small noise on 1e8", near_a_large_mean(1e8, 2.0**-10), {"mode": "train"},
                    tolerance=(1e-10, 1e-10), dx_tolerance=(1e-10, 1e-7))
    yield batchnorm("small noise on 4096 of float32", near_a_large_mean(4096, 2.0**-6),
                    {"mode": "train"}, dtype="float32", tolerance=(2e-5, 1e-5),
                    dx_tolerance=(1e-4, 1e-3))
    yield batchnorm("small noise on 1e8, the mean not exact", near_a_large_mean(1e8, 2.0**-6, 7),
                    {"mode": "train"}, tolerance=(1e-6, 1e-6), dx_tolerance=(1e-5, 1e-4))
    for name, number, rows in ("many digits", 33333333333333.332, 11), ("1e300", 1e300, 5):
        yield batchnorm("equal numbers, of " + name, np.full((rows, 2), number), {"mode": "train"})
    yield batchnorm("1e12 and a hundredth", 1e12 + 0.01 * array([1], [-1], [1], [-1], [-1]),
                    {"mode": "train"}, dx_tolerance=(1e-11, 1e-11))
    yield batchnorm("columns of very different magnitude",
                    random(6, 4) * array(1e-150, 1e-8, 1e8, 1e150), {"mode": "train"},
                    tolerance=(1e-11, 1e-13), dx_tolerance=(1e-11, 1e-11))
    yield batchnorm("columns of 1e-300", 1e-300 * array([1], [2], [3], [4]), {"mode": "train"},
                    array(1), array(0), tolerance=(1e-12, 0.0), dx_tolerance=(1e-12, 1e-11))
    yield batchnorm("NaN stays in its column", array([NAN, 1], [1, 2], [2, 4]), {"mode": "train"})
    yield batchnorm("a tiny eps", random(5, 2), {"mode": "train", "eps": 1e-300})


def batchnorm_cases():
    yield from course_batchnorm()
    yield from batchnorm_usual()
    yield from batchnorm_edges()
