"""Vectors of the updates: sgd, sgd_momentum, rmsprop and adam."""
import numpy as np

import oracle_updates
from vectorfile import DTYPES, INF, NAN, USUAL, Flat, Random, array, empty, step, typed

# The keys of each config that are numbers, with the contract's defaults, and those like w
NUMBERS = {
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0},
}
TENSORS = {"sgd": [], "sgd_momentum": ["velocity"], "rmsprop": ["cache"], "adam": ["m", "v"]}


def complete(rule, config, w):
    """The config with the defaults of the contract, its numbers of the types that come back"""
    whole = {**NUMBERS[rule], **{key: np.zeros(w.shape) for key in TENSORS[rule]}, **(config or {})}
    def value_of(key, value):
        if isinstance(value, Flat):
            return value.array
        return value if isinstance(value, np.ndarray) else type(NUMBERS[rule][key])(value)
    return {key: value_of(key, value) for key, value in whole.items()}


def update_step(rule, w, dw, config, dtype, tolerance=None, query="", wrap=np.asarray):
    """The step, the w that it gives, and the config that comes back"""
    next_w, after = getattr(oracle_updates, rule)(w, dw, complete(rule, config, w), dtype)
    request = {"w": wrap(w), "dw": wrap(dw)}
    if config is not None:
        request["config"] = config
    after = {key: np.asarray(value) if key in TENSORS[rule] else value
             for key, value in after.items()}  # of rank 0, NumPy's arithmetic leaves no arrays
    made = step("/%s/update" % rule, typed(request, dtype),
                {"next_w": np.asarray(next_w), "config": after}, tolerance or USUAL[dtype], query)
    return made, next_w, after


def update(rule, name, w, dw, config=None, dtype="float64", tolerance=None, query="", flat=False):
    made = update_step(rule, w, dw, config, dtype, tolerance, query, Flat if flat else np.asarray)
    return {"name": name, "steps": [made[0]]}


def rounded(value, dtype):
    return value.astype(dtype).astype(float) if isinstance(value, np.ndarray) else value


def chain(rule, name, config, dtype, count=4):
    """Steps that each send the config that came back from the one before."""
    random = Random(name, dtype)
    w, steps = random.normal(2, 3), []
    for _ in range(count):
        made, w, config = update_step(rule, w, random.normal(2, 3), config, dtype)
        w = rounded(w, dtype)
        config = {key: rounded(value, dtype) for key, value in config.items()}
        steps.append(made)
    return {"name": name, "steps": steps}


def given(rule, random, *shape):
    """A config with every tensor in it; a mean square is not below 0."""
    config = {key: random.normal(*shape) for key in TENSORS[rule]}
    for key in "cache", "v":
        if key in config:
            config[key] = np.abs(config[key])
    return config


def usual(rule, numbers):
    """`numbers`: a config with no default in it"""
    for dtype in DTYPES:
        of = " of " + dtype
        random = Random(rule + " usual", dtype)
        normal, short = random.normal, random.short

        def one(name, w, dw, config=None, **more):
            return update(rule, name + of, w, dw, config, dtype, **more)
        yield one("no config", normal(3, 4), normal(3, 4))
        yield one("an empty config", normal(3, 4), normal(3, 4), {})
        yield one("every number given", normal(3, 4), normal(3, 4), numbers)
        yield one("everything given", normal(3, 4), normal(3, 4),
                  {**numbers, **given(rule, random, 3, 4)})
        yield one("rank 0", np.array(2.5), np.array(-0.75))
        yield one("rank 0, everything given", np.array(2.5), np.array(-0.75),
                  {**numbers, **{key: Flat(0.5) for key in TENSORS[rule]}})
        yield one("rank 1, sizes past a vector register", short(19), short(19), numbers)
        yield one("rank 4", short(2, 1, 3, 2), short(2, 1, 3, 2), given(rule, random, 2, 1, 3, 2))
        yield one("nothing to learn", empty(0), empty(0), numbers)
        yield one("of shape (2, 0, 3)", empty(2, 0, 3), empty(2, 0, 3),
                  {key: empty(2, 0, 3) for key in TENSORS[rule]})
        yield one("a gradient of zeros", short(2, 3), empty(2, 3), given(rule, random, 2, 3))
        yield one("a learning rate of 0", short(2, 3), short(2, 3), {"learning_rate": 0})
        yield one("flat request, nested answer", normal(2, 3), normal(2, 3),
                  {key: Flat(value) for key, value in given(rule, random, 2, 3).items()}, flat=True)
        yield one("flat answer", normal(2, 3), normal(2, 3), numbers, query="tensors=flat")
        yield one("rank 0, flat answer", np.array(1.5), np.array(0.25), query="tensors=flat")
        yield one("NaN and infinities in w", array(NAN, INF, -INF, 1), array(1, 2, 3, 4))
        yield one("NaN in dw stays in its place", array(1, 2, 3), array(NAN, 0.5, -0.5))
        yield one("a large learning rate", short(2, 3), short(2, 3), {"learning_rate": 1e3})
        yield chain(rule, "four steps from nothing" + of, None, dtype)
        yield chain(rule, "four steps with numbers of their own" + of, numbers, dtype)


def course(rule, config, published):
    """The course's check of a rule: linspaces of 4 x 5, and what it publishes of its answers"""
    def line(first, last):
        return np.linspace(first, last, num=20).reshape(4, 5)
    tensors = {"velocity": line(0.6, 0.9), "cache": line(0.6, 0.9), "m": line(0.6, 0.9),
               "v": line(0.7, 0.5)}
    config = {**config, **{key: tensors[key] for key in TENSORS[rule]}}
    case = update(rule, "course: %s of linspaces" % rule, line(-0.4, 0.6), line(-0.6, 0.4), config)
    answer = case["steps"][0]["answer"]
    for key, (first, last) in published.items():
        got = np.array(answer[key] if key == "next_w" else answer["config"][key]).ravel()
        assert np.allclose([got[0], got[-1]], [first, last], rtol=0, atol=1e-8), (rule, key, got)
    return case


def sgd_cases():
    yield from usual("sgd", {"learning_rate": 0.3})
    yield update("sgd", "infinities in dw", array(1, 1, INF), array(INF, -INF, INF))
    yield update("sgd", "magnitudes to both ends of float64", array(1e308, 5e-324, 1e-310),
                 array(-1e308, 1e-300, 5e-324), {"learning_rate": 1})


def sgd_momentum_cases():
    rule = "sgd_momentum"
    yield course(rule, {"learning_rate": 1e-3},
                 {"next_w": (0.1406, 1.4096), "velocity": (0.5406, 0.8096)})
    yield from usual(rule, {"learning_rate": 0.3, "momentum": 0.5})
    w, dw = array(1, -2), array(0.5, 4)
    yield update(rule, "momentum 0: the velocity is forgotten", w, dw,
                 {"momentum": 0, "velocity": array(100, -100)})
    yield update(rule, "momentum 1: the velocity stays", w, dw,
                 {"momentum": 1, "velocity": array(0.25, -8)})
    yield update(rule, "NaN in the velocity", w, dw, {"velocity": array(NAN, 1)})


def rmsprop_cases():
    yield course("rmsprop", {"learning_rate": 1e-2},
                 {"next_w": (-0.39223849, 0.59576619), "cache": (0.5976, 0.8926)})
    yield from usual("rmsprop", {"learning_rate": 0.3, "decay_rate": 0.5, "epsilon": 0.125})
    w, dw = array(1, -2), array(0.5, 4)
    yield update("rmsprop", "decay 0: the sign of the gradient", w, dw,
                 {"decay_rate": 0, "cache": array(9, 100)})
    yield update("rmsprop", "decay 1: the mean square stays", w, dw,
                 {"decay_rate": 1, "cache": array(9, 100)})
    yield update("rmsprop", "epsilon is outside the root", w, dw,
                 {"epsilon": 0.5, "decay_rate": 0.75})
    yield update("rmsprop", "a mean square below 0", w, dw, {"cache": array(-1, -2000)})
    yield update("rmsprop", "a square beyond float64", w, array(1e200, -1e160))
    yield update("rmsprop", "a square beyond float32, in float32", w, array(2.0**100, -2.0**64),
                 dtype="float32")
    yield update("rmsprop", "a square below float64", w, array(1e-200, -1e-170))


def adam_cases():
    yield course("adam", {"learning_rate": 1e-2, "t": 5},
                 {"next_w": (-0.40094747, 0.59801459), "m": (0.48, 0.85),
                  "v": (0.69966, 0.49966)})
    numbers = {"learning_rate": 0.3, "beta1": 0.5, "beta2": 0.75, "epsilon": 0.125, "t": 3}
    yield from usual("adam", numbers)
    w, dw = array(1, -2), array(0.5, 4)
    m, v = array(0.25, -1), array(0.5, 2)
    for t in 0, 1, 2, 10, 1000, 100000, 2**53 - 1:
        yield update("adam", "t = %d" % t, w, dw, {"t": t, "m": m, "v": v})
    yield update("adam", "t = 100 of float32", w, dw, {"t": 100, "m": m, "v": v}, "float32")
    yield update("adam", "t written as 2.0", w, dw, {"t": 2.0})
    yield update("adam", "m without v", w, dw, {"m": m})
    yield update("adam", "v without m", w, dw, {"v": v})
    yield update("adam", "both betas 0: the sign of the gradient", w, dw,
                 {"beta1": 0, "beta2": 0, "m": m, "v": v, "t": 1})
    yield update("adam", "betas just below 1", w, dw,
                 {"beta1": 1 - 2.0**-20, "beta2": 1 - 2.0**-30, "m": m, "v": v},
                 tolerance=(1e-9, 1e-12))
    yield update("adam", "epsilon is outside the root, and added after the correction", w, dw,
                 {"epsilon": 1})
    yield update("adam", "a mean square below 0", w, dw, {"v": array(-1, -2000)})
    yield update("adam", "a square beyond float64", w, array(1e200, -1e160))
    yield update("adam", "a square beyond float32, in float32", w, array(2.0**100, -2.0**64),
                 dtype="float32")
