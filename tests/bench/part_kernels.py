"""kernels: every operation, or those of the layers that LAYERS names, beside NumPy, PyTorch, bare
OpenBLAS, a plain loop and the bandwidth of a copy, on one processor and on all. Each of them is a
process of its own (kernels.py), which is stopped while another is timed: threads that spin after
their work would take the processor from the others."""
import os
import pickle
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec

import numpy as np

import shim
from kernel_cases import PASSES, cases, check_layers
from report import at_least, at_most, in_turns, median, ratio, result, table
from servers import PROCESSORS, started

ROUNDS = 7
LOOP = "plain loop"
ALONE = "layerd, 1 thread"  # beside layerd with more, on small products
PEERS = ["NumPy"]
if find_spec("torch") and os.environ.get("BENCH_TORCH") != "0":
    PEERS.append("PyTorch")


# ---- measuring -----------------------------------------------------------------------------------

class Contender:
    """A process of kernels.py, that runs only while it is asked"""

    def __init__(self, process):
        self.process = process
        self.answer()

    def answer(self):
        answer = pickle.load(self.process.stdout)
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)
        return answer

    def ask(self, question=None):
        os.kill(self.process.pid, signal.SIGCONT)
        pickle.dump(question, self.process.stdin)
        self.process.stdin.flush()
        return self.answer()


@contextmanager
def contender(who, threads):
    processors = sorted(os.sched_getaffinity(0))[:threads]
    environment = os.environ | {name: str(threads) for name in (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    command = ["/usr/bin/python3", "-B", "tests/bench/kernels.py", who, str(threads)]
    with started(command, stdout=subprocess.PIPE, env=environment,
                 preexec_fn=lambda: os.sched_setaffinity(0, processors)) as process:
        yield Contender(process)


def is_numpys(ours, theirs, dtype):
    tolerance = 1e-10 if dtype == "float64" else 2e-4
    return len(ours) == len(theirs) and all(
        np.allclose(a, b, rtol=tolerance, atol=tolerance * max(1, np.abs(b).max(initial=0)))
        for a, b in zip(ours, theirs))


def timed(index, case, contenders):
    """{who: seconds, one a round}, or why it is not timed"""
    results = {who: asked.ask(index) for who, asked in contenders.items()
               if who != ALONE or (case.kind == "product" and not case.is_largest)}
    if results["NumPy"] is None:
        return "peer_numpy.py does not know it"
    if not is_numpys(results["layerd"], results["NumPy"], case.dtype):
        return "its result is not NumPy's"
    return in_turns(ROUNDS, {who: contenders[who].ask for who, given in results.items()
                             if given is not None})


def measured(threads):
    """[(case, what timed() gives)]"""
    with ExitStack() as stack:
        contenders = {who: stack.enter_context(contender(who, threads))
                      for who in ("layerd", *PEERS, "floor")}
        contenders[LOOP] = stack.enter_context(contender("loop", threads))
        if threads > 1:
            contenders[ALONE] = stack.enter_context(contender("layerd", 1))
        return [(case, timed(i, case, contenders)) for i, case in enumerate(cases())]


# ---- tables and targets --------------------------------------------------------------------------

def copy_rate(seconds):
    """Bytes read and written a second"""
    return 2 * shim.COPIED / seconds


def ratios_of(case, seen):
    """{what: how many times as fast as it}; of a copy, what part of its bandwidth"""
    ours = seen["layerd"]
    found = {who: ratio(seen[who], ours) for who in (*PEERS, LOOP, ALONE) if who in seen}
    found["best"] = min(found[peer] for peer in PEERS if peer in found)
    if "floor" not in seen:
        return found
    if case.counts_flops:
        return found | {"OpenBLAS": ratio(seen["floor"], ours)}
    return found | {"copy": median(case.amount() / t / copy_rate(copied)
                                   for t, copied in zip(ours, seen["floor"]))}


def row_of(case, seen, ratios):
    ms = {who: median(seconds) * 1e3 for who, seconds in seen.items()}
    rate = case.amount() / ms["layerd"] / 1e6
    cells = [case.text(), ms["layerd"]]
    for peer in PEERS:
        cells += [ms.get(peer), ratios.get(peer)]
    if case.counts_flops:
        return cells + [ms.get("floor"), ratios.get("OpenBLAS"), None, None, ratios.get(ALONE),
                        rate, None, None]
    return cells + [None, None, ms.get(LOOP), ratios.get(LOOP), None, None, rate, ratios["copy"]]


def table_of(found, refused, threads):
    columns = ["", "layerd ms"]
    for peer in PEERS + ["OpenBLAS", LOOP]:
        columns += [f"{peer} ms", "÷ layerd"]
    columns += ["1 thread ÷ layerd", "GFLOP/s", "GB/s", "÷ copy"]
    rows = [row_of(*row) for row in found]
    rows += [[f"{case.text()}: not timed, {why}"] + [None] * (len(columns) - 1)
             for case, why in refused]
    return table(f"Kernels, {threads_text(threads)}", columns, rows, note_of(found))


def note_of(found):
    """What is counted"""
    copies = [t for case, seen, _ in found if not case.counts_flops for t in seen["floor"]]
    if not copies:
        return ""
    names = dict.fromkeys(case.name for case, _, _ in found)
    passes = "".join(f"\n    {name}: {PASSES[name]}" for name in names if name in PASSES)
    return (f"copy: {copy_rate(median(copies)) / 1e9:.1f} GB/s, bytes read and written, beyond the "
            "caches\n  GB/s: bytes that must be, each input and output once"
            + (passes and ", but of" + passes))


def threads_text(threads):
    return f"{threads} thread{'s' if threads > 1 else ''}"


def of_kind(kind, what, largest=False):
    """The ratio to `what` of a case of this kind"""
    return lambda case, ratios: (
        ratios.get(what) if case.kind == kind and (case.is_largest or not largest) else None)


def of_rows(text, what):
    """The ratio to `what` of the cases whose text starts so"""
    return lambda case, ratios: ratios.get(what) if case.text().startswith(text) else None


BEST = f"best of {' and '.join(PEERS)}"
TARGETS = [  # (what is over what, wanted, its figure for a case and its ratios)
    ("OpenBLAS ÷ product", 0.95, of_kind("product", "OpenBLAS")),
    (f"{BEST} ÷ kernel", 1, of_kind("kernel", "best")),
    ("NumPy ÷ seeded", 3, lambda case, ratios: ratios["NumPy"] if case.is_seeded else None),
    ("elementwise ÷ bandwidth of a copy", 0.7, lambda case, ratios: (
        ratios["copy"] if case.is_elementwise and case.is_largest else None)),
    ("PyTorch ÷ conv", 1, of_kind("conv", "PyTorch")),
    ("NumPy ÷ conv", 5, of_kind("conv", "NumPy")),
    ("PyTorch ÷ max_pool", 1.5, of_kind("pool", "PyTorch")),
    (f"{BEST} ÷ normalisation", 1.2, of_kind("norm", "best")),
    ("normalisation ÷ bandwidth of a copy", 0.7, of_kind("norm", "copy", largest=True)),
    (f"{BEST} ÷ update", 1.2, of_kind("update", "best")),
    ("update ÷ bandwidth of a copy", 0.7, of_kind("update", "copy", largest=True)),
    ("1 thread ÷ small product", 0.95, of_kind("product", ALONE)),
    ("OpenBLAS ÷ a product of few columns", 0.97, of_rows("affine forward (64,784)", "OpenBLAS")),
    ("OpenBLAS ÷ a product of few columns", 0.97, of_rows("affine forward (256,784)", "OpenBLAS")),
    (f"{BEST} ÷ batchnorm", 1.25, of_rows("batchnorm forward", "best")),
    (f"{LOOP} ÷ softmax", 0.8, of_rows("softmax loss (4096,1000) float64", LOOP)),
    ("PyTorch ÷ relu", 1, of_rows("relu forward (256,1024) float32", "PyTorch")),
    ("PyTorch ÷ relu", 1, of_rows("relu forward (4096,1024) float32", "PyTorch")),
]


def targets_of(found, refused, threads):
    """Each by the row that is worst"""
    if refused:
        yield at_most(f"kernels not timed, {threads_text(threads)}", 0, len(refused))
    for name, wanted, figure in TARGETS:
        rows = [(figure(case, ratios), case.text()) for case, _, ratios in found]
        rows = [row for row in rows if row[0] is not None]
        if rows:
            value, text = min(rows)
            yield at_least(f"{name}: {text}, {threads_text(threads)}", wanted, value)


def bars_of(found, threads):
    """Each operation at its largest shape, in float64"""
    for peer in PEERS:
        group = f"Layers in float64, {threads_text(threads)}, than {peer}"
        for case, _, ratios in found:
            if case.is_largest and case.dtype == "float64" and peer in ratios:
                yield group, case.text(dtype=False), ratios[peer]


def run():
    check_layers()
    tables, bars, targets = [], [], []
    for threads in sorted({1, PROCESSORS}):
        rows = measured(threads)
        found = [(case, seen, ratios_of(case, seen)) for case, seen in rows
                 if not isinstance(seen, str)]
        refused = [row for row in rows if isinstance(row[1], str)]
        tables.append(table_of(found, refused, threads))
        targets += targets_of(found, refused, threads)
        bars = list(bars_of(found, threads))
    return result(tables, bars, targets)
