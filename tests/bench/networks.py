"""The networks that the graph part trains, each a line of layers before a softmax: a step of SGD as
a graph's document, its tensors, and what of them lives at once."""
from dataclasses import dataclass, field
from math import prod

import numpy as np

RATE = 0.01  # sgd's own, which is not sent


@dataclass(frozen=True)
class Layer:
    """`name` is that of its node; `weights` says under which names of the network's its fields are;
    `params` are those of the parameter object that `holder` names."""
    name: str
    operation: str
    weights: dict = field(default_factory=dict)
    holder: str = ""
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    text: str
    batch: int
    image: tuple
    layers: list
    shapes: dict  # of the weights, by name

    def tensors(self, dtype):
        """The batch: {"x", "y"}"""
        random = np.random.default_rng(6)
        x = random.standard_normal((self.batch, *self.image)).astype(dtype)
        return {"x": x, "y": random.integers(0, 10, self.batch)}

    def weights(self, dtype):
        random = np.random.default_rng(7)
        return {name: made_weight(random, shape).astype(dtype)
                for name, shape in self.shapes.items()}

    def document(self, handles):
        """A step as POST /graph takes it, with the weights under these handles, which it gives up;
        x and y are the file's."""
        nodes, value = [], "x"
        for layer in self.layers:
            node = {"name": layer.name, "op": layer.operation + "/forward", "x": value}
            node |= layer.weights
            nodes.append(node | ({layer.holder: layer.params} if layer.params else {}))
            value = layer.name + ".out"
        nodes.append({"name": "l", "op": "softmax/loss", "x": value, "y": "y"})
        nodes.append({"name": "d", "op": "gradients", "of": ["l.loss"], "for": list(handles)})
        nodes += [{"name": "u" + name, "op": "sgd/update", "w": name, "dw": "d." + name}
                  for name in handles]
        return {"inputs": {name: {"tensor": handle} for name, handle in handles.items()},
                "nodes": nodes, "give": ["l.loss"], "keep": [kept(name) for name in handles],
                "release": list(handles.values())}


def kept(weight):
    """The name of a weight's next value"""
    return f"u{weight}.next_w"


def made_weight(random, shape):
    """Normal, by the number of a unit's inputs; zeros for biases"""
    if len(shape) == 1:
        return np.zeros(shape)
    inputs = shape[0] if len(shape) == 2 else prod(shape[1:])
    return random.standard_normal(shape) * np.sqrt(2 / inputs)


def affine(i):
    return Layer(f"a{i}", "affine", {"w": f"w{i}", "b": f"b{i}"})


def dense(batch, *widths):
    """affine - relu - ... - affine"""
    layers, shapes = [], {}
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:]), 1):
        layers += [affine(i), Layer(f"r{i}", "relu")]
        shapes |= {f"w{i}": (inputs, outputs), f"b{i}": (outputs,)}
    named = widths if len(widths) < 5 else (*widths[:2], "...", *widths[-2:])
    text = "dense " + "-".join(map(str, named))
    return Network(text, batch, widths[:1], layers[:-1], shapes)


def conv_net(batch, side, filters, hidden):
    """The homework's three layers: conv - relu - 2x2 max pool - affine - relu - affine"""
    layers = [Layer("c", "conv", {"w": "w1", "b": "b1"}, "conv_param", {"stride": 1, "pad": 1}),
              Layer("r", "relu"),
              Layer("p", "max_pool", {}, "pool_param",
                    {"pool_height": 2, "pool_width": 2, "stride": 2}),
              affine(2), Layer("s", "relu"), affine(3)]
    shapes = {"w1": (filters, 1, 3, 3), "b1": (filters,),
              "w2": (filters * (side // 2) ** 2, hidden), "b2": (hidden,),
              "w3": (hidden, 10), "b3": (10,)}
    return Network(f"ConvNet {side}x{side}, {filters} filters", batch, (1, side, side), layers,
                   shapes)


NETWORKS = {"dense": dense(64, 784, 100, 10),
            "small ConvNet": conv_net(64, 8, 16, 64),
            "ConvNet": conv_net(64, 28, 16, 100)}
