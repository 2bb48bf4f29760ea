"""That no wrong answer passes: wrong implementations of each operation, and the fault that each
must be told by name."""
import numpy as np

import honest
from asking import findings, flattened

# (operation, name, inputs, function, fault): `inputs` makes of random what the operation takes;
# `function` makes of that what is claimed; `fault` names what must be found, of each claim that is
# named where it is an object, one of several where it is a tuple, anything where it is None.
WRONG = []


def wrong(operation, fault, inputs):
    """Marks a wrong implementation."""
    def mark(function):
        WRONG.append((operation, function.__name__, inputs, function, fault))
        return function
    return mark


def gradient(function, at, dout, step=1e-30):
    """d sum(function(at) * dout) / d at of a function that is analytic, by a step along the
    imaginary axis: to the last digit but one."""
    found = np.zeros(at.shape)
    for i in np.ndindex(*at.shape):
        moved = at.astype(complex)
        moved[i] += 1j * step
        found[i] = (function(moved).imag * dout).sum() / step
    return found


def names_of(fault, claim):
    """What may be named of a claim; empty for anything"""
    fault = fault.get(claim) if isinstance(fault, dict) else fault
    return (fault,) if isinstance(fault, str) else fault or ()


def run_in_double(tally, daemon, case, takes, in_json):
    operation, name, _, function, fault = case
    claim = function(takes)
    for where, finding in findings(daemon.check(operation, takes, claim, in_json=in_json)):
        about = f"{operation}, {name}, {where}"
        tally.verdicts[finding["verdict"]] += 1
        if finding["verdict"] != "wrong":
            tally.fail(about, f"a wrong answer is not called so: {finding}")
        elif names_of(fault, where) and finding.get("fault") not in names_of(fault, where):
            tally.fail(about, f"not {' or '.join(names_of(fault, where))}: {finding}")


def far_apart(claimed, right):
    """By more than what a check that is worth anything lets pass, by far"""
    claimed, right = np.asarray(claimed, float), np.asarray(right, float)
    if claimed.shape != right.shape or not np.isfinite(claimed).all():
        return True
    apart = np.sqrt(((claimed - right) ** 2).mean())
    return bool(apart > 2 ** -10 * np.sqrt((right ** 2).mean()) + 1e-37)


def run_in_single(tally, daemon, case, takes, precision):
    """Wrong, or so that it cannot be told; never right where it is far off"""
    operation, name, _, function, _ = case
    claim = function(takes)
    given = takes if precision else honest.sent(takes, np.float32)
    right = dict(flattened(honest.OPERATIONS[operation][1](given)))
    terms = {"precision": "float32"} if precision else {}
    found = daemon.check(operation, given, honest.sent(claim, np.float32), **terms)
    for where, finding in findings(found):
        tally.verdicts[finding["verdict"]] += 1
        claimed = dict(flattened(claim))[where]
        if finding["verdict"] == "right" and far_apart(claimed, right.get(where, claimed)):
            about = f"{operation}, {name}, {where}, float32"
            tally.fail(about, f"a wrong answer is right: {finding}")


def run_case(tally, daemon, case, count):
    for seed in range(3):
        takes = case[2](np.random.RandomState(seed + 100))
        run_in_double(tally, daemon, case, takes, in_json=next(count) % 5 == 0)
        run_in_single(tally, daemon, case, takes, precision=seed == 1)
