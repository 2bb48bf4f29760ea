"""Right answers to the updates of weights, computed as people do."""
import numpy as np

import data
import oracle_updates


def update_inputs(parameters):
    """`parameters` makes a config of random and a shape"""
    def made(random):
        for i, (kind, make) in enumerate(data.KINDS.items()):
            yield kind, {"w": make(random, (3, 4)), "dw": make(random, (3, 4)),
                         "config": parameters(random, (3, 4), i)}
        for i in range(4):
            yield f"config {i}", {"w": random.randn(5), "dw": random.randn(5),
                                  "config": parameters(random, (5,), i)}
        yield "no gradient", {"w": random.randn(4), "dw": np.zeros(4),
                              "config": parameters(random, (4,), 1)}
    return made


def sgd_config(random, shape, i):
    return {"learning_rate": (0.01, 0.1, 1.0, 1e-6)[i % 4]}


def momentum_config(random, shape, i):
    return {"learning_rate": (0.01, 0.1, 1.0)[i % 3], "momentum": (0.9, 0.5, 0.99, 0.0)[i % 4],
            "velocity": random.randn(*shape)}


def rmsprop_config(random, shape, i):
    return {"learning_rate": (0.01, 0.1)[i % 2], "decay_rate": (0.99, 0.9, 0.5)[i % 3],
            "epsilon": (1e-8, 0.1, 1e-5)[i % 3], "cache": random.rand(*shape)}


def adam_config(random, shape, i):
    t = (0, 1, 7, 900)[i % 4]
    return {"learning_rate": (1e-3, 0.1)[i % 2], "beta1": (0.9, 0.6)[i % 2],
            "beta2": (0.999, 0.9)[i % 2], "epsilon": (1e-8, 0.1)[i % 2],
            "m": random.randn(*shape) * (t > 0), "v": random.rand(*shape) * (t > 0), "t": t}


def right(update, states):
    def answers(takes):
        dtype = takes["w"].dtype.name
        next_w, after = update(takes["w"], takes["dw"], takes["config"], dtype)
        return {"next_w": next_w, "config": {name: after[name] for name in states}}
    return answers


def sgd_ways(takes):
    w, dw, rate = takes["w"], takes["dw"], takes["config"]["learning_rate"]
    yield "w - rate * dw", {"next_w": w - rate * dw}
    yield "w + -rate * dw", {"next_w": w + -rate * dw}
    wide = np.longdouble
    yield "fused", {"next_w": (w.astype(wide) - wide(rate) * dw.astype(wide)).astype(w.dtype)}


def momentum_ways(takes):
    w, dw, config = takes["w"], takes["dw"], takes["config"]
    rate, momentum, old = config["learning_rate"], config["momentum"], config["velocity"]
    velocity = momentum * old - rate * dw
    yield "velocity", {"next_w": w + velocity, "config": {"velocity": velocity}}
    velocity = momentum * old
    velocity -= rate * dw
    yield "in place", {"next_w": velocity + w, "config": {"velocity": velocity}}
    yield "all at once", {"next_w": w - rate * dw + momentum * old}
    wide = np.longdouble
    velocity = (wide(momentum) * old.astype(wide) - wide(rate) * dw.astype(wide)).astype(w.dtype)
    yield "fused", {"next_w": w + velocity, "config": {"velocity": velocity}}


def decayed(old, new, decay):
    one = np.ones((), new.dtype)
    yield decay * old + (one - decay) * new
    yield old + (one - decay) * (new - old)
    yield old - (one - decay) * (old - new)


def rmsprop_ways(takes):
    w, dw, config = takes["w"], takes["dw"], takes["config"]
    rate, epsilon = config["learning_rate"], config["epsilon"]
    for i, cache in enumerate(decayed(config["cache"], dw * dw, config["decay_rate"])):
        root = np.sqrt(cache)
        steps = (rate * dw / (root + epsilon), rate * (dw / (root + epsilon)),
                 dw * (rate / (root + epsilon)))
        yield f"way {i}", {"next_w": w - steps[i], "config": {"cache": cache}}
    cache = config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw ** 2
    yield "dw **2", {"next_w": w + -rate * dw / (cache ** w.dtype.type(0.5) + epsilon),
                     "config": {"cache": cache}}


def adam_ways(takes):
    w, dw, config = takes["w"], takes["dw"], takes["config"]
    rate, epsilon = config["learning_rate"], config["epsilon"]
    beta1, beta2, t = config["beta1"], config["beta2"], config["t"] + 1
    one = np.ones((), w.dtype)
    share1, share2 = one - beta1 ** t, one - beta2 ** t
    moments = zip(decayed(config["m"], dw, beta1), decayed(config["v"], dw * dw, beta2))
    for i, (m, v) in enumerate(moments):
        state = {"config": {"m": m, "v": v, "t": t}}
        yield f"course {i}", dict(state, next_w=w - rate * (m / share1) /
                                  (np.sqrt(v / share2) + epsilon))
        yield f"as torch {i}", dict(state, next_w=w - rate / share1 *
                                    (m / (np.sqrt(v) / np.sqrt(share2) + epsilon)))
        yield f"one factor {i}", dict(state, next_w=w - rate * np.sqrt(share2) / share1 * m /
                                      (np.sqrt(v) + epsilon * np.sqrt(share2)))


OPERATIONS = {
    "sgd/update": (update_inputs(sgd_config), right(oracle_updates.sgd, ()), sgd_ways),
    "sgd_momentum/update": (update_inputs(momentum_config),
                            right(oracle_updates.sgd_momentum, ("velocity",)), momentum_ways),
    "rmsprop/update": (update_inputs(rmsprop_config), right(oracle_updates.rmsprop, ("cache",)),
                       rmsprop_ways),
    "adam/update": (update_inputs(adam_config), right(oracle_updates.adam, ("m", "v")), adam_ways),
}
