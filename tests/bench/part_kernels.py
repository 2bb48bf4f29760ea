"""kernels: every operation beside NumPy, PyTorch, bare OpenBLAS and the bandwidth of a copy, on one
processor and on all. The measuring is in kernels.py, a process for each."""
import json
import os
import subprocess

from report import result, table
from servers import PROCESSORS

PEERS = ["NumPy", "PyTorch", "OpenBLAS"]


def measured(threads):
    processors = sorted(os.sched_getaffinity(0))[:threads]
    environment = os.environ | {name: str(threads) for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    done = subprocess.run(["/usr/bin/python3", "-B", "tests/bench/kernels.py", str(threads)],
                          stdout=subprocess.PIPE, check=True, env=environment,
                          preexec_fn=lambda: os.sched_setaffinity(0, processors))
    return json.loads(done.stdout)


def shape_text(shape):
    n, *rest = shape
    return f"({n},{rest[0]})·({rest[0]},{rest[1]})" if len(rest) == 2 else f"({n},{rest[0]})"


def row_of(row, peers, copy):
    name = f"{row['operation']} {shape_text(row['shape'])} {row['dtype']}"
    if "refused" in row:
        return [f"{name}: not timed, {row['refused']}"] + [None] * (2 * len(peers) + 4)
    cells = [name, row["layerd"] * 1e3]
    for peer in peers:
        cells += [row[peer] * 1e3, row[peer + " ratio"]] if peer in row else [None, None]
    if row["is_product"]:
        return cells + [row["rate"], None, None]
    return cells + [None, row["rate"], row["rate"] / copy]


def table_of(found, threads):
    rows, copy = found["rows"], found["copy"]
    peers = [peer for peer in PEERS if any(peer in row for row in rows)]
    columns = ["", "layerd ms"]
    for peer in peers:
        columns += [f"{peer} ms", "÷ layerd"]
    return table(f"Kernels, {threads} thread{'s' if threads > 1 else ''}",
                 columns + ["GFLOP/s", "GB/s", "÷ copy"],
                 [row_of(row, peers, copy) for row in rows],
                 f"copy: {copy:.1f} GB/s, bytes read and written, beyond the caches")


def bars_of(rows):
    """Each operation at its largest shape, in float64"""
    largest = {}
    for row in rows:
        if row["dtype"] == "float64" and "refused" not in row:
            largest[row["operation"]] = row
    for name, row in largest.items():
        for peer in ("NumPy", "PyTorch"):
            if peer in row:
                yield f"{name} {shape_text(row['shape'])}, than {peer}", row[peer + " ratio"]


def run():
    tables, bars = [], []
    for threads in sorted({1, PROCESSORS}):
        found = measured(threads)
        tables.append(table_of(found, threads))
        bars = list(bars_of(found["rows"]))
    return result(tables, bars)
