"""What the cases of graphs build on: nodes, and requests one after the other that know what the ones
before have kept."""
import numpy as np

import oracle_graph
from oracle import REAL
from vectorfile import USUAL, encode_answer, encode_request, refusal, step, typed

node = oracle_graph.node


def affine(name, x, w="w", b="b"):
    return node(name, "affine/forward", x=x, w=w, b=b)


def relu(name, x):
    return node(name, "relu/forward", x=x)


def softmax(name, x, y="y"):
    return node(name, "softmax/loss", x=x, y=y)


def svm(name, x, y="y"):
    return node(name, "svm/loss", x=x, y=y)


def sgd(name, w, dw, rate=0.5):
    return node(name, "sgd/update", w=w, dw=dw, config={"learning_rate": rate})


def gradients(name, of, *wanted):
    return node(name, "gradients", of=[of] if isinstance(of, str) else of, **{"for": list(wanted)})


def kept(name):
    """What stands for the handle under which `name` was kept"""
    return "{{kept:%s}}" % name


def tensor(name):
    return {"tensor": kept(name)}


def cache(name):
    return {"cache": kept(name)}


def labels(*values):
    """A tensor that says itself that it is of labels"""
    return {"shape": [len(values)], "data": list(values), "dtype": "int64"}


def document(nodes, inputs=None, give=(), keep=(), release=()):
    """What is empty is left out, but for `nodes`."""
    lists = {"give": list(give), "keep": list(keep), "release": list(release)}
    return {**({"inputs": inputs} if inputs else {}), "nodes": nodes,
            **{key: value for key, value in lists.items() if value}}


def result(value, query):
    """Flat, labels say that they are integers."""
    if "tensors=flat" in query and isinstance(value, np.ndarray) and value.dtype.kind == "i":
        return {"shape": list(value.shape), "data": value.ravel().tolist(), "dtype": "int64"}
    return value


class Story:
    """A case. What was kept is there twice: as it is, rounded by each node, and exact."""
    def __init__(self, name, dtype="float64"):
        self.name, self.dtype = name, dtype
        self.steps, self.rounded, self.exact = [], {}, {}

    def graph(self, nodes, inputs=None, give=(), keep=(), release=(), query="", dtype=None,
              tolerance=None):
        dtype = dtype or self.dtype
        asked = document(nodes, inputs, give, keep, release)
        results, stays = oracle_graph.run(asked, dtype, self.rounded)
        tolerance = tolerance or USUAL[dtype]
        self.check_steady(asked, results, tolerance)
        self.rounded.update({kept(name): value for name, value in stays.items()})
        answer = {"results": {name: result(value, query) for name, value in results.items()},
                  "kept": {name: kept(name) for name in stays}}
        self.steps.append(step("/graph", typed(asked, dtype), answer, tolerance, query))
        return self

    def check_steady(self, asked, results, tolerance):
        """Rounding between the nodes must move no result by a quarter of what a caller may be off."""
        exact, stays = oracle_graph.run(asked, REAL, self.exact)
        self.exact.update({kept(name): value for name, value in stays.items()})
        rtol, atol = tolerance
        for name, value in results.items():
            if not isinstance(value, str):
                apart = np.abs(np.asarray(value, REAL) - np.asarray(exact[name], REAL))
                room = (atol + rtol * np.abs(np.asarray(value, REAL))) / 4
                assert np.all((apart <= room) | np.isnan(apart)), (self.name, name, apart / room)

    def single(self, path, request, answer, query=""):
        self.steps.append(step(path, typed(request, self.dtype), answer, USUAL[self.dtype], query))
        return self

    def refused(self, request, status, code=None, pointer=None, path="/graph"):
        made = refusal(path, typed(request, self.dtype), status, code, pointer)
        if code is None:
            del made["error"]["code"]
        self.steps.append(made)
        return self

    def case(self):
        return {"name": self.name, "steps": self.steps}
