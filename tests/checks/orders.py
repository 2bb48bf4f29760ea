"""Sums of many terms, in the orders in which people, compilers and BLAS libraries take them."""
import numpy as np


def first(terms, axis):
    return np.moveaxis(terms, axis, 0)


def one_by_one(terms):
    total = np.zeros(terms.shape[1:], terms.dtype)
    for term in terms:
        total = total + term
    return total


def forward(terms, axis):
    return one_by_one(first(terms, axis))


def backward(terms, axis):
    return one_by_one(first(terms, axis)[::-1])


def shuffled(terms, axis):
    terms = first(terms, axis)
    return one_by_one(terms[np.random.RandomState(7).permutation(len(terms))])


def pairwise(terms, axis):
    """As np.sum does of what lies together"""
    return np.ascontiguousarray(np.moveaxis(terms, axis, -1)).sum(axis=-1, dtype=terms.dtype)


def halves(terms, axis):
    terms = first(terms, axis)
    while len(terms) > 1:
        odd = terms[2 * (len(terms) // 2):]
        terms = np.concatenate([terms[0:len(terms) - len(odd):2] + terms[1::2], odd])
    return terms[0] if len(terms) else np.zeros(terms.shape[1:], terms.dtype)


def lanes(terms, axis):
    """Eight at once, and what is left over"""
    terms = first(terms, axis)
    whole = len(terms) // 8 * 8
    parts = [one_by_one(terms[lane:whole:8]) for lane in range(8)] + [one_by_one(terms[whole:])]
    return one_by_one(np.array(parts))


def by_size(terms, axis):
    """The largest first, which is the worst"""
    terms = first(terms, axis)
    order = np.argsort(-np.abs(terms), axis=0)
    return one_by_one(np.take_along_axis(terms, order, axis=0))


ORDERS = {"forward": forward, "backward": backward, "shuffled": shuffled, "pairwise": pairwise,
          "halves": halves, "lanes": lanes, "by size": by_size}


def fused(a, b, axis):
    """sum of a * b by fused multiplications and additions: each is rounded once (of float64 as well
    as 80 bits can)"""
    wide = np.float64 if a.dtype == np.float32 else np.longdouble
    a, b = np.broadcast_arrays(a, b)
    total = np.zeros(first(a, axis).shape[1:], a.dtype)
    for x, y in zip(first(a, axis), first(b, axis)):
        total = (total.astype(wide) + x.astype(wide) * y.astype(wide)).astype(a.dtype)
    return total
