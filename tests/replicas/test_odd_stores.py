"""A store that is large, has its clock set, holds what others wrote, or lies."""
import os
import socket
import socketserver
import struct
import threading
import time
import urllib.request
from datetime import datetime, timezone

import engines
from case import Case
from promises import BITS, backward, forward, number_of

EXPIRED = int(os.environ.get("EXPIRED", 200_000))
SIZE = 900


def fill(store, count, lifetime):
    """As many keys as a replica's of a small value would be, all of which end at once"""
    end = int((time.time() + lifetime) * 1000)
    value = b"x" * SIZE
    with socket.create_connection(("127.0.0.1", store.port)) as link:
        replies = link.makefile("rb")
        for start in range(0, count, 5000):
            link.sendall(b"".join(
                b"*5\r\n$3\r\nSET\r\n$41\r\nlayerd:{%032x}\r\n$%d\r\n%s\r\n$4\r\nPXAT\r\n$13\r\n%d\r\n"
                % (i, SIZE, value, end) for i in range(start, start + 5000)))
            for _ in range(5000):
                assert replies.readline() == b"+OK\r\n"


class Liar(socketserver.ThreadingTCPServer):
    """Says what a watcher wants to hear, and to all else the same"""
    allow_reuse_address = daemon_threads = True
    right = {b"PING": b"+PONG\r\n", b"ROLE": b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
             b"INFO": b"$53\r\n\r\nused_memory:1000\r\nmaxmemory_policy:noeviction\r\n  \r\n",
             b"SCAN": b"*2\r\n$1\r\n0\r\n*0\r\n"}

    def __init__(self, words):
        super().__init__(("127.0.0.1", 0), Answering)
        self.words = words
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answering(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2])
            try:
                self.wfile.write(self.server.right.get(words[0], self.server.words))
            except OSError:
                return


class Odd(Case):
    def test_very_many_expire_at_once(self):
        """EXPIRED of them fill the store: when they end, forwards go on, and meanwhile others do"""
        store = self.start(engines.Redis())
        lifetime = 3 + EXPIRED / 40_000
        end = time.monotonic() + lifetime
        fill(store, EXPIRED, lifetime)
        store.say("CONFIG", "SET", "maxmemory", store.used() + (1 << 20))
        daemons = self.replicas(2, store)
        caller, other = (self.caller(daemon.port) for daemon in daemons)
        product, answered = {"x": [[1, 2]], "w": [[3], [4]], "b": [5]}, 0
        full = forward(caller, 1)
        while full.status == 200:
            full = forward(caller, 1)
        self.expect(full, 503, "cache_full")
        while not answered or forward(caller, 1).status != 200:
            self.expect(other.call("/affine/forward?cache=none", product), 200)
            answered += 1
            time.sleep(0.01)
            self.assertLess(time.monotonic(), end + 30)
        self.assertTrue(engines.within(60, lambda: store.say("DBSIZE") < EXPIRED / 100))

    def test_clock_that_is_set(self):
        """A handle's life is by the store's clock; where that is set, nothing but lives change"""
        path = self.start(engines.Engine()).write("clock", "\0" * 8)

        def set_clock(seconds):
            with open(path, "r+b") as file:
                file.write(struct.pack("q", seconds))
            time.sleep(0.3)
        library = os.path.join(os.path.dirname(engines.PROGRAM), "clock.so")
        store = self.start(engines.Redis(env={"LD_PRELOAD": library, "CLOCK_FILE": path}))
        a, b = (self.caller(daemon.port)
                for daemon in self.replicas(2, store, "--cache-lifetime", "60s"))
        handle = self.expect(forward(a, 7), 200).body["cache"]

        def left():
            info = self.expect(b.call("/cache/" + handle), 200).body
            end = datetime.fromisoformat(info["expires"].replace("Z", "+00:00"))
            return (end - datetime.now(timezone.utc)).total_seconds()
        self.assertTrue(55 < left() <= 61, left())
        set_clock(30)
        self.assertTrue(25 < left() < 32, left())
        set_clock(-3600)
        self.assertTrue(55 < left() <= 61, left())
        for caller in (a, b):
            self.assertEqual(number_of(self.expect(backward(caller, handle), 200)), 7)
        set_clock(0)
        self.assertTrue(engines.within(5, lambda: a.call("/cache/" + handle).status == 404))
        for caller in (a, b):
            self.expect(backward(caller, handle), 404, "unknown_cache")
        again = self.expect(forward(a, 8), 200).body["cache"]
        self.assertEqual(number_of(self.expect(backward(b, again), 200)), 8)
        with urllib.request.urlopen(f"http://127.0.0.1:{a.port}/metrics") as page:
            self.assertNotRegex(page.read(), rb"(?m)^[^#].* -")

    def test_holds_what_others_wrote(self):
        """Keys under layerd's prefix that are none of its own"""
        store = self.start(engines.Redis())
        handle = "0123456789abcdef" * 2
        store.say("SET", "layerd:", "x")
        store.say("SET", "layerd:{", "x")
        store.say("SADD", "layerd:{" + handle + "}", "x")
        store.say("SET", "layerd:{" + handle[::-1] + "}", '{"__metadata__":{}}')
        store.say("RPUSH", "layerd:{" + handle + "}:1", "x")
        store.say("SET", "layerd:" + "k" * 5000, "x")
        store.say("HSET", "layerd:kept:{x}", "sum", "none", handle, "many", "f" * 500, "-1")
        tokens, headers = self.tokens("x x compute {} cache=1MiB", "y y compute {}")
        daemon, = self.replicas(1, store, "--tokens", tokens)
        x, y = (self.caller(daemon.port) for _ in range(2))
        x.headers, y.headers = headers
        for _ in range(3):
            self.expect(forward(x, 1), 503, "store_unavailable")  # what it keeps is not known
            given = self.expect(forward(y, 3), 200).body["cache"]
            self.assertEqual(number_of(self.expect(backward(y, given), 200)), 3)
            for key in (handle, handle[::-1]):
                self.expect(backward(y, key), 404, "unknown_cache")
            time.sleep(0.3)
        self.expect(y.call("/readyz"), 200)
        self.assertEqual([line for line in daemon.log if "is away" in line], [])
        plain, = self.replicas(1, store)
        caller = self.caller(plain.port)
        for key in (handle, handle[::-1]):
            self.expect(backward(caller, key), 500, "internal")
            self.expect(caller.call("/cache/" + key), 500, "internal")
        self.expect(caller.call("/cache/" + handle, method="DELETE"), 500, "internal")
        self.expect(caller.call("/cache/" + handle[::-1], method="DELETE"), 204)
        self.expect(backward(caller, handle[::-1]), 404, "unknown_cache")

    def test_lies(self):
        """One that seems to be a store, and answers what none can"""
        handle = "0123456789abcdef" * 2
        for words in (b"*2000000000\r\n", b"$536870912\r\n", b"$99999999999999\r\n", b"$-7\r\n",
                      b":9999999999999999999999\r\n", b"-\r\n", b"\r\n", b"+" + b"x" * 10000 + b"\r\n",
                      b"*1\r\n" * 50, b"%1\r\n+a\r\n+b\r\n", b"\0" * 100, b"$4\r\nlies\r\n", b"$0\r\n\r\n",
                      b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            liar = Liar(words)
            daemon, = self.replicas(1, f"redis://127.0.0.1:{liar.port}", "--store-timeout", "100ms")
            caller = self.caller(daemon.port)
            for call in (lambda: forward(caller, 1), lambda: backward(caller, handle),
                         lambda: caller.call("/cache/" + handle),
                         lambda: caller.call("/cache/" + handle, method="DELETE")):
                answer = call()
                self.assertIn((answer.status, answer.code),
                              ((503, "store_unavailable"), (500, "internal")), words[:40])
            self.expect(caller.call("/relu/forward?cache=none", {"x": [1] * BITS}), 200)
            self.assertLess(daemon.resident(), 200)
            liar.shutdown()
            liar.server_close()
