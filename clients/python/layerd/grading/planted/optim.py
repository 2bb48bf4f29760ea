"""An optim.py in NumPy alone, as a student would write it, and right."""
import numpy as np


def sgd(w, dw, config=None):
    config = _with(config, learning_rate=1e-2)
    w -= config["learning_rate"] * dw
    return w, config


def sgd_momentum(w, dw, config=None):
    config = _with(config, learning_rate=1e-2, momentum=0.9, velocity=np.zeros_like(w))
    config["velocity"] = (config["momentum"] * config["velocity"]
                          - config["learning_rate"] * dw)
    return w + config["velocity"], config


def rmsprop(w, dw, config=None):
    config = _with(config, learning_rate=1e-2, decay_rate=0.99, epsilon=1e-8,
                   cache=np.zeros_like(w))
    decay = config["decay_rate"]
    config["cache"] = decay * config["cache"] + (1 - decay) * dw**2
    step = config["learning_rate"] * dw / (np.sqrt(config["cache"]) + config["epsilon"])
    return w - step, config


def adam(w, dw, config=None):
    config = _with(config, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8,
                   m=np.zeros_like(w), v=np.zeros_like(w), t=0)
    beta1, beta2 = config["beta1"], config["beta2"]
    config["t"] += 1
    config["m"] = beta1 * config["m"] + (1 - beta1) * dw
    config["v"] = beta2 * config["v"] + (1 - beta2) * dw**2
    mean = config["m"] / (1 - beta1**config["t"])
    square = config["v"] / (1 - beta2**config["t"])
    return w - config["learning_rate"] * mean / (np.sqrt(square) + config["epsilon"]), config


def _with(config, **defaults):
    config = {} if config is None else config
    for name, value in defaults.items():
        config.setdefault(name, value)
    return config
