"""The layers in PyTorch, by its own functions and its autograd; named and called as in
peer_numpy.py. A forward's cache is its graph."""
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


def affine_forward(x, w, b):
    out = torch.addmm(b, x, w)
    return out, (out, (x, w, b))


def relu_forward(x):
    out = F.relu(x)
    return out, (out, (x,))


def batchnorm_forward(x, gamma, beta, bn_param):
    running_mean, running_var = (torch.zeros(x.shape[1], dtype=x.dtype) for _ in range(2))
    out = F.batch_norm(x, running_mean, running_var, gamma, beta, training=True,
                       momentum=1 - bn_param["momentum"], eps=bn_param["eps"])
    return out, (out, (x, gamma, beta))


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
