"""Wrong updates of weights, as they are seen in people's code."""
import numpy as np

from wrong import wrong


def takes_of(config):
    def made(random):
        return {"w": 3 * random.randn(3, 4), "dw": random.randn(3, 4), "config": config(random)}
    return made


def sgd_takes(random):
    return takes_of(lambda random: {"learning_rate": 0.3})(random)


def momentum_takes(random):
    return takes_of(lambda random: {"learning_rate": 0.3, "momentum": 0.7,
                                    "velocity": random.randn(3, 4)})(random)


def rmsprop_takes(random):
    return takes_of(lambda random: {"learning_rate": 0.3, "decay_rate": 0.8, "epsilon": 0.2,
                                    "cache": random.rand(3, 4)})(random)


def adam_takes(random, t=3):
    return takes_of(lambda random: {"learning_rate": 0.3, "beta1": 0.8, "beta2": 0.9,
                                    "epsilon": 0.2, "m": random.randn(3, 4) * (t > 0),
                                    "v": random.rand(3, 4) * (t > 0), "t": t})(random)


def adam_first(random):
    return adam_takes(random, t=0)


def parts(takes, *names):
    return (takes["w"], takes["dw"]) + tuple(takes["config"][name] for name in names)


@wrong("sgd/update", "gradient_sign", sgd_takes)
def sgd_upwards(takes):
    w, dw, rate = parts(takes, "learning_rate")
    return {"next_w": w + rate * dw}


@wrong("sgd/update", "rate_missing", sgd_takes)
def sgd_whole(takes):
    w, dw = parts(takes)
    return {"next_w": w - dw}


@wrong("sgd/update", "weight_decay", sgd_takes)
def sgd_decays(takes):
    w, dw, rate = parts(takes, "learning_rate")
    return {"next_w": w - rate * (dw + 1e-3 * w)}


@wrong("sgd_momentum/update", {"next_w": "nesterov"}, momentum_takes)
def nesterov(takes):
    w, dw, rate, momentum, old = parts(takes, "learning_rate", "momentum", "velocity")
    velocity = momentum * old - rate * dw
    return {"next_w": w + momentum * velocity - rate * dw}


@wrong("sgd_momentum/update", "velocity_without_rate", momentum_takes)
def rate_after_velocity(takes):
    w, dw, rate, momentum, old = parts(takes, "learning_rate", "momentum", "velocity")
    velocity = momentum * old + dw
    return {"next_w": w - rate * velocity, "config": {"velocity": velocity}}


@wrong("sgd_momentum/update", "velocity_lost", momentum_takes)
def starts_at_rest(takes):
    w, dw, rate = parts(takes, "learning_rate")
    return {"next_w": w - rate * dw, "config": {"velocity": -rate * dw}}


@wrong("sgd_momentum/update", {"config.velocity": "velocity_not_stored"}, momentum_takes)
def velocity_not_stored(takes):
    return {"config": {"velocity": takes["config"]["velocity"].copy()}}


def rmsprop_of(takes, new=None, step=None):
    w, dw, rate, decay, epsilon, old = parts(takes, "learning_rate", "decay_rate", "epsilon",
                                             "cache")
    cache = new(old, dw, decay) if new else decay * old + (1 - decay) * dw ** 2
    next_w = w - rate * (step(dw, cache, epsilon) if step else dw / (np.sqrt(cache) + epsilon))
    return next_w, cache


@wrong("rmsprop/update", "eps_inside_root", rmsprop_takes)
def rmsprop_eps_inside(takes):
    return {"next_w": rmsprop_of(takes, step=lambda dw, cache, eps: dw / np.sqrt(cache + eps))[0]}


@wrong("rmsprop/update", "eps_missing", rmsprop_takes)
def rmsprop_no_eps(takes):
    return {"next_w": rmsprop_of(takes, step=lambda dw, cache, eps: dw / np.sqrt(cache))[0]}


@wrong("rmsprop/update", "root_missing", rmsprop_takes)
def rmsprop_no_root(takes):
    return {"next_w": rmsprop_of(takes, step=lambda dw, cache, eps: dw / (cache + eps))[0]}


@wrong("rmsprop/update", "decay_swapped", rmsprop_takes)
def rmsprop_swapped(takes):
    next_w, cache = rmsprop_of(takes, lambda old, dw, decay: (1 - decay) * old + decay * dw ** 2)
    return {"next_w": next_w, "config": {"cache": cache}}


@wrong("rmsprop/update", "square_missing", rmsprop_takes)
def rmsprop_absolute(takes):
    next_w, cache = rmsprop_of(takes, lambda old, dw, decay: decay * old + (1 - decay) * abs(dw))
    return {"next_w": next_w, "config": {"cache": cache}}


@wrong("rmsprop/update", "cache_lost", rmsprop_takes)
def rmsprop_from_zero(takes):
    next_w, cache = rmsprop_of(takes, lambda old, dw, decay: (1 - decay) * dw ** 2)
    return {"next_w": next_w, "config": {"cache": cache}}


def adam_of(takes, t_more=1, step=None, corrected=True):
    w, dw, rate, beta1, beta2, epsilon, m, v, t = parts(
        takes, "learning_rate", "beta1", "beta2", "epsilon", "m", "v", "t")
    m, v = beta1 * m + (1 - beta1) * dw, beta2 * v + (1 - beta2) * dw ** 2
    share1, share2 = 1 - beta1 ** (t + t_more), 1 - beta2 ** (t + t_more)
    if step:
        return w - rate * step(m, v, share1, share2, epsilon)
    if not corrected:
        share1 = share2 = 1
    return w - rate * (m / share1) / (np.sqrt(v / share2) + epsilon)


@wrong("adam/update", "no_bias_correction", adam_takes)
def adam_uncorrected(takes):
    return {"next_w": adam_of(takes, corrected=False)}


@wrong("adam/update", "t_one_ahead", adam_takes)
def adam_ahead(takes):
    return {"next_w": adam_of(takes, t_more=2)}


@wrong("adam/update", "t_one_ahead", adam_first)
def adam_ahead_at_first(takes):
    return {"next_w": adam_of(takes, t_more=2)}


@wrong("adam/update", "t_not_incremented", adam_takes)
def adam_behind(takes):
    return {"next_w": adam_of(takes, t_more=0)}


@wrong("adam/update", "eps_inside_root", adam_takes)
def adam_eps_inside(takes):
    return {"next_w": adam_of(takes, step=lambda m, v, a, b, eps: m / a / np.sqrt(v / b + eps))}


@wrong("adam/update", "eps_before_correction", adam_takes)
def adam_eps_before(takes):
    return {"next_w": adam_of(takes, step=lambda m, v, a, b, eps:
                              np.sqrt(b) / a * m / (np.sqrt(v) + eps))}


@wrong("adam/update", "correction_multiplied", adam_takes)
def adam_multiplied(takes):
    return {"next_w": adam_of(takes, step=lambda m, v, a, b, eps: m * a / (np.sqrt(v * b) + eps))}


@wrong("adam/update", {"config.t": None}, adam_takes)
def adam_t_stays(takes):
    return {"config": {"t": takes["config"]["t"]}}


@wrong("adam/update", "moments_corrected", adam_takes)
def adam_stores_corrected(takes):
    _, dw, beta1, beta2, m, v, t = parts(takes, "beta1", "beta2", "m", "v", "t")
    return {"config": {"m": (beta1 * m + (1 - beta1) * dw) / (1 - beta1 ** (t + 1)),
                       "v": (beta2 * v + (1 - beta2) * dw ** 2) / (1 - beta2 ** (t + 1))}}
