"""What a signal handler raises ends the call, whatever it is: the very exception comes out."""
import random
import signal
import unittest
import warnings

import numpy as np
from support import FORMS, numbers

import layerd
from layerd import layers


class Late(TimeoutError):
    """As students' time limits are."""


class Unfit(ValueError):
    pass


KINDS = (Late, Unfit, TimeoutError, ConnectionResetError, BlockingIOError, IndexError, EOFError,
         KeyError, layerd.Unavailable)


class Alarms(unittest.TestCase):
    def setUp(self):
        self.raised = []
        self.kind = Late
        before = signal.signal(signal.SIGALRM, self.handle)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        caught = warnings.catch_warnings()
        caught.__enter__()
        self.addCleanup(caught.__exit__)
        warnings.simplefilter("ignore", ResourceWarning)  # connections that nobody could close

    def handle(self, _signal, _frame):
        self.raised.append(self.kind("time is up"))
        raise self.raised[-1]

    def comes_out(self, work, delay):
        """Whether the exception that an alarm raises, after a time, comes out of the work."""
        self.raised.clear()
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            while not self.raised:
                work()
        except Exception as error:
            return error is self.raised[0]
        return False

    def check(self, work, kinds, times):
        draw = random.Random(5)
        for self.kind in kinds:
            lost = sum(not self.comes_out(work, draw.uniform(1e-5, 3e-3)) for _ in range(times))
            self.assertEqual(lost, 0, f"{self.kind.__name__} of {times}")
            work()

    def test_in_the_drop_in(self):
        x, w, b, y = numbers(4, 3), numbers(3, 3), numbers(3), np.arange(4) % 3

        def work():
            out, affine = layers.affine_forward(x, w, b)
            out, dropout = layers.dropout_forward(out, {"p": 0.5, "mode": "train"})
            _, dout = layers.softmax_loss(out, y)
            layers.affine_backward(layers.dropout_backward(dout, dropout), affine)
        for form in FORMS:
            with layerd.Client(form=form) as client:
                layers.set_client(client)
                self.check(work, (Late, Unfit), 700)

    def test_of_any_kind(self):
        x = numbers(30, 40)
        with layerd.Client() as client:
            def work():
                cache = client.call("relu/forward", x=x)["cache"]
                client.call("relu/backward", dout=x, cache=cache)
            self.check(work, KINDS, 100)

    def test_in_the_middle_of_what_is_large(self):
        x = numbers(400, 500)
        with layerd.Client() as client:
            self.check(lambda: client.call("relu/forward?cache=none", x=x), (Late, Unfit), 100)

    def test_while_it_connects(self):
        x = numbers(2, 2)
        client = layerd.Client()

        def work():
            client.call("relu/forward?cache=none", x=x)
            client.close()
        self.check(work, KINDS, 100)


if __name__ == "__main__":
    unittest.main()
