"""What the cases of errors build on: for each operation a request with nothing wrong in it, and ways
to change one."""
from vectorfile import EXACT, refusal, step

X = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
IMAGES = [[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]]  # of shape (1, 2, 2, 2)
SCORES = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]

# A request of each operation without a cache to build on, with nothing wrong in it.
GOOD = {
    "/affine/forward": {"x": X, "w": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "b": [1.0, 2.0]},
    "/relu/forward": {"x": X},
    "/batchnorm/forward": {"x": X, "gamma": [1.0, 1.0, 1.0], "beta": [0.0, 0.0, 0.0],
                           "bn_param": {"mode": "train"}},
    "/dropout/forward": {"x": X, "dropout_param": {"p": 0.5, "mode": "train", "seed": 1}},
    "/svm/loss": {"x": SCORES, "y": [0, 1]},
    "/softmax/loss": {"x": SCORES, "y": [0, 1]},
    "/layernorm/forward": {"x": X, "gamma": [1.0, 1.0, 1.0], "beta": [0.0, 0.0, 0.0],
                           "ln_param": {"eps": 0.5}},
    "/conv/forward": {"x": IMAGES, "w": [[[[1.0]], [[2.0]]]], "b": [1.0],
                      "conv_param": {"stride": 1, "pad": 0}},
    "/max_pool/forward": {"x": IMAGES,
                          "pool_param": {"pool_height": 2, "pool_width": 1, "stride": 1}},
    "/spatial_batchnorm/forward": {"x": IMAGES, "gamma": [1.0, 1.0], "beta": [0.0, 0.0],
                                   "bn_param": {"mode": "train"}},
    "/spatial_groupnorm/forward": {"x": IMAGES, "gamma": [1.0, 1.0], "beta": [0.0, 0.0],
                                   "gn_param": {"groups": 2}},
    "/sgd/update": {"w": X, "dw": X, "config": {"learning_rate": 0.5}},
    "/sgd_momentum/update": {"w": X, "dw": X, "config": {"momentum": 0.5}},
    "/rmsprop/update": {"w": X, "dw": X, "config": {"decay_rate": 0.5}},
    "/adam/update": {"w": X, "dw": X, "config": {"t": 1}},
}
LOSSES = "/svm/loss", "/softmax/loss"
UPDATES = tuple(path for path in GOOD if path.endswith("/update"))

# The name of each object of parameters
OBJECTS = {path: name for path, good in GOOD.items() for name in good
           if isinstance(good[name], dict)}
# The parameters that are required, and so are the objects of these
REQUIRED = {
    "/batchnorm/forward": ["mode"],
    "/dropout/forward": ["p", "mode"],
    "/max_pool/forward": ["pool_height", "pool_width", "stride"],
    "/spatial_batchnorm/forward": ["mode"],
    "/spatial_groupnorm/forward": ["groups"],
}

TRAIN = {"mode": "train", "momentum": 1.0}
AFTER = {"mode": "train", "eps": 1e-5, "momentum": 1.0, "running_mean": [0.0],
         "running_var": [0.0]}
ONE_BY_ONE = {"pool_height": 1, "pool_width": 1, "stride": 1}
IMAGE, SHIFT = [[[[3.0]]]], [[[[5.0]]]]

# A forward of each layer whose answer needs no arithmetic, for cases that need a cache.
FORWARD = {
    "affine": ({"x": [[3.0]], "w": [[1.0]], "b": [0.0]}, {"out": [[3.0]]}),
    "relu": ({"x": [[3.0]]}, {"out": [[3.0]]}),
    "batchnorm": ({"x": [[3.0]], "gamma": [1.0], "beta": [5.0], "bn_param": TRAIN},
                  {"out": [[5.0]], "bn_param": AFTER}),
    "dropout": ({"x": [[3.0]], "dropout_param": {"p": 1.0, "mode": "test", "seed": 1}},
                {"out": [[3.0]], "dropout_param": {"p": 1.0, "mode": "test", "seed": 1}}),
    "layernorm": ({"x": [[3.0]], "gamma": [1.0], "beta": [5.0]}, {"out": [[5.0]]}),
    "conv": ({"x": IMAGE, "w": [[[[1.0]]]], "b": [0.0]}, {"out": IMAGE}),
    "max_pool": ({"x": IMAGE, "pool_param": ONE_BY_ONE}, {"out": IMAGE}),
    "spatial_batchnorm": ({"x": IMAGE, "gamma": [1.0], "beta": [5.0], "bn_param": TRAIN},
                          {"out": SHIFT, "bn_param": AFTER}),
    "spatial_groupnorm": ({"x": IMAGE, "gamma": [1.0], "beta": [5.0], "gn_param": {"groups": 1}},
                          {"out": SHIFT}),
}
# What its backward gives for a dout of zeros
GRADIENTS = {
    "affine": ["dx", "dw", "db"], "relu": ["dx"], "batchnorm": ["dx", "dgamma", "dbeta"],
    "dropout": ["dx"], "layernorm": ["dx", "dgamma", "dbeta"], "conv": ["dx", "dw", "db"],
    "max_pool": ["dx"], "spatial_batchnorm": ["dx", "dgamma", "dbeta"],
    "spatial_groupnorm": ["dx", "dgamma", "dbeta"],
}


def of_rank(layer, matrix):
    """The matrix as it is, or as images of one pixel where the layer takes images."""
    images = FORWARD[layer][0]["x"] is IMAGE
    return [[[[value]] for value in row] for row in matrix] if images else matrix


def zero_gradients(layer):
    return {name: [0.0] if name in ("db", "dgamma", "dbeta") else of_rank(layer, [[0.0]])
            for name in GRADIENTS[layer]}


def forward(layer):
    request, answer = FORWARD[layer]
    return step("/%s/forward" % layer, request, answer, EXACT)


def backward(layer, dout, *error, query=""):
    """`dout` as a matrix, whatever the layer takes"""
    request = {"dout": of_rank(layer, dout), "cache": "$cache"}
    return refusal("/%s/backward" % layer, request, *error, query=query)


def case(name, *steps):
    return {"name": name, "steps": list(steps)}


def changed(path, **changes):
    """The good request of `path` with some fields changed, or taken away if None."""
    request = {**GOOD[path], **changes}
    return {key: value for key, value in request.items() if value is not None}


def param_changed(path, **changes):
    name = OBJECTS[path]
    param = {**GOOD[path][name], **changes}
    return changed(path, **{name: {k: v for k, v in param.items() if v is not None}})


def unprocessable(name, path, request, code, pointer=None):
    return case("%s: %s" % (code, name), refusal(path, request, 422, code, pointer))
