"""What the tests of replicas share: engines that end with their test."""
import hashlib
import os
import subprocess
import unittest

import engines
from promises import Caller


class Case(unittest.TestCase):
    def start(self, engine):
        self.addCleanup(engine.end if hasattr(engine, "end") else self.stop, *(
            () if hasattr(engine, "end") else (engine,)))
        return engine

    def stop(self, daemon):
        if daemon.is_alive():
            daemon.process.send_signal(18)  # SIGCONT
            self.assertEqual(daemon.stop(), 0, "".join(daemon.log[-20:]))

    def replicas(self, count, store, *options):
        return [self.start(engines.replica(store, *options)) for _ in range(count)]

    def tokens(self, *lines):
        """The file of tokens with these lines, each with {} for a new one, and who has them: the path,
        and the headers of each"""
        headers, text = [], ""
        for line in lines:
            made = subprocess.run([engines.PROGRAM, "--new-token", "x"], capture_output=True, text=True)
            token = made.stdout.strip()
            headers.append({"Authorization": "Bearer " + token})
            text += line.format(hashlib.sha256(token.encode()).hexdigest()) + "\n"
        path = self.start(engines.Engine()).write("tokens", text)
        os.chmod(path, 0o600)
        return path, headers

    def caller(self, port):
        caller = Caller(port)
        self.addCleanup(caller.close)
        return caller

    def expect(self, answer, status, code=None):
        self.assertIsNotNone(answer, "no answer")
        self.assertEqual((answer.status, answer.code), (status, code), answer.body)
        return answer

    def await_ready(self, port, ready=True, seconds=10):
        caller = self.caller(port)
        want = 200 if ready else 503

        def is_so():
            answer = caller.call("/readyz")
            return answer and answer.status == want
        self.assertTrue(engines.within(seconds, is_so), f"/readyz is not {want}")

    def expect_kept(self, promises, port):
        self.assertEqual(promises.faults, [], promises.codes)
        self.assertGreater(len(promises.given), 50, promises.codes)
        lost = promises.lost(port)
        self.assertEqual(lost[:3], [], f"{len(lost)} of {len(promises.given)} handles are lost")
