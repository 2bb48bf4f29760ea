"""The HTTP suite's tests of handles, with each request on another of two replicas."""
import os
import subprocess

import engines
from case import Case

# What is the budget of a process alone, and so no store's, is not asked for.
ALONE = ("are_not_given_where_none_is_asked_for", "that_were_given_stay_good_when_the_cache_is_full",
         "that_expired_make_room")


class Suite(Case):
    def run_suite(self, which):
        store = self.start(engines.Redis())
        folder = os.path.dirname(os.path.abspath(__file__))
        tests = os.path.join(os.path.dirname(engines.PROGRAM), "http-tests")
        done = subprocess.run(
            [tests, "-j2", "--filter", which], capture_output=True, text=True, errors="replace",
            env=dict(os.environ, LAYERD=os.path.join(folder, "behind.py"),
                     LAYERD_REPLICA=engines.PROGRAM, LAYERD_STORE=f"redis://127.0.0.1:{store.port}"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stderr, r"Passing: \d\d* ")

    def test_handles(self):
        self.run_suite(f"handles/!({'|'.join(ALONE)})")

    def test_vectors(self):
        self.run_suite("vectors/*")

    def test_graphs(self):
        self.run_suite("graphs_same/*")
