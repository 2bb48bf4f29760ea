"""Wrong answers to affine, relu, dropout and the losses, as they are seen in people's code."""
import numpy as np

import oracle
from wrong import wrong


def flat(x, w):
    return x.reshape(len(x), len(w))


# ---- affine

def affine_takes(random, shape=(5, 4), m=3):
    d = int(np.prod(shape[1:]))
    return {"x": random.randn(*shape), "w": random.randn(d, m), "b": random.randn(m)}


def affine_images(random):
    return affine_takes(random, (5, 2, 3, 2))


def affine_square(random):
    """N = M and D = M: what is taken for something else has its shape"""
    return affine_takes(random, (4, 4), 4)


@wrong("affine/forward", "bias_missing", affine_images)
def no_bias(takes):
    return {"out": flat(takes["x"], takes["w"]).dot(takes["w"])}


@wrong("affine/forward", "bias_negated", affine_takes)
def bias_subtracted(takes):
    return {"out": takes["x"].dot(takes["w"]) - takes["b"]}


@wrong("affine/forward", "bias_wrong_axis", affine_square)
def bias_by_rows(takes):
    return {"out": takes["x"].dot(takes["w"]) + takes["b"][:, np.newaxis]}


@wrong("affine/forward", "weights_transposed", affine_square)
def weights_transposed(takes):
    return {"out": takes["x"].dot(takes["w"].T) + takes["b"]}


@wrong("affine/forward", "flattened_otherwise", affine_images)
def flattened_by_columns(takes):
    d = len(takes["w"])
    return {"out": takes["x"].reshape(d, -1).T.dot(takes["w"]) + takes["b"]}


@wrong("affine/forward", "flattened_otherwise", affine_images)
def flattened_first_axis_fastest(takes):
    x = takes["x"]
    return {"out": x.reshape(len(x), -1, order="F").dot(takes["w"]) + takes["b"]}


@wrong("affine/forward", "shape", affine_takes)
def out_turned(takes):
    return {"out": (takes["x"].dot(takes["w"]) + takes["b"]).T}


@wrong("affine/forward", "zeros", affine_takes)
def not_written(takes):
    return {"out": np.zeros((len(takes["x"]), len(takes["b"])))}


@wrong("affine/forward", "float32_values", affine_takes)
def in_single(takes):
    out = oracle.affine_forward(takes["x"], takes["w"], takes["b"])
    return {"out": out.astype(np.float32).astype(float)}


@wrong("affine/forward", ("transposed", "order"), affine_square)
def turned(takes):
    return {"out": np.ascontiguousarray((takes["x"].dot(takes["w"]) + takes["b"]).T)}


@wrong("affine/forward", "not_finite", affine_takes)
def broken_first(takes):
    out = takes["x"].dot(takes["w"]) + takes["b"]
    out[0, 0] = np.nan
    return {"out": out}


@wrong("affine/forward", None, affine_takes)
def one_element_off(takes):
    out = takes["x"].dot(takes["w"]) + takes["b"]
    out[-1, -1] *= 1 + 1e-9
    return {"out": out}


def affine_back(inputs):
    def made(random):
        takes = inputs(random)
        return dict(takes, dout=random.randn(len(takes["x"]), len(takes["b"])))
    return made


def affine_gradients(takes):
    x, w, dout = flat(takes["x"], takes["w"]), takes["w"], takes["dout"]
    return dout.dot(w.T).reshape(takes["x"].shape), x.T.dot(dout), dout.sum(axis=0)


@wrong("affine/backward", "mean_not_sum", affine_back(affine_images))
def means(takes):
    _, dw, db = affine_gradients(takes)
    return {"dw": dw / len(takes["x"]), "db": db / len(takes["x"])}


@wrong("affine/backward", {"dx": "shape", "db": "shape"}, affine_back(affine_images))
def shapes_of_flattened(takes):
    dx, _, db = affine_gradients(takes)
    return {"dx": dx.reshape(len(dx), -1), "db": db[np.newaxis]}


@wrong("affine/backward", "reshaped_not_transposed", affine_back(affine_takes))
def x_reshaped(takes):
    x, dout = takes["x"], takes["dout"]
    return {"dw": x.reshape(x.shape[1], x.shape[0]).dot(dout),
            "dx": dout.dot(takes["w"].reshape(dout.shape[1], -1))}


@wrong("affine/backward", "weights_not_transposed", affine_back(affine_square))
def not_transposed(takes):
    return {"dx": takes["dout"].dot(takes["w"])}


@wrong("affine/backward", "sum_wrong_axis", affine_back(affine_square))
def summed_along_rows(takes):
    return {"db": takes["dout"].sum(axis=1)}


@wrong("affine/backward", "times_constant", affine_back(affine_images))
def signs_turned(takes):
    dx, dw, db = affine_gradients(takes)
    return {"dx": -dx, "dw": -dw, "db": -db}


@wrong("affine/backward", "unchanged_input", affine_back(affine_takes))
def weights_for_gradient(takes):
    return {"dw": takes["w"]}


# ---- relu

def relu_takes(random):
    return {"x": random.randn(3, 4, 5)}


@wrong("relu/forward", "leaky", relu_takes)
def slope_below(takes):
    return {"out": np.where(takes["x"] > 0, takes["x"], 0.01 * takes["x"])}


@wrong("relu/forward", "absolute", relu_takes)
def absolute(takes):
    return {"out": np.abs(takes["x"])}


@wrong("relu/forward", "mask_inverted", relu_takes)
def negatives_kept(takes):
    return {"out": np.minimum(takes["x"], 0)}


@wrong("relu/forward", "unchanged_input", relu_takes)
def as_it_is(takes):
    return {"out": takes["x"].copy()}


def relu_back(random):
    return dict(relu_takes(random), dout=random.randn(3, 4, 5))


@wrong("relu/backward", "mask_from_dout", relu_back)
def mask_of_dout(takes):
    return {"dx": takes["dout"] * (takes["dout"] > 0)}


@wrong("relu/backward", "mask_inverted", relu_back)
def mask_turned(takes):
    return {"dx": takes["dout"] * (takes["x"] <= 0)}


@wrong("relu/backward", "leaky", relu_back)
def gradient_of_leaky(takes):
    return {"dx": takes["dout"] * np.where(takes["x"] > 0, 1, 0.01)}


@wrong("relu/backward", ("not_masked", "unchanged_input"), relu_back)
def dout_as_it_is(takes):
    return {"dx": takes["dout"].copy()}


@wrong("relu/backward", "scaled_by_x", relu_back)
def out_for_mask(takes):
    return {"dx": takes["dout"] * np.maximum(takes["x"], 0)}


# ---- dropout

def drop_takes(random, mode="train", p=0.3):
    return {"x": random.randn(8, 9),
            "dropout_param": {"p": p, "mode": mode, "seed": int(random.randint(10 ** 6))}}


def drop_testing(random):
    return drop_takes(random, "test")


def drop_mostly_kept(random):
    return drop_takes(random, p=0.75)


def draw(takes):
    np.random.seed(takes["dropout_param"]["seed"])
    return np.random.rand(*takes["x"].shape), takes["dropout_param"]["p"]


@wrong("dropout/forward", "not_scaled", drop_takes)
def masked_only(takes):
    numbers, p = draw(takes)
    return {"out": takes["x"] * (numbers < p)}


@wrong("dropout/forward", "scaled_twice", drop_takes)
def scaled_twice(takes):
    numbers, p = draw(takes)
    return {"out": takes["x"] * ((numbers < p) / p) / p}


@wrong("dropout/forward", "p_is_dropping", drop_takes)
def p_drops(takes):
    numbers, p = draw(takes)
    return {"out": takes["x"] * (numbers > p) / (1 - p)}


@wrong("dropout/forward", "p_is_dropping", drop_mostly_kept)
def kept_below_rest(takes):
    numbers, p = draw(takes)
    return {"out": takes["x"] * (numbers < 1 - p) / (1 - p)}


@wrong("dropout/forward", ("p_is_dropping", "dropped_and_scaled_by_p"), drop_takes)
def p_drops_and_divides(takes):
    numbers, p = draw(takes)
    return {"out": takes["x"] * (numbers > p) / p}


@wrong("dropout/forward", "mask_by_row", drop_mostly_kept)
def one_mask_for_all_rows(takes):
    _, p = draw(takes)
    np.random.seed(takes["dropout_param"]["seed"])
    return {"out": takes["x"] * (np.random.rand(takes["x"].shape[1]) < p) / p}


@wrong("dropout/forward", "mask_from_normal", drop_mostly_kept)
def mask_of_normal(takes):
    _, p = draw(takes)
    np.random.seed(takes["dropout_param"]["seed"])
    return {"out": takes["x"] * (np.random.randn(*takes["x"].shape) < p) / p}


@wrong("dropout/forward", "test_scaled", drop_testing)
def scaled_in_test(takes):
    return {"out": takes["x"] * takes["dropout_param"]["p"]}


@wrong("dropout/forward", "dropped_in_test", drop_testing)
def dropped_in_test(takes):
    numbers, p = draw(takes)
    return {"out": takes["x"] * (numbers < p) / p}


@wrong("dropout/forward", ("nothing_dropped", "unchanged_input"), drop_takes)
def nothing_dropped(takes):
    return {"out": takes["x"].copy()}


@wrong("dropout/forward", None, drop_takes)
def precedence(takes):
    """(rand < p / p): nearly all are kept, and nothing is scaled"""
    numbers, p = draw(takes)
    return {"out": takes["x"] * (numbers < p / p)}


def drop_back(random):
    return dict(drop_takes(random), dout=random.randn(8, 9))


@wrong("dropout/backward", "not_scaled", drop_back)
def gradient_masked_only(takes):
    numbers, p = draw(takes)
    return {"dx": takes["dout"] * (numbers < p)}


@wrong("dropout/backward", "scaled_twice", drop_back)
def gradient_scaled_twice(takes):
    numbers, p = draw(takes)
    return {"dx": takes["dout"] * ((numbers < p) / p) / p}


@wrong("dropout/backward", "p_is_dropping", drop_back)
def gradient_where_p_drops(takes):
    numbers, p = draw(takes)
    return {"dx": takes["dout"] * (numbers > p) / (1 - p)}


@wrong("dropout/backward", ("not_masked", "unchanged_input"), drop_back)
def gradient_everywhere(takes):
    return {"dx": takes["dout"].copy()}


# ---- svm

def scores(random, n=6, c=5):
    return {"x": 2 * random.randn(n, c), "y": random.randint(c, size=n)}


def svm_parts(takes):
    x, y, rows = takes["x"], takes["y"], np.arange(len(takes["x"]))
    margins = np.maximum(0, x - x[rows, y][:, np.newaxis] + 1)
    margins[rows, y] = 0
    counts = (margins > 0).astype(float)
    counts[rows, y] = -counts.sum(axis=1)
    return margins, counts, rows, y


@wrong("svm/loss", "sum_not_mean", scores)
def svm_summed(takes):
    margins, counts, _, _ = svm_parts(takes)
    return {"loss": margins.sum(), "dx": counts}


@wrong("svm/loss", "true_class_counted", scores)
def svm_with_true_class(takes):
    margins, counts, rows, y = svm_parts(takes)
    margins[rows, y] = 1
    counts[rows, y] -= 1
    return {"loss": margins.sum() / len(rows), "dx": counts / len(rows)}


@wrong("svm/loss", "averaged_over_classes", scores)
def svm_mean_of_all(takes):
    margins, counts, _, _ = svm_parts(takes)
    return {"loss": margins.mean(), "dx": counts / counts.size}


@wrong("svm/loss", "largest_rival_only", scores)
def svm_of_rival(takes):
    margins, _, rows, y = svm_parts(takes)
    largest = margins.argmax(axis=1)
    hit = margins[rows, largest] > 0
    dx = np.zeros_like(margins)
    dx[rows[hit], largest[hit]] = 1
    dx[rows[hit], y[hit]] = -1
    return {"loss": margins.max(axis=1).mean(), "dx": dx / len(rows)}


@wrong("svm/loss", {"dx": "one_hot_missing"}, scores)
def svm_true_class_unsubtracted(takes):
    _, counts, rows, y = svm_parts(takes)
    counts[rows, y] = 0
    return {"dx": counts / len(rows)}


@wrong("svm/loss", {"loss": "margin_missing", "dx": "margin_missing"}, scores)
def svm_without_margin(takes):
    x, y, rows = takes["x"], takes["y"], np.arange(len(takes["x"]))
    margins = np.maximum(0, x - x[rows, y][:, np.newaxis])
    counts = (margins > 0).astype(float)
    counts[rows, y] = -counts.sum(axis=1)
    return {"loss": margins.sum() / len(x), "dx": counts / len(x)}


@wrong("svm/loss", {"dx": ("gradient_sign", "times_constant")}, scores)
def svm_sign(takes):
    _, counts, rows, _ = svm_parts(takes)
    return {"dx": -counts / len(rows)}


# ---- softmax

def large_scores(random):
    """Whose exponentials are out of range"""
    return {"x": 1000 + 5 * random.randn(6, 4), "y": random.randint(4, size=6)}


def softmax_parts(takes):
    x, y, rows = takes["x"], takes["y"], np.arange(len(takes["x"]))
    z = x - x.max(axis=1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    onehot = np.zeros_like(p)
    onehot[rows, y] = 1
    return p, onehot, rows, y


@wrong("softmax/loss", "sum_not_mean", scores)
def softmax_summed(takes):
    p, onehot, rows, y = softmax_parts(takes)
    return {"loss": -np.log(p[rows, y]).sum(), "dx": p - onehot}


@wrong("softmax/loss", {"dx": "one_hot_missing"}, scores)
def softmax_probabilities(takes):
    p, _, rows, _ = softmax_parts(takes)
    return {"dx": p / len(rows)}


@wrong("softmax/loss", "averaged_over_classes", scores)
def softmax_mean_of_all(takes):
    p, onehot, _, _ = softmax_parts(takes)
    return {"loss": -(onehot * np.log(p)).mean(), "dx": (p - onehot) / p.size}


@wrong("softmax/loss", {"loss": "constant_in_log"}, scores)
def softmax_constant_7(takes):
    p, _, rows, y = softmax_parts(takes)
    return {"loss": -np.log(p[rows, y] + 1e-7).sum() / len(rows)}


@wrong("softmax/loss", {"loss": "constant_in_log"}, scores)
def softmax_constant_8(takes):
    p, _, rows, y = softmax_parts(takes)
    return {"loss": -np.log(p[rows, y] + 1e-8).sum() / len(rows)}


def scores_unlikely(random):
    """A right class that has next to no chance"""
    return {"x": np.array([[60.0, 1.0, 0.0], [1.0, 2.0, 3.0]]) + random.rand(2, 3),
            "y": np.array([1, 2])}


@wrong("softmax/loss", {"loss": "constant_in_log"}, scores_unlikely)
def softmax_clipped(takes):
    p, _, rows, y = softmax_parts(takes)
    return {"loss": -np.log(np.clip(p[rows, y], 1e-10, 1)).mean()}


@wrong("softmax/loss", "constant_in_sum", scores)
def softmax_constant_in_sum(takes):
    x, y, rows = takes["x"], takes["y"], np.arange(len(takes["x"]))
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / (e.sum(axis=1, keepdims=True) + 1e-7)
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return {"loss": loss, "dx": p / len(p)}


def scores_far_apart(random):
    """Rows whose exponentials are 0 beside the largest score of another"""
    x = 5 * random.randn(6, 4) + np.where(np.arange(6) % 2, 900, -900)[:, np.newaxis]
    return {"x": x, "y": random.randint(4, size=6)}


@wrong("softmax/loss", "not_shifted", scores_far_apart)
def softmax_shifted_by_all(takes):
    e = np.exp(takes["x"] - takes["x"].max())
    p = e / e.sum(axis=1, keepdims=True)
    rows, y = np.arange(len(p)), takes["y"]
    loss = -np.log(p[rows, y]).sum() / len(p)
    p[rows, y] -= 1
    return {"loss": loss, "dx": p / len(p)}


@wrong("softmax/loss", "not_shifted", scores_far_apart)
def softmax_logarithms_shifted_by_all(takes):
    z = takes["x"] - takes["x"].max()
    logarithms = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    rows, y = np.arange(len(z)), takes["y"]
    p = np.exp(logarithms)
    p[rows, y] -= 1
    return {"loss": -logarithms[rows, y].sum() / len(p), "dx": p / len(p)}


@wrong("softmax/loss", "not_shifted", large_scores)
def softmax_unshifted(takes):
    e = np.exp(takes["x"])
    p = e / e.sum(axis=1, keepdims=True)
    rows, y = np.arange(len(p)), takes["y"]
    loss = -np.log(p[rows, y]).sum() / len(p)
    p[rows, y] -= 1
    return {"loss": loss, "dx": p / len(p)}


@wrong("softmax/loss", {"dx": ("gradient_sign", "times_constant")}, scores)
def softmax_sign(takes):
    p, onehot, rows, _ = softmax_parts(takes)
    return {"dx": (onehot - p) / len(rows)}


@wrong("softmax/loss", "normalised_by_columns", scores)
def softmax_of_columns(takes):
    x, rows, y = takes["x"], np.arange(len(takes["x"])), takes["y"]
    p = np.exp(x) / np.exp(x).sum(axis=0)
    loss = -np.log(p[rows, y]).sum() / len(rows)
    p[rows, y] -= 1
    return {"loss": loss, "dx": p / len(rows)}


@wrong("softmax/loss", {"loss": ("loss_negated", "times_constant")}, scores)
def softmax_without_minus(takes):
    p, _, rows, y = softmax_parts(takes)
    return {"loss": np.log(p[rows, y]).sum() / len(rows)}
