"""Handles that were given, and whether they are honoured: each stands for a number, which the cache
of a relu holds as the signs of its input, and backward tells."""
import http.client
import json
import threading
import time

BITS = 24


class Answer:
    def __init__(self, status, body):
        self.status = status
        try:
            self.body = json.loads(body) if body else {}
        except ValueError:  # HAProxy's own page
            self.body = {}

    @property
    def code(self):
        return self.body.get("code") if self.status >= 400 else None


class Caller:
    """One connection, opened anew where it ended. A call gives None where there was no answer."""

    def __init__(self, port):
        self.port, self.link, self.headers = port, None, {}

    def call(self, path, body=None, method=None, timeout=30):
        try:
            if not self.link:
                self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            text = None if body is None else json.dumps(body)
            self.link.request(method or ("POST" if text else "GET"), path, text,
                              {"Content-Type": "application/json", **self.headers})
            answer = self.link.getresponse()
            return Answer(answer.status, answer.read())
        except (OSError, http.client.HTTPException):
            self.close()
            return None

    def close(self):
        if self.link:
            self.link.close()
        self.link = None


def signs(number):
    return [1 if number >> i & 1 else -1 for i in range(BITS)]


def forward(caller, number):
    return caller.call("/relu/forward", {"x": signs(number)})


def backward(caller, handle, query=""):
    return caller.call("/relu/backward" + query, {"dout": [1] * BITS, "cache": handle})


def number_of(answer):
    return sum(1 << i for i, dx in enumerate(answer.body["dx"]) if dx)


class Promises:
    """What many callers at once were given, and every answer that was none of the allowed."""

    def __init__(self, ports, callers=16, allowed=()):
        self.ports, self.callers, self.allowed = ports, callers, set(allowed)
        self.given, self.faults, self.codes = {}, [], {}
        self.longest = 0
        self.lock, self.number, self.until = threading.Lock(), 0, 0

    def note(self, answer, seconds):
        code = "gone" if answer is None else answer.code or answer.status
        with self.lock:
            self.codes[code] = self.codes.get(code, 0) + 1
            self.longest = max(self.longest, seconds)
            if code != 200 and code not in self.allowed and len(self.faults) < 20:
                self.faults.append(f"{code}: {answer and answer.body}")

    def call_on(self, which):
        caller = Caller(self.ports[which % len(self.ports)])
        mine = []
        while time.monotonic() < self.until:
            with self.lock:
                self.number += 1
                number = self.number
            start = time.monotonic()
            answer = forward(caller, number)
            self.note(answer, time.monotonic() - start)
            if answer and answer.status == 200:
                with self.lock:
                    self.given[answer.body["cache"]] = number
                mine.append((answer.body["cache"], number))
            if mine and number % 3 == 0:
                self.check(caller, *mine[number % len(mine)])
        caller.close()

    def check(self, caller, handle, number):
        """Whether the handle is honoured; what is allowed is not counted against it"""
        start = time.monotonic()
        answer = backward(caller, handle)
        self.note(answer, time.monotonic() - start)
        if answer and answer.status == 200 and number_of(answer) != number:
            self.faults.append(f"{handle} is {number}, but gave {number_of(answer)}")

    def load(self, seconds, meanwhile=None):
        """Callers for so long; `meanwhile` runs beside them"""
        self.until = time.monotonic() + seconds
        threads = [threading.Thread(target=self.call_on, args=(i,)) for i in range(self.callers)]
        for thread in threads:
            thread.start()
        if meanwhile:
            meanwhile()
        for thread in threads:
            thread.join()

    def lost(self, port, most=4000):
        """Of those that were given, those that are not honoured: what answers instead"""
        caller, lost = Caller(port), []
        handles = list(self.given.items())
        step = max(1, len(handles) // most)
        for handle, number in handles[::step] if step > 1 else handles:
            answer = backward(caller, handle)
            if not answer or answer.status != 200 or number_of(answer) != number:
                lost.append((handle, answer and (answer.status, answer.body)))
        caller.close()
        return lost
