"""Neural-network layers computed by a layerd daemon.

    from layerd.layers import *            # the course's layers.py, by the same names,
    from layerd.optim import adam          # and its optim.py, layer_utils.py, fast_layers.py

    with layerd.Client() as client:        # any operation, by its path
        answer = client.call("affine/forward", x=x, w=w, b=b)
        answer["out"], answer["cache"]
        results, kept = client.graph(nodes, inputs, give=names, keep=names)  # several in one call
        net = layerd.Network(client, [("affine", 100), "relu", ("affine", 10)], input=784)

        verdict = client.check("affine/forward", x=x, w=w, b=b, claim={"out": out})  # right?

    layerd.check(...), layerd.challenge(...), layerd.answer(...)  # the same of the drop-in's client

The daemon is the one at `url`, else at the environment's LAYERD_URL, else at
http://127.0.0.1:8080.
"""
from .calls import answer, challenge, check
from .checks import Challenge, Verdict
from .client import Cache, Client
from .errors import ConnectionFailed, Error, InvalidRequest, TimedOut, Unavailable
from .network import Network
from .tensor import Tensor

__version__ = "0.1.0"
__all__ = ["Cache", "Challenge", "Client", "ConnectionFailed", "Error", "InvalidRequest", "Network",
           "Tensor", "TimedOut", "Unavailable", "Verdict", "answer", "challenge", "check"]
