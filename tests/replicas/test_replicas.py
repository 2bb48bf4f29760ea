"""Several daemons, one store, HAProxy before them."""
import asyncio
import threading
import time

import engines
from callers import Crowd
from case import Case
from promises import Caller, Promises, backward, forward, number_of


class Replicas(Case):
    def setUp(self):
        self.store = self.start(engines.Redis())

    def behind_proxy(self, count, *options, in_turns=True):
        self.daemons = self.replicas(count, self.store, *options)
        self.proxy = self.start(engines.Proxy([d.port for d in self.daemons], in_turns))
        return self.proxy

    def test_every_case_goes_in_turns(self):
        """The conformance vectors, step by step on another replica, under load"""
        proxy = self.behind_proxy(2)
        crowd = Crowd(proxy.port)
        asyncio.run(crowd.learn())
        asyncio.run(crowd.run(4, right_caller=8, trainer=4))
        self.assertEqual(crowd.faults, [])
        self.assertGreater(crowd.counts.get("right", 0), 100)
        self.assertGreater(crowd.counts.get("steps of trainings", 0), 10)

    def test_deleted_by_one_gone_for_all(self):
        a, b = (self.caller(d.port) for d in self.replicas(2, self.store))
        for i in range(50):
            handle = self.expect(forward(a, i), 200).body["cache"]
            self.assertEqual(number_of(self.expect(backward(b, handle), 200)), i)
            self.expect(a.call("/cache/" + handle, method="DELETE"), 204)
            self.expect(backward(b, handle), 404, "unknown_cache")
            self.expect(b.call("/cache/" + handle), 404, "unknown_cache")
            self.expect(backward(a, handle), 404, "unknown_cache")

    def test_killed_replica_loses_no_handle(self):
        proxy = self.behind_proxy(2, in_turns=False)
        promises = Promises([proxy.port], callers=32, allowed={"gone", 502, 503})

        def kill():
            time.sleep(1.5)
            self.daemons[0].kill()
        promises.load(4, kill)
        self.expect_kept(promises, self.daemons[1].port)
        refused = sum(n for code, n in promises.codes.items() if code != 200)
        # HAProxy tries again what has not been answered; an answer that has begun is cut, once a
        # caller at most
        self.assertLessEqual(refused, 32, promises.codes)
        self.assertLessEqual(set(promises.codes), {200, "gone"})

    def test_rolling_restart_fails_no_call(self):
        proxy = self.behind_proxy(2, "--drain-time", "2s", in_turns=False)
        promises = Promises([proxy.port], callers=16)

        def restart():
            for i, daemon in enumerate(self.daemons):
                time.sleep(1)
                self.assertEqual(daemon.stop(), 0)
                again = engines.replica(self.store, "--drain-time", "2s", port=daemon.port)
                self.daemons[i] = self.start(again)
                self.await_ready(daemon.port)
        promises.load(9, restart)
        self.expect_kept(promises, proxy.port)
        self.assertEqual(set(promises.codes), {200})

    def test_frozen_replica_is_gone_round(self):
        proxy = self.behind_proxy(2, in_turns=False)
        promises = Promises([proxy.port], callers=16, allowed={"gone", 502, 503, 504})

        def freeze():
            time.sleep(1)
            self.daemons[0].process.send_signal(19)
            time.sleep(3)
            self.daemons[0].process.send_signal(18)
        promises.load(6, freeze)
        self.expect_kept(promises, proxy.port)
        self.assertLess(promises.longest, 5)

    def test_racing_for_one_handle(self):
        """Release, delete and backward at once on two daemons: right, or gone; one of all ends it"""
        daemons = self.replicas(2, self.store)
        ends, faults = [], []

        def race(which, handle, number, barrier):
            caller = Caller(daemons[which % 2].port)
            barrier.wait()
            if which < 2:
                answer = caller.call("/cache/" + handle, method="DELETE")
                if answer.status == 204:
                    ends.append(number)
            else:
                answer = backward(caller, handle, "?cache=release" if which < 4 else "")
                if answer.status == 200 and number_of(answer) != number:
                    faults.append((number, answer.body))
            if answer.status not in (200, 204, 404):
                faults.append((number, answer.status, answer.body))
            caller.close()
        caller = self.caller(daemons[0].port)
        for number in range(60):
            handle = self.expect(forward(caller, number), 200).body["cache"]
            barrier = threading.Barrier(6)
            threads = [threading.Thread(target=race, args=(i, handle, number, barrier))
                       for i in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.expect(backward(caller, handle), 404, "unknown_cache")
        self.assertEqual(faults, [])
        self.assertEqual(len(ends), len(set(ends)), "a handle was deleted twice")

    def test_lifetime_is_the_same_for_all(self):
        daemons = self.replicas(2, self.store, "--cache-lifetime", "2s")
        a, b = (self.caller(d.port) for d in daemons)
        handle = self.expect(forward(a, 5), 200).body["cache"]
        for caller in (b, a, b):
            time.sleep(1.7)
            self.expect(backward(caller, handle), 200)
        time.sleep(2.3)
        for caller in (a, b):
            self.expect(backward(caller, handle), 404, "unknown_cache")
