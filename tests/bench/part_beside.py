"""beside: small calls and /healthz on an idle daemon and beside callers who send products of
1200 x 1200 matrices as fast as answers come. And the products: whether several callers slow each
other by more than what they share. And the other way round: one product at a time, alone and beside
loops of small calls that would take the processors whole."""
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import numpy as np

import tensor_file
from prepare import BUILD
from report import at_least, at_most, in_turns, median, ratio, result, table
from servers import Connection, answer_of, layerd, wrk

ROUNDS, SECONDS, SETTLE, PACE = 3, 2, 0.3, 0.002
SIDE, CALLERS = 1200, [1, 2, 4]
PATH = "/affine/forward?cache=none"
SMALL = b'{"x":[[1,2],[3,4]],"w":[[1,2],[3,4]],"b":[1,2]}'
JSON, BYTES = "application/json", tensor_file.TYPE
LOADS = [(form, callers) for form in ("safetensors", "JSON") for callers in CALLERS]
LOOPS, MIDDLE = 4, ((400, 800), (800, 800))
IDLE, SMALL_CALL, HEALTH = "idle", "small call", "/healthz"


def write_products():
    """{form: (file, media type)} of a product whose result is exact; gives the result too"""
    random = np.random.default_rng(3)
    tensors = {name: random.integers(-16, 16, shape) / 8.0
               for name, shape in (("x", (SIDE, SIDE)), ("w", (SIDE, SIDE)), ("b", SIDE))}
    files = {"JSON": (BUILD / "product.json", JSON),
             "safetensors": (BUILD / "product.safetensors", BYTES)}
    files["JSON"][0].write_text(json.dumps({name: t.tolist() for name, t in tensors.items()}))
    files["safetensors"][0].write_bytes(tensor_file.packed(tensors))
    return files, tensors["x"] @ tensors["w"] + tensors["b"]


def check(port, files, expected):
    text = answer_of(port, PATH, files["JSON"][0].read_bytes())
    data = answer_of(port, PATH, files["safetensors"][0].read_bytes(), BYTES)
    if not (np.array_equal(json.loads(text)["out"], expected)
            and np.array_equal(tensor_file.unpacked(data)["out"], expected)):
        raise SystemExit("a product is wrong")


@contextmanager
def products(port, file, media_type, callers, found):
    """Callers at work for as long as the block takes; then found["rate"] is their products/s"""
    with ThreadPoolExecutor(1) as thread:
        load = thread.submit(wrk, port, PATH, file, callers, SECONDS + 1, media_type)
        time.sleep(SETTLE)
        yield
        found.update(load.result())  # raises what the load has failed with


def paced(port):
    """{SMALL_CALL: ms of each, HEALTH: ms of each}, in turns at a steady pace"""
    connection, seen = Connection(port), {SMALL_CALL: [], HEALTH: []}
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        seen[SMALL_CALL].append(connection.post(PATH, SMALL)[1] * 1e3)
        seen[HEALTH].append(connection.request("GET", "/healthz")[2] * 1e3)
        time.sleep(PACE)
    connection.close()
    return seen


def write_middle():
    """The file of a product, and that of a small call"""
    random = np.random.default_rng(5)
    x, w = (random.random(shape) for shape in MIDDLE)
    product, small = BUILD / "middle.safetensors", BUILD / "small.json"
    product.write_bytes(tensor_file.packed({"x": x, "w": w, "b": np.zeros(len(w))}))
    small.write_bytes(SMALL)
    return product, small


def each_product(port, product, small, loops):
    """(median, slowest) ms of products one after the other, beside so many loops of small calls"""
    connection, times = Connection(port), []
    body = product.read_bytes()
    with products(port, small, JSON, loops, {}) if loops else nullcontext():
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            times.append(connection.post(PATH, body, tensor_file.TYPE)[1] * 1e3)
    connection.close()
    return median(times), max(times)


def observed(port, load=None):
    """One round: {what: (p50, p99, max)}, and the load's figures"""
    found = {}
    with products(port, *load, found) if load else nullcontext():
        seen = paced(port)
    percentiles = {what: np.percentile(ms, (50, 99, 100)).tolist() for what, ms in seen.items()}
    return percentiles, found.get("rate")


def rows_of(seen, what):
    idle = [figures[what][1] for figures, _ in seen[IDLE]]
    for load, rounds in seen.items():
        p50, p99, most = zip(*(figures[what] for figures, _ in rounds))
        name = load if load == IDLE else f"beside {load[0]}, callers: {load[1]}"
        yield [name, median(p50), median(p99), max(most), ratio(p99, idle)]


def product_rows(seen):
    for form, callers in LOADS:
        rates = [rate for _, rate in seen[form, callers]]
        alone = [rate for _, rate in seen[form, 1]]
        yield [f"{form}, callers: {callers}", median(rates), ratio(rates, alone)]


def run():
    files, expected = write_products()
    with layerd() as (port, _):
        check(port, files, expected)
        works = {(form, callers): (lambda load=(*files[form], callers): observed(port, load))
                 for form, callers in LOADS}
        seen = in_turns(ROUNDS, {IDLE: lambda: observed(port)} | works)
        product, small_call = write_middle()
        middle = in_turns(ROUNDS, {loops: (lambda loops=loops: each_product(
            port, product, small_call, loops)) for loops in (0, LOOPS)})
    alone, beside = ([m for m, _ in middle[loops]] for loops in (0, LOOPS))
    columns = ["", "p50 ms", "p99 ms", "slowest ms", "p99 ÷ idle's"]
    small, health = list(rows_of(seen, SMALL_CALL)), list(rows_of(seen, HEALTH))
    rates = list(product_rows(seen))
    tables = [table(f"Beside products of {SIDE} x {SIDE}: small calls", columns, small),
              table(f"Beside products of {SIDE} x {SIDE}: /healthz", columns, health),
              table("Products of {}·{} one after the other".format(*MIDDLE),
                    ["beside loops of small calls", "median ms", "slowest ms", "share"],
                    [[str(loops), median(m for m, _ in rounds), max(s for _, s in rounds),
                      ratio(alone, [m for m, _ in rounds])] for loops, rounds in middle.items()]),
              table("Products at once", ["", "products/s", "÷ one caller's"], rates)]
    worst = max(small[1:], key=lambda row: row[-1])
    slowest = max(health, key=lambda row: row[3])
    several = [row for row, (_, callers) in zip(rates, LOADS) if callers > 1]
    shared = min(several, key=lambda row: row[-1])
    targets = [at_most(f"small calls {worst[0]}: p99 ÷ idle's", 10, worst[-1]),
               at_most(f"/healthz {slowest[0]}: slowest ms", 50, slowest[3]),
               at_least(f"a product beside {LOOPS} loops of small calls: its share of what it has alone",
                        0.33, ratio(alone, beside)),
               at_least(f"products, {shared[0]}: products/s ÷ one caller's", 0.95, shared[-1])]
    return result(tables, targets=targets)
