"""The layers as the course's assignments write them in NumPy, convolution and pooling in their fast
form: windows gathered into columns, a product, columns added up. A forward returns (out, cache), a
backward its gradients, a loss (loss, dx), an update (next_w, config)."""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def affine_forward(x, w, b):
    out = x.reshape(x.shape[0], -1).dot(w) + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    dx = dout.dot(w.T).reshape(x.shape)
    dw = x.reshape(x.shape[0], -1).T.dot(dout)
    db = np.sum(dout, axis=0)
    return dx, dw, db


def relu_forward(x):
    return np.maximum(0, x), x


def relu_backward(dout, cache):
    x = cache
    return dout * (x > 0)


def batchnorm_forward(x, gamma, beta, bn_param):
    eps, momentum = bn_param["eps"], bn_param["momentum"]
    D = x.shape[1]
    running_mean = bn_param.get("running_mean", np.zeros(D, dtype=x.dtype))
    running_var = bn_param.get("running_var", np.zeros(D, dtype=x.dtype))
    sample_mean = np.mean(x, axis=0)
    sample_var = np.var(x, axis=0)
    std = np.sqrt(sample_var + eps)
    xhat = (x - sample_mean) / std
    out = gamma * xhat + beta
    bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * sample_mean
    bn_param["running_var"] = momentum * running_var + (1 - momentum) * sample_var
    return out, (xhat, gamma, std)


def batchnorm_backward(dout, cache):
    xhat, gamma, std = cache
    N = dout.shape[0]
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    dx = (N * dxhat - np.sum(dxhat, axis=0) - xhat * np.sum(dxhat * xhat, axis=0)) / (N * std)
    return dx, dgamma, dbeta


def dropout_forward(x, dropout_param):
    p = dropout_param["p"]
    np.random.seed(int(dropout_param["seed"]))
    mask = (np.random.rand(*x.shape) < p) / p
    out = x * mask
    return out.astype(x.dtype, copy=False), mask


def dropout_backward(dout, cache):
    mask = cache
    return (dout * mask).astype(dout.dtype, copy=False)


def svm_loss(x, y):
    N = x.shape[0]
    correct_class_scores = x[np.arange(N), y]
    margins = np.maximum(0, x - correct_class_scores[:, np.newaxis] + 1.0)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins) / N
    num_pos = np.sum(margins > 0, axis=1)
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= num_pos
    dx /= N
    return loss, dx


def softmax_loss(x, y):
    shifted_logits = x - np.max(x, axis=1, keepdims=True)
    Z = np.sum(np.exp(shifted_logits), axis=1, keepdims=True)
    log_probs = shifted_logits - np.log(Z)
    probs = np.exp(log_probs)
    N = x.shape[0]
    loss = -np.sum(log_probs[np.arange(N), y]) / N
    dx = probs.copy()
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx


def layernorm_forward(x, gamma, beta, ln_param):
    mean = np.mean(x, axis=1, keepdims=True)
    var = np.var(x, axis=1, keepdims=True)
    std = np.sqrt(var + ln_param["eps"])
    xhat = (x - mean) / std
    out = gamma * xhat + beta
    return out, (xhat, gamma, std)


def layernorm_backward(dout, cache):
    xhat, gamma, std = cache
    D = dout.shape[1]
    dbeta = np.sum(dout, axis=0)
    dgamma = np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    dx = (D * dxhat - np.sum(dxhat, axis=1, keepdims=True)
          - xhat * np.sum(dxhat * xhat, axis=1, keepdims=True)) / (D * std)
    return dx, dgamma, dbeta


def columns_of(x, height, width, stride):
    """(C·height·width, N·P·Q): the windows of x"""
    windows = sliding_window_view(x, (height, width), axis=(2, 3))[:, :, ::stride, ::stride]
    N, C, P, Q = windows.shape[:4]
    return windows.transpose(1, 4, 5, 0, 2, 3).reshape(C * height * width, N * P * Q)


def images_of(columns, shape, height, width, stride):
    """x of this shape, each element the sum of its places in the windows"""
    N, C, H, W = shape
    P, Q = (H - height) // stride + 1, (W - width) // stride + 1
    columns = columns.reshape(C, height, width, N, P, Q)
    x = np.zeros((C, N, H, W), columns.dtype)
    for r in range(height):
        for s in range(width):
            x[:, :, r:r + stride * P:stride, s:s + stride * Q:stride] += columns[:, r, s]
    return x.transpose(1, 0, 2, 3)


def conv_forward(x, w, b, conv_param):
    stride, pad = int(conv_param["stride"]), int(conv_param["pad"])
    F, _, R, S = w.shape
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    N, _, H, W = padded.shape
    P, Q = (H - R) // stride + 1, (W - S) // stride + 1
    columns = columns_of(padded, R, S, stride)
    out = w.reshape(F, -1).dot(columns) + b[:, np.newaxis]
    out = np.ascontiguousarray(out.reshape(F, N, P, Q).transpose(1, 0, 2, 3))
    return out, (w, stride, pad, padded.shape, columns)


def conv_backward(dout, cache):
    w, stride, pad, (N, C, H, W), columns = cache
    F, _, R, S = w.shape
    dout = dout.transpose(1, 0, 2, 3).reshape(F, -1)
    db = np.sum(dout, axis=1)
    dw = dout.dot(columns.T).reshape(w.shape)
    dcolumns = w.reshape(F, -1).T.dot(dout)
    dx = images_of(dcolumns, (N, C, H, W), R, S, stride)[:, :, pad:H - pad, pad:W - pad]
    return np.ascontiguousarray(dx), dw, db


def max_pool_forward(x, pool_param):
    height, width, stride = (int(pool_param[name])
                             for name in ("pool_height", "pool_width", "stride"))
    N, C, H, W = x.shape
    if height == width == stride and H % height == 0 and W % width == 0:
        tiles = x.reshape(N, C, H // height, height, W // width, width)
        out = tiles.max(axis=3).max(axis=4)
        return out, (tiles, out)
    columns = columns_of(x.reshape(N * C, 1, H, W), height, width, stride)
    first = np.argmax(columns, axis=0)
    out = columns[first, np.arange(first.size)]
    P, Q = (H - height) // stride + 1, (W - width) // stride + 1
    return out.reshape(N, C, P, Q), (x.shape, columns.shape, first, height, width, stride)


def max_pool_backward(dout, cache):
    if len(cache) == 2:
        return tiled_max_pool_backward(dout, *cache)
    (N, C, H, W), shape, first, height, width, stride = cache
    dcolumns = np.zeros(shape, dout.dtype)
    dcolumns[first, np.arange(first.size)] = dout.ravel()
    return images_of(dcolumns, (N * C, 1, H, W), height, width, stride).reshape(N, C, H, W)


def tiled_max_pool_backward(dout, tiles, out):
    """Equal largest elements share the gradient, as they do in the course"""
    is_max = tiles == out[:, :, :, np.newaxis, :, np.newaxis]
    shares = np.sum(is_max, axis=(3, 5), keepdims=True)
    dx = is_max * (dout[:, :, :, np.newaxis, :, np.newaxis] / shares).astype(dout.dtype)
    N, C, P, height, Q, width = dx.shape
    return dx.reshape(N, C, P * height, Q * width)


def rows_of_channels(x):
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def channels_of_rows(rows, shape):
    N, C, H, W = shape
    return np.ascontiguousarray(rows.reshape(N, H, W, C).transpose(0, 3, 1, 2))


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    out, cache = batchnorm_forward(rows_of_channels(x), gamma, beta, bn_param)
    return channels_of_rows(out, x.shape), cache


def spatial_batchnorm_backward(dout, cache):
    dx, dgamma, dbeta = batchnorm_backward(rows_of_channels(dout), cache)
    return channels_of_rows(dx, dout.shape), dgamma, dbeta


def spatial_groupnorm_forward(x, gamma, beta, gn_param):
    N, C, H, W = x.shape
    G = int(gn_param["groups"])
    grouped = x.reshape(N, G, C // G * H * W)
    mean = np.mean(grouped, axis=2, keepdims=True)
    var = np.var(grouped, axis=2, keepdims=True)
    std = np.sqrt(var + gn_param["eps"])
    xhat = ((grouped - mean) / std).reshape(x.shape)
    out = gamma[:, np.newaxis, np.newaxis] * xhat + beta[:, np.newaxis, np.newaxis]
    return out, (xhat, gamma, std)


def spatial_groupnorm_backward(dout, cache):
    xhat, gamma, std = cache
    dbeta = np.sum(dout, axis=(0, 2, 3))
    dgamma = np.sum(dout * xhat, axis=(0, 2, 3))
    dxhat = (dout * gamma[:, np.newaxis, np.newaxis]).reshape(*std.shape[:2], -1)
    xhat = xhat.reshape(dxhat.shape)
    D = dxhat.shape[2]
    dx = (D * dxhat - np.sum(dxhat, axis=2, keepdims=True)
          - xhat * np.sum(dxhat * xhat, axis=2, keepdims=True)) / (D * std)
    return dx.reshape(dout.shape), dgamma, dbeta


def sgd_update(w, dw, config):
    return w - config["learning_rate"] * dw, config


def sgd_momentum_update(w, dw, config):
    velocity = config["velocity"] if "velocity" in config else np.zeros_like(w)
    velocity = config["momentum"] * velocity - config["learning_rate"] * dw
    config["velocity"] = velocity
    return w + velocity, config


def rmsprop_update(w, dw, config):
    cache = config["cache"] if "cache" in config else np.zeros_like(w)
    cache = config["decay_rate"] * cache + (1 - config["decay_rate"]) * dw ** 2
    config["cache"] = cache
    return w - config["learning_rate"] * dw / (np.sqrt(cache) + config["epsilon"]), config


def adam_update(w, dw, config):
    beta1, beta2 = config["beta1"], config["beta2"]
    t = int(config["t"]) + 1
    m, v = (config[name] if name in config else np.zeros_like(w) for name in ("m", "v"))
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw ** 2
    config.update(m=m, v=v, t=t)
    unbiased_m, unbiased_v = m / (1 - beta1 ** t), v / (1 - beta2 ** t)
    next_w = w - config["learning_rate"] * unbiased_m / (np.sqrt(unbiased_v) + config["epsilon"])
    return next_w, config
