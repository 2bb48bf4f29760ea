"""A small network whose weights stay with the daemon: a training step is one call."""
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

import numpy as np

from . import checkpoint
from .arguments import float_dtype
from .client import Client
from .errors import Error
from .forms import dtype_name
from .origins import is_ours
from .stack import Shape, Spec, build
from .tensor import Tensor

_SLOTS = {"sgd": (), "sgd_momentum": ("velocity",), "rmsprop": ("cache",), "adam": ("m", "v")}
_LOSSES = "softmax", "svm"


class _State(NamedTuple):
    """What a step changes, all of it at once: an interrupt comes before it or after it."""

    t: int                   # steps done
    held: dict[str, Tensor]  # by the array's name
    old: list[Tensor]        # of the step before, to be released by the next call


class Network:
    """A network of layers one after the other, trained by the daemon.

        net = Network(client, [("affine", 100), "relu", ("affine", 10)], input=784,
                      update="adam", learning_rate=1e-3, dtype="float32")
        for x, y in batches:
            loss = net.step(x, y)
        scores = net.predict(x)

    layers         in order, each a name, or a name with what it takes and perhaps a dictionary:
                       ("affine", outputs)           "relu"
                       ("conv", filters, size, {"stride": 1, "pad": 0})
                       ("max_pool", size, {"stride": size})
                       ("batchnorm", {"eps": 1e-5, "momentum": 0.9})      spatial_batchnorm too
                       ("layernorm", {"eps": 1e-5})
                       ("spatial_groupnorm", groups, {"eps": 1e-5})
                       ("dropout", p, {"seed": 0})   p is the probability of keeping
                   A size is a number, or a height and a width. What the dictionary lacks has these
                   values; where it has nothing, it may be left out
    input          the shape of one example: 784, or (C, H, W)
    loss           "softmax" or "svm"
    update         "sgd", "sgd_momentum", "rmsprop" or "adam"
    learning_rate  of the update, which may be changed between steps; None: the operation's own
    seed           of the first weights, and of dropout
    dtype          "float64" or "float32": of all that is computed
    config         what else the update takes, as in momentum=0.95

    The arrays are named by the layer's place in the list and by field: "0.w" and "0.b", "1.gamma",
    "1.beta", "1.running_mean" and "1.running_var". What the update gathers, which begins as zeros:
    "0.w.m" and "0.w.v" of adam, "0.w.velocity" of sgd_momentum, "0.w.cache" of rmsprop. At first b,
    beta and what runs are zeros, gamma ones; w of affine and conv is drawn by NumPy's legacy
    generator, np.random.RandomState(seed), layer by layer, as randn(*shape) · sqrt(2 / inputs),
    where `inputs` is D of an affine's (D, M) and C · R · S of a conv's (F, C, R, S).

    In the t-th step, from 0 on, a dropout that has a seed of its own draws by (that + t) mod 2³²,
    another one, as layer i of n, by (seed + t · n + i) mod 2³² of the network's seed. So a network
    goes on from a checkpoint as if it had never stopped.

    What the daemon keeps of a network expires some time after its last call (15 minutes, unless
    the daemon was told otherwise), and ends with client.close(): `save` what is worth it. Of a
    step whose answer did not come, an interrupted one, too, nothing remains: the network is as it
    was before it. For that the arrays of the step before are given up by the next call, not sooner,
    so that the daemon holds them twice.

    To be used by one thread at a time, of the process that made it.
    """

    def __init__(self, client: Client, layers: Iterable[Spec], *, input: Union[int, Sequence[int]],
                 loss: str = "softmax", update: str = "sgd", learning_rate: Optional[float] = None,
                 seed: int = 0, dtype: Any = "float64", **config: float):
        self._describe(client, layers=[*layers], input=input, loss=loss, update=update,
                       learning_rate=learning_rate, seed=seed, dtype=dtype, config=config)
        draw = np.random.RandomState(seed)
        self._state = self._state._replace(held=self._put({
            f"{i}.{field}": layer.first(field, draw)
            for i, layer in enumerate(self._layers) for field in (*layer.weights, *layer.running)}))

    @classmethod
    def from_file(cls, client: Client, path: checkpoint.Path) -> "Network":
        """The network that was saved to a file, to go on from there."""
        arrays, texts = checkpoint.read(path)
        network = cls.__new__(cls)
        try:
            network._describe(client, **json.loads(texts["network"]))
        except (KeyError, TypeError, ValueError) as error:
            if not is_ours(error):
                raise
            raise ValueError(f"{path} does not tell of a network: {error}") from error
        network._restore(arrays, texts, path)
        return network

    @property
    def t(self) -> int:
        """How many steps were done."""
        return self._state.t

    def step(self, x: Any, y: Any) -> float:
        """Trains on a batch, x (N, ...) with labels y (N,), and returns its loss before that. Both
        may be kept tensors. Where it raises, the network is as it was."""
        nodes = self._forward("train")
        nodes += [
            {"name": "l", "op": f"{self.loss}/loss", "x": self._scores, "y": "y"},
            {"name": "d", "op": "gradients", "of": ["l.loss"], "for": self._weights},
            *[{"name": f"u{i}", "op": f"{self.update}/update", "w": name, "dw": f"d.{name}",
               "config": self._config_of(name)} for i, name in enumerate(self._weights)]]
        results, kept = self._run(nodes, {"x": self._examples(x), "y": _labels(y)},
                                  give=["l.loss"], keep=self._moved)
        held = {self._moved[name]: tensor for name, tensor in kept.items()}
        self._state = _State(self.t + 1, held, [*self._state.held.values()])
        return results["l.loss"]

    def predict(self, x: Any) -> np.ndarray:
        """The scores (N, C) of examples x (N, ...), with layers in their test mode."""
        results, _ = self._run(self._forward("test"), {"x": self._examples(x)},
                               give=[self._scores])
        return results[self._scores]

    def weights(self) -> dict[str, np.ndarray]:
        """All that `predict` depends on, by name: weights, and what runs."""
        return self._fetch([*self._shapes])

    def set_weights(self, weights: Mapping[str, Any]) -> None:
        """Sets arrays by name, some or all of those that `weights` tells. What the update has
        gathered stays."""
        held = self._open().held
        _check(weights, self._shapes)
        held = {**held, **self._put(weights)}
        self._state = self._state._replace(held=held)

    def save(self, path: checkpoint.Path) -> None:
        """Writes weights, what runs, what the update has gathered, t and a description of the
        network to a safetensors file, which holds either all or what it held before."""
        held = self._open().held
        arrays = self._fetch([name for name, wire in self._wires.items() if wire in held])
        description = {"layers": self.layers, "input": self._input, "loss": self.loss,
                       "update": self.update, "learning_rate": self.learning_rate,
                       "seed": self.seed, "dtype": dtype_name(self.dtype), "config": self.config}
        texts = {"t": str(self.t), "update": self.update,
                 "network": json.dumps(description, default=lambda number: number.item())}
        checkpoint.write(path, arrays, texts)

    def load(self, path: checkpoint.Path) -> None:
        """Reads what `save` wrote of a network of the same layers, even where this one has expired
        or was closed. From a file of another update, or of weights alone, nothing gathered comes,
        and t is 0. The learning rate stays this one's."""
        self._restore(*checkpoint.read(path), path)

    def close(self) -> None:
        """Frees what the daemon keeps of the network."""
        state, self._state = self._state, _State(self.t, {}, [])
        try:
            for tensor in (*state.held.values(), *state.old):
                self.client.release(tensor)
        except Error as error:
            if not is_ours(error):
                raise
            # The daemon cannot be reached: they expire.

    def __enter__(self) -> "Network":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _describe(self, client: Client, *, layers: list[Spec], input: Union[int, Sequence[int]],
                  loss: str, update: str, learning_rate: Optional[float], seed: int, dtype: Any,
                  config: Mapping[str, float]) -> None:
        if update not in _SLOTS:
            raise ValueError(f"update is {update!r}, but must be one of {', '.join(_SLOTS)}")
        if loss not in _LOSSES:
            raise ValueError(f"loss is {loss!r}, but must be one of {', '.join(_LOSSES)}")
        self.client = client
        self.layers = layers
        self.loss = loss
        self.update = update
        self.learning_rate = learning_rate
        self.seed = seed
        self.dtype = float_dtype(dtype)
        self.config = dict(config)
        self._input: Shape = tuple(int(length) for length in np.atleast_1d(input))
        self._layers = build(layers, self._input)
        self._scores = f"n{len(layers) - 1}.out" if layers else "x"
        self._name_arrays()
        self._state = _State(0, {}, [])

    def _name_arrays(self) -> None:
        """The names of what is held, and of the results of a step that come in their place. A
        graph's names begin with a letter."""
        self._weights: list[str] = []           # what is learnt, by names of the graph
        self._shapes: dict[str, Shape] = {}     # of it and of what runs
        self._gathered: dict[str, Shape] = {}   # of what the update gathers
        self._wires: dict[str, str] = {}        # by an array's name: that of the graph
        self._moved: dict[str, str] = {}        # by the result of a step: that of the graph
        for i, layer in enumerate(self._layers):
            for field, shape in layer.weights.items():
                wire, node = f"{field}{i}", f"u{len(self._weights)}"
                self._weights.append(wire)
                self._name(f"{i}.{field}", wire, f"{node}.next_w", shape, self._shapes)
                for slot in _SLOTS[self.update]:
                    self._name(f"{i}.{field}.{slot}", f"{wire}_{slot}", f"{node}.config.{slot}",
                               shape, self._gathered)
            for field, shape in layer.running.items():
                self._name(f"{i}.{field}", f"{field}{i}", f"n{i}.bn_param.{field}", shape,
                           self._shapes)

    def _name(self, name: str, wire: str, result: str, shape: Shape,
              shapes: dict[str, Shape]) -> None:
        shapes[name] = shape
        self._wires[name] = wire
        self._moved[result] = wire

    def _forward(self, mode: str) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = []
        first = self.seed + self.t * len(self._layers)
        for i, layer in enumerate(self._layers):
            node = layer.node(i, f"n{i - 1}.out" if i else "x", mode)
            if layer.op == "dropout" and mode == "train":
                own = layer.params.get("seed")
                seed = first + i if own is None else own + self.t
                node["dropout_param"]["seed"] = seed % 2**32
            nodes.append(node)
        return nodes

    def _config_of(self, name: str) -> dict[str, Any]:
        """What the update of a weight takes; before the first step nothing is gathered."""
        config: dict[str, Any] = dict(self.config)
        if self.learning_rate is not None:
            config["learning_rate"] = self.learning_rate
        for slot in _SLOTS[self.update]:
            if f"{name}_{slot}" in self._state.held:
                config[slot] = f"{name}_{slot}"
        if self.update == "adam":
            config["t"] = self.t
        return config

    def _run(self, nodes: list[dict[str, Any]], inputs: Mapping[str, Any], give: Iterable[str],
             keep: Iterable[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
        """A graph of which all that is held is an input, and so used: none of it expires before
        the rest. What is old is given up by it, or, if it fails, as what nothing refers to."""
        held, old = self._open().held, self._state.old
        self._state = self._state._replace(old=[])
        return self.client.graph(nodes, {**inputs, **held}, give=give, keep=keep, release=old,
                                 dtype=self.dtype)

    def _open(self) -> _State:
        if not self._state.held and self._shapes:
            raise ValueError("the network is closed: load a checkpoint, or make a new one")
        return self._state

    def _put(self, arrays: Mapping[str, Any]) -> dict[str, Tensor]:
        cast = {self._wires[name]: np.asarray(array, self.dtype) for name, array in arrays.items()}
        return self.client.graph([], cast, keep=cast, dtype=self.dtype)[1] if cast else {}

    def _fetch(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        wires = {name: self._wires[name] for name in names}
        results, _ = self._run([], {}, give=wires.values())
        return {name: results[wire] for name, wire in wires.items()}

    def _restore(self, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str],
                 path: checkpoint.Path) -> None:
        goes_on = texts.get("update") == self.update and (
            not self._gathered or any(name in arrays for name in self._gathered))
        if not goes_on:
            slots = tuple(f".{slot}" for slots in _SLOTS.values() for slot in slots)
            arrays = {name: array for name, array in arrays.items() if not name.endswith(slots)}
        _check(arrays, {**self._shapes, **self._gathered})
        for name in (*self._shapes, *(self._gathered if goes_on else ())):
            if name not in arrays:
                raise ValueError(f"{path} has no {name}")
        t = int(texts.get("t", "0")) if goes_on else 0
        self._state = _State(t, self._put(arrays), [])

    def _examples(self, x: Any) -> Any:
        return x if isinstance(x, Tensor) else np.asarray(x, self.dtype)


def _check(arrays: Mapping[str, Any], shapes: Mapping[str, Shape]) -> None:
    """ValueError: a name is none of these, or an array is of another shape."""
    for name, array in arrays.items():
        if name not in shapes:
            raise ValueError(f"there is no {name} in the network, which has {', '.join(shapes)}")
        shape = np.asarray(array).shape  # not np.shape, which takes any AttributeError for its own
        if shape != shapes[name]:
            raise ValueError(f"{name} is of shape {shape}, but must be of {shapes[name]}")


def _labels(y: Any) -> Any:
    """Labels, as bytes where they fit: eight times less to be sent."""
    if isinstance(y, Tensor):
        return y
    labels = np.asarray(y)
    if labels.dtype.kind in "iu" and labels.size and labels.min() >= 0 and labels.max() < 256:
        return labels.astype(np.uint8)
    return labels
