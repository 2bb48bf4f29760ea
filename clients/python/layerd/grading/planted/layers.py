"""A layers.py in NumPy alone, as a student would write it, and right."""
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


def batchnorm_backward_alt(dout, cache):
    return batchnorm_backward(dout, cache)


def layernorm_forward(x, gamma, beta, ln_param):
    inverse = 1 / np.sqrt(x.var(axis=1, keepdims=True) + ln_param.get("eps", 1e-5))
    normal = (x - x.mean(axis=1, keepdims=True)) * inverse
    return gamma * normal + beta, (normal, inverse, gamma)


def layernorm_backward(dout, cache):
    normal, inverse, gamma = cache
    dnormal = dout * gamma
    dx = inverse * (dnormal - dnormal.mean(axis=1, keepdims=True)
                    - normal * (dnormal * normal).mean(axis=1, keepdims=True))
    return dx, (dout * normal).sum(axis=0), dout.sum(axis=0)


def conv_forward_naive(x, w, b, conv_param):
    images, rows, columns = _windows_of_conv(x, w, conv_param)
    out = np.empty((len(x), len(w), len(rows), len(columns)), np.result_type(x, w, b))
    for p, top in enumerate(rows):
        for q, left in enumerate(columns):
            window = images[:, :, top:top + w.shape[2], left:left + w.shape[3]]
            out[:, :, p, q] = np.tensordot(window, w, ((1, 2, 3), (1, 2, 3))) + b
    return out, (x, w, b, conv_param)


def conv_backward_naive(dout, cache):
    x, w, _, conv_param = cache
    images, rows, columns = _windows_of_conv(x, w, conv_param)
    dimages = np.zeros(images.shape, np.result_type(dout, w))
    dw = np.zeros(w.shape, np.result_type(dout, x))
    for p, top in enumerate(rows):
        for q, left in enumerate(columns):
            place = np.s_[:, :, top:top + w.shape[2], left:left + w.shape[3]]
            dimages[place] += np.tensordot(dout[:, :, p, q], w, 1)
            dw += np.tensordot(dout[:, :, p, q], images[place], (0, 0))
    pad = int(conv_param["pad"])
    inner = np.s_[:, :, pad:pad + x.shape[2], pad:pad + x.shape[3]]
    return dimages[inner], dw, dout.sum(axis=(0, 2, 3))


def _windows_of_conv(x, w, conv_param):
    """x with its zeros around it, and where windows begin."""
    pad, stride = int(conv_param["pad"]), int(conv_param["stride"])
    images = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    return (images, range(0, images.shape[2] - w.shape[2] + 1, stride),
            range(0, images.shape[3] - w.shape[3] + 1, stride))


def max_pool_forward_naive(x, pool_param):
    out = [[x[place].max(axis=(2, 3)) for place in row] for row in _windows_of_pool(x, pool_param)]
    return np.array(out, x.dtype).transpose(2, 3, 0, 1), (x, pool_param)


def max_pool_backward_naive(dout, cache):
    x, pool_param = cache
    dx = np.zeros_like(x)
    for p, row in enumerate(_windows_of_pool(x, pool_param)):
        for q, place in enumerate(row):
            flat = x[place].reshape(*x.shape[:2], -1)
            is_first = np.arange(flat.shape[2]) == flat.argmax(axis=2)[:, :, None]
            dx[place] += (is_first * dout[:, :, p, q, None]).reshape(x[place].shape)
    return dx


def _windows_of_pool(x, pool_param):
    height, width = pool_param["pool_height"], pool_param["pool_width"]
    stride = pool_param["stride"]
    return [[np.s_[:, :, top:top + height, left:left + width]
             for left in range(0, x.shape[3] - width + 1, stride)]
            for top in range(0, x.shape[2] - height + 1, stride)]


def spatial_batchnorm_forward(x, gamma, beta, bn_param):
    out, cache = batchnorm_forward(_rows_of_pixels(x), gamma, beta, bn_param)
    return _images(out, x.shape), cache


def spatial_batchnorm_backward(dout, cache):
    dx, dgamma, dbeta = batchnorm_backward(_rows_of_pixels(dout), cache)
    return _images(dx, dout.shape), dgamma, dbeta


def _rows_of_pixels(x):
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def _images(rows, shape):
    count, channels, height, width = shape
    return rows.reshape(count, height, width, channels).transpose(0, 3, 1, 2)


def spatial_groupnorm_forward(x, gamma, beta, G, gn_param):
    groups = x.reshape(len(x), G, -1)
    inverse = 1 / np.sqrt(groups.var(axis=2, keepdims=True) + gn_param.get("eps", 1e-5))
    normal = (groups - groups.mean(axis=2, keepdims=True)) * inverse
    return gamma * normal.reshape(x.shape) + beta, (normal, inverse, gamma)


def spatial_groupnorm_backward(dout, cache):
    normal, inverse, gamma = cache
    dnormal = (dout * gamma).reshape(normal.shape)
    dx = inverse * (dnormal - dnormal.mean(axis=2, keepdims=True)
                    - normal * (dnormal * normal).mean(axis=2, keepdims=True))
    dgamma = (dout * normal.reshape(dout.shape)).sum(axis=(0, 2, 3), keepdims=True)
    return dx.reshape(dout.shape), dgamma, dout.sum(axis=(0, 2, 3), keepdims=True)
