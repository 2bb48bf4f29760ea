"""What of a network's step lives at once, worked out from its shapes: a value is there from the
call that makes it to the last that reads it. Weights are there before; a weight's next value
stays."""
from math import prod


def size_of_mask(layer, outputs):
    """Bytes that a backward needs beside what the forward read: a bit an element, or the place of
    the largest in its window of up to 256"""
    return {"relu": outputs // 8, "max_pool": outputs}.get(layer.operation, 0)


def out_shape(layer, shape, weights):
    """Of an image or a row, without the batch"""
    if layer.operation == "affine":
        return weights[layer.weights["w"]][1:]
    if layer.operation == "conv":  # of stride 1, padded to keep height and width
        return (weights[layer.weights["w"]][0], *shape[1:])
    if layer.operation == "max_pool":  # of 2x2
        return (shape[0], shape[1] // 2, shape[2] // 2)
    return shape


def forward_calls(network, width):
    """[(layer, value read, value made)], and the bytes of each value"""
    calls, sizes, value, shape = [], {}, "x", network.image
    sizes["x"] = width * network.batch * prod(shape)
    for layer in network.layers:
        shape = out_shape(layer, shape, network.shapes)
        count = network.batch * prod(shape)
        calls.append((layer, value, layer.name + ".out"))
        value = layer.name + ".out"
        sizes[value] = width * count
        sizes[layer.name + ".mask"] = size_of_mask(layer, count)
    return calls, sizes


def calls_of(network, width):
    """[(values read, values made)] of a step in its order, and the bytes of each value. The first
    layer's dx is not asked for."""
    forward, sizes = forward_calls(network, width)
    calls = [([read], [made, layer.name + ".mask"]) for layer, read, made in forward]
    scores = forward[-1][2]
    calls.append(([scores, "y"], ["dx of softmax"]))
    sizes |= {"y": 8 * network.batch, "dx of softmax": sizes[scores]}
    dout = "dx of softmax"
    for i, (layer, read, _) in reversed(list(enumerate(forward))):
        dx = f"dx of {layer.name}"
        sizes[dx] = sizes[read] if i else 0
        needed = [read] if layer.weights else [layer.name + ".mask"]
        gradients = ["d" + weight for weight in layer.weights.values()]
        calls.append(([dout, *needed], [dx, *gradients]))
        dout = dx
    for weight, shape in network.shapes.items():
        sizes["d" + weight] = sizes["next " + weight] = width * prod(shape)
        calls.append((["d" + weight], ["next " + weight]))
    return calls, sizes


def at_once_and_all(network, width):
    """(bytes that live at once, at most; bytes of all that is made), each with the batch"""
    calls, sizes = calls_of(network, width)
    first, last = {"x": 0, "y": 0}, {}
    for i, (read, made) in enumerate(calls):
        first |= dict.fromkeys(made, i)
        last |= dict.fromkeys(read + made, i)
    last |= {value: len(calls) for value in sizes if value.startswith("next ")}
    at_once = max(sum(sizes[value] for value in sizes if first[value] <= i <= last[value])
                  for i in range(len(calls)))
    return at_once, sum(sizes.values())
