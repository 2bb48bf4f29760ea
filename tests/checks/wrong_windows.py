"""Wrong answers to conv and max_pool, as they are seen in people's code."""
import numpy as np

import oracle_conv
from wrong import gradient, wrong


def conv_takes(random, x=(2, 3, 6, 5), w=(4, 3, 3, 2), stride=1, pad=0):
    return {"x": random.randn(*x), "w": random.randn(*w), "b": random.randn(w[0]),
            "conv_param": {"stride": stride, "pad": pad}}


def sized(**sizes):
    return lambda random: conv_takes(random, **sizes)


def with_dout(inputs):
    def made(random):
        takes = inputs(random)
        return dict(takes, dout=random.randn(*conv_of(takes).shape))
    return made


SQUARE = {"x": (2, 3, 5, 5), "w": (4, 3, 3, 3)}
# With these a padding of 1 gives as many windows as none: a stride of 3 leaves a remainder.
REMAINDER = {"x": (2, 2, 7, 7), "w": (3, 2, 3, 3), "stride": 4}


def conv_of(takes, x=None, w=None, b=None, **param):
    """Plainly, in any dtype; parameters may be taken for others"""
    x = takes["x"] if x is None else x
    w = takes["w"] if w is None else w
    b = takes["b"] if b is None else b
    stride = param.get("stride", takes["conv_param"]["stride"])
    pad = param.get("pad", takes["conv_param"]["pad"])
    return correlated(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), w, b, stride)


def correlated(x, w, b, stride):
    rows, columns = w.shape[2:]
    lengths = (x.shape[2] - rows) // stride + 1, (x.shape[3] - columns) // stride + 1
    out = np.zeros((len(x), len(w)) + lengths, np.result_type(x, w))
    for p, q in np.ndindex(*lengths):
        patch = x[:, :, p * stride:p * stride + rows, q * stride:q * stride + columns]
        out[:, :, p, q] = np.einsum("ncrs,fcrs->nf", patch, w)
    return out + b[:, np.newaxis, np.newaxis]


@wrong("conv/forward", "bias_missing", sized(stride=2, pad=1))
def no_bias(takes):
    return {"out": conv_of(takes, b=0 * takes["b"])}


@wrong("conv/forward", "bias_inside", sized(stride=2, pad=1))
def bias_in_each_product(takes):
    return {"out": conv_of(takes, b=takes["b"] * takes["w"][0].size)}


@wrong("conv/forward", "bias_inside", sized(pad=1))
def bias_for_each_channel(takes):
    return {"out": conv_of(takes, b=takes["b"] * takes["x"].shape[1])}


@wrong("conv/forward", "flipped", sized(pad=1))
def flipped(takes):
    return {"out": conv_of(takes, w=takes["w"][:, :, ::-1, ::-1])}


@wrong("conv/forward", "kernel_transposed", sized(**SQUARE))
def kernel_turned(takes):
    return {"out": conv_of(takes, w=takes["w"].transpose(0, 1, 3, 2))}


@wrong("conv/forward", "shape", sized(pad=1))
def not_padded(takes):
    return {"out": conv_of(takes, pad=0)}


@wrong("conv/forward", "shape", sized(pad=0))
def padded_by_1(takes):
    return {"out": conv_of(takes, pad=1)}


@wrong("conv/forward", "padding_missing", sized(pad=1, **REMAINDER))
def padding_left_out(takes):
    return {"out": conv_of(takes, pad=0)}


@wrong("conv/forward", "pad_at_end", sized(stride=2, pad=1))
def padded_behind(takes):
    x = np.pad(takes["x"], ((0, 0), (0, 0), (0, 2), (0, 2)))
    return {"out": correlated(x, takes["w"], takes["b"], 2)}


@wrong("conv/forward", "shape", sized(x=(2, 3, 5, 8)))
def out_of_width_and_height(takes):
    return {"out": conv_of(takes).transpose(0, 1, 3, 2).copy()}


@wrong("conv/forward", "height_width_swapped", sized(pad=1, **SQUARE))
def out_turned(takes):
    return {"out": conv_of(takes).transpose(0, 1, 3, 2).copy()}


@wrong("conv/forward", "channels_not_summed", sized(pad=1))
def last_channel(takes):
    return {"out": conv_of(takes, takes["x"][:, -1:], takes["w"][:, -1:])}


@wrong("conv/forward", "last_window_missing", sized(stride=2, pad=1))
def ends_early(takes):
    out = conv_of(takes)
    out[:, :, -1] = 0
    out[:, :, :, -1] = 0
    return {"out": out}


@wrong("conv/forward", "stride_ignored", sized(stride=2, pad=1))
def windows_one_apart(takes):
    lengths = conv_of(takes).shape[2:]
    return {"out": conv_of(takes, stride=1)[:, :, :lengths[0], :lengths[1]].copy()}


# ---- backward

def right_gradients(takes, dout=None, x=None, **param):
    """dx of the padded x too"""
    x = takes["x"] if x is None else x
    dout = takes["dout"] if dout is None else dout
    stride = param.get("stride", takes["conv_param"]["stride"])
    pad = param.get("pad", takes["conv_param"]["pad"])
    wide = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx, dw, db = oracle_conv.conv_backward(dout, wide, takes["w"], stride, 0)
    return dx.astype(float), dw.astype(float), db.astype(float)


@wrong("conv/backward", "shape", with_dout(sized(stride=1, pad=0)))
def empty_without_padding(takes):
    dx, _, _ = right_gradients(takes)
    pad = takes["conv_param"]["pad"]
    return {"dx": dx[:, :, pad:-pad, pad:-pad]}


@wrong("conv/backward", "shape", with_dout(sized(pad=1)))
def padding_uncut(takes):
    return {"dx": right_gradients(takes)[0]}


@wrong("conv/backward", "shape", with_dout(sized(pad=2)))
def cut_by_1(takes):
    return {"dx": right_gradients(takes)[0][:, :, 1:-1, 1:-1]}


@wrong("conv/backward", "padding_not_cut", with_dout(sized(pad=1)))
def cut_at_the_end(takes):
    height, width = takes["x"].shape[2:]
    return {"dx": right_gradients(takes)[0][:, :, :height, :width].copy()}


def spread(takes, add):
    """dx by windows: `add` puts a window's gradient into its place"""
    stride, pad = takes["conv_param"]["stride"], takes["conv_param"]["pad"]
    x, w, dout = takes["x"], takes["w"], takes["dout"]
    dx = np.zeros(np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))).shape)
    for f in range(len(w)):
        for p, q in np.ndindex(*dout.shape[2:]):
            top, left = p * stride, q * stride
            where = np.s_[:, :, top:top + w.shape[2], left:left + w.shape[3]]
            add(dx, where, dout[:, f, p, q][:, np.newaxis, np.newaxis, np.newaxis] * w[f], f)
    return dx[:, :, pad:pad + x.shape[2], pad:pad + x.shape[3]].copy()


@wrong("conv/backward", "overlap_not_added", with_dout(sized(stride=2, pad=1)))
def overwritten(takes):
    def put(dx, where, part, f):
        dx[where] = part
    return {"dx": spread(takes, put)}


@wrong("conv/backward", "filters_not_summed", with_dout(sized(stride=2, pad=1)))
def last_filter(takes):
    def put(dx, where, part, f):
        if f == len(takes["w"]) - 1:
            dx[where] += part
    return {"dx": spread(takes, put)}


@wrong("conv/backward", {"dw": "mean_not_sum", "db": "mean_not_sum"}, with_dout(sized(pad=1)))
def means(takes):
    _, dw, db = right_gradients(takes)
    return {"dw": dw / len(takes["x"]), "db": db / len(takes["x"])}


@wrong("conv/backward", "examples_not_summed", with_dout(sized(pad=1)))
def last_example(takes):
    _, dw, db = right_gradients(takes, takes["dout"][-1:], takes["x"][-1:])
    return {"dw": dw, "db": db}


@wrong("conv/backward", "sum_wrong_axis",
       with_dout(sized(x=(4, 3, 6, 5), w=(4, 3, 3, 2))))
def summed_by_example(takes):
    return {"db": takes["dout"].sum(axis=(1, 2, 3))}


@wrong("conv/backward", "stride_ignored", with_dout(sized(stride=2, pad=1)))
def stride_left_out(takes):
    x, w, dout = takes["x"], takes["w"], takes["dout"]
    dx = np.zeros((len(x), x.shape[1], x.shape[2] + 2, x.shape[3] + 2))
    for p, q in np.ndindex(*dout.shape[2:]):
        part = np.einsum("nf,fcrs->ncrs", dout[:, :, p, q], w)
        dx[:, :, p:p + w.shape[2], q:q + w.shape[3]] += part
    return {"dx": dx[:, :, 1:-1, 1:-1].copy()}


@wrong("conv/backward", "flipped", with_dout(sized(pad=1)))
def gradients_of_flipped(takes):
    """The exact gradients of a forward that flips its kernel"""
    def forward(x, w):
        return conv_of(takes, x, w[:, :, ::-1, ::-1])
    return {"dx": gradient(lambda x: forward(x, takes["w"]), takes["x"], takes["dout"]),
            "dw": gradient(lambda w: forward(takes["x"], w), takes["w"], takes["dout"])}


@wrong("conv/backward", "padding_fixed", with_dout(sized(pad=0, **REMAINDER)))
def gradients_of_padded_by_1(takes):
    """The exact gradients of a forward that pads by 1, where that has as many windows"""
    def forward(x, w):
        return conv_of(takes, x, w, pad=1)
    return {"dx": gradient(lambda x: forward(x, takes["w"]), takes["x"], takes["dout"]),
            "dw": gradient(lambda w: forward(takes["x"], w), takes["w"], takes["dout"])}


# ---- max_pool

def pool_takes(random, shape=(2, 3, 6, 5), size=(2, 2), stride=2):
    return {"x": random.permutation(int(np.prod(shape))).reshape(shape) / 16 - 2.0,
            "pool_param": {"pool_height": size[0], "pool_width": size[1], "stride": stride}}


def pooled(**sizes):
    return lambda random: pool_takes(random, **sizes)


def pool_of(takes, choose=np.max, size=None, stride=None):
    param = takes["pool_param"]
    height, width = size or (param["pool_height"], param["pool_width"])
    stride, x = stride or param["stride"], takes["x"]
    lengths = (x.shape[2] - height) // stride + 1, (x.shape[3] - width) // stride + 1
    out = np.zeros(x.shape[:2] + lengths)
    for p, q in np.ndindex(*lengths):
        out[:, :, p, q] = choose(x[:, :, p * stride:p * stride + height,
                                   q * stride:q * stride + width], axis=(2, 3))
    return out


def pool_back(inputs):
    def made(random):
        takes = inputs(random)
        return dict(takes, dout=random.randn(*pool_of(takes).shape))
    return made


def all_negative(random):
    takes = pool_takes(random)
    return dict(takes, x=takes["x"] - 100)


@wrong("max_pool/forward", "averaged", pooled())
def averaged(takes):
    return {"out": pool_of(takes, np.mean)}


@wrong("max_pool/forward", "smallest", pooled())
def smallest(takes):
    return {"out": pool_of(takes, np.min)}


@wrong("max_pool/forward", "starts_at_zero", all_negative)
def starts_at_zero(takes):
    return {"out": np.maximum(pool_of(takes), 0)}


@wrong("max_pool/forward", "window_transposed", pooled(shape=(2, 3, 6, 6), size=(2, 3), stride=3))
def window_turned(takes):
    return {"out": pool_of(takes, size=(3, 2))}


@wrong("max_pool/forward", "window_square", pooled(shape=(2, 3, 6, 6), size=(2, 3), stride=3))
def window_square_by_height(takes):
    return {"out": pool_of(takes, size=(2, 2))}


@wrong("max_pool/forward", "window_square", pooled(shape=(2, 3, 6, 6), size=(2, 3), stride=3))
def window_square_by_width(takes):
    return {"out": pool_of(takes, size=(3, 3))}


@wrong("max_pool/forward", "shape", pooled(size=(2, 2), stride=1))
def stride_of_window(takes):
    return {"out": pool_of(takes, stride=2)}


@wrong("max_pool/forward", "last_window_missing", pooled())
def pool_ends_early(takes):
    out = pool_of(takes)
    out[:, :, -1] = 0
    out[:, :, :, -1] = 0
    return {"out": out}


def pool_gradient(takes, put, stride=None):
    param = takes["pool_param"]
    height, width, stride = param["pool_height"], param["pool_width"], stride or param["stride"]
    dx = np.zeros(takes["x"].shape)
    for n, c, p, q in np.ndindex(*takes["dout"].shape):
        where = np.s_[n, c, p * stride:p * stride + height, q * stride:q * stride + width]
        put(dx[where], takes["x"][where], takes["dout"][n, c, p, q])
    return dx


OVERLAP = pool_back(pooled(size=(2, 3), stride=1))


@wrong("max_pool/backward", "overlap_not_added", OVERLAP)
def winner_overwritten(takes):
    def put(dx, x, value):
        dx[np.unravel_index(x.argmax(), x.shape)] = value
    return {"dx": pool_gradient(takes, put)}


@wrong("max_pool/backward", "overlap_not_added", OVERLAP)
def window_overwritten(takes):
    def put(dx, x, value):
        dx[:] = (x == x.max()) * value
    return {"dx": pool_gradient(takes, put)}


@wrong("max_pool/backward", "gradient_to_all", pool_back(pooled()))
def whole_window(takes):
    def put(dx, x, value):
        dx += value
    return {"dx": pool_gradient(takes, put)}


@wrong("max_pool/backward", "mask_only", pool_back(pooled()))
def winners_counted(takes):
    def put(dx, x, value):
        dx += x == x.max()
    return {"dx": pool_gradient(takes, put)}


@wrong("max_pool/backward", "averaged", pool_back(pooled()))
def gradient_of_mean(takes):
    def put(dx, x, value):
        dx += value / x.size
    return {"dx": pool_gradient(takes, put)}


@wrong("max_pool/backward", "stride_ignored", pool_back(pooled()))
def windows_one_apart_back(takes):
    def put(dx, x, value):
        dx[np.unravel_index(x.argmax(), x.shape)] += value
    return {"dx": pool_gradient(takes, put, stride=1)}


@wrong("max_pool/backward", "shape", pool_back(pooled()))
def gradient_turned(takes):
    def put(dx, x, value):
        dx[np.unravel_index(x.argmax(), x.shape)] += value
    return {"dx": pool_gradient(takes, put).transpose(0, 1, 3, 2).copy()}
