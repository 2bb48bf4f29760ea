"""A store that hangs, is slow, full, empty, strange or strict: nothing waits for it beyond its time,
and what needs no store goes on."""
import os
import socket
import threading
import time

import engines
from case import Case
from promises import Caller, Promises, backward, forward, number_of

PRODUCT = {"x": [[1, 2]], "w": [[3], [4]], "b": [5]}


class SlowProxy(threading.Thread):
    """Before the store; once it is slow, its answers come a byte each so many seconds"""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.store, self.server, self.pause = port, socket.create_server(("127.0.0.1", 0)), 0
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            caller, _ = self.server.accept()
            store = socket.create_connection(("127.0.0.1", self.store))
            threading.Thread(target=self.pass_on, args=(caller, store), daemon=True).start()
            threading.Thread(target=self.give_back, args=(store, caller), daemon=True).start()

    @staticmethod
    def pass_on(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        target.close()

    def give_back(self, source, target):
        try:
            while data := source.recv(65536):
                for at in range(0, len(data), 1 if self.pause else len(data)):
                    target.sendall(data[at:at + 1] if self.pause else data)
                    time.sleep(self.pause)
        except OSError:
            pass
        target.close()


class Store(Case):
    def two(self, *options, store=()):
        self.store = self.start(engines.Redis(*store))
        a, b = self.replicas(2, self.store, *options)
        return self.caller(a.port), self.caller(b.port)

    def timed(self, call):
        start = time.monotonic()
        return call(), time.monotonic() - start

    def test_hangs(self):
        a, b = self.two("--store-timeout", "1s", "--store-grace", "2s")
        handle = self.expect(forward(a, 9), 200).body["cache"]
        self.store.pause()
        callers = [Caller(b.port) for _ in range(16)]
        slow, pings = [], []

        def ask(caller):
            slow.append(self.timed(lambda: backward(caller, handle)))
        threads = [threading.Thread(target=ask, args=(caller,)) for caller in callers]
        for thread in threads:
            thread.start()
        for _ in range(200):  # meanwhile nothing that needs no store waits
            pings.append(self.timed(lambda: b.call("/healthz"))[1])
            self.expect(b.call("/affine/forward?cache=none", PRODUCT), 200)
        for thread in threads:
            thread.join()
        for answer, seconds in slow:
            self.expect(answer, 503, "store_unavailable")
            self.assertLess(seconds, 1.5)
        self.assertLess(sorted(pings)[int(len(pings) * 0.95)], 0.05)
        for call in (lambda: forward(b, 1), lambda: b.call("/cache/" + handle),
                     lambda: b.call("/cache/" + handle, method="DELETE"),
                     lambda: b.call("/graph", {"inputs": {"w": {"tensor": handle}}, "nodes": []}),
                     lambda: b.call("/graph", {"inputs": {"w": [1]}, "nodes": [], "keep": ["w"]})):
            answer, seconds = self.timed(call)
            self.expect(answer, 503, "store_unavailable")
            self.assertLess(seconds, 0.3)
        self.assertEqual(number_of(self.expect(backward(a, handle), 200)), 9)  # a's own copy
        for caller in (a, b):
            self.await_ready(caller.port, False)
            self.expect(caller.call("/healthz"), 200)
        self.store.go_on()
        for caller in (a, b):
            self.await_ready(caller.port)
            self.assertEqual(number_of(self.expect(backward(caller, handle), 200)), 9)

    def test_log_tells_each_change_once(self):
        store = self.start(engines.Redis())
        daemon, = self.replicas(1, store)
        store.kill()
        time.sleep(2)
        store.start()

        def told():
            return [line for line in daemon.log if " the store is " in line]
        self.assertTrue(engines.within(10, lambda: len(told()) > 1), daemon.log)
        time.sleep(0.5)
        told = told()
        self.assertEqual(len(told), 2, told)
        self.assertIn("away", told[0])
        self.assertIn("back after", told[1])

    def test_is_slow(self):
        store = self.start(engines.Redis())
        slow = SlowProxy(store.port)
        daemon, = self.replicas(1, f"redis://127.0.0.1:{slow.port}", "--store-timeout", "500ms")
        a = self.caller(daemon.port)
        handle = self.expect(forward(a, 3), 200).body["cache"]
        slow.pause = 0.2
        answer, seconds = self.timed(lambda: a.call("/cache/" + handle))
        self.expect(answer, 503, "store_unavailable")
        self.assertLess(seconds, 1)
        slow.pause = 0
        self.assertTrue(engines.within(10, lambda: a.call("/cache/" + handle).status == 200))

    def test_is_full(self):
        a, b = self.two("--cache-lifetime", "6s", store=("--maxmemory", "12mb"))
        tensor, handles = {"shape": [12500], "data": [0.5] * 12500}, []
        put = {"inputs": {"t": tensor}, "nodes": [], "keep": ["t"]}
        while (answer := a.call("/graph", put)).status == 200:
            handles.append(answer.body["kept"]["t"])
            self.assertLess(len(handles), 200)
        self.expect(answer, 503, "cache_full")
        self.assertGreater(len(handles), 30)
        give = [b.call("/graph", {"inputs": {"t": {"tensor": h}}, "nodes": [], "give": ["t"]})
                for h in handles]
        self.assertEqual({answer.status for answer in give}, {200})
        self.expect(a.call("/affine/forward?cache=none", PRODUCT), 200)
        self.assertTrue(engines.within(30, lambda: a.call("/graph", put).status == 200),
                        "no room again")

    def test_expired_among_many_make_room(self):
        a, _ = self.two("--cache-lifetime", "6s", store=("--maxmemory", "30mb"))
        for start in range(0, 100000, 1000):
            self.store.say("MSET", *(word for i in range(start, start + 1000)
                                     for word in (f"other:{i}", "x" * 20)))
        tensor = {"shape": [100000], "data": [0.5] * 100000}  # in one piece: others live longer
        put = {"inputs": {"t": tensor}, "nodes": [], "keep": ["t"]}
        self.assertIn(503, (a.call("/graph", put).status for _ in range(200)))
        self.assertTrue(engines.within(30, lambda: a.call("/graph", put).status == 200))

    def test_restarts_without_its_data(self):
        a, b = self.two()
        handle = self.expect(forward(a, 3), 200).body["cache"]
        self.store.kill()
        time.sleep(0.3)
        self.store.start()
        for caller in (a, b):
            self.assertTrue(engines.within(5, lambda c=caller: c.call("/cache/" + handle).status != 503))
            self.expect(backward(caller, handle), 404, "unknown_cache")
        self.expect(backward(b, self.expect(forward(a, 4), 200).body["cache"]), 200)

    def test_keeps_its_data(self):
        a, b = self.two(store=("--appendonly", "yes"))
        handles = [self.expect(forward(a, i), 200).body["cache"] for i in range(100)]
        self.store.kill()
        self.store.start()
        self.assertTrue(engines.within(5, lambda: b.call("/cache/" + handles[0]).status == 200))
        for i, handle in enumerate(handles):
            self.assertEqual(number_of(self.expect(backward(b, handle), 200)), i)

    def test_holds_what_no_daemon_wrote(self):
        a, b = self.two()
        handle = self.expect(forward(a, 3), 200).body["cache"]
        key = "layerd:{" + handle + "}"
        value = self.store.say("GET", key)
        for damage in (value[:-1], value.replace('"layerd":"1"', '"layerd":"2"'), "", "garbage",
                       value.replace('"in.x":"24"', '"in.x":"99"')):
            # latin-1 texts that are written as UTF-8 are damaged, too
            self.store.say("SET", key, damage)
            self.expect(backward(b, handle), 500, "internal")
        self.store.say("DEL", key)
        self.store.say("RPUSH", key, "1")
        self.expect(backward(b, handle), 500, "internal")
        self.store.say("DEL", key)
        self.expect(backward(b, handle), 404, "unknown_cache")
        self.expect(b.call("/readyz"), 200)

    def test_answers_garbage(self):
        server = socket.create_server(("127.0.0.1", 0))

        def babble():
            while True:
                link, _ = server.accept()
                link.recv(1000)
                link.sendall(os.urandom(200))
                link.close()
        threading.Thread(target=babble, daemon=True).start()
        daemon, = self.replicas(1, f"redis://127.0.0.1:{server.getsockname()[1]}",
                                "--store-timeout", "300ms")
        caller = self.caller(daemon.port)
        for _ in range(20):
            self.expect(forward(caller, 1), 503, "store_unavailable")
            self.expect(caller.call("/affine/forward?cache=none", PRODUCT), 200)

    def test_wants_a_user_and_has_rules(self):
        """The rule of server/README.md is enough, and the one without SET is told about"""
        with open("server/README.md") as page:
            rule = next(line for line in page if line.startswith("user layerd on >")).split()
        store = self.start(engines.Redis())
        rule[rule.index(">secret")] = ">sesame street"
        self.assertEqual(store.say("ACL", "SETUSER", *rule[1:]), "OK")
        store.say("ACL", "SETUSER", "default", "off")
        password = self.start(engines.Engine()).write("password", "sesame street\n")
        address = f"redis://layerd@127.0.0.1:{store.port}"
        daemon, = self.replicas(1, address, "--store-password-file", password)
        caller = self.caller(daemon.port)
        handle = self.expect(forward(caller, 77), 200).body["cache"]
        self.assertEqual(number_of(self.expect(backward(caller, handle), 200)), 77)
        self.expect(caller.call("/cache/" + handle, method="DELETE"), 204)
        tensor = {"shape": [300000], "data": [1] * 300000}
        self.expect(caller.call("/graph", {"inputs": {"t": tensor}, "nodes": [], "keep": ["t"]}), 200)
        with self.assertRaises(SystemExit) as ended:
            engines.replica(address)
        self.assertIn("cannot be used: NOAUTH", str(ended.exception))
        with self.assertRaises(SystemExit) as ended:
            engines.replica(f"redis://layerd:wrong@127.0.0.1:{store.port}")
        self.assertIn("WRONGPASS", str(ended.exception))

    def test_may_not_drop_what_was_promised(self):
        store = self.start(engines.Redis("--maxmemory-policy", "allkeys-lru"))
        with self.assertRaises(SystemExit) as ended:
            engines.replica(store)
        self.assertIn("it must be noeviction", str(ended.exception))

    def test_never_mixes_answers_up(self):
        """Links that are killed and time out at random: nobody gets another's tensor"""
        store = self.start(engines.Redis())
        daemons = self.replicas(2, store, "--store-timeout", "100ms", "--cache-budget", "0")
        promises = Promises([d.port for d in daemons], allowed={"store_unavailable"})

        def disturb():
            while time.monotonic() < promises.until - 1:
                store.say("CLIENT", "KILL", "TYPE", "normal")
                store.pause()
                time.sleep(0.12)
                store.go_on()
                time.sleep(0.3)
        promises.load(6, disturb)
        self.await_ready(daemons[0].port)
        time.sleep(1)
        self.expect_kept(promises, daemons[0].port)

    def test_shares_of_tenants_are_the_stores(self):
        path, (header,) = self.tokens("x x compute {} cache=3000")
        store = self.start(engines.Redis())
        callers = [self.caller(d.port) for d in self.replicas(2, store, "--tokens", path)]
        for caller in callers:
            caller.headers = header
        given = []
        for i in range(20):
            answer = forward(callers[i % 2], i)
            if answer.status != 200:
                self.expect(answer, 503, "cache_full")
                break
            given.append(answer.body["cache"])
        self.assertEqual(len(given), 3, "three of 900 and some bytes in all")
        self.expect(callers[1].call("/cache/" + given[0], method="DELETE"), 204)
        self.expect(forward(callers[0], 1), 200)
        self.expect(forward(callers[1], 1), 503, "cache_full")
