"""Vectors of layernorm, spatial_batchnorm and spatial_groupnorm."""
import numpy as np

import cases_batchnorm
import oracle_norms
from vectorfile import DTYPES, NAN, USUAL, Flat, Random, array, empty, pair, without_cache

LOOSE = {"float64": USUAL["float64"], "float32": (2e-5, 2e-5)}


def norm(name, layer, x, param, whole, gamma, beta, dtype, tolerance, query, flat):
    """`param`: the object's name and what is sent of it, `whole` what the oracle takes"""
    features = x.shape[1]
    random = Random(name, dtype)
    gamma = random.normal(features) if gamma is None else gamma
    beta = random.normal(features) if beta is None else beta
    dout = random.short(*x.shape)
    request = {"x": x, "gamma": gamma, "beta": Flat(beta) if flat else beta}
    if param[1] is not None:
        request[param[0]] = param[1]
    forward = getattr(oracle_norms, layer + "_forward")(x, gamma, beta, *whole)
    answer = ({"out": forward[0], "bn_param": forward[1]} if isinstance(forward, tuple)
              else {"out": forward})
    dx, dgamma, dbeta = getattr(oracle_norms, layer + "_backward")(dout, x, gamma, *whole)
    return pair(name, layer, request, answer, dout, {"dx": dx, "dgamma": dgamma, "dbeta": dbeta},
                dtype, tolerance or LOOSE[dtype], query, flat)


def layernorm(name, x, param=None, gamma=None, beta=None, dtype="float64", tolerance=None,
              query="", flat=False):
    return norm(name, "layernorm", x, ("ln_param", param), [(param or {}).get("eps", 1e-5)], gamma,
                beta, dtype, tolerance, query, flat)


def spatial_groupnorm(name, x, groups, eps=None, gamma=None, beta=None, dtype="float64",
                      tolerance=None, query="", flat=False):
    param = {"groups": groups} if eps is None else {"groups": groups, "eps": eps}
    return norm(name, "spatial_groupnorm", x, ("gn_param", param), [int(groups), eps or 1e-5],
                gamma, beta, dtype, tolerance, query, flat)


def spatial_batchnorm(name, x, param, gamma=None, beta=None, dtype="float64", tolerance=None,
                      query="", flat=False):
    whole = cases_batchnorm.complete(param, x.shape[1])
    whole["momentum"] = float(whole["momentum"])
    return norm(name, "spatial_batchnorm", x, ("bn_param", param), [whole], gamma, beta, dtype,
                tolerance, query, flat)


def course_layernorm():
    random = Random("course layernorm", "float64")
    x = random.normal(4, 12).dot(random.normal(12, 3)).round(3) * 3 + 1
    plain = layernorm("course: rows of mean 0 and deviation 1", x, {}, np.ones(3), np.zeros(3))
    scaled = layernorm("course: rows of mean 5 and deviation 3", x, {}, np.full(3, 3.0),
                       np.full(3, 5.0))
    for case, mean, deviation in (plain, 0, 1), (scaled, 5, 3):
        out = np.array(case["steps"][0]["answer"]["out"])
        assert np.allclose(out.mean(axis=1), mean) and np.allclose(out.std(axis=1), deviation,
                                                                   atol=1e-4)
        yield case


def near_a_large_mean(mean, noise, *shape):
    """Multiples of `noise` around `mean`, both powers of two: exact in the case's dtype"""
    offsets = Random("noise %g" % noise, "float64").state.randint(-9, 10, size=shape)
    return mean + noise * offsets.astype(float)


def layernorm_usual():
    for dtype in DTYPES:
        of = " of " + dtype
        normal = Random("layernorm usual", dtype).normal

        def one(name, x, param=None, **more):
            return layernorm(name + of, x, param, dtype=dtype, **more)
        yield one("no ln_param", normal(4, 5, scale=3, offset=2))
        yield one("an empty ln_param", normal(4, 5, scale=3, offset=2), {})
        yield one("eps = 0.1", normal(4, 5), {"eps": 0.1})
        yield one("N = 1", normal(1, 5))
        yield one("D = 1: out is beta", normal(4, 1))
        yield one("one number", normal(1, 1))
        yield one("D = 2", normal(3, 2))
        yield one("sizes past a vector register", normal(3, 19))
        yield one("rows far apart in magnitude", normal(3, 6) * array([1e-8], [1], [1e8])
                  if dtype == "float64" else normal(3, 6) * array([2**-9], [1], [2**9]))
        yield one("rows of equal numbers", np.full((3, 5), 2.5) * array([1], [-3], [0]))
        yield one("N = 0", empty(0, 3))
        yield one("flat request, nested answer", normal(3, 4), {}, flat=True)
        yield one("flat answer", normal(3, 4), query="tensors=flat")
        yield without_cache(one("nothing kept", normal(3, 4)))
        yield one("NaN stays in its row", array([1, 2, 3], [NAN, 1, 2], [4, 2, 1]))


def layernorm_edges():
    yield layernorm("N = 0, flat answer", empty(0, 3), query="tensors=flat")
    yield layernorm("D = 0", empty(3, 0))
    yield layernorm("small noise on 2^26", near_a_large_mean(2.0**26, 2.0**-10, 3, 8),
                    tolerance=[(1e-10, 1e-10), (1e-10, 1e-7)])
    yield layernorm("small noise on 4096 of float32", near_a_large_mean(4096, 2.0**-6, 3, 8),
                    dtype="float32", tolerance=[(2e-5, 1e-5), (1e-4, 1e-3)])
    yield layernorm("equal numbers of many digits", np.full((2, 11), 33333333333333.332))
    yield layernorm("equal numbers of 1e300", np.full((2, 5), 1e300))
    yield layernorm("equal numbers of many digits of float32",
                    np.full((2, 11), float(np.float32(12345.678))), dtype="float32")
    yield layernorm("a tiny eps", Random("layernorm tiny", "float64").normal(3, 5),
                    {"eps": 1e-300})


def layernorm_cases():
    yield from course_layernorm()
    yield from layernorm_usual()
    yield from layernorm_edges()


def spatial_groupnorm_usual():
    for dtype in DTYPES:
        of = " of " + dtype
        normal = Random("spatial_groupnorm usual", dtype).normal
        x = normal(2, 6, 2, 3, scale=3, offset=2)

        def one(name, x, groups, eps=None, **more):
            return spatial_groupnorm(name + of, x, groups, eps, dtype=dtype, **more)
        yield one("groups = 1", x, 1)
        yield one("groups = 2", x, 2)
        yield one("groups = 3 written as 3.0", x, 3.0)
        yield one("groups = C", x, 6)
        yield one("eps = 0.1", x, 2, 0.1)
        yield one("N = 1, C = 1", normal(1, 1, 3, 2), 1)
        yield one("channels of one pixel", normal(3, 4, 1, 1), 2)
        yield one("groups of one number: out is beta", normal(2, 3, 1, 1), 3)
        yield one("channels of one row", normal(2, 2, 1, 19), 2)
        yield one("a group of equal numbers", np.repeat(array(1, 7, 7, 2), 4).reshape(1, 4, 2, 2),
                  2)
        yield one("all numbers equal", np.full((2, 4, 2, 2), 2.5), 2)
        yield one("N = 0", empty(0, 4, 2, 2), 2)
        yield one("H = 0", empty(2, 4, 0, 2), 2)
        yield one("flat request, nested answer", normal(1, 2, 2, 2), 2, flat=True)
        yield one("flat answer", normal(1, 4, 2, 1), 2, query="tensors=flat")
        yield without_cache(one("nothing kept", normal(1, 2, 2, 2), 1))
        holed = normal(2, 4, 1, 2)
        holed[0, 1, 0, 1] = NAN
        yield one("NaN stays in its group", holed, 2)


def spatial_groupnorm_cases():
    yield from spatial_groupnorm_usual()
    yield spatial_groupnorm("N = 0, flat answer", empty(0, 2, 2, 2), 2, query="tensors=flat")
    yield spatial_groupnorm("small noise on 2^26", near_a_large_mean(2.0**26, 2.0**-10, 1, 4, 2, 2),
                            2, tolerance=[(1e-10, 1e-10), (1e-10, 1e-7)])
    yield spatial_groupnorm("small noise on 4096 of float32",
                            near_a_large_mean(4096, 2.0**-6, 1, 4, 2, 2), 2, dtype="float32",
                            tolerance=[(2e-5, 1e-5), (1e-4, 1e-3)])
    yield spatial_groupnorm("equal numbers of 1e300", np.full((1, 2, 2, 2), 1e300), 1)
    yield spatial_groupnorm("a tiny eps", Random("groupnorm tiny", "float64").normal(1, 4, 1, 2), 2,
                            1e-300)


def spatial_batchnorm_chain(name, dtype):
    """Two batches in train mode, each given the bn_param of the one before, then a test batch."""
    random = Random(name, dtype)
    gamma, beta = random.normal(2), random.normal(2)
    param, steps = {"mode": "train"}, []
    for mode in "train", "train", "test":
        x, param = random.normal(2, 2, 2, 2, scale=2, offset=1), dict(param, mode=mode)
        steps += spatial_batchnorm(name, x, param, gamma, beta, dtype)["steps"]
        whole = cases_batchnorm.complete(param, 2)
        _, param = oracle_norms.spatial_batchnorm_forward(x, gamma, beta, whole)
        for key in "running_mean", "running_var":
            param[key] = param[key].astype(dtype).astype(float)
    return {"name": name, "steps": steps}


def spatial_batchnorm_usual():
    for dtype in DTYPES:
        of = " of " + dtype
        normal = Random("spatial_batchnorm usual", dtype).normal
        x = normal(2, 3, 2, 4, scale=3, offset=2)
        statistics = {"running_mean": normal(3),
                      "running_var": (normal(3) ** 2 + 0.5).astype(dtype).astype(float)}
        train, test = dict(statistics, mode="train"), dict(statistics, mode="test")
        bare = {"mode": "train"}

        def one(name, x, param, **more):
            return spatial_batchnorm(name + of, x, param, dtype=dtype, **more)
        yield one("train", x, bare)
        yield one("train, running statistics given", x, train)
        yield one("train, eps = 0.1", x, dict(train, eps=0.1))
        yield one("train, momentum 0", x, dict(train, momentum=0))
        yield one("train, momentum 1", x, dict(train, momentum=1))
        yield one("test", x, test)
        yield one("test, eps = 0.1", x, dict(test, eps=0.1))
        yield one("train, N = 1", normal(1, 3, 2, 3), train)
        yield one("train, channels of one pixel", normal(5, 3, 1, 1), train)
        yield one("train, one number a channel: out is beta", normal(1, 3, 1, 1), train)
        yield one("train, C = 1", normal(2, 1, 3, 2), bare)
        yield one("train, channels of one row", normal(2, 2, 1, 19), bare)
        yield one("train, a channel of equal numbers",
                  np.stack([np.full((2, 2, 2), 7.0), normal(2, 2, 2)], axis=1), bare)
        yield one("test, one example", normal(1, 3, 1, 1), test)
        yield one("test, N = 0", empty(0, 3, 2, 2), test)
        yield one("flat request, nested answer", x[:1, :, :, :2],
                  dict(train, running_mean=Flat(train["running_mean"])), flat=True)
        yield one("flat answer", x[:1, :, :, :2], train, query="tensors=flat")
        yield without_cache(one("nothing kept", x[:1], train))
        holed = normal(2, 2, 1, 2)
        holed[1, 0, 0, 1] = NAN
        yield one("NaN stays in its channel", holed, bare)
        yield spatial_batchnorm_chain("two batches in train mode, then test" + of, dtype)


def spatial_batchnorm_cases():
    yield from spatial_batchnorm_usual()
    normal = Random("spatial_batchnorm edges", "float64").normal
    train, test = {"mode": "train"}, {"mode": "test"}
    yield spatial_batchnorm("test, no running statistics: zeros", normal(2, 2, 1, 2), test,
                            tolerance=(1e-12, 1e-11))
    yield spatial_batchnorm("test, W = 0", empty(2, 2, 3, 0), test)
    yield spatial_batchnorm("C = 0", empty(2, 0, 2, 2), train)
    yield spatial_batchnorm("a variance below 0 has no root", normal(1, 2, 1, 2),
                            dict(test, running_var=array(-1, 1)))
    yield spatial_batchnorm("small noise on 2^26", near_a_large_mean(2.0**26, 2.0**-10, 2, 2, 2, 2),
                            train, tolerance=[(1e-10, 1e-10), (1e-10, 1e-7)])
    yield spatial_batchnorm("small noise on 4096 of float32",
                            near_a_large_mean(4096, 2.0**-6, 2, 2, 2, 2), train, dtype="float32",
                            tolerance=[(2e-5, 1e-5), (1e-4, 1e-3)])
    yield spatial_batchnorm("equal numbers of 1e300", np.full((2, 2, 1, 2), 1e300), train)
