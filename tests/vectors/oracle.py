"""The layers' mathematics, written plainly from section 1 of the HTTP contract.

Everything is computed in np.longdouble (80 bits on x86) and is meant to be read, not to be fast.
Each function takes arrays of any real type and returns longdouble arrays.
"""
import numpy as np

REAL = np.longdouble


def real(values):
    """A copy of the values"""
    return np.array(values, dtype=REAL)


# affine: out = reshape(x, (N, D)) . w + b

def rows(x, w):
    return real(x).reshape(x.shape[0], w.shape[0])


def affine_forward(x, w, b):
    return rows(x, w).dot(real(w)) + real(b)


def affine_backward(dout, x, w):
    dx = real(dout).dot(real(w).T).reshape(x.shape)
    dw = rows(x, w).T.dot(real(dout))
    db = real(dout).sum(axis=0)
    return dx, dw, db


# relu: max(x, 0), NaN stays NaN; nothing flows back where x is not above 0

def relu_forward(x):
    x = real(x)
    return np.where(x <= 0, REAL(0), x)


def relu_backward(dout, x):
    return np.where(real(x) > 0, real(dout), REAL(0))


# batchnorm

def distances(x):
    """x - mean, by the differences from the first row: those of numbers near to each other are exact"""
    apart = real(x) - real(x[0])
    return apart - apart.sum(axis=0) / x.shape[0]


def batch_statistics(x):
    mean = real(x).sum(axis=0) / x.shape[0]
    return mean, (distances(x) ** 2).sum(axis=0) / x.shape[0]


def normalised(x, param):
    """xhat, and the 1 / sqrt(variance + eps) that made it"""
    if param["mode"] == "train":
        distance, variance = distances(x), batch_statistics(x)[1]
    else:
        distance, variance = real(x) - real(param["running_mean"]), real(param["running_var"])
    inverse = 1 / np.sqrt(variance + REAL(param["eps"]))
    return distance * inverse, inverse


def batchnorm_forward(x, gamma, beta, param):
    """out, and the parameters that go back; `param` holds every key."""
    xhat, _ = normalised(x, param)
    after = dict(param, running_mean=real(param["running_mean"]),
                 running_var=real(param["running_var"]))
    if param["mode"] == "train":
        keep = REAL(param["momentum"])
        mean, variance = batch_statistics(x)
        after["running_mean"] = keep * after["running_mean"] + (1 - keep) * mean
        after["running_var"] = keep * after["running_var"] + (1 - keep) * variance
    return real(gamma) * xhat + real(beta), after


def batchnorm_backward(dout, x, gamma, param):
    """In train mode the chain rule goes through the mean and the variance of the batch:
    dx = gamma / sqrt(var + eps) * (dout - mean(dout) - xhat * mean(dout * xhat))."""
    dout = real(dout)
    xhat, inverse = normalised(x, param)
    dgamma = (dout * xhat).sum(axis=0)
    dbeta = dout.sum(axis=0)
    if param["mode"] == "train":
        n = x.shape[0]
        dx = real(gamma) * inverse * (dout - dbeta / n - xhat * dgamma / n)
    else:
        dx = real(gamma) * inverse * dout
    return dx, dgamma, dbeta


# dropout

def dropout_mask(shape, p, seed):
    np.random.seed(seed)
    return np.random.rand(*shape) < p


def dropout(values, param):
    """Forward of x and backward of dout alike; +0.0 where an element is dropped."""
    values = real(values)
    if param["mode"] == "test":
        return values
    mask = (np.asarray(param["mask"]) == 1 if "mask" in param
            else dropout_mask(values.shape, param["p"], param["seed"]))
    return np.where(mask, values / REAL(param["p"]), REAL(0))


# losses

def svm_margins(x, y):
    """x_nj - x_n,y + 1, and -infinity (no margin at all) at j = y_n"""
    examples = np.arange(x.shape[0])
    margins = real(x) - real(x)[examples, y][:, np.newaxis] + 1
    margins[examples, y] = -np.inf
    return margins


def svm_loss(x, y):
    n = x.shape[0]
    margins = svm_margins(x, y)
    loss = np.maximum(margins, 0).sum() / n
    dx = (margins > 0).astype(REAL)
    dx[np.arange(n), y] = -dx.sum(axis=1)
    return loss, dx / n


def softmax_loss(x, y):
    n = x.shape[0]
    examples = np.arange(n)
    shifted = real(x) - real(x).max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -logs[examples, y].sum() / n
    dx = np.exp(logs)
    dx[examples, y] -= 1
    return loss, dx / n


# The oracle's own test: every backward against central differences of its forward.

def numerical_gradient(f, at, dout=1, h=1e-5):
    """d sum(f(at) * dout) / d at"""
    at = real(at)
    gradient = np.zeros_like(at)
    for i in np.ndindex(*at.shape):
        centre = at[i]
        at[i] = centre + h
        above = real(f(at))
        at[i] = centre - h
        below = real(f(at))
        at[i] = centre
        gradient[i] = ((above - below) * dout).sum() / (2 * REAL(h))
    return gradient


def agree(got, want):
    assert got.shape == want.shape
    assert np.allclose(got.astype(float), want.astype(float), rtol=1e-7, atol=1e-8), (got, want)


def check_affine(random):
    x, w, b = random.randn(4, 3, 2), random.randn(6, 5), random.randn(5)
    dout = random.randn(4, 5)
    dx, dw, db = affine_backward(dout, x, w)
    agree(dx, numerical_gradient(lambda v: affine_forward(v, w, b), x, dout))
    agree(dw, numerical_gradient(lambda v: affine_forward(x, v, b), w, dout))
    agree(db, numerical_gradient(lambda v: affine_forward(x, w, v), b, dout))


def check_batchnorm(random, mode):
    x, gamma, beta = 3 * random.randn(7, 5) + 2, random.randn(5), random.randn(5)
    param = {"mode": mode, "eps": 1e-3, "momentum": 0.9,
             "running_mean": random.randn(5), "running_var": random.rand(5) + 0.5}
    dout = random.randn(7, 5)

    def forward(x, gamma, beta):
        return batchnorm_forward(x, gamma, beta, param)[0]
    dx, dgamma, dbeta = batchnorm_backward(dout, x, gamma, param)
    agree(dx, numerical_gradient(lambda v: forward(v, gamma, beta), x, dout))
    agree(dgamma, numerical_gradient(lambda v: forward(x, v, beta), gamma, dout))
    agree(dbeta, numerical_gradient(lambda v: forward(x, gamma, v), beta, dout))


def check_elementwise(random):
    x, dout = random.randn(3, 4), random.randn(3, 4)
    assert np.abs(x).min() > 1e-3  # no kink of relu within h
    agree(relu_backward(dout, x), numerical_gradient(relu_forward, x, dout))
    for mode in "train", "test":
        param = {"p": 0.6, "mode": mode, "seed": 7}
        agree(dropout(dout, param), numerical_gradient(lambda v: dropout(v, param), x, dout))
    mask = dropout_mask(x.shape, 0.6, 7)
    agree(dropout(x, {"p": 0.6, "mode": "train", "mask": mask}),
          dropout(x, {"p": 0.6, "mode": "train", "seed": 7}))


def check_losses(random):
    x, y = random.randn(6, 4), random.randint(4, size=6)
    assert np.abs(svm_margins(x, y)).min() > 1e-3  # no kink within h
    for loss in svm_loss, softmax_loss:
        agree(loss(x, y)[1], numerical_gradient(lambda v: loss(v, y)[0], x))


def check():
    random = np.random.RandomState(231)
    check_affine(random)
    check_batchnorm(random, "train")
    check_batchnorm(random, "test")
    check_elementwise(random)
    check_losses(random)
