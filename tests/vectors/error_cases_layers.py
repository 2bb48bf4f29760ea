"""Errors of the convolutional layers, the norms of images and of rows, and the updates."""
from error_requests import GOOD, OBJECTS, UPDATES, changed, param_changed, unprocessable

CONV, POOL = "/conv/forward", "/max_pool/forward"
LAYERNORM = "/layernorm/forward"
BATCHNORM, GROUPNORM = "/spatial_batchnorm/forward", "/spatial_groupnorm/forward"
NORMS = LAYERNORM, BATCHNORM, GROUPNORM
LARGE = 2.0**63  # a float, since few readers of JSON have so large an integer


def zeros(*shape):
    size = 1
    for length in shape:
        size *= length
    return {"shape": list(shape), "data": [0.0] * size}


def kernels():
    """w and b of conv, whose x is (1, 2, 2, 2)"""
    for name, shape in ("too high", (1, 2, 3, 1)), ("too wide", (1, 2, 1, 3)):
        yield unprocessable("a kernel %s" % name, CONV, changed(CONV, w=zeros(*shape)),
                            "invalid_shape", "/w")
    yield unprocessable("a kernel too high for the padding", CONV,
                        changed(CONV, w=zeros(1, 2, 5, 1), conv_param={"pad": 1}), "invalid_shape",
                        "/w")
    yield unprocessable("a kernel for an image without rows", CONV, changed(CONV,
                        x=zeros(1, 2, 0, 2)), "invalid_shape", "/w")
    for channels in 1, 3:
        yield unprocessable("kernels of %d channels for images of 2" % channels, CONV,
                            changed(CONV, w=zeros(1, channels, 1, 1)), "shape_mismatch", "/w")
    for length in 0, 2:
        yield unprocessable("b of length %d to conv" % length, CONV, changed(CONV,
                            b=[1.0] * length), "shape_mismatch", "/b")
    for pad in 2**53 - 1, 2**52:
        yield unprocessable("out of conv for a pad of %d" % pad, CONV,
                            param_changed(CONV, pad=pad), "result_too_large")


def ranks():
    for path in CONV, POOL, BATCHNORM, GROUPNORM:
        for shape in (2, 2, 2), (1, 2, 2, 2, 1), (8,):
            yield unprocessable("x of rank %d to %s" % (len(shape), path), path,
                                changed(path, x=zeros(*shape)), "invalid_shape", "/x")
    for shape in (3,), (2, 3, 1):
        yield unprocessable("x of rank %d to layernorm" % len(shape), LAYERNORM,
                            changed(LAYERNORM, x=zeros(*shape)), "invalid_shape", "/x")
    yield unprocessable("w of rank 3 to conv", CONV, changed(CONV, w=zeros(1, 2, 1)),
                        "invalid_shape", "/w")
    yield unprocessable("b of rank 2 to conv", CONV, changed(CONV, b=[[1.0]]), "invalid_shape",
                        "/b")


def windows():
    """pool_param, where x is (1, 2, 2, 2)"""
    for key in "pool_height", "pool_width":
        for wrong in 3, 2**53 - 1, LARGE, 0, -1, 1.5:
            yield unprocessable("%s = %s" % (key, wrong), POOL, param_changed(POOL, **{key: wrong}),
                                "invalid_param", "/pool_param/" + key)
    yield unprocessable("a window for images without rows", POOL, changed(POOL, x=zeros(1, 2, 0, 2)),
                        "invalid_param", "/pool_param/pool_height")
    yield unprocessable("a window for images without columns", POOL,
                        changed(POOL, x=zeros(1, 2, 2, 0)), "invalid_param",
                        "/pool_param/pool_width")
    for path in CONV, POOL:
        for wrong in 0, -1, 1.5, LARGE:
            yield unprocessable("stride of %s = %s" % (path, wrong), path,
                                param_changed(path, stride=wrong), "invalid_param",
                                "/%s/stride" % OBJECTS[path])
    for wrong in -1, 0.5, LARGE:
        yield unprocessable("pad = %s" % wrong, CONV, param_changed(CONV, pad=wrong),
                            "invalid_param", "/conv_param/pad")


def norms():
    for path in NORMS:
        for field in "gamma", "beta":
            for length in 1, 4:
                yield unprocessable("%s of length %d to %s" % (field, length, path), path,
                                    changed(path, **{field: [1.0] * length}), "shape_mismatch",
                                    "/" + field)
        for wrong in 0, -1e-5:
            yield unprocessable("eps of %s = %s" % (path, wrong), path,
                                param_changed(path, eps=wrong), "invalid_param",
                                "/%s/eps" % OBJECTS[path])
    for groups in 0, -1, 3, 4, 1.5, LARGE:
        yield unprocessable("groups = %s for 2 channels" % groups, GROUPNORM,
                            param_changed(GROUPNORM, groups=groups), "invalid_param",
                            "/gn_param/groups")
    for shape in (0, 2, 2, 2), (1, 2, 0, 2), (1, 2, 2, 0):
        yield unprocessable("a batch of shape %s to spatial_batchnorm in train mode" % (shape,),
                            BATCHNORM, changed(BATCHNORM, x=zeros(*shape)), "invalid_shape", "/x")
    for field in "running_mean", "running_var":
        yield unprocessable("%s of spatial_batchnorm" % field, BATCHNORM,
                            param_changed(BATCHNORM, **{field: [1.0]}), "shape_mismatch",
                            "/bn_param/" + field)
    for field, wrong in ("momentum", 1.5), ("momentum", -0.5), ("mode", "eval"):
        yield unprocessable("spatial_batchnorm of %s = %s" % (field, wrong), BATCHNORM,
                            param_changed(BATCHNORM, **{field: wrong}), "invalid_param",
                            "/bn_param/" + field)


def updates():
    numbers = {
        "sgd": [("learning_rate", -1)],
        "sgd_momentum": [("learning_rate", -1), ("momentum", 1.5), ("momentum", -0.5)],
        "rmsprop": [("learning_rate", -1), ("decay_rate", 1.5), ("decay_rate", -0.5),
                    ("epsilon", 0), ("epsilon", -1e-8)],
        "adam": [("learning_rate", -1), ("beta1", 1), ("beta1", -0.5), ("beta2", 1),
                 ("beta2", 1.5), ("epsilon", 0), ("epsilon", -1e-8), ("t", -1), ("t", 1.5),
                 ("t", 2**53), ("t", LARGE)],
    }
    tensors = {"sgd": [], "sgd_momentum": ["velocity"], "rmsprop": ["cache"], "adam": ["m", "v"]}
    for path in UPDATES:
        rule = path.split("/")[1]
        for shape in (2, 2), (3, 2), (6,), (1, 2, 3), ():
            yield unprocessable("dw of shape %s to %s" % (shape, rule), path,
                                changed(path, dw=zeros(*shape)), "shape_mismatch", "/dw")
            for field in tensors[rule]:
                yield unprocessable("%s of shape %s to %s" % (field, shape, rule), path,
                                    param_changed(path, **{field: zeros(*shape)}),
                                    "shape_mismatch", "/config/" + field)
        for field, wrong in numbers[rule]:
            yield unprocessable("%s of %s = %s" % (field, rule, wrong), path,
                                param_changed(path, **{field: wrong}), "invalid_param",
                                "/config/" + field)
        for field in tensors[rule]:
            yield unprocessable("true for %s of %s" % (field, rule), path,
                                param_changed(path, **{field: True}), "wrong_type",
                                "/config/" + field)
            yield unprocessable("%s of %s beside its config" % (field, rule), path,
                                {**GOOD[path], field: zeros(2, 3)}, "unknown_field", "/" + field)


def cases():
    return [*kernels(), *ranks(), *windows(), *norms(), *updates()]
