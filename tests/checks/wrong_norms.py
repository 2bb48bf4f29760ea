"""Wrong answers to the normalisations, as they are seen in people's code. Of each wrong forward the
exact gradient is a wrong backward, and the same fault."""
import numpy as np

import oracle
import oracle_norms
from wrong import WRONG, gradient, wrong

EPS = 0.02  # of which it shows what is done with it


def variance_of(x, axis):
    return ((x - x.mean(axis=axis, keepdims=True)) ** 2).mean(axis=axis, keepdims=True)


def terms_of(x, axis):
    return x.size // x.mean(axis=axis).size


def normalised(x, axis, deviation=None, centred=True, count=None):
    """xhat, by what `deviation` makes of the variance; of so many terms less 1"""
    variance = variance_of(x, axis)
    if count:
        variance = variance * count / (count - 1)
    distance = x - x.mean(axis=axis, keepdims=True) if centred else x
    return distance / (deviation(variance) if deviation else np.sqrt(variance + EPS))


# What is made of x, of which the mean and variance go over `axis`, by its fault (and what else)
RECIPES = {
    "eps_missing": lambda x, axis: normalised(x, axis, np.sqrt),
    "eps_outside_root": lambda x, axis: normalised(x, axis, lambda v: np.sqrt(v) + EPS),
    "eps_twice": lambda x, axis: normalised(x, axis, lambda v: np.sqrt(v + 2 * EPS)),
    "eps_subtracted": lambda x, axis: normalised(x, axis, lambda v: np.sqrt(v - EPS)),
    "eps_not_read": lambda x, axis: normalised(x, axis, lambda v: np.sqrt(v + 1e-5)),
    "eps_not_read, 1e-8": lambda x, axis: normalised(x, axis, lambda v: np.sqrt(v + 1e-8)),
    "variance_not_root": lambda x, axis: normalised(x, axis, lambda v: v + EPS),
    "unbiased_variance": lambda x, axis: normalised(x, axis, count=terms_of(x, axis)),
    "mean_not_subtracted": lambda x, axis: normalised(x, axis, centred=False),
    "variance_of_everything": lambda x, axis: (x - x.mean(axis=axis, keepdims=True)) /
    np.sqrt(variance_of(x, tuple(range(x.ndim))) + EPS),
    "variance_of_everything, centred": lambda x, axis: (x - x.mean(axis=axis, keepdims=True)) /
    np.sqrt(variance_of(x, axis).mean() + EPS),
    "std_of_variances": lambda x, axis: (x - x.mean(axis=axis, keepdims=True)) /
    np.sqrt(variance_of(variance_of(x, axis), None)),
    "over_everything": lambda x, axis: normalised(x, None),
}


def affine_of(xhat, gamma, beta):
    """gamma * xhat + beta in the shape of images or of rows"""
    if xhat.ndim == 2:
        return gamma * xhat + beta
    shape = (1, -1, 1, 1)
    return gamma.reshape(shape) * xhat + beta.reshape(shape)


def both(layer, code, inputs, xhat_of, name=None):
    """A wrong forward, and the gradient of it"""
    def forward(takes, x=None, gamma=None):
        x = takes["x"] if x is None else x
        gamma = takes["gamma"] if gamma is None else gamma
        return affine_of(xhat_of(takes, x), gamma, takes["beta"])

    def claim(takes):
        return {"out": forward(takes)}

    def gradients(takes):
        dout = takes["dout"]
        return {"dx": gradient(lambda x: forward(takes, x), takes["x"], dout),
                "dgamma": gradient(lambda gamma: forward(takes, gamma=gamma), takes["gamma"], dout)}

    def with_dout(random):
        takes = inputs(random)
        return dict(takes, dout=random.randn(*takes["x"].shape))
    name = name or (code if isinstance(code, str) else code[0])
    WRONG.append((f"{layer}/forward", name, inputs, claim, code))
    WRONG.append((f"{layer}/backward", f"gradient of {name}", with_dout, gradients, code))


# ---- inputs

def scaled(random, shape, axis):
    """Values whose spread and mean differ along an axis"""
    along = [1] * len(shape)
    along[axis] = shape[axis]
    return random.randn(*shape) * random.uniform(0.5, 2, along) + random.randn(*along)


def row_takes(axis, **param):
    def made(random):
        x = scaled(random, (6, 5), axis)
        return dict({"x": x, "gamma": random.uniform(0.5, 2, 5), "beta": random.randn(5)}, **param)
    return made


def batch_takes(random, mode="train", shape=(6, 5)):
    c = shape[1]
    param = {"mode": mode, "eps": EPS, "momentum": 0.7, "running_mean": random.randn(c),
             "running_var": random.uniform(0.5, 2, c)}
    return {"x": scaled(random, shape, 1), "gamma": random.uniform(0.5, 2, c),
            "beta": random.randn(c), "bn_param": param}


def batch_testing(random):
    return batch_takes(random, "test")


def spatial_takes(random):
    return batch_takes(random, shape=(3, 4, 2, 5))


def group_takes(random):
    takes = batch_takes(random, shape=(3, 6, 2, 5))
    del takes["bn_param"]
    return dict(takes, gn_param={"groups": 2, "eps": EPS})


layer_takes = row_takes(0, ln_param={"eps": EPS})


# ---- the recipes, for each layer

def by_group(recipe):
    def xhat(takes, x):
        rows = oracle_norms.grouped(x, takes["gn_param"]["groups"])
        return recipe(rows, 1).reshape(x.shape)
    return xhat


for NAME, RECIPE in RECIPES.items():
    CODE = NAME.split(",")[0]
    both("batchnorm", CODE, batch_takes, lambda takes, x, recipe=RECIPE: recipe(x, 0), NAME)
    both("layernorm", CODE, layer_takes, lambda takes, x, recipe=RECIPE: recipe(x, 1), NAME)
    both("spatial_batchnorm", CODE, spatial_takes,
         lambda takes, x, recipe=RECIPE: recipe(x, (0, 2, 3)), NAME)
    both("spatial_groupnorm", CODE, group_takes, by_group(RECIPE), NAME)

both("batchnorm", "wrong_axis", batch_takes, lambda takes, x: normalised(x, 1))
both("layernorm", "wrong_axis", layer_takes, lambda takes, x: normalised(x, 0))


def not_moved(takes, x):
    """(N, C, H, W) as (N * H * W, C) as it lies"""
    return normalised(x.reshape(-1, x.shape[1]), 0).reshape(x.shape)


def spread_over_rows(values, x):
    return np.broadcast_to(values, (x.size // x.shape[1], x.shape[1])).reshape(x.shape)


@wrong("spatial_batchnorm/forward", "channel_not_moved", spatial_takes)
def channel_not_moved(takes):
    x = takes["x"]
    return {"out": spread_over_rows(takes["gamma"], x) * not_moved(takes, x) +
            spread_over_rows(takes["beta"], x)}


def with_dout(inputs):
    def made(random):
        takes = inputs(random)
        return dict(takes, dout=random.randn(*takes["x"].shape))
    return made


@wrong("spatial_batchnorm/backward", "channel_not_moved", with_dout(spatial_takes))
def gradient_of_not_moved(takes):
    rows = {name: takes[name].reshape(-1, takes["x"].shape[1]) for name in ("x", "dout")}
    dx, dgamma, dbeta = oracle.batchnorm_backward(rows["dout"], rows["x"], takes["gamma"],
                                                  takes["bn_param"])
    return {"dx": dx.astype(float).reshape(takes["x"].shape), "dgamma": dgamma.astype(float),
            "dbeta": dbeta.astype(float)}


@wrong("spatial_batchnorm/forward", "channel_not_moved", spatial_takes)
def channel_not_moved_to_front(takes):
    """(N, C, H, W) as (C, N * H * W) as it lies"""
    x = takes["x"]
    xhat = normalised(x.reshape(x.shape[1], -1), 1)
    out = takes["gamma"][:, np.newaxis] * xhat + takes["beta"][:, np.newaxis]
    return {"out": out.reshape(x.shape)}


@wrong("spatial_batchnorm/backward", "channel_not_moved", with_dout(spatial_takes))
def gradient_of_not_moved_to_front(takes):
    rows = {name: takes[name].reshape(takes["x"].shape[1], -1).T for name in ("x", "dout")}
    dx, dgamma, dbeta = oracle.batchnorm_backward(rows["dout"], rows["x"], takes["gamma"],
                                                  takes["bn_param"])
    return {"dx": dx.astype(float).T.reshape(takes["x"].shape), "dgamma": dgamma.astype(float),
            "dbeta": dbeta.astype(float)}


@wrong("spatial_batchnorm/forward", "channel_not_moved_back", spatial_takes)
def channel_not_moved_back(takes):
    x = takes["x"]
    out = oracle.batchnorm_forward(oracle_norms.columns(x), takes["gamma"], takes["beta"],
                                   takes["bn_param"])[0]
    return {"out": out.astype(float).reshape(x.shape)}


both("spatial_batchnorm", "batch_left_out", spatial_takes, lambda takes, x: normalised(x, (2, 3)))
both("spatial_batchnorm", "by_example", spatial_takes, lambda takes, x: normalised(x, (1, 2, 3)))
both("spatial_groupnorm", "by_channel", group_takes, lambda takes, x: normalised(x, (2, 3)))
both("spatial_groupnorm", "by_position", group_takes, lambda takes, x: normalised(x, 1))
both("spatial_groupnorm", "by_position", group_takes, by_group(
    lambda rows, _: normalised(rows.reshape(len(rows), 3, 10), 1)), "by_position of a group")
both("spatial_groupnorm", "by_example", group_takes, lambda takes, x: normalised(x, (1, 2, 3)))
both("spatial_groupnorm", "over_batch", group_takes, lambda takes, x: normalised(x, (0, 2, 3)))


# ---- batchnorm's parameters

def batch_of(takes):
    x = takes["x"]
    return x.mean(axis=0), x.var(axis=0), takes["bn_param"]


def running(mean, variance):
    return {"bn_param": {"running_mean": mean, "running_var": variance}}


@wrong("batchnorm/forward", "beta_missing", batch_takes)
def beta_missing(takes):
    return {"out": takes["gamma"] * normalised(takes["x"], 0)}


@wrong("batchnorm/forward", "gamma_missing", batch_takes)
def gamma_missing(takes):
    return {"out": normalised(takes["x"], 0) + takes["beta"]}


@wrong("batchnorm/forward", ("running_overwritten", "running_not_decayed"), batch_takes)
def running_overwritten(takes):
    mean, variance, _ = batch_of(takes)
    return running(mean, variance)


@wrong("batchnorm/forward", "running_not_decayed", batch_takes)
def running_not_decayed(takes):
    mean, variance, param = batch_of(takes)
    share = 1 - param["momentum"]
    return running(param["running_mean"] + share * mean, param["running_var"] + share * variance)


@wrong("batchnorm/forward", "running_not_decayed", batch_takes)
def running_added_whole(takes):
    mean, variance, param = batch_of(takes)
    keep = param["momentum"]
    return running(keep * param["running_mean"] + mean, keep * param["running_var"] + variance)


@wrong("batchnorm/forward", "momentum_swapped", batch_takes)
def momentum_swapped(takes):
    mean, variance, param = batch_of(takes)
    keep = param["momentum"]
    return running((1 - keep) * param["running_mean"] + keep * mean,
                   (1 - keep) * param["running_var"] + keep * variance)


@wrong("batchnorm/forward", "running_exchanged", batch_takes)
def running_exchanged(takes):
    mean, variance, param = batch_of(takes)
    keep = param["momentum"]
    return running(keep * param["running_mean"] + (1 - keep) * variance,
                   keep * param["running_var"] + (1 - keep) * mean)


@wrong("batchnorm/forward", "running_lost", batch_takes)
def running_lost(takes):
    return running(takes["bn_param"]["running_mean"], takes["bn_param"]["running_var"])


def moved_var(takes, new):
    param = takes["bn_param"]
    return {"bn_param": {"running_var": param["momentum"] * param["running_var"]
                         + (1 - param["momentum"]) * new}}


@wrong("batchnorm/forward", "running_std", batch_takes)
def running_std(takes):
    return moved_var(takes, takes["x"].std(axis=0))


@wrong("batchnorm/forward", "running_unbiased", batch_takes)
def running_unbiased(takes):
    return moved_var(takes, takes["x"].var(axis=0, ddof=1))


@wrong("batchnorm/forward", "running_plus_eps", batch_takes)
def running_plus_eps(takes):
    return moved_var(takes, takes["x"].var(axis=0) + EPS)


@wrong("batchnorm/forward", {"bn_param.running_mean": "shape", "bn_param.running_var": "shape"},
       batch_takes)
def running_of_rows(takes):
    """keepdims"""
    mean, variance, param = batch_of(takes)
    keep = param["momentum"]
    return running((keep * param["running_mean"] + (1 - keep) * mean)[np.newaxis],
                   (keep * param["running_var"] + (1 - keep) * variance)[np.newaxis])


@wrong("batchnorm/forward", "running_moves_in_test", batch_testing)
def running_moves_in_test(takes):
    mean, variance, param = batch_of(takes)
    keep = param["momentum"]
    return running(keep * param["running_mean"] + (1 - keep) * mean,
                   keep * param["running_var"] + (1 - keep) * variance)


@wrong("batchnorm/forward", "batch_statistics_in_test", batch_testing)
def batch_statistics_in_test(takes):
    return {"out": takes["gamma"] * normalised(takes["x"], 0) + takes["beta"]}


@wrong("batchnorm/forward", "batch_statistics_in_test", batch_testing)
def batch_variance_in_test(takes):
    distance = takes["x"] - takes["bn_param"]["running_mean"]
    deviation = np.sqrt(variance_of(takes["x"], 0) + EPS)
    return {"out": takes["gamma"] * distance / deviation + takes["beta"]}


@wrong("batchnorm/forward", "gamma_missing", batch_testing)
def nothing_scaled_in_test(takes):
    param = takes["bn_param"]
    return {"out": (takes["x"] - param["running_mean"]) / np.sqrt(param["running_var"] + EPS)}


def tested(takes, deviation):
    param = takes["bn_param"]
    xhat = (takes["x"] - param["running_mean"]) / deviation(param["running_var"])
    return {"out": takes["gamma"] * xhat + takes["beta"]}


@wrong("batchnorm/forward", "eps_missing", batch_testing)
def eps_missing_in_test(takes):
    return tested(takes, np.sqrt)


@wrong("batchnorm/forward", "eps_outside_root", batch_testing)
def eps_outside_in_test(takes):
    return tested(takes, lambda v: np.sqrt(v) + EPS)


@wrong("batchnorm/forward", "variance_not_root", batch_testing)
def not_root_in_test(takes):
    return tested(takes, lambda v: v + EPS)


# ---- gradients that lack something, in each layer

def set_gradients(x, dout, gamma, axis):
    """The terms of dx: direct, through the mean, through the variance; and xhat"""
    deviation = np.sqrt(variance_of(x, axis) + EPS)
    xhat = (x - x.mean(axis=axis, keepdims=True)) / deviation
    g = dout * gamma
    return (g / deviation, g.mean(axis=axis, keepdims=True) / deviation,
            xhat * (g * xhat).mean(axis=axis, keepdims=True) / deviation, xhat)


def of_layer(layer):
    """(inputs, function of takes and axis): each layer's sets as an axis of x"""
    if layer == "spatial_groupnorm":
        def parts(takes):
            groups = takes["gn_param"]["groups"]
            shape = takes["x"].shape
            gamma = np.broadcast_to(takes["gamma"].reshape(1, -1, 1, 1), shape)
            x, dout, gamma = (oracle_norms.grouped(values, groups)
                              for values in (takes["x"], takes["dout"], gamma))
            return [np.broadcast_to(part, x.shape).reshape(shape)
                    for part in set_gradients(x, dout, gamma, 1)]
        return with_dout(group_takes), parts
    inputs, axis = {"batchnorm": (batch_takes, 0), "layernorm": (layer_takes, 1),
                    "spatial_batchnorm": (spatial_takes, (0, 2, 3))}[layer]

    def parts(takes):
        gamma = takes["gamma"] if takes["x"].ndim == 2 else takes["gamma"].reshape(1, -1, 1, 1)
        return set_gradients(takes["x"], takes["dout"], gamma, axis)
    return with_dout(inputs), parts


def short_of_terms(layer):
    inputs, parts = of_layer(layer)
    axes = (0,) if layer in ("batchnorm", "layernorm") else (0, 2, 3)

    @wrong(f"{layer}/backward", "statistics_held_constant", inputs)
    def direct_path_only(takes):
        return {"dx": parts(takes)[0]}

    @wrong(f"{layer}/backward", "mean_term_missing", inputs)
    def no_mean_term(takes):
        direct, _, variance, _ = parts(takes)
        return {"dx": direct - variance}

    @wrong(f"{layer}/backward", "variance_term_missing", inputs)
    def no_variance_term(takes):
        direct, mean, _, _ = parts(takes)
        return {"dx": direct - mean}

    @wrong(f"{layer}/backward", "mean_not_sum", inputs)
    def mean_for_sum(takes):
        xhat, count = parts(takes)[3], takes["x"].size // takes["gamma"].size
        return {"dgamma": (takes["dout"] * xhat).sum(axis=axes) / count,
                "dbeta": takes["dout"].sum(axis=axes) / count}

    @wrong(f"{layer}/backward", "dgamma_from_x", inputs)
    def gamma_of_x(takes):
        return {"dgamma": (takes["dout"] * takes["x"]).sum(axis=axes)}

    @wrong(f"{layer}/backward", "shape", inputs)
    def dimensions_kept(takes):
        xhat = parts(takes)[3]
        return {"dgamma": (takes["dout"] * xhat).sum(axis=axes, keepdims=True),
                "dbeta": takes["dout"].sum(axis=axes, keepdims=True)}


for LAYER in ("batchnorm", "layernorm", "spatial_batchnorm", "spatial_groupnorm"):
    short_of_terms(LAYER)


@wrong("batchnorm/backward", "sums_not_divided", with_dout(batch_takes))
def sums_not_divided(takes):
    direct, mean, variance, _ = of_layer("batchnorm")[1](takes)
    count = len(takes["x"])
    return {"dx": direct - count * mean - count * variance}


@wrong("batchnorm/backward", "sums_of_everything", with_dout(batch_takes))
def sums_of_everything(takes):
    _, _, _, xhat = of_layer("batchnorm")[1](takes)
    g, count = takes["gamma"] * takes["dout"], len(takes["x"])
    deviation = np.sqrt(variance_of(takes["x"], 0) + EPS)
    return {"dx": (g - g.sum() / count - xhat * (g * xhat).sum() / count) / deviation}


@wrong("batchnorm/backward", "eps_outside_root", with_dout(batch_takes))
def cached_deviation(takes):
    """The right xhat in the cache, and a deviation beside it that is none"""
    right, wrong_one = (np.sqrt(variance_of(takes["x"], 0) + EPS),
                        np.sqrt(variance_of(takes["x"], 0)) + EPS)
    direct, mean, variance, _ = of_layer("batchnorm")[1](takes)
    return {"dx": (direct - mean - variance) * right / wrong_one}


@wrong("batchnorm/backward", "batch_statistics_in_test", with_dout(batch_testing))
def gradient_of_batch_in_test(takes):
    train = dict(takes["bn_param"], mode="train")
    dx, dgamma, _ = oracle.batchnorm_backward(takes["dout"], takes["x"], takes["gamma"], train)
    return {"dx": dx.astype(float), "dgamma": dgamma.astype(float)}


@wrong("batchnorm/backward", None, with_dout(batch_takes))
def wrong_power(takes):
    """The variance's share of dx by (variance + eps) ** -1 in the place of -1.5"""
    direct, mean, variance, _ = of_layer("batchnorm")[1](takes)
    return {"dx": direct - mean - variance * np.sqrt(variance_of(takes["x"], 0) + EPS)}
