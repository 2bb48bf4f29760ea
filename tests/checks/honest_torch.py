"""What PyTorch gives, where it is installed."""
import numpy as np

try:
    import torch
    from torch.nn import functional
    torch.set_num_threads(1)
except ImportError:
    torch = None


def tensors(takes, *names):
    return [torch.tensor(takes[name], requires_grad=True) for name in names]


def given(array):
    return torch.tensor(np.array(array, order="C"))


def plain(tensor):
    return tensor.detach().numpy().copy()


def gradients(out, dout, **of):
    """By torch's own backward; `of` by the names of claims"""
    found = torch.autograd.grad(out, list(of.values()), given(dout))
    return {name: plain(gradient) for name, gradient in zip(of, found)}


def affine(takes):
    x, w, b = tensors(takes, "x", "w", "b")
    return functional.linear(x.reshape(len(x), -1), w.t(), b), {"dx": x, "dw": w, "db": b}


def relu(takes):
    x, = tensors(takes, "x")
    return functional.relu(x), {"dx": x}


def batchnorm(takes):
    x, gamma, beta = tensors(takes, "x", "gamma", "beta")
    param = takes["bn_param"]
    train = param["mode"] == "train"
    if train and x.numel() == x.shape[1]:
        return None  # torch refuses one value a feature
    out = functional.batch_norm(x, given(param["running_mean"]), given(param["running_var"]), gamma,
                                beta, train, 0.1, float(param["eps"]))
    return out, {"dx": x, "dgamma": gamma, "dbeta": beta}


def layernorm(takes):
    x, gamma, beta = tensors(takes, "x", "gamma", "beta")
    return (functional.layer_norm(x, x.shape[1:], gamma, beta, float(takes["ln_param"]["eps"])),
            {"dx": x, "dgamma": gamma, "dbeta": beta})


def groupnorm(takes):
    x, gamma, beta = tensors(takes, "x", "gamma", "beta")
    param = takes["gn_param"]
    if x.shape[2] * x.shape[3] * x.shape[1] == param["groups"]:
        return None
    return (functional.group_norm(x.contiguous(), int(param["groups"]), gamma, beta,
                                  float(param["eps"])),
            {"dx": x, "dgamma": gamma, "dbeta": beta})


def conv(takes):
    x, w, b = tensors(takes, "x", "w", "b")
    param = takes["conv_param"]
    return (functional.conv2d(x, w, b, int(param["stride"]), int(param["pad"])),
            {"dx": x, "dw": w, "db": b})


def max_pool(takes):
    x, = tensors(takes, "x")
    param = takes["pool_param"]
    return (functional.max_pool2d(x, (int(param["pool_height"]), int(param["pool_width"])),
                                  int(param["stride"])), {"dx": x})


def softmax(takes):
    x, = tensors(takes, "x")
    return functional.cross_entropy(x, torch.tensor(takes["y"], dtype=torch.int64)), {"dx": x}


LAYERS = {"affine": affine, "relu": relu, "batchnorm": batchnorm, "layernorm": layernorm,
          "spatial_batchnorm": batchnorm, "spatial_groupnorm": groupnorm, "conv": conv,
          "max_pool": max_pool}


def ways(operation, takes):
    """(way, claim), none where torch has none"""
    layer, name = operation.split("/")
    if not torch:
        return
    if operation == "softmax/loss":
        loss, of = softmax(takes)
        one = np.ones((), takes["x"].dtype)
        yield "torch", dict({"loss": plain(loss)[()]}, **gradients(loss, one, **of))
        return
    made = LAYERS[layer](takes) if layer in LAYERS else None
    if made:
        out, of = made
        yield "torch", ({"out": plain(out)} if name == "forward"
                        else gradients(out, takes["dout"], **of))
