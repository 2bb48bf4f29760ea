"""The other normalisations, written plainly from section 7 of the HTTP contract.

Each normalises the rows of some matrix, or is batchnorm of one: what differs is which matrix."""
import numpy as np

import oracle
from oracle import REAL, agree, numerical_gradient, real


def normalised(rows, eps):
    """Each row less its mean, over its deviation, and one over the deviation"""
    distance = oracle.distances(rows.T).T if rows.size else real(rows)
    length = max(rows.shape[1], 1)
    variance = (distance ** 2).sum(axis=1, keepdims=True) / length
    inverse = 1 / np.sqrt(variance + REAL(eps))
    return distance * inverse, inverse


def through(dxhat, xhat, inverse):
    """The chain rule through the mean and the variance of each row"""
    length = max(xhat.shape[1], 1)
    return inverse * (dxhat - dxhat.sum(axis=1, keepdims=True) / length
                      - xhat * (dxhat * xhat).sum(axis=1, keepdims=True) / length)


# layernorm: the rows are the examples

def layernorm_forward(x, gamma, beta, eps):
    return real(gamma) * normalised(x, eps)[0] + real(beta)


def layernorm_backward(dout, x, gamma, eps):
    dout = real(dout)
    xhat, inverse = normalised(x, eps)
    return through(dout * real(gamma), xhat, inverse), (dout * xhat).sum(axis=0), dout.sum(axis=0)


# spatial_groupnorm: a row is a group of an example's channels

def grouped(x, groups):
    n, c, h, w = x.shape
    return x.reshape(n * groups, c // groups * h * w)


def by_channel(values):
    """(C) as (1, C, 1, 1)"""
    return real(values)[np.newaxis, :, np.newaxis, np.newaxis]


def spatial_groupnorm_forward(x, gamma, beta, groups, eps):
    xhat = normalised(grouped(x, groups), eps)[0].reshape(x.shape)
    return by_channel(gamma) * xhat + by_channel(beta)


def spatial_groupnorm_backward(dout, x, gamma, groups, eps):
    dout = real(dout)
    xhat, inverse = normalised(grouped(x, groups), eps)
    dx = through(grouped(dout * by_channel(gamma), groups), xhat, inverse).reshape(x.shape)
    dgamma = (dout * xhat.reshape(x.shape)).sum(axis=(0, 2, 3))
    return dx, dgamma, dout.sum(axis=(0, 2, 3))


# spatial_batchnorm: batchnorm of the matrix with a column for each channel

def columns(x):
    n, c, h, w = x.shape
    return x.transpose(0, 2, 3, 1).reshape(n * h * w, c)


def images(matrix, shape):
    n, c, h, w = shape
    return matrix.reshape(n, h, w, c).transpose(0, 3, 1, 2)


def spatial_batchnorm_forward(x, gamma, beta, param):
    out, after = oracle.batchnorm_forward(columns(x), gamma, beta, param)
    return images(out, x.shape), after


def spatial_batchnorm_backward(dout, x, gamma, param):
    dx, dgamma, dbeta = oracle.batchnorm_backward(columns(dout), columns(x), gamma, param)
    return images(dx, x.shape), dgamma, dbeta


def check_norm(random, forward, backward, shape, features):
    """`forward` of x, gamma, beta; `backward` of dout, x, gamma"""
    x, dout = 3 * random.randn(*shape) + 2, random.randn(*shape)
    gamma, beta = random.randn(features), random.randn(features)
    dx, dgamma, dbeta = backward(dout, x, gamma)
    agree(dx, numerical_gradient(lambda v: forward(v, gamma, beta), x, dout))
    agree(dgamma, numerical_gradient(lambda v: forward(x, v, beta), gamma, dout))
    agree(dbeta, numerical_gradient(lambda v: forward(x, gamma, v), beta, dout))


def check():
    random = np.random.RandomState(231)
    check_norm(random, lambda *of: layernorm_forward(*of, 1e-3),
               lambda *of: layernorm_backward(*of, 1e-3), (4, 6), 6)
    for groups in 1, 2, 4:
        check_norm(random, lambda *of: spatial_groupnorm_forward(*of, groups, 1e-3),
                   lambda *of: spatial_groupnorm_backward(*of, groups, 1e-3), (2, 4, 3, 2), 4)
    for mode in "train", "test":
        param = {"mode": mode, "eps": 1e-3, "momentum": 0.9,
                 "running_mean": random.randn(3), "running_var": random.rand(3) + 0.5}
        check_norm(random, lambda *of: spatial_batchnorm_forward(*of, param)[0],
                   lambda *of: spatial_batchnorm_backward(*of, param), (2, 3, 2, 4), 3)
