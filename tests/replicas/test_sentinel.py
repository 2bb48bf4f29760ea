"""A store of a master and replicas, and failovers: what was promised with --store-copies 1 is kept."""
import time

import engines
from case import Case
from promises import Promises, backward, forward, number_of

ALLOWED = {"store_unavailable"}


class Nodes(Case):
    copies = "1"

    def setUp(self):
        self.nodes = [self.start(engines.Redis())]
        self.nodes += [self.add_replica() for _ in range(2)]
        self.sentinel = self.start(engines.Sentinel(self.nodes[0]))
        engines.within(10, lambda: len(self.sentinel.ask("SENTINEL", "replicas", "layerd")) == 2)
        address = f"sentinel://127.0.0.1:{self.sentinel.port}/layerd"
        self.daemons = self.replicas(2, address, "--store-timeout", "1s", "--store-copies", self.copies)
        self.ports = [daemon.port for daemon in self.daemons]

    def add_replica(self):
        replica = self.start(engines.Redis("--replicaof", "127.0.0.1", str(self.nodes[0].port)))
        self.assertTrue(engines.within(
            10, lambda: "master_link_status:up" in replica.say("INFO", "replication")))
        return replica

    def node(self, port):
        return next(node for node in self.nodes if node.port == port)

    def await_master(self, old):
        self.assertTrue(engines.within(30, lambda: self.sentinel.master() != old), "no failover")

    def await_forwards(self):
        caller = self.caller(self.ports[0])
        start = time.monotonic()
        self.assertTrue(engines.within(10, lambda: forward(caller, 1).status == 200))
        return time.monotonic() - start


class Failover(Nodes):
    def fail_over(self, act, *, seconds=9):
        promises = Promises(self.ports, callers=12, allowed=ALLOWED)
        old = self.sentinel.master()

        def fail():
            time.sleep(1)
            act(self.node(old))
            self.await_master(old)
        promises.load(seconds, fail)
        self.await_forwards()
        self.expect_kept(promises, self.ports[1])
        self.assertIn("store_unavailable", promises.codes)
        return promises

    def test_killed_masters_lose_nothing(self):
        for _ in range(2):
            old = self.sentinel.master()
            self.fail_over(lambda node: node.kill())
            again = self.node(old)
            again.start("--replicaof", "127.0.0.1", str(self.sentinel.master()))
            engines.within(10, lambda n=again: "link_status:up" in n.say("INFO", "replication"))
            time.sleep(1)

    def test_frozen_master_that_wakes_loses_nothing(self):
        def freeze(node):
            node.pause()
            time.sleep(4)
            node.go_on()
        self.fail_over(freeze, seconds=12)

    def test_master_that_wakes_while_it_is_replaced_loses_nothing(self):
        """It still has a replica, which says that it has what it will forget"""
        def freeze(node):
            node.pause()
            time.sleep(2.3)
            node.go_on()
        self.fail_over(freeze, seconds=7)

    def test_without_replicas_forwards_stop_and_backwards_go_on(self):
        caller = self.caller(self.ports[0])
        handle = self.expect(forward(caller, 11), 200).body["cache"]
        for node in self.nodes[1:]:
            node.kill()
        self.assertTrue(engines.within(5, lambda: forward(caller, 1).code == "store_unavailable"))
        self.assertEqual(number_of(self.expect(backward(caller, handle), 200)), 11)
        self.expect(caller.call("/readyz"), 200)

    def test_frozen_replicas_are_no_promise(self):
        caller = self.caller(self.ports[0])
        for node in self.nodes[1:]:
            node.pause()
        start = time.monotonic()
        self.expect(forward(caller, 1), 503, "store_unavailable")
        self.assertLess(time.monotonic() - start, 1.5)
        for node in self.nodes[1:]:
            node.go_on()
        self.assertLess(self.await_forwards(), 5)
