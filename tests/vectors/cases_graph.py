"""Vectors of graphs, of one request each."""
import numpy as np

import oracle_graph
from graph_requests import (Story, affine, gradients, labels, node, relu, sgd, softmax, svm)
from oracle_graph import LAYERS
from vectorfile import DTYPES, INF, NAN, Flat, Random, array, empty

POOL = {"pool_height": 2, "pool_width": 2, "stride": 1}


class Sample:
    """A layer's tensors, and its parameters with the inputs that are their vectors"""
    def __init__(self, layer, what, tensors, param=None, vectors=None, back=()):
        self.layer, self.what, self.tensors, self.back = layer, what, tensors, back
        self.param, self.vectors = param, vectors or {}

    def forward(self, name):
        param = {LAYERS[self.layer].param: self.param} if self.param is not None else {}
        return node(name, self.layer + "/forward", **param,
                    **{tensor: tensor for tensor in self.tensors})

    def inputs(self):
        return {**self.tensors, **self.vectors}

    def shape(self):
        given = {"inputs": self.inputs(), "nodes": [self.forward("f")], "give": ["f.out"]}
        return oracle_graph.run(given, "float64")[0]["f.out"].shape


def norm_samples(random, layer, shape, features):
    tensors = {"x": random(*shape, scale=2, offset=1), "gamma": random(features),
               "beta": random(features)}
    statistics = {"rm": random(features), "rv": np.abs(random(features)) + 0.5}
    by_name = {"running_mean": "rm", "running_var": "rv"}
    back = ["running_mean", "running_var", "eps", "momentum"]
    yield Sample(layer, "train", tensors, {"mode": "train"}, back=back)
    yield Sample(layer, "train, statistics by name", tensors,
                 {"mode": "train", "momentum": 0.75, **by_name}, statistics, back)
    yield Sample(layer, "test", tensors, {"mode": "test", "eps": 0.125, **by_name}, statistics, back)


def samples(dtype):
    """One or more of each layer"""
    state = Random("graph samples", dtype)
    random = state.normal
    yield Sample("affine", "x of rank 3", {"x": random(3, 2, 2), "w": random(4, 2), "b": random(2)})
    yield Sample("relu", "rank 2", {"x": random(3, 5)})
    yield from norm_samples(random, "batchnorm", (5, 3), 3)
    x = random(3, 4)
    yield Sample("dropout", "a seed", {"x": x}, {"p": 0.6, "mode": "train", "seed": 7},
                 back=["p", "seed"])
    yield Sample("dropout", "a mask by name", {"x": x}, {"p": 0.5, "mode": "train", "mask": "m"},
                 {"m": state.state.randint(2, size=(3, 4)).astype(float)}, ["p"])
    yield Sample("dropout", "test", {"x": x}, {"p": 0.6, "mode": "test"}, back=["p"])
    norm = {"x": random(3, 4), "gamma": random(4), "beta": random(4)}
    yield Sample("layernorm", "no ln_param", norm)
    yield Sample("layernorm", "another eps", norm, {"eps": 0.125})
    kernels = {"x": random(2, 2, 4, 4), "w": random(3, 2, 3, 2), "b": random(3)}
    yield Sample("conv", "no conv_param", kernels)
    yield Sample("conv", "stride 2, pad 1", kernels, {"stride": 2, "pad": 1})
    yield Sample("max_pool", "windows that overlap", {"x": random(2, 2, 3, 4)}, POOL)
    yield from norm_samples(random, "spatial_batchnorm", (2, 3, 2, 2), 3)
    yield Sample("spatial_groupnorm", "2 groups", {"x": random(2, 4, 2, 2), "gamma": random(4),
                                                   "beta": random(4)}, {"groups": 2})


def layer_as_nodes(sample, dtype):
    """Forward, and backward by the cache's name; all that they give is given."""
    name = "%s as nodes: %s of %s" % (sample.layer, sample.what, dtype)
    dout = Random(name, dtype).normal(*sample.shape())
    layer = LAYERS[sample.layer]
    give = (["f.out"] + ["f.%s.%s" % (layer.param, key) for key in sample.back]
            + ["g.d" + tensor for tensor in layer.tensors])
    nodes = [sample.forward("f"), node("g", sample.layer + "/backward", dout="dout", cache="f.cache")]
    return Story(name, dtype).graph(nodes, {**sample.inputs(), "dout": dout}, give).case()


def layer_gradients(sample, dtype):
    """Of a loss behind the layer, for all that the layer takes and what it gives"""
    name = "gradients through %s: %s of %s" % (sample.layer, sample.what, dtype)
    random, shape = Random(name, dtype), sample.shape()
    features = int(np.prod(shape[1:]))
    inputs = {**sample.inputs(), "v": random.normal(features, 3), "c": random.normal(3),
              "y": random.labels(shape[0], 3)}
    wanted = [*sample.inputs(), "f.out", "v", "c", "s.out"]
    wanted = [value for value in wanted if value != "m"]
    nodes = [sample.forward("f"), affine("s", "f.out", "v", "c"), softmax("l", "s.out"),
             gradients("d", "l.loss", *wanted)]
    return Story(name, dtype).graph(nodes, inputs,
                                    ["l.loss"] + ["d." + value for value in wanted]).case()


def losses_as_nodes(dtype):
    random = Random("graph losses", dtype)
    inputs = {"x": random.normal(4, 3), "y": random.labels(4, 3), "z": labels(0, 2, 1, 0)}
    nodes = [svm("s", "x"), softmax("l", "x"), softmax("k", "x", "z")]
    give = ["s.loss", "s.dx", "l.loss", "l.dx", "k.loss", "k.dx"]
    yield Story("losses as nodes of " + dtype, dtype).graph(nodes, inputs, give).case()


# Of each rule: numbers, and the vectors
RULES = {
    "sgd": ({"learning_rate": 0.25}, []),
    "sgd_momentum": ({"learning_rate": 0.25, "momentum": 0.5}, ["velocity"]),
    "rmsprop": ({"learning_rate": 0.25, "decay_rate": 0.75, "epsilon": 0.125}, ["cache"]),
    "adam": ({"learning_rate": 0.25, "beta1": 0.5, "beta2": 0.75, "epsilon": 0.125}, ["m", "v"]),
}


def updates_as_nodes(dtype):
    """A second step takes what the first gave by name, a third takes inputs."""
    for rule, (numbers, vectors) in RULES.items():
        name = "%s as nodes of %s" % (rule, dtype)
        random = Random(name, dtype).normal
        inputs = {key: random(2, 3) for key in ("w", "g", "h")}
        inputs.update({"at_" + key: np.abs(random(2, 3)) for key in vectors})
        second = {**numbers, **{key: "u.config." + key for key in vectors}}
        third = {**numbers, **{key: "at_" + key for key in vectors}}
        keys = list(numbers) + vectors
        if rule == "adam":
            second["t"], third["t"], keys = 1, 9, keys + ["t"]
        path = rule + "/update"
        nodes = [node("u", path, w="w", dw="g"),
                 node("s", path, w="u.next_w", dw="h", config=second),
                 node("r", path, w="w", dw="h", config=third)]
        give = ["%s.config.%s" % (at, key) for at in "usr" for key in keys]
        yield Story(name, dtype).graph(nodes, inputs,
                                       ["u.next_w", "s.next_w", "r.next_w"] + give).case()


def dense(random, n=5):
    return {"x": random.normal(n, 4), "w": random.normal(4, 6), "b": random.normal(6),
            "v": random.normal(6, 3), "c": random.normal(3), "y": random.labels(n, 3)}


DENSE = [affine("a", "x"), relu("r", "a.out"), affine("s", "r.out", "v", "c")]


def training_steps(dtype):
    of = " of " + dtype
    random = Random("graph training", dtype)
    weights = ["w", "b", "v", "c"]
    for loss in softmax, svm:
        nodes = DENSE + [loss("l", "s.out"), gradients("d", "l.loss", *weights)]
        nodes += [sgd("new_" + name, name, "d." + name) for name in weights]
        yield Story("a training step, %s/loss" % loss.__name__ + of, dtype).graph(
            nodes, dense(random), ["l.loss"] + ["new_%s.next_w" % name for name in weights]).case()
    nodes = DENSE + [softmax("l", "s.out"), gradients("d", "l.loss", *weights)]
    give = ["l.loss"]
    for (rule, (numbers, _)), name in zip(RULES.items(), weights):
        nodes.append(node("new_" + name, rule + "/update", w=name, dw="d." + name, config=numbers))
        give.append("new_%s.next_w" % name)
    yield Story("a training step, an update of each kind" + of, dtype).graph(
        nodes, dense(random), give).case()


def two_steps(dtype):
    """The second gradients node goes back to what the first one's updates gave."""
    random = Random("graph two steps", dtype)
    weights = ["w", "b", "v", "c"]
    nodes = DENSE + [softmax("l", "s.out"), gradients("d", "l.loss", *weights)]
    nodes += [sgd(name + "1", name, "d." + name) for name in weights]
    w, b, v, c = [name + "1.next_w" for name in weights]
    nodes += [affine("a1", "x", w, b), relu("r1", "a1.out"), affine("s1", "r1.out", v, c),
              softmax("l1", "s1.out"), gradients("e", "l1.loss", w, b, v, c, "r1.out"),
              gradients("f", "l.loss", "x")]
    give = ["l.loss", "l1.loss", "d.w", "e.w1.next_w", "e.c1.next_w", "e.r1.out", "f.x"]
    yield Story("two steps in one graph of " + dtype, dtype).graph(nodes, dense(random), give).case()


def image_net(dtype):
    random = Random("graph image net", dtype)
    inputs = {"x": random.normal(2, 2, 5, 6), "w": random.normal(4, 2, 3, 3),
              "b": random.normal(4), "gamma": random.normal(4), "beta": random.normal(4),
              "gamma2": random.normal(4), "beta2": random.normal(4), "v": random.normal(24, 3),
              "c": random.normal(3), "y": random.labels(2, 3)}
    nodes = [node("a", "conv/forward", x="x", w="w", b="b", conv_param={"pad": 1}),
             node("n", "spatial_batchnorm/forward", x="a.out", gamma="gamma", beta="beta",
                  bn_param={"mode": "train"}),
             relu("r", "n.out"),
             node("p", "max_pool/forward", x="r.out",
                  pool_param={"pool_height": 2, "pool_width": 2, "stride": 2}),
             node("g", "spatial_groupnorm/forward", x="p.out", gamma="gamma2", beta="beta2",
                  gn_param={"groups": 2}),
             affine("s", "g.out", "v", "c"), softmax("l", "s.out")]
    wanted = ["w", "b", "gamma", "beta", "gamma2", "beta2", "v", "c", "p.out"]
    nodes += [gradients("d", "l.loss", *wanted),
              node("u", "adam/update", w="w", dw="d.w", config={"epsilon": 0.125})]
    give = ["l.loss", "n.bn_param.running_mean", "n.bn_param.running_var", "u.next_w", "u.config.t"]
    yield Story("a network of images of " + dtype, dtype).graph(
        nodes, inputs, give + ["d." + name for name in wanted]).case()


def norm_net(dtype):
    """Layernorm, dropout and batchnorm in one network, in both modes"""
    random = Random("graph norm net", dtype)
    inputs = dict(dense(random), gamma=random.normal(6), beta=random.normal(6),
                  mean=random.normal(6), var=np.abs(random.normal(6)) + 0.5)
    for mode in "train", "test":
        nodes = [affine("a", "x"),
                 node("n", "batchnorm/forward", x="a.out", gamma="gamma", beta="beta",
                      bn_param={"mode": mode, "running_mean": "mean", "running_var": "var"}),
                 node("o", "dropout/forward", x="n.out",
                      dropout_param={"p": 0.75, "mode": mode, "seed": 11}),
                 node("h", "layernorm/forward", x="o.out", gamma="gamma", beta="beta"),
                 affine("s", "h.out", "v", "c"), softmax("l", "s.out")]
        wanted = ["x", "w", "b", "gamma", "beta", "v", "c", "mean", "var"]
        nodes.append(gradients("d", "l.loss", *wanted))
        give = ["l.loss", "s.out", "n.bn_param.running_mean", "n.bn_param.running_var",
                "o.dropout_param.seed"]
        yield Story("a network of norms in %s mode of %s" % (mode, dtype), dtype).graph(
            nodes, inputs, give + ["d." + name for name in wanted]).case()


def sums(dtype):
    """Values that are used more than once"""
    def one(name, inputs, nodes, give):
        return Story("%s of %s" % (name, dtype), dtype).graph(nodes, inputs, give).case()
    random = Random("graph sums", dtype)
    square = {"x": random.normal(3, 3), "b": random.normal(3), "y": random.labels(3, 3)}
    yield one("x is w as well", square,
              [affine("a", "x", "x"), softmax("l", "a.out"), gradients("d", "l.loss", "x", "b")],
              ["l.loss", "d.x", "d.b"])
    tied = dict(square, w=random.normal(3, 3))
    yield one("w and b used by three layers", tied,
              [affine("a", "x"), affine("e", "a.out"), affine("f", "e.out"), softmax("l", "f.out"),
               gradients("d", "l.loss", "w", "b", "x", "a.out", "e.out")],
              ["l.loss", "d.w", "d.b", "d.x", "d.a.out", "d.e.out"])
    yield one("one value for gamma and beta, used behind it, too", tied,
              [affine("a", "x"), node("h", "layernorm/forward", x="a.out", gamma="b", beta="b"),
               affine("s", "h.out"), softmax("l", "s.out"), gradients("d", "l.loss", "w", "b", "x")],
              ["d.w", "d.b", "d.x"])
    net = dense(random)
    losses = DENSE + [softmax("l", "s.out"), svm("k", "s.out")]
    for of in ["l.loss", "k.loss"], ["k.loss", "l.loss", "k.loss"], ["l.loss", "l.loss"]:
        yield one("the losses %s" % ", ".join(of), net,
                  losses + [gradients("d", of, "x", "w", "s.out")], ["d.x", "d.w", "d.s.out"])
    ways = [affine("a", "x"), relu("r", "a.out"), affine("p", "r.out", "v", "c"),
            affine("q", "a.out", "v", "c"), softmax("l", "p.out"), softmax("k", "q.out")]
    yield one("two ways that meet", net,
              ways + [gradients("d", ["l.loss", "k.loss"], "x", "a.out", "v", "c"),
                      gradients("e", "l.loss", "a.out", "q.out", "v"),
                      gradients("f", "k.loss", "r.out", "a.out")],
              ["d.x", "d.a.out", "d.v", "d.c", "e.a.out", "e.q.out", "e.v", "f.r.out", "f.a.out"])


def no_way(dtype):
    """Zeros, for what does not move the loss"""
    random = Random("graph no way", dtype)
    inputs = dict(dense(random), z=random.normal(2, 3), none=empty(0, 3), one=np.array(1.5))
    nodes = DENSE + [softmax("l", "s.out"), relu("t", "s.out"), relu("q", "z"), relu("e", "none"),
                     sgd("u", "z", "q.out"), gradients("g", "l.loss", "b"),
                     node("n", "batchnorm/forward", x="a.out", gamma="b", beta="b",
                          bn_param={"mode": "train"})]
    wanted = ["z", "t.out", "q.out", "u.next_w", "l.dx", "none", "e.out", "one", "g.b", "n.out",
              "n.bn_param.running_mean", "w"]
    given = ["d." + name for name in wanted]
    nodes.append(gradients("d", "l.loss", *wanted))
    for query in "", "tensors=flat":
        yield Story("no way to the loss%s of %s" % (query and ", flat answer", dtype), dtype).graph(
            nodes, inputs, given, query=query).case()


def behind(dtype):
    """Ways that are not cut, and operations without a backward that no way leads through"""
    random = Random("graph behind", dtype)
    inputs = dense(random)
    yield Story("a value in `for` cuts no way behind it of " + dtype, dtype).graph(
        DENSE + [softmax("l", "s.out"), gradients("d", "l.loss", "r.out", "a.out", "x", "s.out")],
        inputs, ["d.r.out", "d.a.out", "d.x", "d.s.out"]).case()
    updated = [sgd("u", "w", "w", 0.25), affine("a", "x", "u.next_w"), relu("r", "a.out"),
               affine("s", "r.out", "v", "c"), softmax("l", "s.out"),
               gradients("d", "l.loss", "u.next_w", "x", "b"), sgd("t", "u.next_w", "d.u.next_w")]
    yield Story("gradients as far as an update of " + dtype, dtype).graph(
        updated, inputs, ["l.loss", "d.u.next_w", "d.x", "d.b", "t.next_w"]).case()
    by_hand = DENSE + [softmax("l", "s.out"),
                       node("ds", "affine/backward", dout="l.dx", cache="s.cache"),
                       node("dr", "relu/backward", dout="ds.dx", cache="r.cache"),
                       node("da", "affine/backward", dout="dr.dx", cache="a.cache"),
                       gradients("d", "l.loss", "x", "w", "b", "v", "c")]
    yield Story("backward by hand, and by gradients of " + dtype, dtype).graph(
        by_hand, inputs, ["da.dx", "da.dw", "da.db", "ds.dw", "ds.db", "dr.dx", "d.x", "d.w", "d.b",
                          "d.v", "d.c"]).case()


def values_stay(dtype):
    """What a node has made is there, and the same, behind all that use it."""
    of = " of " + dtype
    random = Random("graph values stay", dtype).normal
    inputs = {"x": random(3, 2), "w": random(2, 4), "g": random(2, 4), "b": random(4)}
    momentum = {"momentum": 0.5, "velocity": "g"}
    nodes = [sgd("u", "w", "g"), affine("old", "x"), affine("new", "x", "u.next_w"),
             node("v", "sgd_momentum/update", w="w", dw="u.next_w", config=momentum),
             relu("r", "old.out"), relu("s", "old.out"), sgd("t", "w", "w", 1)]
    give = ["u.next_w", "old.out", "new.out", "v.next_w", "v.config.velocity", "r.out", "s.out",
            "t.next_w", *inputs]
    yield Story("an update changes no value" + of, dtype).graph(nodes, inputs, give).case()
    inputs = {"x": random(5, 3), "z": random(4, 3), "gamma": random(3), "beta": random(3),
              "y": np.array([0, 2, 1, 1])}

    def norm(name, x, mode, before=None):
        param = {"mode": mode, "momentum": 0.5}
        if before:
            param.update({key: "%s.bn_param.%s" % (before, key)
                          for key in ("running_mean", "running_var")})
        return node(name, "batchnorm/forward", x=x, gamma="gamma", beta="beta", bn_param=param)
    nodes = [norm("n", "x", "train"), norm("m", "n.out", "train", "n"), norm("t", "z", "test", "m"),
             softmax("l", "t.out"), gradients("d", "l.loss", "z", "gamma", "beta", "t.out")]
    give = ["%s.bn_param.running_%s" % (name, which) for name in "nmt" for which in ("mean", "var")]
    yield Story("statistics from batch to batch by name" + of, dtype).graph(
        nodes, inputs, give + ["t.out", "l.loss", "d.z", "d.gamma", "d.beta", "d.t.out"]).case()


def nothing(dtype):
    """N = 0"""
    of = " of " + dtype
    random = Random("graph nothing", dtype).normal
    inputs = {"x": empty(0, 4), "w": random(4, 3), "b": random(3), "dout": empty(0, 3),
              "gamma": random(3), "beta": random(3)}
    nodes = [affine("a", "x"), relu("r", "a.out"),
             node("o", "dropout/forward", x="r.out",
                  dropout_param={"p": 0.5, "mode": "train", "seed": 1}),
             node("h", "layernorm/forward", x="o.out", gamma="gamma", beta="beta"),
             node("dh", "layernorm/backward", dout="dout", cache="h.cache"),
             node("do", "dropout/backward", dout="dh.dx", cache="o.cache"),
             node("dr", "relu/backward", dout="do.dx", cache="r.cache"),
             node("da", "affine/backward", dout="dr.dx", cache="a.cache")]
    give = ["x", "a.out", "h.out", "dh.dx", "dh.dgamma", "da.dx", "da.dw", "da.db"]
    for query in "", "tensors=flat":
        yield Story("N = 0%s" % (query and ", flat answer") + of, dtype).graph(
            nodes, inputs, give, query=query).case()
    images = {"x": empty(0, 2, 3, 3), "w": random(1, 2, 2, 2), "b": random(1)}
    nodes = [node("a", "conv/forward", x="x", w="w", b="b"),
             node("p", "max_pool/forward", x="a.out", pool_param=POOL),
             node("q", "max_pool/backward", dout="p.out", cache="p.cache"),
             node("e", "conv/backward", dout="q.dx", cache="a.cache")]
    yield Story("N = 0 of images" + of, dtype).graph(
        nodes, images, ["p.out", "e.dx", "e.dw", "e.db"], query="tensors=flat").case()


def forms(dtype):
    """How inputs are written, and what may be given"""
    of = " of " + dtype
    random = Random("graph forms", dtype)
    inputs = dense(random)
    nodes = DENSE + [softmax("l", "s.out")]
    give = ["x", "y", "b", "l.loss", "l.dx", "a.out", "s.out"]
    mixed = dict(inputs, x=Flat(inputs["x"]), c=Flat(inputs["c"]), y=Flat(inputs["y"]))
    for query in "", "tensors=flat":
        flat = query and ", flat answer"
        yield Story("inputs and results given%s" % flat + of, dtype).graph(
            nodes, inputs, give, query=query).case()
        yield Story("flat and nested inputs mixed%s" % flat + of, dtype).graph(
            nodes, mixed, give, query=query).case()
        yield Story("no nodes: inputs come back%s" % flat + of, dtype).graph(
            [], {"x": random.normal(2, 3), "one": np.array(2.5), "none": empty(0, 2),
                 "z": labels(3, 0, 2**53 - 1)}, ["x", "one", "none", "z"], query=query).case()
    yield Story("labels written as 2.0" + of, dtype).graph(
        nodes, dict(inputs, y=array(2, 0, 1, 0, 2)), ["l.loss", "y"]).case()
    yield Story("values written as integers" + of, dtype).graph(
        [affine("a", "x"), softmax("l", "a.out"), gradients("d", "l.loss", "w")],
        {"x": [[1, 2], [3, -1]], "w": [[1, 0], [0, 2]], "b": [0, 1], "y": [0, 1]},
        ["x", "a.out", "l.loss", "d.w"]).case()
    yield Story("names of every kind" + of, dtype).graph(
        [relu("_", "x" * 64), relu("gradients", "_.out"), relu("A1_b", "gradients.out"),
         relu("a1_b", "A1_b.out")], {"x" * 64: random.normal(3), "out": random.normal(2)},
        ["x" * 64, "_.out", "a1_b.out", "out"]).case()
    yield Story("a value nobody asks for" + of, dtype).graph(
        [relu("r", "x")], {"x": random.normal(3), "z": random.normal(2)}).case()
    yield Story("rank 0" + of, dtype).graph(
        [relu("r", "x"), node("g", "relu/backward", dout="z", cache="r.cache")],
        {"x": np.array(2.5), "z": np.array(-0.75)}, ["r.out", "g.dx", "x"]).case()


def not_finite():
    nodes = [relu("r", "x"), node("g", "relu/backward", dout="z", cache="r.cache")]
    inputs = {"x": array(NAN, INF, -INF, -0.0, 1), "z": array(1, NAN, 3, 4, -INF)}
    yield Story("NaN and infinities").graph(nodes, inputs, ["x", "z", "r.out", "g.dx"]).case()


def example():
    """That of the contract"""
    nodes = [affine("a", "x"), softmax("l", "a.out"), gradients("d", "l.loss", "w", "b"),
             sgd("u", "w", "d.w", 0.1)]
    inputs = {"x": [[1, 2]], "y": [0], "w": [[0.5, -0.5], [0.25, 0]], "b": [0, 0]}
    yield Story("the contract's example").graph(nodes, inputs, ["l.loss", "d.b", "u.next_w"]).case()
    yield Story("nothing at all").graph([]).case()
    lists = {"inputs": {}, "nodes": [], "give": [], "keep": [], "release": [], "dtype": "float64"}
    yield Story("nothing, and everything there").single(
        "/graph", lists, {"results": {}, "kept": {}}).case()
    chain = [relu("n%d" % i, "n%d.out" % (i - 1) if i else "x") for i in range(1024)]
    yield Story("1024 nodes").graph(chain, {"x": array(1, -2, 3)}, ["n1023.out", "n0.out"]).case()


def graph_cases():
    yield from example()
    yield from not_finite()
    for dtype in DTYPES:
        for sample in samples(dtype):
            yield layer_as_nodes(sample, dtype)
            yield layer_gradients(sample, dtype)
        for cases in (losses_as_nodes, updates_as_nodes, training_steps, two_steps, image_net,
                      norm_net, sums, no_way, behind, values_stay, nothing, forms):
            yield from cases(dtype)
