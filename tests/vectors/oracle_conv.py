"""Convolution and pooling, written plainly from section 7 of the HTTP contract: window by window."""
import numpy as np

from oracle import REAL, agree, numerical_gradient, real


def windows(height, width, rows, columns, stride):
    """((p, q), where) of each window of an image, `where` its slices of H and W"""
    for p in range((height - rows) // stride + 1):
        for q in range((width - columns) // stride + 1):
            top, left = p * stride, q * stride
            yield (p, q), (slice(top, top + rows), slice(left, left + columns))


def windows_of(x, w_or_size, stride):
    """The windows of x, and how many there are each way"""
    rows, columns = w_or_size
    height, width = x.shape[2:]
    found = list(windows(height, width, rows, columns, stride))
    return found, ((height - rows) // stride + 1, (width - columns) // stride + 1)


def padded(x, pad):
    return np.pad(real(x), ((0, 0), (0, 0), (pad, pad), (pad, pad)))


# conv: out_nfpq = b_f + sum_crs w_fcrs . padded x_n,c,p.stride+r,q.stride+s

def conv_forward(x, w, b, stride=1, pad=0):
    x, w, b = padded(x, pad), real(w), real(b)
    found, lengths = windows_of(x, w.shape[2:], stride)
    out = np.zeros((x.shape[0], w.shape[0]) + lengths, REAL)
    for n, f in np.ndindex(x.shape[0], w.shape[0]):
        for (p, q), (rows, columns) in found:
            out[n, f, p, q] = (x[n, :, rows, columns] * w[f]).sum() + b[f]
    return out


def conv_backward(dout, x, w, stride=1, pad=0):
    dout, x, w = real(dout), padded(x, pad), real(w)
    found, _ = windows_of(x, w.shape[2:], stride)
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(w.shape[0], REAL)
    for n, f in np.ndindex(x.shape[0], w.shape[0]):
        for (p, q), (rows, columns) in found:
            dx[n, :, rows, columns] += dout[n, f, p, q] * w[f]
            dw[f] += dout[n, f, p, q] * x[n, :, rows, columns]
            db[f] += dout[n, f, p, q]
    height, width = x.shape[2:]
    return dx[:, :, pad:height - pad, pad:width - pad], dw, db


# max_pool: the largest of each window, NaN above all; its gradient goes to the first largest

def max_pool_forward(x, pool_height, pool_width, stride):
    x = real(x)
    found, lengths = windows_of(x, (pool_height, pool_width), stride)
    out = np.zeros(x.shape[:2] + lengths, REAL)
    for n, c in np.ndindex(*x.shape[:2]):
        for (p, q), (rows, columns) in found:
            out[n, c, p, q] = x[n, c, rows, columns].max()
    return out


def max_pool_backward(dout, x, pool_height, pool_width, stride):
    dout, x = real(dout), real(x)
    found, _ = windows_of(x, (pool_height, pool_width), stride)
    dx = np.zeros_like(x)
    for n, c in np.ndindex(*x.shape[:2]):
        for (p, q), (rows, columns) in found:
            first = np.argmax(x[n, c, rows, columns])
            dx[n, c, rows, columns][np.unravel_index(first, (pool_height, pool_width))] += \
                dout[n, c, p, q]
    return dx


def check_conv(random, stride, pad):
    x, w, b = random.randn(2, 3, 5, 4), random.randn(2, 3, 3, 2), random.randn(2)
    dout = random.randn(*conv_forward(x, w, b, stride, pad).shape)
    dx, dw, db = conv_backward(dout, x, w, stride, pad)
    agree(dx, numerical_gradient(lambda v: conv_forward(v, w, b, stride, pad), x, dout))
    agree(dw, numerical_gradient(lambda v: conv_forward(x, v, b, stride, pad), w, dout))
    agree(db, numerical_gradient(lambda v: conv_forward(x, w, v, stride, pad), b, dout))


def check_max_pool(random, size, stride):
    x = random.permutation(2 * 2 * 5 * 4).reshape(2, 2, 5, 4) / 16  # no two within h
    dout = random.randn(*max_pool_forward(x, *size, stride).shape)
    agree(max_pool_backward(dout, x, *size, stride),
          numerical_gradient(lambda v: max_pool_forward(v, *size, stride), x, dout))


def check():
    random = np.random.RandomState(231)
    for stride, pad in (1, 0), (1, 1), (2, 0), (3, 2):
        check_conv(random, stride, pad)
    for size, stride in ((2, 2), 2), ((3, 2), 1), ((1, 3), 3):
        check_max_pool(random, size, stride)
