"""Graphs with one fault each. Where the contract leaves the code or the pointer open, there is none."""
import json

from error_requests import GOOD, case
from graph_requests import affine, gradients, labels, node, relu, sgd, softmax
from oracle_graph import LAYERS, NoBackward, run
from vectorfile import refusal, verbatim

INPUTS = {"x": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "w": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
          "b": [0.0, 0.0, 0.0], "y": [0, 1, 2]}
NET = [affine("a", "x"), relu("r", "a.out"), softmax("l", "r.out"),
       gradients("d", "l.loss", "w", "b"), sgd("u", "w", "d.w")]
UNKNOWN = "A" * 32


def graph(**changes):
    """The network with nothing wrong in it, some members changed, or taken away if None"""
    whole = {"inputs": INPUTS, "nodes": NET, "give": ["l.loss"], **changes}
    return {key: value for key, value in whole.items() if value is not None}


def refused(name, request, code=None, pointer=None, status=422, query=""):
    made = refusal("/graph", request, status, code, pointer, query)
    if code is None:
        del made["error"]["code"]
    return case("%s: %s" % (code or "refused", name), made)


def inputs(**changes):
    whole = {**INPUTS, **changes}
    return {key: value for key, value in whole.items() if value is not None}


def changed(index, **changes):
    """The network's nodes with members of one changed, or taken away if None"""
    one = {**NET[index], **changes}
    one = {key: value for key, value in one.items() if value is not None}
    return NET[:index] + [one] + NET[index + 1:]


def then(*nodes):
    return NET + list(nodes)


def names():
    """Missing, taken, not there yet"""
    at = {"missing": "zz", "later": "u.next_w", "its own": "a.out", "a node's": "a", "empty": "",
          "a field there is not": "a.oot", "an input's field": "x.out", "a dot too many": "a..out",
          "of another case": "X"}
    for what, name in at.items():
        for field in "x", "w", "b":
            yield refused("%s of affine is a name that is %s" % (field, what),
                          graph(nodes=changed(0, **{field: name})), "invalid_graph",
                          "/nodes/0/" + field)
    yield refused("x is the node after", graph(nodes=changed(1, x="l.dx")), "invalid_graph",
                  "/nodes/1/x")
    yield refused("two nodes that wait for each other",
                  graph(nodes=[relu("p", "q.out"), relu("q", "p.out")], give=None),
                  "invalid_graph", "/nodes/0/x")
    yield refused("labels that are missing", graph(nodes=changed(2, y="z")), "invalid_graph",
                  "/nodes/2/y")
    yield refused("a cache that is missing",
                  graph(nodes=then(node("g", "relu/backward", dout="x", cache="q.cache"))),
                  "invalid_graph", "/nodes/5/cache")
    for name in "zz", "l.los", "d.x", "u.config.learning", "u.dw":
        for key in "give", "keep":
            yield refused("%s of %s" % (key, name), graph(**{key: ["x", name]}), "invalid_graph",
                          "/%s/1" % key)
    for field in "of", "for":
        yield refused("`%s` of a name that is missing" % field,
                      graph(nodes=changed(3, **{field: NET[3][field] + ["zz"]})), "invalid_graph",
                      "/nodes/3/%s/%d" % (field, len(NET[3][field])))
        yield refused("`%s` of what comes later" % field,
                      graph(nodes=changed(3, **{field: ["u.next_w"]})),
                      "invalid_graph", "/nodes/3/%s/0" % field)
    for taken in "x", "d", "a":
        yield refused("the name %s twice" % taken, graph(nodes=changed(4, name=taken)),
                      "invalid_graph", "/nodes/4/name")
    for name in "", "1a", "a.b", "a b", "a-b", "\u00e4", "a" * 65, "a\n", "/", "~":
        escaped = name.replace("~", "~0").replace("/", "~1")
        yield refused("a node of the name %r" % name[:8], graph(nodes=changed(4, name=name)), None,
                      "/nodes/4/name")
        yield refused("an input of the name %r" % name[:8], graph(inputs=inputs(**{name: [1.0]})),
                      None, "/inputs/" + escaped)
    twice = verbatim(refusal("/graph", graph(), 400, "invalid_json"))
    twice["request_text"] = twice["request_text"].replace('"x":', '"b": [1.0], "x":', 1)
    yield case("invalid_json: an input twice", twice)


def how_many():
    chain = [relu("n%d" % i, "n%d.out" % (i - 1) if i else "x") for i in range(1025)]
    yield refused("1025 nodes", {"inputs": {"x": [1.0]}, "nodes": chain}, "invalid_graph")


def operations():
    for op in ("affine", "affine/", "affine/forwards", "/affine/forward", "affine/update", "graph",
               "gradient", "Gradients", "", "affine/forward "):
        yield refused("the operation %r" % op, graph(nodes=changed(4, op=op)), "invalid_graph",
                      "/nodes/4/op")


def members():
    """Missing, unknown"""
    yield refused("nodes", graph(nodes=None), "missing_field", "/nodes")
    yield refused("nodes of nothing", {}, "missing_field", "/nodes")
    for key in "node", "Inputs", "cache", "x":
        yield refused("%s beside nodes" % key, graph(**{key: []}), "unknown_field", "/" + key)
    for index, one in enumerate(NET):
        for field in one:
            if field not in ("config", "name", "op"):
                yield refused("%s of %s" % (field, one["op"]),
                              graph(nodes=changed(index, **{field: None})), "missing_field",
                              "/nodes/%d/%s" % (index, field))
        yield refused("xx in %s" % one["op"], graph(nodes=changed(index, xx="x")), "unknown_field",
                      "/nodes/%d/xx" % index)
    for field in "name", "op":
        yield refused("%s of a node" % field, graph(nodes=changed(4, **{field: None})),
                      "missing_field", "/nodes/4/" + field)
    for index, field in (1, "w"), (2, "cache"), (3, "x"), (3, "give"), (4, "cache"), (0, "dtype"):
        yield refused("%s in %s" % (field, NET[index]["op"]),
                      graph(nodes=changed(index, **{field: "x"})), "unknown_field",
                      "/nodes/%d/%s" % (index, field))
    yield refused("bn_param in affine", graph(nodes=changed(0, bn_param={"mode": "train"})),
                  "unknown_field", "/nodes/0/bn_param")
    yield refused("xx in config", graph(nodes=changed(4, config={"xx": 1})), "unknown_field",
                  "/nodes/4/config/xx")
    for layer in LAYERS:
        yield refused("cache of %s/backward" % layer, graph(nodes=then(
            node("g", layer + "/backward", dout="x"))), "missing_field", "/nodes/5/cache")
    for layer in "affine", "relu":
        yield refused("dout of %s/backward" % layer, graph(nodes=then(
            node("g", layer + "/backward", cache=layer[0] + ".cache"))), "missing_field",
                      "/nodes/5/dout")
    for op, param, required in (("batchnorm", "bn_param", "mode"), ("dropout", "dropout_param", "p"),
                                ("max_pool", "pool_param", "stride"),
                                ("spatial_groupnorm", "gn_param", "groups")):
        good = GOOD["/%s/forward" % op]
        given = {key: value for key, value in good.items() if key != param}
        one = node("n", op + "/forward", **{key: key for key in given})
        yield refused("%s of %s" % (param, op), {"inputs": given, "nodes": [one]}, "missing_field",
                      "/nodes/0/" + param)
        rest = {key: value for key, value in good[param].items() if key != required}
        yield refused("%s of %s of %s" % (required, param, op),
                      {"inputs": given, "nodes": [{**one, param: rest}]}, "missing_field",
                      "/nodes/0/%s/%s" % (param, required))


def types():
    """JSON of the wrong type in each place"""
    for wrong in True, "x", 5, {"a": []}:
        what = json.dumps(wrong)
        yield refused("nodes are %s" % what, graph(nodes=wrong), "wrong_type", "/nodes")
        for key in "give", "keep", "release":
            yield refused("%s is %s" % (key, what), graph(**{key: wrong}), "wrong_type", "/" + key)
        for key in "of", "for":
            yield refused("%s is %s" % (key, what), graph(nodes=changed(3, **{key: wrong})),
                          "wrong_type", "/nodes/3/" + key)
    for wrong in True, None, 5, [], {}:
        what = json.dumps(wrong)
        for key in "give", "keep", "release":
            yield refused("%s of %s" % (key, what), graph(**{key: [wrong]}), "wrong_type",
                          "/%s/0" % key)
        for key in "of", "for":
            yield refused("%s of %s" % (key, what), graph(nodes=changed(3, **{key: [wrong]})),
                          "wrong_type", "/nodes/3/%s/0" % key)
        for key in "name", "op", "w":
            nodes = NET[:4] + [{**NET[4], key: wrong}]
            yield refused("%s is %s" % (key, what), graph(nodes=nodes), "wrong_type",
                          "/nodes/4/" + key)
        one = {"name": "g", "op": "relu/backward", "dout": "r.out", "cache": wrong}
        yield refused("cache is %s" % what, graph(nodes=then(one)), "wrong_type", "/nodes/5/cache")
        for key in "tensor", "cache":
            yield refused("a handle of a %s is %s" % (key, what),
                          graph(inputs={**INPUTS, "z": {key: wrong}}), "wrong_type",
                          "/inputs/z/" + key)
    for wrong in True, None, 5, "x", []:
        yield refused("a node is %s" % json.dumps(wrong), graph(nodes=NET[:1] + [wrong]),
                      "wrong_type", "/nodes/1")
    for wrong in True, None, 5, "x", [1.0]:
        yield refused("inputs are %s" % json.dumps(wrong), {**graph(), "inputs": wrong},
                      "wrong_type", "/inputs")
        nodes = NET[:4] + [{**NET[4], "config": wrong}]
        yield refused("config is %s" % json.dumps(wrong), graph(nodes=nodes), "wrong_type",
                      "/nodes/4/config")
    for wrong in True, None, "x":
        yield refused("an input is %s" % json.dumps(wrong), graph(inputs={**INPUTS, "w": wrong}),
                      "wrong_type", "/inputs/w")
    yield refused("true in an input", graph(inputs=inputs(b=[1.0, True, 2.0])), "wrong_type",
                  "/inputs/b/1")
    yield refused("a tensor where a name belongs", graph(nodes=changed(0, w=[[1.0], [2.0]])),
                  "wrong_type", "/nodes/0/w")
    norm = node("n", "batchnorm/forward", x="x", gamma="g", beta="g",
                bn_param={"mode": "train", "running_mean": [0.0, 0.0]})
    yield refused("a vector where a name belongs",
                  {"inputs": {"x": INPUTS["x"], "g": [1.0, 1.0]}, "nodes": [norm]}, "wrong_type",
                  "/nodes/0/bn_param/running_mean")
    for wrong in True, 5, ["float32"]:
        yield refused("dtype is %s" % json.dumps(wrong), graph(dtype=wrong), "wrong_type", "/dtype")
    yield refused("dtype float16", graph(dtype="float16"), "invalid_param", "/dtype")


def tensors():
    """Inputs that are none"""
    yield refused("a short row", graph(inputs=inputs(x=[[1.0, 2.0], [3.0]])), "ragged_array",
                  "/inputs/x/1")
    yield refused("a short row of the longest name", graph(inputs=inputs(
        **{"x" * 64: [[1.0], []]})), "ragged_array", "/inputs/%s/1" % ("x" * 64))
    yield refused("less data than the shape holds",
                  graph(inputs=inputs(x={"shape": [3, 2], "data": [1.0]})), "invalid_shape")
    yield refused("no data", graph(inputs=inputs(x={"shape": [3, 2]})), None)
    yield refused("an empty object", graph(inputs=inputs(x={})), None)
    out = refusal("/graph", graph(inputs=inputs(b=[0.0, "@1e999@", 0.0])), 422,
                  "number_out_of_range")
    yield case("number_out_of_range: 1e999 in an input", verbatim(out))
    yield refused("1e39 of float32", graph(inputs=inputs(b=[0.0, 1e39, 0.0]), dtype="float32"),
                  "number_out_of_range")


def kinds():
    """Caches, labels and parameters where values are wanted, and the reverse"""
    wrong = "wrong_cache"
    yield refused("a cache for w", graph(nodes=then(affine("e", "x", "a.cache"))), wrong,
                  "/nodes/5/w")
    yield refused("a cache for labels", graph(nodes=then(softmax("e", "r.out", "a.cache"))), wrong,
                  "/nodes/5/y")
    yield refused("a cache for dout", graph(nodes=then(
        node("e", "relu/backward", dout="r.cache", cache="r.cache"))), wrong, "/nodes/5/dout")
    yield refused("a cache for dw", graph(nodes=then(sgd("e", "w", "a.cache"))), wrong,
                  "/nodes/5/dw")
    yield refused("a tensor for a cache", graph(nodes=then(
        node("e", "relu/backward", dout="r.out", cache="r.out"))), wrong, "/nodes/5/cache")
    yield refused("an input for a cache", graph(nodes=then(
        node("e", "relu/backward", dout="r.out", cache="x"))), wrong, "/nodes/5/cache")
    for layer in "affine", "dropout":
        yield refused("relu's cache for %s/backward" % layer, graph(nodes=then(
            node("e", layer + "/backward", dout="r.out", cache="r.cache"))), wrong,
                      "/nodes/5/cache")
    yield refused("give of a cache", graph(give=["a.cache"]), None, "/give/0")
    number = "u.config.learning_rate"
    yield refused("keep of a number", graph(keep=[number]), None, "/keep/0")
    yield refused("a number for w", graph(nodes=then(affine("e", "x", number))), None, "/nodes/5/w")
    yield refused("a number for labels", graph(nodes=then(softmax("e", "x", number))), None,
                  "/nodes/5/y")
    yield refused("a number for a cache", graph(nodes=then(
        node("e", "relu/backward", dout="x", cache=number))), None, "/nodes/5/cache")
    yield refused("labels used as values", graph(nodes=then(relu("e", "y"))), "wrong_type")
    yield refused("values used as labels", graph(nodes=then(softmax("e", "x", "b"))), "wrong_type")
    yield refused("labels that say so, used as values", graph(inputs=inputs(b=labels(0, 0, 0))),
                  "wrong_type")
    yield refused("a result for labels", graph(nodes=then(softmax("e", "x", "r.out"))), None,
                  "/nodes/5/y")
    yield refused("half a label", graph(inputs=inputs(y=[0, 1.5, 2])), None)
    yield refused("half a label that says it is one", graph(inputs=inputs(
        z={"shape": [1], "data": [1.5], "dtype": "int64"})), None)
    for dtype in "int32", "bool", 5:
        yield refused("labels of dtype %s" % dtype, graph(inputs=inputs(
            z={"shape": [1], "data": [1], "dtype": dtype})), None)


def has_no_backward(request):
    try:
        run(request, "float64")
    except NoBackward:
        return True
    return False


def chains():
    """Gradients that there are not"""
    yield refused("no `of`", graph(nodes=changed(3, of=[])), None, "/nodes/3/of")
    yield refused("no `for`", graph(nodes=changed(3, **{"for": []})), None, "/nodes/3/for")
    for name in "r.out", "w", "l.dx", "a.cache", "y":
        yield refused("`of` of %s, which is no loss" % name, graph(nodes=changed(3, of=[name])), None,
                      "/nodes/3/of/0")
    yield refused("`of` of a loss and of none", graph(nodes=changed(3, of=["l.loss", "w"])), None,
                  "/nodes/3/of/1")
    yield refused("`for` of a cache", graph(nodes=changed(3, **{"for": ["a.cache"]})), "wrong_cache",
                  "/nodes/3/for/0")
    yield refused("`for` of labels", graph(nodes=changed(3, **{"for": ["w", "y"]})), None,
                  "/nodes/3/for/1")
    back = node("g", "affine/backward", dout="l.dx", cache="a.cache")
    ways = {
        "an update, from w": ([sgd("v", "w", "b2"), affine("e", "x", "v.next_w"),
                               softmax("k", "e.out")], "w"),
        "an update, from dw": ([sgd("v", "w", "b2"), affine("e", "x", "v.next_w"),
                                softmax("k", "e.out")], "b2"),
        "an update's config": ([node("v", "sgd_momentum/update", w="w", dw="w",
                                     config={"velocity": "b2"}),
                                affine("e", "x", "v.next_w"), softmax("k", "e.out")], "b2"),
        "a backward, from dout": ([back, affine("e", "x", "g.dw"), softmax("k", "e.out")], "l.dx"),
        "a backward, from its cache alone": ([
            node("g", "affine/backward", dout="dout", cache="a.cache"), affine("e", "g.dx", "b2"),
            softmax("k", "e.out")], "w"),
        "a loss's dx": ([softmax("k", "l.dx")], "r.out"),
        "gradients": ([affine("e", "x", "d.w"), softmax("k", "e.out")], "b"),
        "the step before, from x": ([affine("e", "x", "u.next_w"), softmax("k", "e.out")], "x"),
    }
    for what, (nodes, name) in ways.items():
        wrong = graph(inputs=inputs(b2=[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
                                    dout=[[1.0, 2.0, 3.0]] * 3),
                      nodes=then(*nodes, gradients("h", "k.loss", name)))
        assert has_no_backward(wrong), what
        yield refused("gradients through %s" % what, wrong, "invalid_graph")


def shapes():
    bad = "shape_mismatch"
    yield refused("w of another D", graph(inputs=inputs(w=[[1.0, 2.0, 3.0]])), bad, "/nodes/0/w")
    yield refused("b of another M", graph(inputs=inputs(b=[1.0, 2.0])), bad, "/nodes/0/b")
    yield refused("labels of another N", graph(inputs=inputs(y=[0, 1])), bad, "/nodes/2/y")
    yield refused("w behind a node", graph(nodes=then(affine("e", "r.out"))), bad, "/nodes/5/w")
    yield refused("dw of another shape", graph(nodes=changed(4, dw="d.b")), bad, "/nodes/4/dw")
    yield refused("dout of another shape", graph(nodes=then(
        node("e", "affine/backward", dout="x", cache="a.cache"))), bad, "/nodes/5/dout")
    velocity = node("e", "sgd_momentum/update", w="w", dw="w", config={"velocity": "b"})
    yield refused("a velocity of another shape", graph(nodes=then(velocity)), bad,
                  "/nodes/5/config/velocity")
    norm = node("n", "batchnorm/forward", x="a.out", gamma="b", beta="b",
                bn_param={"mode": "train", "running_mean": "one"})
    yield refused("running statistics of another length",
                  graph(inputs=inputs(one=[1.0]), nodes=then(norm)), bad,
                  "/nodes/5/bn_param/running_mean")
    mask = node("e", "dropout/forward", x="x", dropout_param={"p": 0.5, "mode": "train", "mask": "b"})
    yield refused("a mask of another shape", graph(inputs=inputs(b=[0.0, 1.0, 1.0]),
                                                   nodes=then(mask)), bad,
                  "/nodes/5/dropout_param/mask")
    yield refused("b of rank 2", graph(inputs=inputs(b=[[0.0, 0.0, 0.0]])), "invalid_shape",
                  "/nodes/0/b")
    yield refused("images of rank 2", graph(nodes=then(node(
        "e", "max_pool/forward", x="x",
        pool_param={"pool_height": 1, "pool_width": 1, "stride": 1}))), "invalid_shape",
                  "/nodes/5/x")
    nothing = {"shape": [0, 2], "data": []}
    yield refused("losses of nothing", graph(inputs=inputs(x=nothing, y=[])), "invalid_shape")
    large = {"x": {"shape": [2**40, 0], "data": []}, "w": {"shape": [0, 1], "data": []}, "b": [1.0]}
    yield refused("a result of 2^40 numbers", {"inputs": large, "nodes": [affine("a", "x")],
                                               "give": ["a.out"]}, "result_too_large")
    padded = node("a", "conv/forward", x="x", w="w", b="b", conv_param={"pad": 2**52})
    images = {key: GOOD["/conv/forward"][key] for key in ("x", "w", "b")}
    yield refused("a shape whose product overflows", {"inputs": images, "nodes": [padded]},
                  "result_too_large")


def parameters():
    """In nodes they are checked as in calls."""
    yield refused("a learning rate below 0", graph(nodes=changed(4, config={"learning_rate": -1})),
                  "invalid_param", "/nodes/4/config/learning_rate")
    yield refused("a learning rate of true", graph(nodes=changed(4, config={"learning_rate": True})),
                  "wrong_type", "/nodes/4/config/learning_rate")
    yield refused("a learning rate by name", graph(
        inputs=inputs(lr=0.5), nodes=changed(4, config={"learning_rate": "lr"})), "wrong_type",
                  "/nodes/4/config/learning_rate")
    for key, wrong in ("p", 0), ("mode", "Train"), ("seed", -1):
        param = {"p": 0.5, "mode": "train", "seed": 1, key: wrong}
        yield refused("dropout of %s = %s" % (key, wrong), graph(nodes=then(
            node("e", "dropout/forward", x="x", dropout_param=param))), "invalid_param",
                      "/nodes/5/dropout_param/" + key)
    yield refused("an element 2 of a mask", graph(
        inputs=inputs(m=[[1.0, 0.0], [2.0, 1.0], [0.0, 0.0]]),
        nodes=then(node("e", "dropout/forward", x="x",
                        dropout_param={"p": 0.5, "mode": "train", "mask": "m"}))), "invalid_param")
    yield refused("a vector that is missing", graph(nodes=then(node(
        "e", "sgd_momentum/update", w="w", dw="w", config={"velocity": "zz"}))), "invalid_graph",
                  "/nodes/5/config/velocity")
    yield refused("a cache for a vector", graph(nodes=then(node(
        "e", "rmsprop/update", w="w", dw="w", config={"cache": "a.cache"}))), "wrong_cache",
                  "/nodes/5/config/cache")
    for name, y, pointer in (("C", [0, 3, 1], "/1"), ("-1", [0, 1, -1], "/2"),
                             ("very large", [2**40, 0, 0], "/0")):
        yield refused(name, graph(inputs=inputs(y=y)), "label_out_of_range", "/inputs/y" + pointer)
    yield refused("C, flat", graph(inputs=inputs(y=labels(0, 3, 1))), "label_out_of_range")


def handles():
    for name, handle in ("never given", UNKNOWN), ("empty", ""), ("long", "x" * 3000):
        for kind in "tensor", "cache":
            yield refused("a %s's handle, %s" % (kind, name), graph(
                inputs=inputs(z={kind: handle})), "unknown_cache", "/inputs/z/" + kind, 404)
        yield refused("release of a handle, %s" % name, graph(release=[handle]), "unknown_cache",
                      "/release/0", 404)
        single = refusal("/affine/forward", {**GOOD["/affine/forward"], "w": {"tensor": handle}},
                         404, "unknown_cache", "/w/tensor")
        yield case("unknown_cache: a single call of a handle, %s" % name, single)


def queries():
    for query in "tensors=wide", "foo=1", "cache=none", "cache=release":
        yield refused(query, graph(), "invalid_query", status=400, query=query)


def error_graph_cases():
    return [*names(), *how_many(), *operations(), *members(), *types(), *tensors(), *kinds(),
            *chains(), *shapes(), *parameters(), *handles(), *queries()]
