"""That what implementations which people call right disagree about is neither right nor wrong."""
import numpy as np

from asking import findings

# (operation, takes, claim, fault): of several one, or None for what has no name
CASES = []


def case(operation, fault, takes, claim):
    CASES.append((operation, takes, claim, fault))


# relu at 0 exactly, and at NaN
ZEROS = {"x": np.array([0.0, 1.5, -2.0]), "dout": np.array([3.0, 4.0, 5.0])}
case("relu/backward", "zero_passes", ZEROS, {"dx": np.array([3.0, 4.0, 0.0])})
case("relu/backward", "zero_half", ZEROS, {"dx": np.array([1.5, 4.0, 0.0])})
NAN = {"x": np.array([np.nan, 1.5, -2.0]), "dout": np.array([3.0, 4.0, 5.0])}
for VALUE in 0.0, 3.0, np.nan:
    case("relu/backward", None, NAN, {"dx": np.array([VALUE, 4.0, 0.0])})


# ties in a window: whose is the gradient?
def pooled(x):
    return {"x": np.array([[x]], float), "dout": np.full((1, 1, 1, 1), 6.0),
            "pool_param": {"pool_height": 2, "pool_width": 2, "stride": 2}}


def gradient(*values):
    return {"dx": np.array([[[values[:2], values[2:]]]], float)}


TWO = pooled([[1, 7], [7, 2]])
case("max_pool/backward", "ties_all", TWO, gradient(0, 6, 6, 0))
case("max_pool/backward", "ties_shared", TWO, gradient(0, 3, 3, 0))
case("max_pool/backward", ("ties_column_major", "ties_last"), TWO, gradient(0, 0, 6, 0))
case("max_pool/backward", "ties_last", pooled([[7, 1], [2, 7]]), gradient(0, 0, 0, 6))
ALIKE = pooled([[7, 7], [7, 7]])  # where the whole window leads
case("max_pool/backward", "ties_all", ALIKE, gradient(6, 6, 6, 6))
case("max_pool/backward", "ties_shared", ALIKE, gradient(1.5, 1.5, 1.5, 1.5))
for PLACE in 0, 3:
    case("max_pool/backward", None, pooled([[np.nan, 1], [2, np.nan]]),
         gradient(*(6 * (i == PLACE) for i in range(4))))

# a score of -inf off the target, and the logarithm of a probability of 0
GONE = {"x": np.array([[1.0, -np.inf, 0.5]]), "y": np.array([0])}
case("softmax/loss", None, GONE, {"loss": 0.4740769841801067})
case("softmax/loss", None, GONE, {"loss": np.nan})
case("softmax/loss", "log_of_softmax", {"x": np.array([[0.0, 800.0]]), "y": np.array([0])},
     {"loss": np.inf})

# an infinite weight over zeros that were put around x
PADDED = {"x": np.ones((1, 1, 2, 2)), "w": np.array([[[[np.inf, 1.0]]]]), "b": np.zeros(1),
          "conv_param": {"stride": 1, "pad": 1}}


def out_of(zero):
    out = np.zeros((1, 1, 4, 3))
    out[:, :, 1:3] = [zero, np.inf, np.inf]
    out[:, :, [0, 3]] = zero
    out[:, :, 1:3, 0] = zero if np.isnan(zero) else 1
    return {"out": out}


case("conv/forward", None, PADDED, out_of(np.nan))
case("conv/forward", None, PADDED, out_of(0.0))


def run(tally, daemon, operations):
    for operation, takes, claim, fault in CASES:
        if operation not in operations:
            continue
        for _, finding in findings(daemon.check(operation, takes, claim)):
            faults = (fault,) if isinstance(fault, str) else fault
            tally.verdicts[finding["verdict"]] += 1
            named = faults is None or finding.get("fault") in faults
            if finding["verdict"] != "undecided" or not named:
                tally.fail(f"{operation} of {takes}, {claim}", f"not undecided, {fault}: {finding}")
