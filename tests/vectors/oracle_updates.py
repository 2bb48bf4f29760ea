"""The updates of weights, written plainly from section 7 of the HTTP contract.

Each takes w, dw and a whole `config`, and returns next_w and the config that goes back."""
import numpy as np

from oracle import REAL, real


def square(values, dtype):
    """What the contract has in the call's dtype: in float32 the square of 1e30 is infinite."""
    return real((real(values) ** 2).astype(dtype))


def sgd(w, dw, config, dtype="float64"):
    return real(w) - REAL(config["learning_rate"]) * real(dw), dict(config)


def sgd_momentum(w, dw, config, dtype="float64"):
    velocity = (REAL(config["momentum"]) * real(config["velocity"])
                - REAL(config["learning_rate"]) * real(dw))
    return real(w) + velocity, dict(config, velocity=velocity)


def rmsprop(w, dw, config, dtype="float64"):
    decay = REAL(config["decay_rate"])
    cache = decay * real(config["cache"]) + (1 - decay) * square(dw, dtype)
    step = REAL(config["learning_rate"]) * real(dw) / (np.sqrt(cache) + REAL(config["epsilon"]))
    return real(w) - step, dict(config, cache=cache)


def adam(w, dw, config, dtype="float64"):
    beta1, beta2 = REAL(config["beta1"]), REAL(config["beta2"])
    t = config["t"] + 1
    m = beta1 * real(config["m"]) + (1 - beta1) * real(dw)
    v = beta2 * real(config["v"]) + (1 - beta2) * square(dw, dtype)
    mean, mean_square = m / (1 - beta1 ** t), v / (1 - beta2 ** t)
    step = REAL(config["learning_rate"]) * mean / (np.sqrt(mean_square) + REAL(config["epsilon"]))
    return real(w) - step, dict(config, m=m, v=v, t=t)


def check():
    """Without its momentum, without its decay, at its first step: each is gradient descent by
    itself or by the sign of the gradient."""
    random = np.random.RandomState(231)
    w, dw = random.randn(3, 4), random.randn(3, 4)
    zeros = np.zeros_like(w)
    plain = sgd(w, dw, {"learning_rate": 0.1})[0]
    config = {"learning_rate": 0.1, "momentum": 0.0, "velocity": random.randn(3, 4)}
    assert np.array_equal(sgd_momentum(w, dw, config)[0], plain)
    signs = real(w) - REAL(0.1) * np.sign(dw)
    config = {"learning_rate": 0.1, "decay_rate": 0.0, "epsilon": 1e-15, "cache": zeros}
    assert np.allclose((rmsprop(w, dw, config)[0] - signs).astype(float), 0, atol=1e-12)
    config = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-15, "m": zeros,
              "v": zeros, "t": 0}
    assert np.allclose((adam(w, dw, config)[0] - signs).astype(float), 0, atol=1e-12)
