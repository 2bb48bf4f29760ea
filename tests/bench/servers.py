"""Daemons on free ports, and what talks to them."""
import json
import os
import re
import signal
import socket
import subprocess
import time
from contextlib import contextmanager

from prepare import BUILD, OUT

PROCESSORS = len(os.sched_getaffinity(0))


@contextmanager
def started(command, **kwargs):
    """Runs a program in a process group of its own, all of which ends with the block. One that is
    stopped ends with this process in any case: the system hangs up on a group left to itself."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, process_group=0, **kwargs)
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                os.killpg(process.pid, signal.SIGCONT)
                process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass


@contextmanager
def one_processor():
    """Keeps this process and what it starts on one processor. On two, where Linux now and then puts
    a daemon and its only caller, each sleeps while the other works, and its processor with it: a
    small call then takes three to four times as long, in a virtual machine."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def announced(stream):
    """The port that a daemon tells in its first lines"""
    for line in stream:
        found = re.search(rb"serves on http://127\.0\.0\.1:(\d+)", line)
        if found:
            return int(found[1])
    raise RuntimeError("a daemon did not start")


@contextmanager
def layerd(*options):
    """Gives (port, process id)"""
    command = [str(OUT / "layerd"), "--listen=127.0.0.1:0", *options]
    plain = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    with started(command, stderr=subprocess.PIPE, env=plain) as process:
        yield announced(process.stderr), process.pid


@contextmanager
def floor(answer_bytes):
    """libmicrohttpd alone, with as many threads as layerd has. Gives (port, process id)"""
    command = [str(BUILD / "floor_http"), str(PROCESSORS), str(answer_bytes)]
    with started(command, stdout=subprocess.PIPE) as process:
        yield announced(process.stdout), process.pid


@contextmanager
def fastapi(workers=PROCESSORS):
    """Gives (port, process id) once it answers"""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["/usr/bin/python3", "-B", "-m", "uvicorn", "peer_fastapi:app", "--app-dir",
               "tests/bench", "--port", str(port), "--workers", str(workers), "--loop", "uvloop",
               "--http", "httptools", "--no-access-log", "--log-level", "error"]
    with started(command) as process:
        wait_for_answer(port)
        if workers > 1:
            time.sleep(1)  # the others
        yield port, process.pid


def wait_for_answer(port):
    """A port that is open may have nobody behind it yet"""
    for _ in range(2000):
        try:
            connection = Connection(port)
            connection.request("GET", "/openapi.json")
            connection.close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("FastAPI does not start")


# ---- clients -----------------------------------------------------------------------------------

def answer_of(port, path, body, media_type="application/json"):
    """The answer of one call, on a connection of its own"""
    connection = Connection(port)
    data, _ = connection.post(path, body, media_type)
    connection.close()
    return data


def wrk(port, path, body_file, connections=1, seconds=1, media_type="application/json", token=""):
    """POSTs a file as fast as answers come, and wants the same type back:
    {"requests", "seconds", "p50" ms, "p99" ms, "rate"}"""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s",
         "tests/bench/post.lua", f"http://127.0.0.1:{port}{path}", "--", str(body_file),
         media_type, token], capture_output=True, text=True)
    seen = [line for line in done.stdout.splitlines() if line.startswith('{"requests"')]
    if not seen:
        raise RuntimeError(done.stdout + done.stderr)
    figures = json.loads(seen[0])
    if figures["failed"] or not figures["requests"]:
        raise RuntimeError(f"{path}: {figures['failed']} of {figures['requests']} failed")
    figures["rate"] = figures["requests"] / figures["seconds"]
    return figures


def message_of(method, path, body, media_type):
    """A whole request"""
    return (f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {media_type}\r\n"
            f"Accept: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


class Connection:
    """A keep-alive connection that knows when its bytes went and came."""

    def __init__(self, port, room=1 << 16):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.room = bytearray(room)

    def close(self):
        self.socket.close()

    def request(self, method, path, body=b"", media_type="application/json"):
        """(status, body of the answer, seconds until it had come)"""
        message = message_of(method, path, body, media_type)
        sent = time.perf_counter()
        self.socket.sendall(message)
        status, start, end = self.arrived()
        seconds = time.perf_counter() - sent
        return status, self.came(start, end), seconds

    def post(self, path, body, media_type="application/json"):
        """(answer, seconds) of a call that succeeds"""
        status, data, seconds = self.request("POST", path, body, media_type)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {bytes(data[:300])}")
        return data, seconds

    def answer(self):
        """Reads one answer: (status, body)"""
        status, start, end = self.arrived()
        return status, self.came(start, end)

    def came(self, start, end):
        return memoryview(self.room)[start:end].tobytes()

    def arrived(self):
        """Reads one answer: (status, where its body starts and ends in the room)"""
        got = 0
        while (end := self.room.find(b"\r\n\r\n", 0, got)) < 0:
            got += self.more(got)
        head = bytes(self.room[:end]).lower()
        length = re.search(rb"\ncontent-length: *(\d+)", head)
        need = end + 4 + (int(length[1]) if length else 0)
        if need > len(self.room):
            self.room.extend(bytes(need - len(self.room)))
        while got < need:
            got += self.more(got)
        return int(head.split()[1]), end + 4, need

    def more(self, got):
        count = self.socket.recv_into(memoryview(self.room)[got:])
        if count == 0:
            raise RuntimeError("the daemon closed the connection")
        return count


def memory(pid, what):
    """VmRSS or VmHWM of a process, in bytes"""
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith(what))
    return int(line.split()[1]) * 1024


def processor_seconds(pid):
    """What a process has used of processors so far, user and system, in steps of 10 ms"""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def reset_peak(pid):
    """From here on VmHWM counts anew"""
    with open(f"/proc/{pid}/clear_refs", "w") as refs:
        refs.write("5")
