"""A layers.py in NumPy alone, as a student would write it: what layerd.layers must agree with."""
import numpy as np


def affine_forward(x, w, b):
    out = x.reshape(len(x), -1).dot(w) + b
    return out, (x, w)


def affine_backward(dout, cache):
    x, w = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(len(x), -1).T.dot(dout)
    return dx, dw, dout.sum(axis=0)


def relu_forward(x):
    return np.maximum(x, 0), x


def relu_backward(dout, cache):
    return np.where(cache > 0, dout, 0)


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param.get("eps", 1e-5), bn_param.get("momentum", 0.9)
    mean = bn_param.get("running_mean", np.zeros(x.shape[1], x.dtype))
    var = bn_param.get("running_var", np.zeros(x.shape[1], x.dtype))
    if bn_param["mode"] == "train":
        sample_mean, sample_var = x.mean(axis=0), x.var(axis=0)
        bn_param["running_mean"] = momentum * mean + (1 - momentum) * sample_mean
        bn_param["running_var"] = momentum * var + (1 - momentum) * sample_var
        mean, var = sample_mean, sample_var
    else:
        bn_param["running_mean"], bn_param["running_var"] = mean, var
    inverse = 1 / np.sqrt(var + eps)
    normal = (x - mean) * inverse
    return gamma * normal + beta, (normal, inverse, gamma, bn_param["mode"])


def batchnorm_backward(dout, cache):
    normal, inverse, gamma, mode = cache
    dx = dout * gamma * inverse
    if mode == "train":
        dx = dx - dx.mean(axis=0) - normal * (dx * normal).mean(axis=0)
    return dx, (dout * normal).sum(axis=0), dout.sum(axis=0)


def dropout_forward(x, dropout_param):
    p = dropout_param["p"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    if dropout_param["mode"] == "test":
        return x, None
    mask = ((np.random.rand(*x.shape) < p) / p).astype(x.dtype)
    return x * mask, mask


def dropout_backward(dout, cache):
    return dout if cache is None else dout * cache


def svm_loss(x, y):
    rows = np.arange(len(x))
    margins = np.maximum(0, x - x[rows, y][:, None] + 1)
    margins[rows, y] = 0
    dx = (margins > 0).astype(x.dtype)
    dx[rows, y] -= dx.sum(axis=1)
    return margins.sum() / len(x), dx / len(x)


def softmax_loss(x, y):
    rows = np.arange(len(x))
    shifted = x - x.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dx = np.exp(logs)
    dx[rows, y] -= 1
    return -logs[rows, y].sum() / len(x), dx / len(x)
