"""What the kernels part times: every operation of the library's table at its shapes, in both
dtypes, with the same inputs in every process that makes them."""
import os
from dataclasses import dataclass, field
from math import prod

import numpy as np

import shim


@dataclass(frozen=True)
class Setting:
    """The lengths that stand for the letters of a layer's patterns, all of them for "...", and the
    parameters that it is called with, but those whose fallbacks do. `text` tells of these."""
    lengths: dict
    params: dict = field(default_factory=dict)
    text: str = ""


def lengths(letters, *rows):
    return [Setting(dict(zip(letters, row))) for row in rows]


def conv(x, w, pad):
    """Of stride 1 and a padding that keeps the images' height and width"""
    return Setting(dict(zip("NCHWPQFRS", (*x, *x[2:], w[0], *w[2:]))), {"pad": pad}, f"pad {pad}")


def pool(size, height):
    """Of stride 2, to so many rows"""
    params = {"pool_height": size, "pool_width": size, "stride": 2}
    text = f"{size}×{size} stride 2"
    return Setting(dict(zip("NCHWPQ", (*IMAGES, height, height))), params, text)


IMAGES = (64, 32, 32, 32)
ROWS = lengths("ND", (1, 784), (64, 784), (256, 1024), (4096, 1024))
SCORES = lengths("NC", (1, 10), (256, 10), (4096, 1000))
WEIGHTS = lengths("D", (1_000_000,))

# By layer, its kind, of which targets speak, and its settings, the largest last.
LAYERS = {
    "affine": ("product", lengths("NDM", (1, 784, 10), (64, 784, 100), (256, 784, 100),
                                  (1024, 4096, 1024))),
    "relu": ("kernel", ROWS),
    "batchnorm": ("kernel", ROWS),
    "dropout": ("kernel", ROWS),
    "svm": ("kernel", SCORES),
    "softmax": ("kernel", SCORES),
    "layernorm": ("norm", lengths("ND", (64, 128), (4096, 1024))),
    "conv": ("conv", [conv((64, 64, 14, 14), (128, 64, 1, 1), 0),
                      conv((64, 32, 16, 16), (64, 32, 3, 3), 1),
                      conv((64, 3, 32, 32), (32, 3, 7, 7), 3),
                      conv((16, 64, 56, 56), (64, 64, 3, 3), 1)]),
    "max_pool": ("pool", [pool(3, 15), pool(2, 16)]),
    "spatial_batchnorm": ("norm", lengths("NCHW", IMAGES)),
    "spatial_groupnorm": ("norm", [Setting(dict(zip("NCHW", IMAGES)), {"groups": 4}, "groups 4")]),
    "sgd": ("update", WEIGHTS),
    "sgd_momentum": ("update", WEIGHTS),
    "rmsprop": ("update", WEIGHTS),
    "adam": ("update", WEIGHTS),
}

# What is passed over, as often as it must be; of any other operation, each input and output once.
# Statistics of all the examples are there only when x has been read, so that it is read again.
PASSES = {
    "batchnorm forward": "x x out",
    "batchnorm backward": "x dout x dout dx",
    "spatial_batchnorm forward": "x x out",
    "spatial_batchnorm backward": "x dout x dout dx",
    "layernorm backward": "x dout dx",
    "spatial_groupnorm backward": "x dout dx",
    "sgd_momentum update": "w dw velocity velocity next_w",
    "rmsprop update": "w dw cache cache next_w",
    "adam update": "w dw m v m v next_w",
}


class Case:
    """An operation at a setting in a dtype; a backward with the forward that it is of."""

    def __init__(self, operation, first, setting, dtype):
        self.operation, self.setting, self.dtype = operation, setting, dtype
        self.lengths = setting.lengths
        self.name = f"{operation.layer} {operation.name}"
        self.forward = Case(first, None, setting, dtype) if operation.name == "backward" else None
        self.kind, settings = LAYERS[operation.layer]
        self.is_largest = setting is settings[-1]
        self.counts_flops = self.kind in ("product", "conv")
        self.is_seeded = any(p["name"] == "seed" for p in operation.params)
        self.is_elementwise = self.kind == "kernel" and not self.is_seeded and all(
            field["shape"] == "..." for field in operation.inputs + operation.outputs)

    def text(self, dtype=True):
        fields = (self.forward or self).operation.inputs[:2 if self.counts_flops else 1]
        shapes = "·".join("(" + ",".join(map(str, self.shape(field))) + ")" for field in fields)
        words = [self.name, shapes, self.setting.text, self.dtype if dtype else ""]
        return " ".join(word for word in words if word)

    def shape(self, field):
        pattern = field["shape"]
        letters = self.lengths if pattern == "..." else pattern.replace("...", "").split()
        return tuple(self.lengths[letter] for letter in letters)

    def arrays(self):
        random = np.random.default_rng(0)
        return [random.integers(0, self.lengths["C"], self.shape(field)) if field["labels"]
                else random.standard_normal(self.shape(field)).astype(self.dtype)
                for field in self.operation.inputs]

    def params(self):
        """Tensors among them are what no step has made negative: variances, squares"""
        random = np.random.default_rng(1)
        values = {"choice": lambda p: p["choice"],
                  "number": lambda p: p["number"],
                  "integer": lambda p: int(p["number"]),
                  "tensor": lambda p: random.random(self.shape(p)).astype(self.dtype)}
        return {p["name"]: self.setting.params.get(p["name"], values[p["kind"]](p))
                for p in self.operation.params if p["kind"] in values}

    def products(self):
        """(a, b, shape) of the matrix products that the operation is"""
        n, d, m = (self.lengths[letter] for letter in "NDM")
        if not self.forward:
            x, w, _ = self.arrays()
            return [(x, w, (0, 0, n, m, d))]
        (x, w, _), (dout,) = self.forward.arrays(), self.arrays()
        return [(dout, w, (0, 1, n, d, m)), (x, dout, (1, 0, d, m, n))]

    def amount(self):
        """Operations on numbers of a product, bytes read and written of anything else"""
        if self.counts_flops:
            times, letters = self.operation.work
            return times * prod(self.lengths[letter] for letter in letters)
        fields = {field["name"]: field for field in self.fields()}
        own = self.operation.inputs + self.operation.outputs
        names = PASSES.get(self.name, " ".join(field["name"] for field in own)).split()
        return sum(self.bytes(fields[name]) for name in names)

    def fields(self):
        """All that have a shape, those of the forward among them"""
        operation = self.operation
        return (self.forward.fields() if self.forward else []) + operation.inputs + [
            p for p in operation.params if p["kind"] == "tensor"] + operation.outputs

    def bytes(self, field):
        itemsize = 8 if field.get("labels") else np.dtype(self.dtype).itemsize
        return prod(self.shape(field)) * itemsize


def chosen():
    """The layers that the environment names; all of them where it names none"""
    return os.environ.get("LAYERS", "").split() or list(LAYERS)


def cases(layers=None):
    table = shim.operations()
    for operation in table:
        if operation.layer not in (layers or chosen()):
            continue
        first = next(o for o in table if o.layer == operation.layer)
        for setting in LAYERS[operation.layer][1]:
            for dtype in ("float64", "float32"):
                yield Case(operation, first, setting, dtype)


def check_layers():
    """Ends the program where a layer has no settings here, or one is chosen that is none"""
    known = {operation.layer for operation in shim.operations()}
    if missing := known - set(LAYERS):
        raise SystemExit(f"kernel_cases.py: no settings of {', '.join(sorted(missing))}")
    if wrong := set(chosen()) - known:
        names = (", ".join(sorted(layers)) for layers in (wrong, known))
        raise SystemExit("no layer {}; there are {}".format(*names))
