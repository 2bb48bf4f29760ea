"""A network that learns on a daemon, where its weights stay, and the same in NumPy."""
import json
import struct

import numpy as np

NODES = [{"name": "a", "op": "affine/forward", "x": "x", "w": "w", "b": "b"},
         {"name": "r", "op": "relu/forward", "x": "a.out"},
         {"name": "s", "op": "affine/forward", "x": "r.out", "w": "v", "b": "c"},
         {"name": "l", "op": "softmax/loss", "x": "s.out", "y": "y"},
         {"name": "d", "op": "gradients", "of": ["l.loss"], "for": ["w", "b", "v", "c"]},
         *({"name": f"u_{name}", "op": "sgd/update", "w": name, "dw": f"d.{name}",
            "config": {"learning_rate": 0.5}} for name in "wbvc")]
SHAPES = {"w": (6, 8), "b": (8,), "v": (8, 3), "c": (3,)}
BATCH, RATE = 7, 0.5
JSON, SAFETENSORS = "application/json", "application/vnd.safetensors"


def as_file(tensors, document):
    """A safetensors file of arrays, and a graph's document in its __metadata__"""
    header, data = {"__metadata__": {"graph": json.dumps(document)}}, b""
    for name, array in tensors.items():
        begin, data = len(data), data + array.tobytes()
        header[name] = {"dtype": "F64" if array.dtype == np.float64 else "I64",
                        "shape": array.shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


class Training:
    """Requests, each with its Content-Type, and what their answers must tell"""

    def __init__(self):
        self.random = np.random.default_rng()
        self.weights = {name: self.random.normal(size=shape) for name, shape in SHAPES.items()}
        self.handles = {}
        self.draw()

    def draw(self):
        """The next batch, its loss, and the weights after it"""
        weights, x = self.weights, self.random.normal(size=(BATCH, SHAPES["w"][0]))
        y, rows = self.random.integers(0, SHAPES["c"][0], BATCH), np.arange(BATCH)
        hidden = np.maximum(x @ weights["w"] + weights["b"], 0)
        scores = hidden @ weights["v"] + weights["c"]
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        dscores = np.exp(logs)
        dscores[rows, y] -= 1
        dscores /= BATCH
        dhidden = (dscores @ weights["v"].T) * (hidden > 0)
        gradients = {"w": x.T @ dhidden, "b": dhidden.sum(axis=0), "v": hidden.T @ dscores,
                     "c": dscores.sum(axis=0)}
        self.x, self.y, self.loss = x, y, -logs[rows, y].mean()
        self.next = {name: weights[name] - RATE * gradients[name] for name in weights}

    def kept(self, *names):
        return {name: {"tensor": self.handles[name]} for name in names}

    def put(self):
        inputs = {name: array.tolist() for name, array in self.weights.items()}
        return JSON, json.dumps({"inputs": inputs, "nodes": [], "keep": list(inputs)}).encode()

    def take(self, answer, prefix="", suffix=""):
        """Takes the handles of an answer that keeps all weights; whether they are new ones"""
        kept, before = json.loads(answer.body)["kept"], set(self.handles.values())
        self.handles = {name: kept[f"{prefix}{name}{suffix}"] for name in SHAPES}
        return len(before.union(self.handles.values())) == len(before) + len(SHAPES)

    def step(self):
        tensors = {"x": self.x, "y": self.y}
        document = {"inputs": self.kept(*SHAPES), "nodes": NODES, "give": ["l.loss"],
                    "keep": [f"u_{name}.next_w" for name in SHAPES],
                    "release": list(self.handles.values())}
        if self.random.random() < 0.5:
            return SAFETENSORS, as_file(tensors, document)
        document["inputs"].update({name: array.tolist() for name, array in tensors.items()})
        return JSON, json.dumps(document).encode()

    def learn(self, answer):
        """Takes the answer of a step; whether its loss and its handles are right"""
        right = abs(json.loads(answer.body)["results"]["l.loss"] - self.loss) < 1e-9
        right = self.take(answer, "u_", ".next_w") and right
        self.weights = self.next
        self.draw()
        return right

    def predict(self):
        """A single call that uses kept weights"""
        return JSON, json.dumps({"x": self.x.tolist(), **self.kept("w", "b")}).encode()

    def is_prediction(self, answer):
        want = self.x @ self.weights["w"] + self.weights["b"]
        return np.allclose(json.loads(answer.body)["out"], want, rtol=0, atol=1e-9)

    def end(self):
        """Fetches all weights, and gives them up"""
        return JSON, json.dumps({"inputs": self.kept(*SHAPES), "nodes": [], "give": list(SHAPES),
                                 "release": list(self.handles.values())}).encode()

    def is_end(self, answer):
        results = json.loads(answer.body)["results"]
        return all(np.allclose(results[name], self.weights[name], rtol=0, atol=1e-9)
                   for name in SHAPES)
