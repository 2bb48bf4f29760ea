"""Requests with one fault each, and the error that the contract gives them.

`pointer` stands only where the contract leaves no choice.
"""
import numpy as np

import error_cases_layers
from error_requests import (FORWARD, GOOD, LOSSES, OBJECTS, REQUIRED, UPDATES, backward, case, changed,
                            forward, of_rank, param_changed, unprocessable, zero_gradients)
from vectorfile import EXACT, refusal, step, verbatim

def missing_fields():
    for path, good in GOOD.items():
        for field in good:
            if field != OBJECTS.get(path) or path in REQUIRED:
                yield unprocessable("%s of %s" % (field, path), path,
                                    changed(path, **{field: None}), "missing_field", "/" + field)
    for path, fields in REQUIRED.items():
        for field in fields:
            yield unprocessable("%s of %s of %s" % (field, OBJECTS[path], path), path,
                                param_changed(path, **{field: None}), "missing_field",
                                "/%s/%s" % (OBJECTS[path], field))
    for layer in FORWARD:
        path = "/%s/backward" % layer
        yield unprocessable("cache of " + path, path, {"dout": of_rank(layer, [[1.0]])},
                            "missing_field", "/cache")
        yield case("missing_field: dout of " + path, forward(layer),
                   refusal(path, {"cache": "$cache"}, 422, "missing_field", "/dout"))


def unknown_fields():
    for path in GOOD:
        yield unprocessable("xx to " + path, path, changed(path, xx=[1.0]), "unknown_field", "/xx")
    for layer in FORWARD:
        path = "/%s/backward" % layer
        yield case("unknown_field: xx to " + path, forward(layer),
                   refusal(path, {"dout": of_rank(layer, [[1.0]]), "cache": "$cache", "xx": 1.0},
                           422, "unknown_field", "/xx"))
    for path, name in OBJECTS.items():
        yield unprocessable("xx in %s of %s" % (name, path), path, param_changed(path, xx=1.0), "unknown_field",
                            "/%s/xx" % name)


def misplaced_fields():
    yield unprocessable("W to affine", "/affine/forward", changed("/affine/forward", W=[[1.0]]),
                        "unknown_field", "/W")
    yield unprocessable("p beside dropout_param", "/dropout/forward",
                        changed("/dropout/forward", p=0.5), "unknown_field", "/p")
    yield unprocessable("gamma in bn_param", "/batchnorm/forward",
                        param_changed("/batchnorm/forward", gamma=[1.0]), "unknown_field",
                        "/bn_param/gamma")


def wrong_types():
    for path, good in GOOD.items():
        for field in good:
            yield unprocessable("true for %s of %s" % (field, path), path,
                                changed(path, **{field: True}), "wrong_type", "/" + field)
    relu = "/relu/forward"
    yield unprocessable("a string for x", relu, {"x": "one"}, "wrong_type", "/x")
    yield unprocessable("true among numbers", relu, {"x": [1.0, True]}, "wrong_type")
    yield unprocessable("a string among numbers", relu, {"x": [1.0, "one"]}, "wrong_type")
    yield unprocessable("a number for cache", "/relu/backward", {"dout": [1.0], "cache": 5},
                        "wrong_type", "/cache")
    for name, cache in ("a list", ["A" * 32]), ("null", None):
        yield unprocessable(name + " for cache", "/relu/backward", {"dout": [1.0], "cache": cache},
                            "wrong_type", "/cache")
    yield unprocessable("a list of one for dtype", relu, {"x": [1.0], "dtype": ["float32"]},
                        "wrong_type", "/dtype")
    for path, name in OBJECTS.items():
        if "mode" in REQUIRED.get(path, []):
            yield unprocessable("a list of one for mode of %s of %s" % (name, path), path,
                                param_changed(path, mode=["train"]), "wrong_type",
                                "/%s/mode" % name)
        yield unprocessable("a list for %s of %s" % (name, path), path,
                            changed(path, **{name: [1.0]}), "wrong_type", "/" + name)


def ragged_arrays():
    relu = "/relu/forward"
    for name, x, pointer in [("a short row", [[1, 2], [3]], "/x/1"),
                             ("a long row", [[1, 2], [3, 4], [5, 6, 7]], "/x/2"),
                             ("a list among numbers", [1, [2]], "/x/1"),
                             ("a number among lists", [[1], 2], "/x/1"),
                             ("a number among lists, deeper", [[[1], [2]], [[3], 4]], "/x/1/1"),
                             ("an empty row", [[1], []], "/x/1")]:
        yield unprocessable(name, relu, {"x": x}, "ragged_array", pointer)
    yield unprocessable("rows of w", "/affine/forward",
                        changed("/affine/forward", w=[[1, 2], [3, 4], [5]]), "ragged_array", "/w/2")


def shape_mismatches():
    affine, norm = "/affine/forward", "/batchnorm/forward"
    yield unprocessable("w of another D", affine, changed(affine, w=[[1.0, 2.0], [3.0, 4.0]]),
                        "shape_mismatch", "/w")
    yield unprocessable("b of another M", affine, changed(affine, b=[1.0, 2.0, 3.0]),
                        "shape_mismatch", "/b")
    for field in "gamma", "beta":
        for wrong in [1.0, 1.0], [1.0, 1.0, 1.0, 1.0]:
            yield unprocessable("%s of length %d" % (field, len(wrong)), norm,
                                changed(norm, **{field: wrong}), "shape_mismatch", "/" + field)
    for field in "running_mean", "running_var":
        yield unprocessable(field, norm, param_changed(norm, **{field: [1.0, 1.0]}),
                            "shape_mismatch", "/bn_param/" + field)
    for path in LOSSES:
        for wrong in [0], [0, 1, 2]:
            yield unprocessable("y of length %d to %s" % (len(wrong), path), path,
                                changed(path, y=wrong), "shape_mismatch", "/y")
    for layer in FORWARD:
        yield case("shape_mismatch: dout of another N to %s" % layer, forward(layer),
                   backward(layer, [[1.0], [2.0]], 422, "shape_mismatch", "/dout"))
        yield case("shape_mismatch: dout of another width to %s" % layer, forward(layer),
                   backward(layer, [[1.0, 2.0]], 422, "shape_mismatch", "/dout"))


def invalid_shapes():
    none = {"shape": [0, 3], "data": []}
    yield unprocessable("a batch of none to batchnorm in train mode", "/batchnorm/forward",
                        changed("/batchnorm/forward", x=none), "invalid_shape")
    for path in LOSSES:
        yield unprocessable("no examples to " + path, path, changed(path, x=none, y=[]),
                            "invalid_shape")
    yield unprocessable("x of rank 1 to batchnorm", "/batchnorm/forward",
                        changed("/batchnorm/forward", x=[1.0, 2.0, 3.0]), "invalid_shape", "/x")
    relu = "/relu/forward"
    yield unprocessable("less data than the shape holds", relu,
                        {"x": {"shape": [2, 2], "data": [1.0, 2.0, 3.0]}}, "invalid_shape")
    yield unprocessable("more data than the shape holds", relu,
                        {"x": {"shape": [2], "data": [1.0, 2.0, 3.0]}}, "invalid_shape")
    yield unprocessable("no data for rank 0", relu, {"x": {"shape": [], "data": []}},
                        "invalid_shape")


def invalid_params():
    norm, drop = "/batchnorm/forward", "/dropout/forward"
    for name, wrong in [("p", 0), ("p", -0.5), ("p", 1.5), ("mode", "foo"),
                        ("mode", ""), ("mode", "Train"), ("seed", -1), ("seed", 2**32)]:
        yield unprocessable("dropout of %s = %r" % (name, wrong), drop,
                            param_changed(drop, **{name: wrong}), "invalid_param",
                            "/dropout_param/" + name)
    for name, wrong in [("eps", 0), ("eps", -1e-5), ("momentum", 2), ("momentum", -0.5),
                        ("mode", "foo"), ("mode", "TEST")]:
        yield unprocessable("batchnorm of %s = %r" % (name, wrong), norm,
                            param_changed(norm, **{name: wrong}), "invalid_param",
                            "/bn_param/" + name)
    for path in GOOD:
        yield unprocessable("dtype float16 to " + path, path, changed(path, dtype="float16"),
                            "invalid_param", "/dtype")


def masks():
    """Of dropout: shapes, elements, and not beside a seed."""
    drop = "/dropout/forward"
    good = [[1, 0, 1], [0, 0, 1]]

    def refused(name, mask, code, pointer="", **changes):
        changes.setdefault("seed", None)
        return unprocessable(name, drop, param_changed(drop, mask=mask, **changes), code,
                             "/dropout_param/mask" + pointer)
    for wrong in [1, 0, 1], [[1, 0], [1, 0], [0, 1]], [[1, 0, 1]], [[good[0]], [good[1]]]:
        yield refused("a mask of shape %s" % (np.shape(wrong),), wrong, "shape_mismatch")
    yield refused("a mask in test mode", [1, 0], "shape_mismatch", mode="test")
    for wrong in 2, -1, 0.5, 1e-300, "NaN", "Infinity":
        yield refused("an element %s of a mask" % wrong, [[1, 0, 1], [0, wrong, 1]],
                      "invalid_param", "/1/1")
    yield refused("the first of several", [[1, 3, 1], [0, 2, 1]], "invalid_param", "/0/1")
    yield refused("an element 2 of a mask in test mode", [[1, 0, 1], [0, 0, 2]], "invalid_param",
                  "/1/2", mode="test")
    yield refused("a mask beside a seed", good, "invalid_param", seed=1)
    yield refused("true for a mask", True, "wrong_type")
    yield refused("true in a mask", [[1, 0, 1], [0, True, 1]], "wrong_type", "/1/1")
    # as text: in a safetensors file a string in a tensor's place is the handle of one
    yield case("wrong_type: a string for a mask",
               verbatim(refusal(drop, param_changed(drop, mask="ones", seed=None), 422,
                                "wrong_type", "/dropout_param/mask")))
    yield refused("a short row of a mask", [[1, 0, 1], [0]], "ragged_array", "/1")


def labels_out_of_range():
    for path in LOSSES:
        for name, y, pointer in [("C", [3, 0], "/y/0"), ("-1", [-1, 0], "/y/0"),
                                 ("C, second", [0, 3], "/y/1"), ("very large", [0, 2**40], "/y/1")]:
            yield unprocessable("%s to %s" % (name, path), path, changed(path, y=y),
                                "label_out_of_range", pointer)


def numbers_out_of_range():
    def refused(**request):
        return refusal("/relu/forward", request, 422, "number_out_of_range")
    yield case("number_out_of_range: 1e999", verbatim(refused(x=[1.0, "@1e999@"])))
    yield case("number_out_of_range: -1e999", verbatim(refused(x=["@-1e999@"])))
    yield case("number_out_of_range: 1e39 of float32", refused(x=[1e39], dtype="float32"))


def caches():
    for layer in FORWARD:
        path = "/%s/backward" % layer
        yield case("unknown_cache: a handle never given to " + path,
                   refusal(path, {"dout": of_rank(layer, [[1.0]]), "cache": "A" * 32}, 404,
                           "unknown_cache"))
        released = step(path, {"dout": of_rank(layer, [[0.0]]), "cache": "$cache"},
                        zero_gradients(layer), EXACT, query="cache=release")
        yield case("unknown_cache: a handle released at " + path, forward(layer), released,
                   backward(layer, [[0.0]], 404, "unknown_cache"))
        for other in FORWARD:
            if other != layer:
                yield case("wrong_cache: of %s to %s" % (other, path), forward(other),
                           backward(layer, [[1.0]], 422, "wrong_cache"))


def queries():
    for path, good in GOOD.items():
        wrong = ["tensors=wide", "foo=1"]
        if path in UPDATES:
            wrong += ["cache=none", "cache=release"]
        elif path not in LOSSES:
            wrong += ["cache=keep", "cache=release"]
        for query in wrong:
            yield case("invalid_query: %s to %s" % (query, path),
                       refusal(path, good, 400, "invalid_query", query=query))
    for layer in FORWARD:
        for query in "tensors=wide", "foo=1", "cache=keep", "cache=none":
            yield case("invalid_query: %s to /%s/backward" % (query, layer), forward(layer),
                       backward(layer, [[1.0]], 400, "invalid_query", query=query))


def error_cases():
    return [*missing_fields(), *unknown_fields(), *misplaced_fields(), *wrong_types(),
            *ragged_arrays(), *shape_mismatches(), *invalid_shapes(), *invalid_params(), *masks(),
            *labels_out_of_range(), *numbers_out_of_range(), *caches(), *queries(),
            *error_cases_layers.cases()]
