"""Vectors of conv and max_pool."""
import numpy as np

import oracle_conv
from vectorfile import (DTYPES, INF, NAN, SAME, USUAL, Flat, Random, array, empty, pair,
                        without_cache)


def conv(name, x, w, b, param=None, dout=None, dtype="float64", tolerance=None, query="",
         flat=False):
    """`param` as it is sent: None leaves conv_param out."""
    whole = {key: int(value) for key, value in (param or {}).items()}
    out = oracle_conv.conv_forward(x, w, b, **whole)
    if dout is None:
        dout = Random(name, dtype).short(*out.shape)
    dx, dw, db = oracle_conv.conv_backward(dout, x, w, **whole)
    request = {"x": x, "w": Flat(w) if flat else w, "b": b}
    if param is not None:
        request["conv_param"] = param
    return pair(name, "conv", request, {"out": out}, dout, {"dx": dx, "dw": dw, "db": db}, dtype,
                tolerance or USUAL[dtype], query, flat)


def steps_of(stride, pad):
    return {"stride": stride, "pad": pad}


def course_conv():
    x = np.linspace(-0.1, 0.5, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, num=3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    b = np.linspace(-0.1, 0.2, num=3)
    case = conv("course: conv forward of linspaces", x, w, b, steps_of(2, 1))
    published = [[[[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]],
                  [[0.21027089, 0.21661097], [0.22847626, 0.23004637]],
                  [[0.50813986, 0.54309974], [0.64082444, 0.67101435]]],
                 [[[-0.98053589, -1.03143541], [-1.19128892, -1.24695841]],
                  [[0.69108355, 0.66880383], [0.59480972, 0.56776003]],
                  [[2.36270298, 2.36904306], [2.38090835, 2.38247847]]]]
    assert np.allclose(np.array(case["steps"][0]["answer"]["out"]), published, rtol=0, atol=1e-7)
    return case


def conv_usual():
    for dtype in DTYPES:
        of = " of " + dtype
        short = Random("conv usual", dtype).short
        normal = Random("conv rounded", dtype).normal
        x, w, b = short(2, 3, 5, 4), short(2, 3, 3, 2), short(2)

        def strided(name, stride, pad, x=x, w=w, b=b, **more):
            return conv(name + of, x, w, b, steps_of(stride, pad), dtype=dtype, **more)
        yield conv("no conv_param" + of, x, w, b, dtype=dtype)
        yield conv("an empty conv_param" + of, x, w, b, {}, dtype=dtype)
        yield conv("a stride alone" + of, x, w, b, {"stride": 2}, dtype=dtype)
        yield conv("a pad alone" + of, x, w, b, {"pad": 1}, dtype=dtype)
        yield strided("stride 1, pad 0 written as 1.0 and 0.0", 1.0, 0.0)
        yield strided("numbers that round", 1, 1, normal(2, 2, 4, 5), normal(3, 2, 3, 3), normal(3))
        yield strided("3 x 3 kernels that keep the image's size", 1, 1, short(1, 2, 3, 4),
                      short(2, 2, 3, 3))
        yield strided("stride 2 leaves a row out", 2, 0, short(1, 2, 6, 5), short(2, 2, 3, 3))
        yield strided("stride 2 leaves a row and a column of padding out", 2, 1,
                      short(1, 1, 4, 6), short(1, 1, 3, 3), short(1))
        yield strided("a stride longer than the kernel: pixels in no window", 3, 0,
                      short(1, 2, 7, 8), short(1, 2, 2, 1), short(1))
        yield strided("a stride longer than the image: one window", 9, 1)
        yield strided("a kernel larger than the image, by its padding", 1, 2, short(2, 1, 2, 1),
                      short(2, 1, 5, 4))
        yield strided("windows all of padding at the corners", 2, 3, short(1, 1, 2, 3),
                      short(2, 1, 2, 2))
        yield strided("a kernel of the image's size", 1, 0, short(2, 2, 3, 4), short(3, 2, 3, 4),
                      short(3))
        yield strided("1 x 1 kernels", 1, 0, short(2, 3, 2, 3), short(2, 3, 1, 1))
        yield strided("1 x 1 kernels, stride 2", 2, 0, short(1, 2, 3, 4), short(3, 2, 1, 1),
                      short(3))
        yield strided("one number", 1, 0, short(1, 1, 1, 1), short(1, 1, 1, 1), short(1))
        yield strided("kernels of one row", 1, 1, short(1, 2, 1, 5), short(2, 2, 1, 3))
        yield strided("kernels of one column", 2, 0, short(1, 2, 5, 2), short(2, 2, 4, 1))
        yield strided("sizes past a vector register", 1, 1, short(1, 1, 3, 19), short(9, 1, 3, 3),
                      short(9))
        yield strided("many channels", 1, 0, short(1, 18, 2, 2), short(2, 18, 2, 2))
        yield strided("N = 0", 1, 1, empty(0, 3, 4, 4))
        yield strided("flat request, nested answer", 2, 1, flat=True)
        yield strided("flat answer", 2, 0, query="tensors=flat")
        yield without_cache(strided("nothing kept", 2, 0))


def conv_edges():
    short = Random("conv edges", "float64").short
    yield conv("N = 0, flat answer", empty(0, 1, 3, 3), short(2, 1, 2, 2), short(2), {},
               query="tensors=flat")
    yield conv("C = 0: out is b", empty(2, 0, 3, 2), empty(2, 0, 2, 2), short(2))
    yield conv("F = 0: out has no channels", short(1, 2, 3, 3), empty(0, 2, 2, 2), empty(0))
    yield conv("H = 0, and windows of padding", empty(1, 2, 0, 3), short(2, 2, 2, 2), short(2),
               {"pad": 1})
    image = short(1, 1, 4, 4)
    image[0, 0, 1, 1], image[0, 0, 3, 0], image[0, 0, 3, 3] = NAN, INF, -INF
    yield conv("NaN and infinities in x reach the windows that hold them", image,
               np.ones((1, 1, 2, 2)), array(0.5), dout=np.ones((1, 1, 3, 3)))
    yield conv("NaN in w and infinity in b", short(1, 1, 3, 3),
               array(1, NAN, 1, 1).reshape(1, 1, 2, 2), array(INF))
    yield conv("NaN in dout", short(1, 1, 3, 3), short(1, 1, 2, 2), array(0),
               dout=array(NAN, 1, 2, 3).reshape(1, 1, 2, 2))
    yield conv("the kernel is not flipped", np.arange(1.0, 10).reshape(1, 1, 3, 3),
               array(1, 10, 100, 1000).reshape(1, 1, 2, 2), array(0))
    yield conv("huge and tiny magnitudes", array(1e300, 1e-300, -1e300, 3).reshape(1, 1, 2, 2),
               array(1e-300, 1e300, 1e-300, 2).reshape(1, 1, 2, 2), array(-0.25),
               dout=array(1).reshape(1, 1, 1, 1))
    yield conv("an image far larger than its kernel", short(1, 1, 3, 70), short(1, 1, 2, 2),
               short(1), {"stride": 3})


def conv_cases():
    yield course_conv()
    yield from conv_usual()
    yield from conv_edges()


def max_pool(name, x, height, width, stride, dout=None, dtype="float64", query="", flat=False):
    size = int(height), int(width), int(stride)
    out = oracle_conv.max_pool_forward(x, *size)
    if dout is None:  # multiples of 1/64, whose sums are exact
        dout = Random(name, dtype).short(*out.shape)
    param = {"pool_height": height, "pool_width": width, "stride": stride}
    return pair(name, "max_pool", {"x": x, "pool_param": param}, {"out": out}, dout,
                {"dx": oracle_conv.max_pool_backward(dout, x, *size)}, dtype, SAME[dtype], query,
                flat)


def course_max_pool():
    x = np.linspace(-0.3, 0.4, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    case = max_pool("course: max_pool forward of a linspace", x, 2, 2, 2)
    published = [[[[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]],
                  [[-0.14526316, -0.13052632], [-0.08631579, -0.07157895]],
                  [[-0.02736842, -0.01263158], [0.03157895, 0.04631579]]],
                 [[[0.09052632, 0.10526316], [0.14947368, 0.16421053]],
                  [[0.20842105, 0.22315789], [0.26736842, 0.28210526]],
                  [[0.32631579, 0.34105263], [0.38526316, 0.4]]]]
    assert np.allclose(np.array(case["steps"][0]["answer"]["out"]), published, rtol=0, atol=1e-8)
    return case


def plane(*rows):
    return array(*rows)[np.newaxis, np.newaxis]


def max_pool_usual():
    for dtype in DTYPES:
        of = " of " + dtype
        normal = Random("max_pool usual", dtype).normal

        def pool(name, *args, **more):
            return max_pool(name + of, *args, dtype=dtype, **more)
        yield pool("2 x 2 windows, stride 2", normal(2, 3, 4, 6), 2, 2, 2)
        yield pool("sizes written as 2.0", normal(1, 1, 4, 4), 2.0, 2.0, 2.0)
        yield pool("windows that overlap", normal(2, 2, 5, 4), 3, 3, 1)
        yield pool("windows that overlap in one direction", normal(1, 2, 5, 4), 3, 2, 2)
        yield pool("windows of one row", normal(2, 2, 3, 5), 1, 3, 2)
        yield pool("windows of one column", normal(2, 2, 5, 3), 3, 1, 1)
        yield pool("stride 2 leaves a row and a column out", normal(1, 2, 5, 7), 2, 2, 2)
        yield pool("a stride longer than the window: pixels in no window", normal(1, 2, 7, 8), 2, 1,
                   3)
        yield pool("a stride longer than the image: one window", normal(1, 2, 3, 3), 2, 2, 2**53 - 1)
        yield pool("1 x 1 windows: out is x", normal(2, 1, 2, 3), 1, 1, 1)
        yield pool("1 x 1 windows, stride 2", normal(1, 2, 3, 4), 1, 1, 2)
        yield pool("the whole image", normal(2, 2, 3, 4), 3, 4, 1)
        yield pool("one pixel", normal(2, 3, 1, 1), 1, 1, 1)
        yield pool("sizes past a vector register", normal(1, 1, 4, 38), 2, 2, 2)
        yield pool("windows of more than 256 places", Random("max_pool large", dtype).short(
            1, 1, 18, 17), 17, 17, 1)
        yield pool("N = 0", empty(0, 2, 4, 4), 2, 2, 2)
        yield pool("C = 0", empty(2, 0, 4, 4), 2, 2, 2)
        yield pool("flat request, nested answer", normal(1, 2, 4, 4), 2, 2, 2, flat=True)
        yield pool("flat answer", normal(1, 2, 4, 4), 2, 2, 2, query="tensors=flat")
        yield without_cache(pool("nothing kept", normal(1, 2, 4, 4), 2, 2, 2))
        yield pool("equal numbers: the first gets the gradient", np.full((1, 2, 4, 4), 2.5), 2, 2,
                   2)
        yield pool("equal numbers where windows overlap", np.full((1, 1, 4, 4), -1.0), 3, 2, 1)
        yield pool("ties are won by row, not by column", plane([0, 7, 1], [7, 2, 7], [0, 7, 0]), 3,
                   3, 1)
        yield pool("0 and -0 tie", plane([-0.0, 0.0, -0.0], [0.0, -0.0, 0.0]), 2, 2, 1)
        yield pool("one number is the largest of all windows",
                   plane([1, 2, 3], [4, 9, 5], [6, 7, 8]), 2, 2, 1)
        yield pool("all below zero", -1 - np.abs(normal(1, 2, 4, 4)), 2, 2, 2)
        yield pool("NaN is the largest", plane([NAN, 1, 2, INF], [3, 4, NAN, 5], [1, 2, 3, 4],
                                               [5, NAN, INF, 8]), 2, 2, 2)
        yield pool("the first NaN of several", plane([1, NAN, 2], [NAN, INF, NAN], [3, NAN, 4]), 3,
                   3, 1)
        yield pool("NaN where windows overlap", plane([1, 2, 3], [4, NAN, 5], [6, 7, 8]), 2, 2, 1)
        yield pool("windows of -Infinity", plane([-INF, -INF, -INF, 1], [-INF, -INF, 0, -INF]), 2,
                   2, 2)
        yield pool("infinities in dout", normal(1, 1, 2, 4), 2, 2, 2,
                   dout=array(INF, NAN).reshape(1, 1, 1, 2))


def max_pool_edges():
    yield max_pool("N = 0, flat answer", empty(0, 2, 3, 3), 2, 2, 1, query="tensors=flat")
    yield max_pool("magnitudes to both ends of float64",
                   plane([5e-324, 0, -1e300, -1.7976931348623157e308],
                         [1e-310, -5e-324, -1e308, -1e301]), 2, 2, 2)


def max_pool_cases():
    yield course_max_pool()
    yield from max_pool_usual()
    yield from max_pool_edges()
