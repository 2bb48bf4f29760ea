"""Graphs, from section 8 of the HTTP contract: an interpreter of their documents, and the chain rule
over the layers' backward functions.

A document is as a caller writes it, but with arrays in its `inputs`. What a node gives is rounded to
the dtype of the call, as it is between the same operations called one by one.
"""
from collections import Counter

import numpy as np

import oracle
import oracle_conv
import oracle_norms
import oracle_updates
from cases_batchnorm import complete as complete_norm
from cases_updates import TENSORS as UPDATED
from cases_updates import complete as complete_config
from oracle import REAL, agree, numerical_gradient, real
from vectorfile import Flat


class Layer:
    """The names of a layer's tensors and of its parameters; forward(tensors, parameters) gives out
    and what comes back of the parameters, backward(dout, tensors, parameters) a gradient of each
    tensor."""
    def __init__(self, tensors, forward, backward, param=None, complete=lambda param, x: param):
        self.tensors, self.param = tensors.split(), param
        self.forward, self.backward, self.complete = forward, backward, complete


class Cache:
    """What backward needs of a forward"""
    def __init__(self, layer, tensors, param):
        self.layer, self.tensors, self.param = layer, tensors, param


def with_eps(param, _):
    return {"eps": 1e-5, **param}


def for_features(param, x):
    return complete_norm(param, x.shape[1])


def without_mask(param):
    return {key: value for key, value in param.items() if key != "mask"}


def integers(param):
    return {key: int(value) for key, value in param.items()}


LAYERS = {
    "affine": Layer("x w b", lambda t, p: (oracle.affine_forward(t["x"], t["w"], t["b"]), {}),
                    lambda dout, t, p: oracle.affine_backward(dout, t["x"], t["w"])),
    "relu": Layer("x", lambda t, p: (oracle.relu_forward(t["x"]), {}),
                  lambda dout, t, p: [oracle.relu_backward(dout, t["x"])]),
    "batchnorm": Layer("x gamma beta",
                       lambda t, p: oracle.batchnorm_forward(t["x"], t["gamma"], t["beta"], p),
                       lambda dout, t, p: oracle.batchnorm_backward(dout, t["x"], t["gamma"], p),
                       "bn_param", for_features),
    "dropout": Layer("x", lambda t, p: (oracle.dropout(t["x"], p), without_mask(p)),
                     lambda dout, t, p: [oracle.dropout(dout, p)], "dropout_param"),
    "layernorm": Layer("x gamma beta",
                       lambda t, p: (oracle_norms.layernorm_forward(t["x"], t["gamma"], t["beta"],
                                                                    p["eps"]), {}),
                       lambda dout, t, p: oracle_norms.layernorm_backward(dout, t["x"], t["gamma"],
                                                                          p["eps"]),
                       "ln_param", with_eps),
    "conv": Layer("x w b",
                  lambda t, p: (oracle_conv.conv_forward(t["x"], t["w"], t["b"], **p), {}),
                  lambda dout, t, p: oracle_conv.conv_backward(dout, t["x"], t["w"], **p),
                  "conv_param", lambda param, _: integers(param)),
    "max_pool": Layer("x", lambda t, p: (oracle_conv.max_pool_forward(t["x"], **p), {}),
                      lambda dout, t, p: [oracle_conv.max_pool_backward(dout, t["x"], **p)],
                      "pool_param", lambda param, _: integers(param)),
    "spatial_batchnorm": Layer(
        "x gamma beta",
        lambda t, p: oracle_norms.spatial_batchnorm_forward(t["x"], t["gamma"], t["beta"], p),
        lambda dout, t, p: oracle_norms.spatial_batchnorm_backward(dout, t["x"], t["gamma"], p),
        "bn_param", for_features),
    "spatial_groupnorm": Layer(
        "x gamma beta",
        lambda t, p: (oracle_norms.spatial_groupnorm_forward(t["x"], t["gamma"], t["beta"],
                                                             p["groups"], p["eps"]), {}),
        lambda dout, t, p: oracle_norms.spatial_groupnorm_backward(dout, t["x"], t["gamma"],
                                                                   p["groups"], p["eps"]),
        "gn_param", with_eps),
}
LOSSES = {"svm": oracle.svm_loss, "softmax": oracle.softmax_loss}
UPDATES = {"sgd": oracle_updates.sgd, "sgd_momentum": oracle_updates.sgd_momentum,
           "rmsprop": oracle_updates.rmsprop, "adam": oracle_updates.adam}


class NoBackward(Exception):
    """A way from a loss to a value goes through an operation that has no backward."""


class Step:
    """Some values made of others. `pull`, of the gradient of the first that was made, gives one of
    each that it was made of; None where there is no backward."""
    def __init__(self, made, of, pull=None):
        self.made, self.of, self.pull = made, of, pull


class Run:
    """One request. `handles` are the tensors and caches by what stands for their handle;
    `replaced`, values by name that take the place of what a node gives."""
    def __init__(self, document, dtype, handles, replaced):
        self.dtype, self.replaced = dtype, replaced
        self.values, self.steps = {}, []
        nodes = document["nodes"]
        labels = {node["y"] for node in nodes if "y" in node}
        for name, value in document.get("inputs", {}).items():
            self.values[name] = self.input(value, name in labels, handles)
        for node in nodes:
            layer, _, operation = node["op"].partition("/")
            getattr(self, operation or layer)(node, layer)

    def rounded(self, value):
        return real(np.asarray(value).astype(self.dtype))

    def input(self, value, labels, handles):
        if isinstance(value, dict) and "data" not in value:
            (handle,) = value.values()
            return handles[handle]
        if isinstance(value, dict):
            return np.array(value["data"], dtype=int).reshape(value["shape"])
        array = np.asarray(value.array if isinstance(value, Flat) else value)
        return array.astype(int) if labels else self.rounded(array)

    def set(self, name, value):
        """Parameters and caches as they are, a loss as a number"""
        if isinstance(value, (np.ndarray, REAL)):
            rounded = self.rounded(value)
            value = rounded if isinstance(value, np.ndarray) else rounded[()]
        self.values[name] = self.replaced.get(name, value)

    def parameters(self, node, name, vectors):
        """Those of the object `name`, its vectors by their names"""
        return {key: self.values[value] if key in vectors else value
                for key, value in node.get(name, {}).items()}

    def forward(self, node, layer_name):
        layer, name = LAYERS[layer_name], node["name"]
        names = [node[tensor] for tensor in layer.tensors]
        tensors = {tensor: self.values[node[tensor]] for tensor in layer.tensors}
        param = layer.complete(self.parameters(node, layer.param,
                                               ("running_mean", "running_var", "mask")),
                               tensors["x"])
        out, back = layer.forward(tensors, param)
        self.set(name + ".out", out)
        self.set(name + ".cache", Cache(layer_name, tensors, param))
        for key, value in back.items():
            self.set("%s.%s.%s" % (name, layer.param, key), value)
        self.steps.append(Step([name + ".out", name + ".cache"], names,
                               lambda dout: zip(names, layer.backward(dout, tensors, param))))

    def backward(self, node, layer_name):
        layer, name = LAYERS[layer_name], node["name"]
        cache = self.values[node["cache"]]
        assert cache.layer == layer_name
        gradients = layer.backward(self.values[node["dout"]], cache.tensors, cache.param)
        made = ["%s.d%s" % (name, tensor) for tensor in layer.tensors]
        for which, gradient in zip(made, gradients):
            self.set(which, gradient)
        self.steps.append(Step(made, [node["dout"], node["cache"]]))

    def loss(self, node, layer):
        name, x = node["name"], node["x"]
        loss, dx = LOSSES[layer](self.values[x], self.values[node["y"]])
        self.set(name + ".loss", loss)
        self.set(name + ".dx", dx)
        self.steps.append(Step([name + ".loss"], [x],
                               lambda times: [(x, times * self.values[name + ".dx"])]))
        self.steps.append(Step([name + ".dx"], [x]))

    def update(self, node, rule):
        name, w, dw = node["name"], node["w"], node["dw"]
        given = self.parameters(node, "config", UPDATED[rule])
        config = complete_config(rule, given, self.values[w])
        next_w, after = UPDATES[rule](self.values[w], self.values[dw], config, self.dtype)
        self.set(name + ".next_w", next_w)
        for key, value in after.items():
            self.set("%s.config.%s" % (name, key), value)
        vectors = [key for key in after if key in UPDATED[rule]]
        self.steps.append(Step(
            [name + ".next_w"] + ["%s.config.%s" % (name, key) for key in vectors],
            [w, dw] + [value for key, value in node.get("config", {}).items() if key in vectors]))

    def gradients(self, node, _):
        moved = set(node["for"])  # what changes with one of those that are asked for
        for step in self.steps:
            if moved.intersection(step.of):
                moved.update(step.made)
        flow = {loss: REAL(times) for loss, times in Counter(node["of"]).items()}
        for step in reversed(self.steps):
            if step.pull and step.made[0] in flow:
                for name, gradient in step.pull(flow[step.made[0]]):
                    flow[name] = self.rounded(flow.get(name, 0) + self.rounded(gradient))
            elif moved.intersection(step.of) and any(made in flow for made in step.made):
                raise NoBackward(step.made)
        made = []
        for value in node["for"]:
            made.append("%s.%s" % (node["name"], value))
            self.set(made[-1], flow.get(value, np.zeros_like(self.values[value])))
        self.steps.append(Step(made, list(self.values)))


def run(document, dtype, handles=None, replaced=None):
    """The values by name of what the document gives, and of what it keeps"""
    values = Run(document, dtype, handles or {}, replaced or {}).values
    return ({name: values[name] for name in document.get("give", [])},
            {name: values[name] for name in document.get("keep", [])})


# The oracle's own test: gradients of whole graphs against central differences.

def node(name, op, **fields):
    return {"name": name, "op": op, **fields}


def check_gradients(inputs, nodes, of, wanted):
    """`wanted`: inputs, and values between"""
    asked = nodes + [node("d", "gradients", of=of, **{"for": wanted})]
    given = ["d." + name for name in wanted]
    results, _ = run({"inputs": inputs, "nodes": asked, "give": given + wanted}, REAL)

    def losses(name, value):
        changed = {**inputs, name: value} if name in inputs else inputs
        found, _ = run({"inputs": changed, "nodes": nodes, "give": of}, REAL,
                       replaced={name: value})
        return sum(found[loss] for loss in of)
    for name in wanted:
        agree(results["d." + name], numerical_gradient(lambda v: losses(name, v), results[name]))


def check_dense(random):
    """Two losses of one network, weights used twice, a norm, a mask"""
    inputs = {"x": random.randn(5, 4), "w": random.randn(4, 4), "b": random.randn(4),
              "gamma": random.randn(4), "y": random.randint(4, size=5), "none": random.randn(2)}
    nodes = [node("a", "affine/forward", x="x", w="w", b="b"),
             node("n", "batchnorm/forward", x="a.out", gamma="gamma", beta="b",
                  bn_param={"mode": "train"}),
             node("r", "relu/forward", x="n.out"),
             node("o", "dropout/forward", x="r.out",
                  dropout_param={"p": 0.6, "mode": "train", "seed": 5}),
             node("c", "affine/forward", x="o.out", w="w", b="gamma"),
             node("l", "softmax/loss", x="c.out", y="y"),
             node("h", "layernorm/forward", x="c.out", gamma="gamma", beta="b"),
             node("s", "svm/loss", x="h.out", y="y")]
    wanted = ["x", "w", "b", "gamma", "none", "a.out", "r.out", "c.out", "h.out"]
    for of in ["l.loss"], ["s.loss"], ["l.loss", "s.loss"], ["l.loss", "s.loss", "l.loss"]:
        check_gradients(inputs, nodes, of, wanted)


def check_square(random):
    """A matrix times itself"""
    inputs = {"x": random.randn(4, 4), "b": random.randn(4), "y": random.randint(4, size=4)}
    nodes = [node("a", "affine/forward", x="x", w="x", b="b"),
             node("c", "affine/forward", x="a.out", w="x", b="b"),
             node("l", "softmax/loss", x="c.out", y="y")]
    check_gradients(inputs, nodes, ["l.loss"], ["x", "b", "a.out"])


def check_images(random, mode):
    inputs = {"x": random.randn(2, 2, 6, 5), "w": random.randn(4, 2, 3, 3), "b": random.randn(4),
              "gamma": random.randn(4), "beta": random.randn(4), "mean": random.randn(4),
              "var": random.rand(4) + 0.5, "v": random.randn(24, 3), "c": random.randn(3),
              "y": random.randint(3, size=2)}
    nodes = [node("a", "conv/forward", x="x", w="w", b="b", conv_param={"pad": 1}),
             node("n", "spatial_batchnorm/forward", x="a.out", gamma="gamma", beta="beta",
                  bn_param={"mode": mode, "running_mean": "mean", "running_var": "var"}),
             node("g", "spatial_groupnorm/forward", x="n.out", gamma="beta", beta="gamma",
                  gn_param={"groups": 2}),
             node("p", "max_pool/forward", x="g.out",
                  pool_param={"pool_height": 2, "pool_width": 2, "stride": 2}),
             node("f", "affine/forward", x="p.out", w="v", b="c"),
             node("l", "softmax/loss", x="f.out", y="y")]
    check_gradients(inputs, nodes, ["l.loss"],
                    ["x", "w", "b", "gamma", "beta", "v", "c", "n.out", "p.out"])
    results, _ = run({"inputs": inputs, "give": ["d.mean", "d.var"],
                      "nodes": nodes + [node("d", "gradients", of=["l.loss"],
                                             **{"for": ["mean", "var"]})]}, REAL)
    assert not results["d.mean"].any() and not results["d.var"].any()


def check_refused(random):
    inputs = {"x": random.randn(2, 2), "w": random.randn(2, 2), "b": random.randn(2), "y": [0, 1]}
    nodes = [node("r", "relu/forward", x="w"), node("u", "sgd/update", w="r.out", dw="r.out"),
             node("a", "affine/forward", x="x", w="u.next_w", b="b"),
             node("l", "softmax/loss", x="a.out", y="y")]
    check_gradients(inputs, nodes, ["l.loss"], ["x", "b", "u.next_w"])
    try:
        check_gradients(inputs, nodes, ["l.loss"], ["w"])
    except NoBackward:
        return
    raise AssertionError("a gradient through an update")


def check():
    random = np.random.RandomState(231)
    check_dense(random)
    check_square(random)
    for mode in "train", "test":
        check_images(random, mode)
    check_refused(random)
