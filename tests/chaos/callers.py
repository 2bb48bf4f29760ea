"""Who calls: some as they should, whose answers must be the bytes that an idle daemon gives, and
some as nobody should."""
import asyncio
import glob
import json
import os
import random
import re
import time

from http1 import Connection, Gone, head
from training import Training

# what a daemon with more to do than it can may say instead of an answer
BUSY = {"overloaded", "cache_full", "rate_limited"}
# faults of a head that may come together, each with the line that has it; and a body over the limit
MUDDLES = {"forbidden": "Origin: https://other.example",
           "unsupported_media_type": "Content-Encoding: gzip",
           "headers_too_large": "X-Large: " + "a" * 20000,
           "invalid_request": "no colon",
           "not_implemented": "Transfer-Encoding: gzip",
           "body_too_large": "X-Larger: no"}
COOKIE = "Cookie: session=" + "c" * 12000
HANDLE = re.compile(rb'"[0-9a-f]{32}"')
STEPS = 40  # of a training


def body_of(step, handles):
    """The request, with handles in the place of their marks"""
    text = step.get("request_text") or json.dumps(step["request"])
    for mark, handle in handles.items():
        text = text.replace(json.dumps(mark), json.dumps(handle))
    return text.encode()


def note_handles(handles, step, answer):
    """What later steps of the case know the handles of an answer by"""
    body = json.loads(answer.body)
    if "cache" in body:
        handles["$cache"] = body["cache"]
    for name, mark in step["answer"].get("kept", {}).items():
        handles[mark] = body["kept"][name]


def target_of(step):
    return step["path"] + ("?" + step["query"] if step["query"] else "")


def cases(kind):
    """The conformance vectors whose steps all have `kind`: "answer" or "error" """
    for name in sorted(glob.glob("tests/vectors/**/*.json", recursive=True)):
        with open(name) as file:
            for case in json.load(file)["cases"]:
                if all(kind in step for step in case["steps"]):
                    yield case["steps"]


def product(side):
    """An affine call that takes long, and its answer"""
    rows = json.dumps([[1] * side] * side)
    want = json.dumps({"out": [[side + 1.0] * side] * side}, separators=(",", ":")) + "\n"
    body = '{"x":%s,"w":%s,"b":%s}' % (rows, rows, json.dumps([1] * side))
    return body.encode(), want.encode()


class Crowd:
    """What all callers share: the daemon's port, the answers to expect, and what was seen."""

    def __init__(self, port):
        self.port, self.until = port, 0
        self.right, self.wrong = list(cases("answer")), list(cases("error"))
        self.product = product(300)
        self.expected, self.seeded = {}, [s for s in self.right if self.is_reproducible(s)]
        self.counts, self.faults, self.times = {}, [], []
        self.may_forget = False  # the daemon is restarted now and then
        self.lifetime = float("inf")  # seconds without use after which a handle may be gone

    @staticmethod
    def is_reproducible(steps):
        """Whether each run gives the same bytes: dropout draws a seed where none is sent"""
        return all("dropout" not in s["path"] or '"seed"' in json.dumps(s["request"])
                   for s in steps if "request" in s and s["path"].endswith("forward"))

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def fault(self, text):
        if len(self.faults) < 20:
            self.faults.append(text)

    async def learn(self):
        """Notes the answers of an idle daemon"""
        connection = Connection(self.port)
        for number, steps in enumerate(self.seeded):
            handles = {}
            for i, step in enumerate(steps):
                answer = await connection.call("POST", target_of(step), body_of(step, handles))
                self.expected[number, i] = HANDLE.sub(b'""', answer.body)
                if answer.status != 200:
                    self.fault(f"{step['path']}: {answer.status} on an idle daemon")
                    break
                note_handles(handles, step, answer)
        connection.close()

    def running(self):
        return time.monotonic() < self.until

    def is_excused(self, answer, used=float("inf")):
        """Whether an answer says that the daemon is busy, as it should say it, or does not know a
        handle that was given, or `used`, too long ago"""
        code = answer.code
        if code in BUSY and int(answer.headers.get("retry-after", 0)) >= 1:
            self.count(code)
            return True
        return code == "unknown_cache" and (self.may_forget or
                                            time.monotonic() - used >= self.lifetime)

    async def call_right(self, connection, number, steps):
        handles, first = {}, time.monotonic()
        for i, step in enumerate(steps):
            start = time.monotonic()
            answer = await connection.call("POST", target_of(step), body_of(step, handles))
            self.times.append(time.monotonic() - start)
            if answer.status == 200 and HANDLE.sub(b'""', answer.body) == self.expected[number, i]:
                self.count("right")
                note_handles(handles, step, answer)
            elif self.is_excused(answer, first):
                return
            else:
                self.fault(f"{step['path']}: {answer.status} {answer.body[:200]}")
                return

    async def right_caller(self):
        connection = Connection(self.port)
        while self.running():
            number = random.randrange(len(self.seeded))
            try:
                await self.call_right(connection, number, self.seeded[number])
            except Gone:
                self.count("gone")
                await asyncio.sleep(0.01)
        connection.close()

    async def wrong_caller(self):
        connection = Connection(self.port)
        while self.running():
            step = random.choice(self.wrong)[-1]
            if '"$cache"' in json.dumps(step):
                continue
            try:
                answer = await connection.call("POST", target_of(step), body_of(step, {}))
            except Gone:
                self.count("gone")
                continue
            want = step["error"]
            if (answer.status, answer.code) == (want["status"], want.get("code", answer.code)):
                self.count("wrong, told so")
            elif not self.is_excused(answer):
                self.fault(f"{step['path']}: {answer.status} {answer.code}, not {want}")
        connection.close()

    async def answered(self, connection, target, request, used=float("inf")):
        """The answer to a request that is sent again while the daemon is busy; None where that
        goes on until the end, or handles are gone as they may be, or it is wrong"""
        kind, body = request
        while self.running():
            answer = await connection.call("POST", target, body, f"Content-Type: {kind}")
            if answer.status == 200:
                return answer
            if not self.is_excused(answer, used):
                self.fault(f"a training, {target}: {answer.status} {answer.body[:200]}")
            if answer.code not in BUSY:
                break
            await asyncio.sleep(0.01)
        return None

    async def train(self, connection, training):
        """From weights that are put to weights that are fetched; who is refused has lost none"""
        step = [("/affine/forward?cache=none", training.predict, training.is_prediction),
                ("/graph", training.step, training.learn)]
        used = time.monotonic()
        for target, request, is_right in [("/graph", training.put, training.take), *STEPS * step,
                                          ("/graph", training.end, training.is_end)]:
            sent = time.monotonic()
            answer = await self.answered(connection, target, request(), used)
            if not answer:
                return
            if not is_right(answer):
                self.fault(f"a training, {target}: {answer.body[:200]}")
                return
            used = sent if target == "/graph" else used
            self.count("steps of trainings")
        self.count("trainings")

    async def trainer(self):
        """Graphs whose weights stay on the daemon"""
        connection = Connection(self.port)
        while self.running():
            try:
                await self.train(connection, Training())
            except Gone:  # done or not: nobody knows
                self.count("gone")
                await asyncio.sleep(0.01)
        connection.close()

    async def product_caller(self):
        body, want = self.product
        connection = Connection(self.port)
        while self.running():
            try:
                answer = await connection.call("POST", "/affine/forward?cache=none", body)
            except Gone:
                self.count("gone")
                continue
            if answer.status == 200 and answer.body == want:
                self.count("products")
            elif not self.is_excused(answer):
                self.fault(f"a product: {answer.status} {answer.body[:200]}")
        connection.close()

    async def aborting(self, data, keep):
        """Sends a part of `data` and leaves; `keep`: all of it, and leaves while the answer comes"""
        connection = Connection(self.port)
        try:
            await connection.send(data if keep else data[:random.randrange(1, len(data))])
            if keep:
                await connection.reader.read(random.randrange(1, 5000))
            await asyncio.sleep(random.random() * 0.05)
            self.count("aborted")
        except (Gone, OSError):
            self.count("gone")
        connection.close()

    async def aborter(self):
        body, graph = self.product[0], Training().put()[1]
        requests = [head("POST", "/affine/forward?cache=none", len(body)) + body,
                    head("POST", "/graph", len(graph)) + graph]
        while self.running():
            await self.aborting(random.choice(requests), random.random() < 0.5)

    async def flooder(self):
        """Takes handles and never gives them back"""
        connection = Connection(self.port)
        body = json.dumps({"x": [[0.5] * 200] * 4, "w": [[1]] * 200, "b": [0]}).encode()
        while self.running():
            try:
                answer = await connection.call("POST", "/affine/forward", body)
                self.count("handles" if answer.status == 200 else "handles refused")
                if answer.status != 200 and not self.is_excused(answer):
                    self.fault(f"a flood: {answer.status} {answer.body[:200]}")
                    break
            except Gone:
                self.count("gone")
            await asyncio.sleep(0.002)
        connection.close()

    async def giant(self):
        """Bodies that are too large, said or unsaid, and ones that never come"""
        while self.running():
            connection = Connection(self.port)
            try:
                if random.random() < 0.5:
                    await connection.send(head("POST", "/relu/forward", 1 << 40))
                    answer = await connection.read()
                    self.count("giants refused")
                    if answer.code != "body_too_large" and not self.is_excused(answer):
                        self.fault(f"a giant: {answer.status} {answer.body[:200]}")
                else:
                    await connection.send(b"POST /relu/forward HTTP/1.1\r\nHost: t\r\n"
                                          b"Transfer-Encoding: chunked\r\n\r\n")
                    while self.running():
                        await connection.send(b"10000\r\n" + b"1" * 65536 + b"\r\n")
            except Gone:
                self.count("giants cut off")
            connection.close()
            await asyncio.sleep(0.05)

    async def muddler(self):
        """Several faults in one request, whose sender may close his side: one answer, of one of them"""
        large = b" " * (9 << 20)
        while self.running():
            faults = random.sample(list(MUDDLES), random.randrange(1, len(MUDDLES) + 1))
            body = large if "body_too_large" in faults else b'{"x":[1]}'
            connection = Connection(self.port)
            try:
                await connection.send(head("POST", "/relu/forward?cache=none", len(body), COOKIE,
                                           *(MUDDLES[fault] for fault in faults)) + body)
                if random.random() < 0.5:
                    connection.writer.write_eof()
                reader = connection.reader
                answer = await connection.read()
                rest = await reader.read() if connection.writer is None else b""
                if answer.code in faults and not rest:
                    self.count("muddles refused")
                elif not self.is_excused(answer):
                    self.fault(f"{faults}: {answer.status} {answer.body[:200]} {rest[:100]}")
            except (Gone, OSError):
                self.count("gone")
            connection.close()

    async def babbler(self):
        """Bytes that mean nothing"""
        while self.running():
            connection = Connection(self.port)
            try:
                await connection.send(os.urandom(random.randrange(1, 3000)))
                await asyncio.wait_for(connection.reader.read(100), 0.2)
                self.count("babble")
            except (Gone, OSError, asyncio.TimeoutError):
                self.count("babble")
            connection.close()

    async def sluggard(self):
        """A request of which a byte comes now and then"""
        while self.running():
            connection = Connection(self.port)
            try:
                for byte in head("POST", "/relu/forward", 100000) + b'{"x":[' + b"1," * 50000:
                    await connection.send(bytes([byte]))
                    await asyncio.sleep(0.1)
                    if not self.running():
                        break
            except Gone:
                self.count("sluggards cut off")
            connection.close()

    async def run(self, seconds, **callers):
        """So many of each kind of caller for so long"""
        self.until = time.monotonic() + seconds
        await asyncio.gather(*(getattr(self, kind)() for kind, count in callers.items()
                               for _ in range(count)))
