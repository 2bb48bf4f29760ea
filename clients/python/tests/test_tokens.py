"""A daemon that asks for tokens, and counts what each asks for."""
import contextlib
import gc
import os
import subprocess
import tempfile
import time
import unittest

import layerd

from support import daemon

X = [1.0, -2.0]


@contextlib.contextmanager
def guarded(limits=""):
    """A daemon's URL, and a token for it."""
    made = subprocess.run([os.environ["LAYERD"], "--new-token", "t"], capture_output=True,
                          text=True, check=True)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(f"{made.stderr.strip()} {limits}\n")
        file.flush()
        with daemon("--tokens", file.name) as url:
            yield url, made.stdout.strip()


class Tokens(unittest.TestCase):
    def test_who_has_one_may_call(self):
        with guarded() as (url, token):
            with layerd.Client(url, token=token) as client:
                self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [1, 0])
            for wrong, code in (("", "unauthorized"), (token[:-1], "unauthorized")):
                with layerd.Client(url, token=wrong) as client, \
                        self.assertRaises(layerd.Error) as raised:
                    client.call("relu/forward", x=X)
                self.assertEqual((raised.exception.status, raised.exception.code), (401, code))

    def test_what_is_too_much_for_now_comes_later(self):
        with guarded("rate=20 burst=2") as (url, token), \
                layerd.Client(url, token=token) as client:
            start = time.monotonic()
            for _ in range(4):
                client.call("relu/forward?cache=none", x=X)
            self.assertGreater(time.monotonic() - start, 0.9)  # a Retry-After is whole seconds

    def test_what_could_not_be_freed_is_freed_later(self):
        with guarded("rate=20 burst=5") as (url, token), \
                layerd.Client(url, token=token) as client:
            handles = [client.call("relu/forward", x=X)["cache"].handle for _ in range(5)]
            gc.collect()
            client.call("relu/forward?cache=none", x=X)  # behind requests that are too many
            with layerd.Client(url, token=token) as other:
                for _ in range(20):
                    client.call("relu/forward?cache=none", x=X)
                    time.sleep(0.3)
                    if not client._pending:
                        break
                time.sleep(1)
                for handle in handles:
                    with self.assertRaisesRegex(layerd.Error, "not known"):
                        other.cache_info(handle)
