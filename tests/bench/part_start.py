"""start: from exec to the first answered /healthz, memory of an idle daemon, and what an image of it
holds, beside libmicrohttpd alone and one worker of FastAPI with NumPy."""
import os
import subprocess
import tempfile
import time
from pathlib import Path

from prepare import OUT
from report import at_most, in_turns, median, result, table
from servers import Connection, fastapi, floor, layerd, memory

ROUNDS, PEER_ROUNDS, SETTLE = 20, 3, 0.3


def started_once(server, path):
    """(ms to the first answer, resident bytes a while later)"""
    start = time.perf_counter()
    with server as (port, pid):
        connection = Connection(port)
        connection.request("GET", path)
        ms = (time.perf_counter() - start) * 1e3
        connection.close()
        time.sleep(SETTLE)
        return ms, memory(pid, "VmRSS")


def image_bytes():
    """What the Dockerfile's last stage holds: the stripped daemon and the libraries it loads"""
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "layerd"
        subprocess.run(["strip", "-o", stripped, OUT / "layerd"], check=True)
        loaded = subprocess.check_output(["ldd", stripped], text=True).split()
        libraries = [word for word in loaded if word.startswith("/")]
        return sum(os.stat(file).st_size for file in [stripped, *libraries])


def run():
    seen = in_turns(ROUNDS, {"layerd": lambda: started_once(layerd(), "/healthz"),
                             "libmicrohttpd": lambda: started_once(floor(300), "/")})
    seen |= in_turns(PEER_ROUNDS, {
        "FastAPI + NumPy, 1 worker": lambda: started_once(fastapi(1), "/openapi.json")})
    ms = {name: [m for m, _ in figures] for name, figures in seen.items()}
    resident = {name: [r / 1e6 for _, r in figures] for name, figures in seen.items()}
    rows = [[name, median(ms[name]), max(ms[name]), median(ms[name]) / median(ms["layerd"]),
             median(resident[name]), median(resident[name]) / median(resident["layerd"])]
            for name in seen]
    made = table("Start: exec to the first answer, and resident memory after it",
                 ["", "ms", "slowest ms", "÷ layerd", "resident MB", "÷ layerd"], rows,
                 f"medians of {ROUNDS} starts, FastAPI's of {PEER_ROUNDS}")
    image = image_bytes() / 1e6
    contents = table("Image: the daemon and its libraries", ["", "MB"], [["layerd", image]])
    group = "Start and rest, than one worker of FastAPI + NumPy"
    return result([made, contents], [(group, "from exec to the first answer", rows[2][3]),
                                     (group, "memory when idle", rows[2][5])],
                  [at_most("start: ms from exec to the first answer", 20, rows[0][1]),
                   at_most("idle: resident MB", 20, rows[0][4]),
                   at_most("image: MB", 40, image)])
