"""One caller that trains a network, in a process of its own:

    steps.py CONTENDER NETWORK DTYPE PORT

CONTENDER is one of CONTENDERS, NETWORK one of networks.py. Prints, as a line of JSON, the losses of
its first steps and the bytes of the last of them; then, for each line of its input, which is a
number of seconds, what run() gives. Messages are built once, and written over in place."""
import ctypes
import json
import selectors
import sys
import time

import numpy as np

import peer_numpy
import tensor_file
from networks import NETWORKS, RATE, kept
from report import median
from servers import Connection, message_of

CHECKED = 5  # steps
ROOM = 1 << 23  # of answers, which are less
HANDLE = 32  # bytes
CROWD = 16
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


class Message:
    """A POST of a safetensors file."""

    def __init__(self, path, tensors, metadata):
        self.path, self.layout = path, None  # of the answer's tensors, which stays
        body = tensor_file.packed(tensors, metadata)
        self.bytes = bytearray(message_of("POST", path, body, tensor_file.TYPE))
        header, _, start = tensor_file.head_of(body)
        start += len(self.bytes) - len(body)
        self.places = {name: [start + offset for offset in t["data_offsets"]]
                       for name, t in header.items()}

    def array(self, name, like):
        """The tensor itself, to be changed"""
        start, _ = self.places[name]
        return np.frombuffer(self.bytes, like.dtype, like.size, start).reshape(like.shape)

    def write(self, name, data):
        start, end = self.places[name]
        memoryview(self.bytes)[start:end] = data

    def places_of(self, text):
        """Where a text stands"""
        places, at = [], -1
        while (at := self.bytes.find(text, at + 1)) >= 0:
            places.append(at)
        return places


class Caller:
    """A connection, and the files that come over it: what is read of one is there until the next"""

    def __init__(self, port):
        self.connection = Connection(port, ROOM)
        self.up = self.down = 0

    def send(self, message):
        self.connection.socket.sendall(message.bytes)
        self.up += len(message.bytes)

    def receive(self, message):
        status, self.start, end = self.connection.arrived()
        self.down += end
        self.body = memoryview(self.connection.room)[self.start:end]
        if status != 200:
            raise SystemExit(f"{message.path}: {status} {bytes(self.body[:500]).decode()}")
        message.layout = self.layout = message.layout or tensor_file.head_of(self.body)[0]

    def call(self, message):
        self.send(message)
        self.receive(message)

    def tensor(self, name):
        """Its bytes. The header's length changes where a loss stands in it."""
        offset = 8 + int.from_bytes(self.body[:8], "little")
        start, end = self.layout[name]["data_offsets"]
        return self.body[offset + start:offset + end]

    def text(self, name):
        """What the metadata has, as it is sent"""
        room, key = self.connection.room, b'"%s":"' % name
        start = room.index(key, self.start) + len(key)
        return room[start:room.index(b'"', start)]


class SingleCalls:
    """A call for each layer forward and for each backward, the weights sent each time; these stand
    in the messages, where the caller itself updates them."""

    def __init__(self, network, dtype, port):
        self.caller = Caller(port)
        x, y = network.tensors(dtype).values()
        self.weights = network.weights(dtype)
        self.layers = []
        for layer in network.layers:
            x = self.add(layer, x)
        self.loss = Message("/softmax/loss", {"x": x, "y": y}, {})

    def add(self, layer, x):
        """Adds the layer's messages, filled from a call of each; gives what its forward gives"""
        weights = {name: self.weights[of] for name, of in layer.weights.items()}
        params = {f"{layer.holder}.{name}": str(value) for name, value in layer.params.items()}
        forward = Message(f"/{layer.operation}/forward", {"x": x} | weights, params)
        self.caller.call(forward)
        shape = self.caller.layout["out"]["shape"]
        out = np.frombuffer(self.caller.tensor("out"), x.dtype).reshape(shape).copy()
        backward = Message(f"/{layer.operation}/backward?cache=release", {"dout": out},
                           {"cache": self.caller.text(b"cache").decode()})
        place, = backward.places_of(self.caller.text(b"cache"))
        arrays = {b"d%s" % name.encode(): forward.array(name, w) for name, w in weights.items()}
        self.layers.append((forward, backward, place, arrays))
        return out

    def step(self):
        caller, value = self.caller, None
        for forward, backward, place, _ in self.layers:
            if value is not None:
                forward.write("x", value)
            caller.call(forward)
            backward.bytes[place:place + HANDLE] = caller.text(b"cache")
            value = caller.tensor("out")
        self.loss.write("x", value)
        caller.call(self.loss)
        loss, value = caller.text(b"loss"), caller.tensor("dx")
        for _, backward, _, weights in reversed(self.layers):
            backward.write("dout", value)
            caller.call(backward)
            value = caller.tensor("dx")
            for name, w in weights.items():
                dw = np.frombuffer(caller.tensor(name.decode()), w.dtype).reshape(w.shape)
                w -= w.dtype.type(RATE) * dw
        return loss

    def bytes(self):
        return self.caller.up, self.caller.down


class GraphCalls:
    """A call for a step: the batch goes, the weights stay, each time under new handles."""

    def __init__(self, network, dtype, port):
        self.caller = Caller(port)
        weights = network.weights(dtype)
        put = Message("/graph", weights, metadata({"nodes": [], "keep": list(weights)}))
        self.caller.call(put)
        handles = {name: self.handle(name) for name in weights}
        self.message = Message("/graph", network.tensors(dtype), metadata(network.document(
            {name: handle.decode() for name, handle in handles.items()})))
        self.places = [(kept(name), self.message.places_of(handle))
                       for name, handle in handles.items()]

    def handle(self, value):
        return self.caller.text(b"kept." + value.encode())

    def step(self):
        self.start()
        return self.finish()

    def start(self):
        self.caller.send(self.message)

    def finish(self):
        self.caller.receive(self.message)
        for value, places in self.places:
            handle = self.handle(value)
            for place in places:
                self.message.bytes[place:place + HANDLE] = handle
        return self.caller.text(b"l.loss")

    def bytes(self):
        return self.caller.up, self.caller.down


def compact(document):
    return json.dumps(document, separators=(",", ":"))


def metadata(document):
    return {"graph": compact(document)}


class InProcess:
    """NumPy, as the course writes it"""

    def __init__(self, network, dtype, port):
        self.network, self.weights = network, network.weights(dtype)
        self.x, self.y = network.tensors(dtype).values()

    def step(self):
        value, caches = self.x, []
        for layer in self.network.layers:
            forward = getattr(peer_numpy, layer.operation + "_forward")
            given = [self.weights[of] for of in layer.weights.values()]
            value, cache = forward(value, *given, *([layer.params] if layer.params else []))
            caches.append(cache)
        loss, value = peer_numpy.softmax_loss(value, self.y)
        for layer, cache in zip(reversed(self.network.layers), reversed(caches)):
            found = getattr(peer_numpy, layer.operation + "_backward")(value, cache)
            value, *gradients = found if layer.weights else (found,)
            for of, dw in zip(layer.weights.values(), gradients):
                self.weights[of], _ = peer_numpy.sgd_update(self.weights[of], dw,
                                                            {"learning_rate": RATE})
        return loss

    def bytes(self):
        return 0, 0


class Crowd:
    """Many callers by graphs, each with a network of its own, who are served as answers come"""

    def __init__(self, network, dtype, port):
        self.selector, self.answered = selectors.DefaultSelector(), []
        for caller in [GraphCalls(network, dtype, port) for _ in range(CROWD)]:
            self.selector.register(caller.caller.connection.socket, selectors.EVENT_READ, caller)
            caller.start()

    def step(self):
        """Of one of them"""
        if not self.answered:
            self.answered = [key.data for key, _ in self.selector.select()]
        caller = self.answered.pop()
        loss = caller.finish()
        caller.start()
        return loss

    def bytes(self):
        return 0, 0


class Kernels:
    """The same graph by the library alone, by one thread. Memory that it has freed stays its own,
    as the daemon's does."""

    def __init__(self, network, dtype, port):
        import shim
        for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            ctypes.CDLL(None).mallopt(option, 1 << 30)
        weights = network.weights(dtype)
        document = network.document(dict.fromkeys(weights, ""))
        self.graph = shim.Graph(document, network.tensors(dtype) | weights)

    def step(self):
        """Processor seconds"""
        return self.graph.run()

    def bytes(self):
        return 0, 0


CONTENDERS = {"single": SingleCalls, "graph": GraphCalls, "numpy": InProcess, "crowd": Crowd,
              "kernels": Kernels}


def run(contender, seconds):
    """{"rate": steps a second, "told": the median of what they told}"""
    told, start = [], time.perf_counter()
    while (now := time.perf_counter()) < start + seconds:
        told.append(float(contender.step()))
    return {"rate": len(told) / (now - start), "told": median(told)}


def main():
    name, network, dtype, port = sys.argv[1:]
    contender = CONTENDERS[name](NETWORKS[network], np.dtype(dtype), int(port))
    losses = [float(contender.step()) for _ in range(CHECKED - 1)]
    before = contender.bytes()
    losses.append(float(contender.step()))
    up, down = (after - b for after, b in zip(contender.bytes(), before))
    print(json.dumps({"losses": losses, "up": up, "down": down}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(contender, float(line))), flush=True)


if __name__ == "__main__":
    main()
