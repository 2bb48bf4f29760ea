"""That no right answer is failed: each operation computed in many ways, dtypes and orders, of many
kinds of numbers. Tells the worst error seen of each operation, in bounds."""
import collections

import numpy as np

import data
import honest_norms
import honest_plain
import honest_torch
import honest_updates
import honest_windows
from asking import findings, flattened, number

HALF = 0.5  # of a bound: what a right answer may take of it
# A margin of svm so near 0 that it may count or not takes all of what it may.
WHOLE = {"svm/loss": ("dx",)}

TIGHT = 1e-11  # of the largest right value: what a bound may be of usual numbers in float64

MODULES = honest_plain, honest_norms, honest_windows, honest_updates
OPERATIONS = {name: parts for module in MODULES for name, parts in module.OPERATIONS.items()}


def converted(value, real):
    """Numbers in another dtype; what is whole, or text, as it is"""
    if isinstance(value, dict):
        return {name: converted(member, real) for name, member in value.items()}
    if isinstance(value, (float, np.floating)):
        return real(value)
    is_real = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(real) if is_real else value


def sent(takes, real):
    """What goes to the daemon: tensors in a dtype, numbers as they are"""
    if isinstance(takes, dict):
        return {name: sent(member, real) for name, member in takes.items()}
    is_real = isinstance(takes, np.ndarray) and takes.dtype.kind == "f"
    return takes.astype(real) if is_real else takes


def fits_single(takes):
    """Whether float32 holds all of it"""
    return all(np.abs(value).max(initial=0) < 1e38 for _, value in flattened(takes)
               if isinstance(value, np.ndarray))


# How answers are computed: the name, the dtype of the inputs, that of the computation, that of the
# claim, and the precision that is told.
COMPUTED = [
    ("float64", np.float64, np.float64, np.float64, None),
    ("80 bits", np.float64, np.longdouble, np.float64, None),
    ("float32", np.float32, np.float32, np.float32, None),
    ("80 bits of float32", np.float32, np.longdouble, np.float32, None),
    ("float32 of float64", np.float64, np.float32, np.float64, "float32"),
    ("float64 told as float32", np.float64, np.float64, np.float64, "float32"),
]


class Tally:
    def __init__(self):
        self.worst = collections.defaultdict(lambda: (0.0, ""))
        self.verdicts = collections.Counter()
        self.faults = []

    def fail(self, about, why):
        self.faults.append(f"{about}: {why}")

    def note(self, operation, about, name, finding):
        about = f"{about}, {name}"
        self.verdicts[finding["verdict"]] += 1
        if "bound" not in finding:
            return
        error, bound = number(finding["error"]), number(finding["bound"])
        ratio = 0.0 if error == 0 or np.isinf(bound) or np.isnan(error) else \
            error / bound if bound > 0 else np.inf
        most = 1.0 if name in WHOLE.get(operation, ()) else HALF
        if ratio > self.worst[operation][0] and most == HALF:
            self.worst[operation] = ratio, about
        if finding["verdict"] == "wrong":
            self.fail(about, f"a right answer is called wrong: {finding}")
        elif ratio > most:
            self.fail(about, f"{ratio:.3g} of the bound: {finding}")


def look_at_expected(tally, about, right, found):
    """The daemon's right answer beside the oracle's"""
    known = dict(flattened(right))
    for name, finding in findings(found):
        if "at" not in finding or name not in known:
            continue
        value = np.asarray(known[name])[tuple(finding["at"])]
        apart = abs(np.longdouble(number(finding["expected"])) - value)
        if apart > HALF * number(finding["bound"]):
            tally.fail(about, f"{name} is to be {value}, and is expected to be "
                              f"{finding['expected']} within {finding['bound']}")


def look_at_bounds(tally, about, right, found):
    """A bound that lets a right answer pass is to let nothing else pass"""
    known = dict(flattened(right))
    for name, finding in findings(found):
        if name in known and "bound" in finding:
            largest = np.abs(np.asarray(known[name], float)).max()
            if number(finding["bound"]) > TIGHT * largest:
                tally.fail(about, f"{name} may be off by {finding['bound']} of {largest}")


def ask(tally, daemon, operation, about, takes, right, claim, usual, **terms):
    found = daemon.check(operation, takes, claim, **terms)
    for name, finding in findings(found):
        tally.note(operation, about, name, finding)
        if usual and finding["verdict"] == "undecided":
            tally.fail(f"{about}, {name}", f"cannot tell of usual numbers: {finding}")
    look_at_expected(tally, about, right, found)
    if usual:
        look_at_bounds(tally, about, right, found)


MOST = 9  # ways that are asked about at once


def some(ways, offset):
    """As many as are worth the time: others for another offset, so that each has its turn"""
    step = -(-len(ways) // MOST)
    return ways[offset % step::step] if ways else ways


def run_ways(tally, daemon, operation, kind, takes, computed, count):
    """Ways of one operation, of one kind of input, computed in one dtype"""
    name, given, real, claimed, precision = computed
    if np.float32 in (given, real, claimed) and not fits_single(takes):
        return
    inputs, right, ways = OPERATIONS[operation]
    given_takes = sent(takes, given)
    wanted = right(given_takes)
    terms = {"precision": precision} if precision else {}
    chosen = some(list(ways(converted(given_takes, real))), next(count))
    if real in (np.float64, np.float32):
        chosen += honest_torch.ways(operation, converted(given_takes, real))
    usual = kind in data.USUAL and claimed == np.float64 and not precision
    for way, claim in chosen:
        about = f"{operation}, {kind}, {name}, {way}"
        ask(tally, daemon, operation, about, given_takes, wanted, converted(claim, claimed), usual,
            in_json=next(count) % 9 == 0, **terms)
