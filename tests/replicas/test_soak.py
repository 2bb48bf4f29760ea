"""All of it at random for SOAK_SECONDS: replicas and nodes of the store die, hang and come back, one at
a time; every right answer is checked, and no handle that was given is lost."""
import os
import random
import re
import time

import engines
from promises import Promises
from test_sentinel import Nodes

SECONDS = float(os.environ.get("SOAK_SECONDS", 20))
ALLOWED = {"store_unavailable", "gone", "draining", 502, 503, 504}


class Soak(Nodes):
    def setUp(self):
        super().setUp()
        self.proxy = self.start(engines.Proxy(self.ports))
        self.seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
        self.random = random.Random(self.seed)

    def kill_replica(self):
        i = self.random.randrange(len(self.daemons))
        old = self.daemons[i]
        old.kill()
        self.restart(i, old.port)

    def stop_replica(self):
        i = self.random.randrange(len(self.daemons))
        old = self.daemons[i]
        self.assertEqual(old.stop(), 0)
        self.restart(i, old.port)

    def restart(self, i, port):
        again = engines.replica(self.address, "--store-timeout", "1s", "--store-copies", self.copies,
                                port=port)
        self.daemons[i] = self.start(again)
        self.await_ready(port)

    def freeze_replica(self):
        daemon = self.random.choice(self.daemons)
        daemon.process.send_signal(19)
        time.sleep(self.random.random() * 2)
        daemon.process.send_signal(18)

    def freeze_node(self):
        node = self.random.choice(self.nodes)
        node.pause()
        time.sleep(self.random.random() * 3)
        node.go_on()

    def kill_node(self):
        node = self.random.choice(self.nodes)
        was_master = node.port == self.master()
        node.kill()
        if was_master:
            self.await_master(node.port)
        node.start("--replicaof", "127.0.0.1", str(self.master()))

    def settle(self):
        """Until all nodes of the store have what the master has: the next may die then"""
        marks = {}

        def is_whole():
            port = self.master()
            try:
                told = self.node(port).say("INFO", "replication")
            except OSError:
                return False
            if not told or "role:master" not in told or self.is_replaced():
                return False
            marks.setdefault(port, int(re.search(r"master_repl_offset:(\d+)", told).group(1)))
            offsets = re.findall(r"state=online,offset=(\d+)", told)
            return len(offsets) == 2 and min(map(int, offsets)) >= marks[port]
        self.assertTrue(engines.within(60, is_whole), f"SEED={self.seed} {self.words()}")

    def test_everything_at_random(self):
        promises = Promises([self.proxy.port], callers=12, allowed=ALLOWED)
        done = []
        acts = [self.kill_replica, self.stop_replica, self.freeze_replica, self.freeze_node,
                self.kill_node]

        def act():
            while time.monotonic() < promises.until - 6:
                act = self.random.choice(acts)
                done.append(f"{act.__name__} of {self.master()}")
                act()
                self.settle()
        promises.load(SECONDS, act)
        self.settle()
        self.await_ready(self.proxy.port)
        self.await_forwards()
        print(f"SEED={self.seed}: {len(promises.given)} handles, {promises.codes}, "
              f"{done}", end=" ")
        self.expect_kept(promises, self.proxy.port)
