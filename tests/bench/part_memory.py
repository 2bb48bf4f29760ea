"""memory: what the large call takes at its peak, in both forms, once and again and again, what a
live cache holds, and what a convolution takes beside its inputs and outputs."""
import json
import os
import subprocess

import numpy as np

import tensor_file
from kernel_cases import cases
from part_large import D, FORMS, M, PATH, bodies_of, inputs, out_of
from report import at_most, median, result, table
from servers import PROCESSORS, Connection, answer_of, layerd, memory, reset_peak

ROUNDS, CALLS = 5, (1, 10)
PROCESSES = 3  # of a convolution


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


def peaks():
    tensors = inputs()
    inputs_bytes = sum(t.nbytes for t in tensors.values())
    rows = [row_of(media_type, body, calls, inputs_bytes)
            for media_type, body in bodies_of(tensors).items() for calls in CALLS]
    columns = ["", "idle", "peak beyond idle", "body", "tensors + answer",
               "peak ÷ (body + 1.2 × those)"]
    made = table("Large call: memory, MB", columns, rows)
    return made, [at_most(f"{row[0]}: memory ÷ (body + 1.2 × tensors and answer)", 1, row[-1])
                  for row in rows]


# ---- what a live cache holds ---------------------------------------------------------------------

def forward_calls():
    """[(layer, body, values that a backward needs and can share, caches to keep)]"""
    random = np.random.default_rng(4)
    x, w, row = (random.standard_normal(shape) for shape in ((1024, 1024), (1024, 64), 1024))
    dropout = {"dropout_param.p": "0.5", "dropout_param.mode": "train"}
    return [("relu", tensor_file.packed({"x": x}), 0, 200),
            ("dropout", tensor_file.packed({"x": x}, dropout), 0, 200),
            ("affine", tensor_file.packed({"x": x, "w": w, "b": row[:64]}), x.size + w.size, 20),
            ("batchnorm", tensor_file.packed({"x": x, "gamma": row, "beta": row},
                                             {"bn_param.mode": "train"}), x.size + row.size, 20)]


def held(layer, body, count):
    """Resident bytes of each of so many caches"""
    with layerd("--cache-budget=8GiB") as (port, pid):
        connection = Connection(port)
        for _ in range(4):
            connection.post(f"/{layer}/forward?cache=none", body, tensor_file.TYPE)
        idle = memory(pid, "VmRSS")
        for _ in range(count):
            connection.post(f"/{layer}/forward", body, tensor_file.TYPE)
        connection.close()
        return (memory(pid, "VmRSS") - idle) / count


def caches():
    """Of (1024,1024) float64. Pages and handles count, so that the targets leave some room."""
    rows = []
    for layer, body, shared, count in forward_calls():
        size = held(layer, body, count)
        rows.append([layer, size / 1e6, 8 * shared / 1e6, 8 * (size - 8 * shared) / 2 ** 20])
    made = table("Caches of (1024,1024) float64: resident memory of one",
                 ["", "MB", "of these shared inputs", "bits an element beyond"], rows)
    masks, sharing = ([row for row in rows if bool(row[2]) == shares] for shares in (False, True))
    mask = max(masks, key=lambda row: row[3])
    copy = max(sharing, key=lambda row: row[1] / row[2])
    return made, [at_most(f"{mask[0]}'s cache: bits an element", 1.1, mask[3]),
                  at_most(f"{copy[0]}'s cache: memory ÷ the inputs it shares", 1.05,
                          copy[1] / copy[2])]


# ---- what a convolution takes --------------------------------------------------------------------

def peak_beyond_inputs(layer, index):
    command = ["/usr/bin/python3", "-B", "tests/bench/peak.py", layer, str(index), str(PROCESSORS)]
    environment = os.environ | {"OMP_NUM_THREADS": str(PROCESSORS)}
    return int(subprocess.check_output(command, env=environment))


def convolutions():
    """In float64. Windows as columns would be R·S times the images: 231 MB of the largest."""
    rows = []
    for i, case in enumerate(cases(["conv"])):
        if case.dtype != "float64":
            continue
        outputs = sum(case.bytes(field) for field in case.operation.outputs)
        peak = median(peak_beyond_inputs("conv", i) for _ in range(PROCESSES))
        rows.append([case.text(), outputs / 1e6, peak / 1e6, (peak - outputs) / 1e6])
    made = table("Convolution: memory of a process that makes one, MB",
                 ["", "outputs", "peak beyond inputs", "and outputs"], rows)
    worst = max(rows, key=lambda row: row[3])
    return made, [at_most(f"{worst[0]}: MB beyond inputs and outputs", 64, worst[3])]


def run():
    parts = [peaks(), caches(), convolutions()]
    return result([made for made, _ in parts], targets=sum((targets for _, targets in parts), []))
