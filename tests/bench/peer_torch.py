"""The layers in PyTorch, by its own functions and its autograd; named and called as in
peer_numpy.py. A forward's cache is its graph. Updates are in place, by expressions of tensors: they
are faster than torch.optim's functions."""
import torch
import torch.nn.functional as F


def tensor(array):
    """An input: floats with a gradient, labels without"""
    made = torch.from_numpy(array).clone()  # in memory of PyTorch's own
    return made.requires_grad_() if made.is_floating_point() else made


def gradients(dout, cache):
    out, inputs = cache
    return torch.autograd.grad(out, inputs, dout, retain_graph=True)


affine_backward = relu_backward = batchnorm_backward = dropout_backward = gradients
layernorm_backward = conv_backward = max_pool_backward = gradients
spatial_batchnorm_backward = spatial_groupnorm_backward = gradients


def affine_forward(x, w, b):
    out = torch.addmm(b, x, w)
    return out, (out, (x, w, b))


def relu_forward(x):
    out = F.relu(x)
    return out, (out, (x,))


def batchnorm_forward(x, gamma, beta, bn_param):
    running = (bn_param[name].detach() for name in ("running_mean", "running_var"))
    out = F.batch_norm(x, *running, gamma, beta, training=True,
                       momentum=1 - bn_param["momentum"], eps=bn_param["eps"])
    return out, (out, (x, gamma, beta))


spatial_batchnorm_forward = batchnorm_forward


def spatial_groupnorm_forward(x, gamma, beta, gn_param):
    out = F.group_norm(x, int(gn_param["groups"]), gamma, beta, gn_param["eps"])
    return out, (out, (x, gamma, beta))


def layernorm_forward(x, gamma, beta, ln_param):
    out = F.layer_norm(x, x.shape[1:], gamma, beta, ln_param["eps"])
    return out, (out, (x, gamma, beta))


def conv_forward(x, w, b, conv_param):
    out = F.conv2d(x, w, b, int(conv_param["stride"]), int(conv_param["pad"]))
    return out, (out, (x, w, b))


def max_pool_forward(x, pool_param):
    window = int(pool_param["pool_height"]), int(pool_param["pool_width"])
    out = F.max_pool2d(x, window, int(pool_param["stride"]))
    return out, (out, (x,))


def dropout_forward(x, dropout_param):
    """By its own generator, not by the seed: another mask than NumPy's"""
    out = F.dropout(x, 1 - dropout_param["p"], training=True)
    return out, (out, (x,))


def svm_loss(x, y):
    loss = F.multi_margin_loss(x, y) * x.shape[1]
    return loss, torch.autograd.grad(loss, x)[0]


def softmax_loss(x, y):
    loss = F.cross_entropy(x, y)
    return loss, torch.autograd.grad(loss, x)[0]


@torch.no_grad()
def sgd_update(w, dw, config):
    return w.sub_(dw, alpha=config["learning_rate"]), config


@torch.no_grad()
def sgd_momentum_update(w, dw, config):
    velocity = config["velocity"].mul_(config["momentum"]).sub_(dw, alpha=config["learning_rate"])
    return w.add_(velocity), config


@torch.no_grad()
def rmsprop_update(w, dw, config):
    decay = config["decay_rate"]
    cache = config["cache"].mul_(decay).addcmul_(dw, dw, value=1 - decay)
    root = cache.sqrt().add_(config["epsilon"])
    return w.addcdiv_(dw, root, value=-config["learning_rate"]), config


@torch.no_grad()
def adam_update(w, dw, config):
    """The corrections are drawn out of the tensors: sqrt(v / c) + epsilon is
    (sqrt(v) + epsilon · sqrt(c)) / sqrt(c)"""
    beta1, beta2, t = config["beta1"], config["beta2"], int(config["t"]) + 1
    m = config["m"].mul_(beta1).add_(dw, alpha=1 - beta1)
    v = config["v"].mul_(beta2).addcmul_(dw, dw, value=1 - beta2)
    of_root = (1 - beta2 ** t) ** 0.5
    root = v.sqrt().add_(config["epsilon"] * of_root)
    rate = config["learning_rate"] * of_root / (1 - beta1 ** t)
    return w.addcdiv_(m, root, value=-rate), config
