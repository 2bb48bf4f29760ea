"""memory: what the large call takes at its peak, in both forms, once and again and again."""
import json

from part_large import D, FORMS, M, PATH, bodies_of, inputs, out_of
from report import at_most, median, result, table
from servers import answer_of, layerd, memory, reset_peak

ROUNDS, CALLS = 5, (1, 10)


# few rows of the same product: the code and OpenBLAS's buffers, which are not the call's, are there
WARM_UP = json.dumps({"x": [[1.0] * D] * 8, "w": [[1.0] * M] * D, "b": [1.0] * M}).encode()


def peak_of(calls, body, media_type):
    """(bytes of a warm daemon, what it peaks at beyond them, bytes of an answer), over calls on new
    connections, one after the other"""
    with layerd() as (port, pid):
        for _ in range(4):
            answer_of(port, PATH, WARM_UP)
        reset_peak(pid)
        idle = memory(pid, "VmRSS")
        for _ in range(calls):
            answer = answer_of(port, PATH, body, media_type)
        return idle, memory(pid, "VmHWM") - idle, answer


def row_of(media_type, body, calls, inputs_bytes):
    figures = [peak_of(calls, body, media_type) for _ in range(ROUNDS)]
    idle, peak = (median(f[i] for f in figures) for i in (0, 1))
    answer = figures[0][2]
    held = inputs_bytes + out_of(answer, media_type).nbytes + len(answer)
    return [f"{FORMS[media_type]}, calls: {calls}", idle / 1e6, peak / 1e6, len(body) / 1e6,
            held / 1e6, peak / (len(body) + 1.2 * held)]


def run():
    tensors = inputs()
    inputs_bytes = sum(t.nbytes for t in tensors.values())
    rows = [row_of(media_type, body, calls, inputs_bytes)
            for media_type, body in bodies_of(tensors).items() for calls in CALLS]
    made = table("Large call: memory, MB", ["", "idle", "peak beyond idle", "body",
                                            "tensors + answer", "peak ÷ (body + 1.2 × those)"], rows)
    return result([made], targets=[
        at_most(f"{row[0]}: memory ÷ (body + 1.2 × tensors and answer)", 1, row[-1])
        for row in rows])
