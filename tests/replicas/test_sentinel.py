"""A store of a master and replicas, and failovers: what was promised with --store-copies 1 is kept."""
import socketserver
import threading
import time

import engines
from case import Case
from promises import Promises, backward, forward, number_of

ALLOWED = {"store_unavailable"}


class Nodes(Case):
    """A master, two replicas and three Sentinels. One Sentinel alone waits for ever for the replica that
    it promotes, where that dies before the others follow it."""
    copies = "1"

    def setUp(self):
        self.nodes = [self.start(engines.Redis())]
        self.nodes += [self.add_replica() for _ in range(2)]
        self.sentinels = [self.start(engines.Sentinel(self.nodes[0], quorum=2)) for _ in range(3)]
        self.assertTrue(engines.within(20, lambda: all(
            (state["num-slaves"], state["num-other-sentinels"]) == ("2", "2")
            for state in self.states())))
        names = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.address = f"sentinel://{names}/layerd"
        self.daemons = self.replicas(2, self.address, "--store-timeout", "1s",
                                     "--store-copies", self.copies)
        self.ports = [daemon.port for daemon in self.daemons]

    def add_replica(self):
        replica = self.start(engines.Redis("--replicaof", "127.0.0.1", str(self.nodes[0].port)))
        self.assertTrue(engines.within(
            10, lambda: "master_link_status:up" in replica.say("INFO", "replication")))
        return replica

    def node(self, port):
        return next(node for node in self.nodes if node.port == port)

    def states(self):
        return [sentinel.state() for sentinel in self.sentinels]

    def is_replaced(self):
        return any("failover_in_progress" in state["flags"] for state in self.states())

    def masters(self):
        """Of each Sentinel, whom it names"""
        return {sentinel.master() for sentinel in self.sentinels}

    def master(self):
        """Whom all Sentinels name. They may need a minute: one that was not run for two seconds does
        nothing for thirty more."""
        agree = engines.within(60, lambda: len(self.masters()) == 1)
        self.assertTrue(agree, self.words())
        return self.masters().pop()

    def await_master(self, old):
        self.assertTrue(engines.within(60, lambda: old not in self.masters()), self.words())

    def words(self):
        """Of the Sentinels, for who reads of a failed test"""
        return "".join(f"\n{sentinel.port}: {sentinel.log()[-3000:]}" for sentinel in self.sentinels)

    def await_forwards(self):
        caller = self.caller(self.ports[0])
        start = time.monotonic()
        self.assertTrue(engines.within(10, lambda: forward(caller, 1).status == 200))
        return time.monotonic() - start


class Failover(Nodes):
    def fail_over(self, act, *, seconds=9):
        promises = Promises(self.ports, callers=12, allowed=ALLOWED)
        old = self.master()

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
            old = self.master()
            self.fail_over(lambda node: node.kill())
            again = self.node(old)
            again.start("--replicaof", "127.0.0.1", str(self.master()))
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
            self.assertTrue(engines.within(60, self.is_replaced), self.words())
            node.go_on()
        self.fail_over(freeze, seconds=7)

    def test_a_healthy_master_that_is_replaced_loses_nothing(self):
        """By who keeps the store: one replica goes on to follow it, and says that it has what both
        will forget"""
        def replace(_):
            self.sentinels[1].ask("SENTINEL", "FAILOVER", "layerd")
        for _ in range(2):
            self.fail_over(replace, seconds=6)
            self.assertTrue(engines.within(30, lambda: not self.is_replaced()), self.words())
            self.sentinels[1].restart()
            time.sleep(3)

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


def bulk(*words):
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(word), word) for word in (str(word).encode() for word in words))


class Word(socketserver.ThreadingTCPServer):
    """A Sentinel's word of the master, as a test has it"""
    allow_reuse_address = daemon_threads = True

    def __init__(self, node, epoch=0, flags="master"):
        super().__init__(("127.0.0.1", 0), Saying)
        self.port, self.listeners, self.listening = self.server_address[1], 0, []
        self.says(node, epoch, flags)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def says(self, node, epoch, flags="master"):
        self.answers = {
            b"ping": bulk("pong", ""), b"get-master-addr-by-name": bulk("127.0.0.1", node.port),
            b"master": bulk("name", "layerd", "ip", "127.0.0.1", "port", node.port, "flags", flags,
                            "config-epoch", epoch)}

    def tell(self, *texts):
        """Says these to who listens, all at once"""
        for file in self.listening:
            file.write(b"".join(bulk("message", "+try-failover", text) for text in texts))

    def end(self):
        self.shutdown()
        self.server_close()


class Saying(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2)[:-2]
                     for _ in range(int(line[1:]))]
            if words[0] == b"SUBSCRIBE":
                self.server.listeners += 1
                self.server.listening.append(self.wfile)
            self.wfile.write(self.server.answers.get(words[-2 if words[2:] else -1].lower(), b""))


class Words(Case):
    """What Sentinels say, each something else"""

    def setUp(self):
        self.old, self.new = (self.start(engines.Redis()) for _ in range(2))
        self.sentinels = [self.start(Word(self.old)) for _ in range(3)]
        names = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.daemon = self.start(engines.replica(f"sentinel://{names}/layerd", "--store-copies", "0",
                                                 "--store-grace", "0s", "--store-timeout", "1s"))
        self.await_ready(self.daemon.port)

    def expect_kept_in(self, node):
        """What is given from now on, or soon"""
        caller, before = self.caller(self.daemon.port), node.say("DBSIZE")
        self.assertTrue(engines.within(
            10, lambda: forward(caller, 1).status == 200 and node.say("DBSIZE") > before))
        before = node.say("DBSIZE")
        self.expect(forward(caller, 1), 200)
        self.assertEqual(node.say("DBSIZE"), before + 1)

    def wake(self):
        """The store was silent"""
        self.old.pause()
        self.await_ready(self.daemon.port, False)
        self.old.go_on()

    def test_the_latest_counts_whoever_says_it(self):
        for epoch, (i, node) in enumerate(((2, self.new), (0, self.old), (1, self.new)), 1):
            self.sentinels[i].says(node, epoch)
            self.expect_kept_in(node)

    def test_one_that_was_silent_is_asked_again_when_nobody_replaces_it(self):
        for flags, seconds in (("s_down,o_down,master", 7), ("master,failover_in_progress", 2)):
            self.sentinels[1].says(self.old, 0, flags)
            self.wake()
            time.sleep(seconds)
            self.expect(self.caller(self.daemon.port).call("/readyz"), 503, "store_unavailable")
            self.sentinels[1].says(self.old, 0)
            self.await_ready(self.daemon.port, seconds=20)
            self.expect_kept_in(self.old)

    def test_who_replaces_an_older_one_does_not_count(self):
        self.sentinels[0].says(self.new, 0, "s_down,o_down,master,failover_in_progress")
        for sentinel in self.sentinels[1:]:
            sentinel.says(self.old, 1)
        self.wake()
        self.await_ready(self.daemon.port, seconds=20)
        self.expect_kept_in(self.old)

    def test_one_that_a_sentinel_does_not_see_is_asked_after_six_seconds(self):
        self.sentinels[2].says(self.old, 0, "s_down,master,disconnected")
        self.wake()
        start = time.monotonic()
        self.await_ready(self.daemon.port, seconds=20)
        self.assertGreater(time.monotonic() - start, 5.5)
        self.expect_kept_in(self.old)

    def test_a_sentinel_without_a_sign_of_life_is_heard_anew(self):
        del self.sentinels[0].answers[b"ping"]
        self.assertTrue(engines.within(20, lambda: self.sentinels[0].listeners == 2))
        self.assertEqual([sentinel.listeners for sentinel in self.sentinels[1:]], [1, 1])

    def test_what_is_said_of_the_master_is_heard_and_what_of_others_is_not(self):
        self.assertTrue(engines.within(10, lambda: all(s.listening for s in self.sentinels)))
        others = ["master other 127.0.0.1 1", "layerd2 127.0.0.1 1", "slave layerd 127.0.0.1 1"]
        self.sentinels[0].tell(*others)
        time.sleep(1)
        ours = ["master layerd 127.0.0.1 1"], [*others, "layerd 127.0.0.1 1"]
        for count, texts in enumerate(ours, 1):
            self.assertEqual(len(self.doubts()), count - 1)
            self.sentinels[2].tell(*texts)
            self.assertTrue(engines.within(2, lambda n=count: len(self.doubts()) == n))
            self.await_ready(self.daemon.port)

    def doubts(self):
        return [line for line in self.daemon.log if "says that it replaces it" in line]
