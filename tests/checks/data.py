"""Numbers that answers are computed from: ordinary ones, and those on which rounding shows."""
import numpy as np


def normal(random, shape):
    return random.randn(*shape)


def uniform(random, shape):
    return random.uniform(-2, 2, shape)


def positive(random, shape):
    return random.uniform(0.5, 3, shape)


def sparse(random, shape):
    return random.randn(*shape) * (random.rand(*shape) < 0.1)


def mixed(random, shape):
    """Of sizes from 1e-8 to 1e8"""
    return random.choice([-1, 1], shape) * 10 ** random.uniform(-8, 8, shape)


def far(random, shape):
    """Around 1e4"""
    return 1e4 + random.randn(*shape)


def farther(random, shape):
    """Around 1e8, which float32 holds in steps of 8"""
    return 1e8 + random.randn(*shape)


def wide(random, shape):
    """Of sizes whose squares differ by more than float64 has digits"""
    return random.randn(*shape) * 10 ** random.uniform(-15, 15, shape)


def outliers(random, shape):
    return random.randn(*shape) * np.where(random.rand(*shape) < 0.05, 1e9, 1)


def cancelling(random, shape):
    """Sums that come near 0"""
    values = random.randn(*shape)
    half = values.size // 2
    values.reshape(-1)[half:2 * half] = -values.reshape(-1)[:half]
    return values


def tiny(random, shape):
    """Around the least normal number of float64"""
    return random.randn(*shape) * 1e-308


def tiny_single(random, shape):
    """Around the least normal number of float32"""
    return random.randn(*shape) * 1e-38


def constant(random, shape):
    """Columns of one large number each, and some that are not"""
    values = np.broadcast_to(3e16 + 64 * np.arange(shape[-1]), shape).copy()
    values[..., 1::2] = random.randn(*values[..., 1::2].shape)
    return values


def small_steps(random, shape):
    """Of variance near 1e-5"""
    return 0.003 * random.randn(*shape) + 0.1


# "usual" are those of which a right answer is called right, and nothing else.
USUAL = {"normal": normal, "uniform": uniform}
KINDS = {**USUAL, "positive": positive, "sparse": sparse, "mixed": mixed, "far": far,
         "farther": farther, "wide": wide, "outliers": outliers, "cancelling": cancelling,
         "tiny": tiny, "tiny in float32": tiny_single, "constant columns": constant,
         "small steps": small_steps}
