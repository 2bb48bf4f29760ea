"""Vectors of graphs, of requests one after the other: tensors, labels and caches that stay."""
import numpy as np

import oracle
import oracle_updates
from cases_batchnorm import complete as complete_norm
from cases_graph import DENSE, dense
from graph_requests import (Story, affine, cache, gradients, kept, labels, node, relu, sgd, softmax,
                            tensor)
from oracle_graph import Cache
from vectorfile import DTYPES, Flat, Random, array, empty

WEIGHTS = ["w", "b", "v", "c"]
MARK = "$cache"  # the handle that a single call gave


def stay_and_learn(dtype):
    """The weights are put there, and each of three steps takes those of the one before."""
    story = Story("three steps with weights that stay of " + dtype, dtype)
    random = Random(story.name, dtype)
    inputs = dense(random)
    story.graph([], {name: inputs[name] for name in WEIGHTS}, keep=WEIGHTS)
    nodes = DENSE + [softmax("l", "s.out"), gradients("d", "l.loss", *WEIGHTS)]
    nodes += [sgd("new_" + name, name, "d." + name) for name in WEIGHTS]
    after = ["new_%s.next_w" % name for name in WEIGHTS]
    at = WEIGHTS
    for _ in range(3):
        weights = {name: tensor(which) for name, which in zip(WEIGHTS, at)}
        story.graph(nodes, {"x": random.normal(5, 4), "y": random.labels(5, 3), **weights},
                    ["l.loss"], after, [kept(which) for which in at])
        at = after
    for name in WEIGHTS:
        story.refused({"inputs": {"z": tensor(name)}, "nodes": []}, 404, "unknown_cache",
                      "/inputs/z/tensor")
    story.graph([], {name: tensor(which) for name, which in zip(WEIGHTS, at)}, WEIGHTS)
    return story.case()


def adam(dtype):
    """A step's numbers by hand, its vectors by handles; the running statistics stay as well."""
    story = Story("adam and batchnorm with everything that stays of " + dtype, dtype)
    random = Random(story.name, dtype)
    first = {"w": random.normal(3, 3), "m": np.zeros((3, 3)), "v": np.zeros((3, 3)),
             "rm": np.zeros(3), "rv": np.zeros(3), "gamma": random.normal(3),
             "beta": random.normal(3)}
    story.graph([], first, keep=list(first))
    names = {"w": "u.next_w", "m": "u.config.m", "v": "u.config.v",
             "rm": "n.bn_param.running_mean", "rv": "n.bn_param.running_var"}
    at = {name: name for name in names}
    for t in range(3):
        nodes = [affine("a", "x", "w", "beta"),
                 node("n", "batchnorm/forward", x="a.out", gamma="gamma", beta="beta",
                      bn_param={"mode": "train", "running_mean": "rm", "running_var": "rv"}),
                 softmax("l", "n.out"), gradients("d", "l.loss", "w"),
                 node("u", "adam/update", w="w", dw="d.w",
                      config={"learning_rate": 0.25, "epsilon": 0.125, "m": "m", "v": "v", "t": t})]
        inputs = {"x": random.normal(5, 3), "y": random.labels(5, 3), "gamma": tensor("gamma"),
                  "beta": tensor("beta"), **{name: tensor(which) for name, which in at.items()}}
        story.graph(nodes, inputs, ["l.loss", "u.config.t"], list(names.values()))
        at = names
    story.graph([], {name: tensor(which) for name, which in at.items()}, list(at))
    return story.case()


def labels_stay(dtype):
    """As labels by their use, and by what they say of themselves"""
    story = Story("labels that stay of " + dtype, dtype)
    random = Random(story.name, dtype)
    x = random.normal(4, 3)
    story.graph([softmax("l", "x")], {"x": x, "y": [2, 0, 1, 2]}, ["l.loss"], ["x", "y"])
    story.graph([], {"z": labels(0, 1, 2, 0)}, keep=["z"])
    nodes = [softmax("l", "x"), softmax("k", "x", "z")]
    inputs = {"x": tensor("x"), "y": tensor("y"), "z": tensor("z")}
    for query in "", "tensors=flat":
        story.graph(nodes, inputs, ["y", "z", "l.loss", "k.loss", "l.dx"], query=query)
    story.graph([], {"again": tensor("y")}, keep=["again"])
    loss, dx = oracle.softmax_loss(x, np.array([2, 0, 1, 2]))
    story.single("/softmax/loss", {"x": tensor("x"), "y": tensor("again")},
                 {"loss": loss, "dx": dx})
    story.refused({"inputs": {"z": tensor("z")}, "nodes": [relu("r", "z")]}, 422, "wrong_type")
    story.refused({"x": tensor("z")}, 422, "wrong_type", path="/relu/forward")
    story.refused({"inputs": {"x": tensor("x")}, "nodes": [softmax("l", "x", "x")]}, 422,
                  "wrong_type")
    story.refused({"x": tensor("x"), "y": tensor("x")}, 422, "wrong_type", path="/softmax/loss")
    return story.case()


def caches_stay(dtype):
    """Kept by a graph and used by a graph and by single calls, and the other way around"""
    story = Story("caches that stay of " + dtype, dtype)
    random = Random(story.name, dtype)
    inputs = dense(random)
    dout = random.normal(5, 6)
    story.graph([affine("a", "x"), relu("r", "a.out")], inputs, ["r.out"], ["a.cache", "r.cache"])
    back = [node("g", "relu/backward", dout="dout", cache="c"),
            node("h", "affine/backward", dout="g.dx", cache="e")]
    handles = {"c": cache("r.cache"), "e": cache("a.cache")}
    for _ in range(2):
        story.graph(back, {"dout": dout, **handles}, ["g.dx", "h.dx", "h.dw", "h.db"])
    dx, dw, db = oracle.affine_backward(dout, inputs["x"], inputs["w"])
    story.single("/affine/backward", {"dout": dout, "cache": kept("a.cache")},
                 {"dx": dx, "dw": dw, "db": db})
    story.graph([], handles, keep=["c"])
    story.graph(back[:1], {"dout": dout, "c": cache("c")}, ["g.dx"], release=[kept("c")])
    story.refused({"inputs": {"c": cache("c")}, "nodes": []}, 404, "unknown_cache",
                  "/inputs/c/cache")
    story.refused({"dout": dout, "cache": kept("c")}, 404, "unknown_cache", "/cache",
                  path="/relu/backward")
    return story.case()


def cache_of_a_call(dtype):
    """What a single forward gave is a graph's input; dropout's cache is its mask."""
    story = Story("the cache of a single call in a graph of " + dtype, dtype)
    random = Random(story.name, dtype)
    x, dout = random.normal(3, 4), random.normal(3, 4)
    param = {"p": 0.5, "mode": "train", "seed": 3}
    story.single("/dropout/forward", {"x": x, "dropout_param": param},
                 {"out": oracle.dropout(x, param), "dropout_param": param})
    story.rounded[MARK] = story.exact[MARK] = Cache("dropout", {"x": x}, param)
    nodes = [node("g", "dropout/backward", dout="dout", cache="c")]
    story.graph(nodes, {"dout": dout, "c": {"cache": MARK}}, ["g.dx"], release=[MARK])
    story.refused({"inputs": {"c": {"cache": MARK}}, "nodes": []}, 404, "unknown_cache",
                  "/inputs/c/cache")
    return story.case()


def in_single_calls(dtype):
    """A handle in the place of a tensor of each kind: in both forms the same values."""
    story = Story("kept tensors in single calls of " + dtype, dtype)
    random = Random(story.name, dtype)
    x, w, b = random.normal(4, 3), random.normal(3, 2), random.normal(2)
    mask = random.state.randint(2, size=(4, 3)).astype(float)
    gamma, mean, var = random.normal(3), random.normal(3), np.abs(random.normal(3)) + 0.5
    tensors = {"x": x, "w": w, "b": b, "mask": mask, "gamma": gamma, "mean": mean, "var": var,
               "y": np.array([0, 2, 1, 1])}
    story.graph([softmax("l", "x")], tensors, ["l.loss"], list(tensors))
    story.single("/affine/forward",
                 {"x": tensor("x"), "w": tensor("w"), "b": b},
                 {"out": oracle.affine_forward(x, w, b)}, "cache=none")
    story.single("/affine/forward", {"x": x, "w": tensor("w"), "b": tensor("b")},
                 {"out": oracle.affine_forward(x, w, b)})
    dx, dw, db = oracle.affine_backward(mask[:, :2], x, w)
    story.graph([relu("r", "d")], {"d": mask[:, :2]}, keep=["d"])
    story.single("/affine/backward", {"dout": tensor("d"), "cache": MARK},
                 {"dx": dx, "dw": dw, "db": db})
    param = {"mode": "test", "running_mean": mean, "running_var": var}
    out, after = oracle.batchnorm_forward(x, gamma, gamma, complete_norm(param, 3))
    story.single("/batchnorm/forward",
                 {"x": x, "gamma": tensor("gamma"), "beta": tensor("gamma"),
                  "bn_param": {"mode": "test", "running_mean": tensor("mean"),
                               "running_var": tensor("var")}},
                 {"out": out, "bn_param": after}, "cache=none")
    config = {"learning_rate": 0.5, "momentum": 0.25, "velocity": mask}
    next_w, after = oracle_updates.sgd_momentum(x, x, config)
    story.single("/sgd_momentum/update",
                 {"w": tensor("x"), "dw": tensor("x"),
                  "config": dict(config, velocity=tensor("mask"))},
                 {"next_w": next_w, "config": after})
    return story.case()


def single_mask(dtype):
    story = Story("a kept mask of " + dtype, dtype)
    random = Random(story.name, dtype)
    x = random.normal(3, 4)
    mask = random.state.randint(2, size=(3, 4)).astype(float)
    story.graph([], {"m": mask}, keep=["m"])
    node_param = {"p": 0.5, "mode": "train", "mask": "m"}
    story.graph([node("o", "dropout/forward", x="x", dropout_param=node_param)],
                {"x": x, "m": tensor("m")}, ["o.out"])
    back = {"p": 0.5, "mode": "train"}
    story.single("/dropout/forward",
                 {"x": x, "dropout_param": dict(back, mask=tensor("m"))},
                 {"out": oracle.dropout(x, dict(back, mask=mask)), "dropout_param": back})
    return story.case()


def all_or_nothing():
    """What is refused keeps nothing and gives nothing up."""
    story = Story("a request that is refused releases nothing")
    story.graph([], {"w": array(1, 2)}, keep=["w"])
    good = {"inputs": {"w": tensor("w")}, "nodes": [relu("r", "w")], "release": [kept("w")]}
    story.refused({**good, "give": ["q.out"]}, 422, "invalid_graph", "/give/0")
    story.refused({**good, "nodes": good["nodes"] + [sgd("u", "w", "z")]}, 422,
                  "invalid_graph", "/nodes/1/dw")
    story.refused({**good, "release": [kept("w"), "A" * 32]}, 404, "unknown_cache", "/release/1")
    story.refused({**good, "release": ["A" * 32, kept("w")], "keep": ["r.out"]}, 404,
                  "unknown_cache", "/release/0")
    story.graph([relu("r", "w")], {"w": tensor("w")}, ["r.out"],
                release=[kept("w"), kept("w")])
    story.refused({"nodes": [], "release": [kept("w")]}, 404, "unknown_cache", "/release/0")
    return story.case()


def released_and_kept():
    """A value stays under its new handle when the one that brought it is given up."""
    story = Story("released and kept in one request")
    story.graph([], {"w": array(1, -2, 3)}, keep=["w"])
    story.graph([relu("r", "w")], {"w": tensor("w"), "same": tensor("w")}, ["w", "r.out"],
                ["r.out", "same"], [kept("w")])
    story.refused({"inputs": {"w": tensor("w")}, "nodes": []}, 404, "unknown_cache",
                  "/inputs/w/tensor")
    story.graph([], {"a": tensor("same"), "b": tensor("r.out")}, ["a", "b"])
    story.graph([], release=[kept("same"), kept("r.out")])
    return story.case()


def handles_stay_as_they_are(dtype):
    """An update gives a new value, and changes none that is kept."""
    story = Story("kept tensors that an update leaves as they are of " + dtype, dtype)
    random = Random(story.name, dtype).normal
    story.graph([], {"w": random(2, 3), "g": random(2, 3), "v": random(2, 3)}, keep=["w", "g", "v"])
    handles = {name: tensor(name) for name in ("w", "g", "v")}
    nodes = [node("u", "sgd_momentum/update", w="w", dw="g", config={"velocity": "v"}),
             sgd("t", "w", "g", 1), relu("r", "w")]
    for _ in range(2):
        story.graph(nodes, handles, ["u.next_w", "t.next_w", "r.out", "w", "v"],
                    ["u.config.velocity"])
    story.graph([], {**handles, "after": tensor("u.config.velocity")}, ["w", "g", "v", "after"])
    return story.case()


def shapes_stay(dtype):
    story = Story("rank 0, and nothing, that stay of " + dtype, dtype)
    inputs = {"one": np.array(1.5), "none": Flat(empty(0, 3)), "x": Flat(empty(2, 0))}
    story.graph([relu("r", "none")], inputs, keep=["one", "none", "x", "r.out"])
    again = {name: tensor(name) for name in inputs}
    for query in "", "tensors=flat":
        story.graph([], {**again, "r": tensor("r.out")}, ["one", "none", "x", "r"], query=query)
    return story.case()


def kinds_and_dtypes():
    """A handle of what is not wanted there"""
    story = Story("handles of the wrong kind")
    story.graph([relu("r", "x")], {"x": array(1, 2)}, keep=["x", "r.cache", "r.out"])
    story.refused({"inputs": {"w": {"tensor": kept("r.cache")}}, "nodes": []}, 422, "wrong_cache",
                  "/inputs/w/tensor")
    story.refused({"inputs": {"c": {"cache": kept("x")}}, "nodes": []}, 422, "wrong_cache",
                  "/inputs/c/cache")
    story.refused({"x": {"tensor": kept("r.cache")}}, 422, "wrong_cache", "/x/tensor",
                  "/relu/forward")
    story.refused({"dout": [1.0, 1.0], "cache": kept("x")}, 422, "wrong_cache", "/cache",
                  "/relu/backward")
    story.refused({"dout": [[1.0, 1.0]], "cache": kept("r.cache")}, 422, "wrong_cache", "/cache",
                  "/affine/backward")
    wrong = node("g", "affine/backward", dout="x", cache="c")
    story.refused({"inputs": {"x": [[1.0]], "c": cache("r.cache")}, "nodes": [wrong]}, 422,
                  "wrong_cache", "/nodes/0/cache")
    wrong = relu("q", "c")
    story.refused({"inputs": {"c": cache("r.cache")}, "nodes": [wrong]}, 422, "wrong_cache",
                  "/nodes/0/x")
    story.refused({"inputs": {"x": tensor("x")}, "nodes": [relu("q", "x")], "dtype": "float32"},
                  422, "wrong_type")
    story.refused({"x": tensor("x"), "dtype": "float32"}, 422, "wrong_type", path="/relu/forward")
    story.refused({"inputs": {"x": [[1.0, 2.0]], "w": tensor("x"), "b": [1.0]},
                   "nodes": [affine("a", "x")]}, 422, pointer="/nodes/0/w")
    return story.case()


def given_up_twice():
    story = Story("a cache given up by a single call is not there for a graph")
    story.graph([relu("r", "x")], {"x": array(1, -2)}, keep=["r.cache"])
    story.single("/relu/backward", {"dout": array(3, 4), "cache": kept("r.cache")},
                 {"dx": array(3, 0)}, "cache=release")
    story.refused({"inputs": {"c": cache("r.cache")}, "nodes": []}, 404, "unknown_cache",
                  "/inputs/c/cache")
    story.refused({"nodes": [], "release": [kept("r.cache")]}, 404, "unknown_cache", "/release/0")
    return story.case()


def graph_kept_cases():
    yield all_or_nothing()
    yield released_and_kept()
    yield kinds_and_dtypes()
    yield given_up_twice()
    for dtype in DTYPES:
        for case in (stay_and_learn, adam, labels_stay, caches_stay, cache_of_a_call,
                     in_single_calls, single_mask, handles_stay_as_they_are, shapes_stay):
            yield case(dtype)
