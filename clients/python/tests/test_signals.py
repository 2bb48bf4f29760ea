"""What a signal handler raises ends the call, whatever it is: the very exception comes out."""
import gc
import random
import signal
import sys
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


def without_warnings(case):
    """Of connections that nobody could close."""
    caught = warnings.catch_warnings()
    caught.__enter__()
    case.addCleanup(caught.__exit__)
    warnings.simplefilter("ignore", ResourceWarning)


class Alarms(unittest.TestCase):
    def setUp(self):
        self.raised = []
        self.kind = Late
        before = signal.signal(signal.SIGALRM, self.handle)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        without_warnings(self)

    def handle(self, _signal, _frame):
        self.raised.append(self.kind("time is up"))
        raise self.raised[-1]

    def repeat(self, work):
        # Not in comes_out: what a handler raises at a loop's jump back leaves a `try` around that
        # loop in Python 3.13, past its `except`.
        while not self.raised:
            work()

    def comes_out(self, work, delay):
        """Whether the exception that an alarm raises, after a time, comes out of the work."""
        self.raised.clear()
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            self.repeat(work)
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


class Plain(AttributeError, ValueError, IndexError, KeyError, TypeError, EOFError):
    """What code here and in libraries takes for its own, if it may."""


class OfTheSystem(TimeoutError, ConnectionResetError, BlockingIOError, BrokenPipeError):
    pass


class EveryLine(unittest.TestCase):
    """The same by a tracer, which may raise at any line that is run: at each of them, in turn."""

    def run_until(self, line, error, work):
        """Raises an error at the n-th line of the work. What comes out, and the lines left."""
        left = [line]

        def trace(_frame, event, _argument):
            if event == "line":
                left[0] -= 1
                if not left[0]:
                    sys.settrace(None)
                    raise error
            return trace
        sys.settrace(trace)
        try:
            work()
        except type(error) as came:
            return came, left[0]
        finally:
            sys.settrace(None)
        return None, left[0]

    def test_at_each(self):
        without_warnings(self)
        gc.disable()  # else what unittest has of other tests may be collected at some line, by
        self.addCleanup(gc.enable)  # Python code that loses what is raised in it
        x, one = numbers(4, 3), np.ones((1, 3))
        bn_param = {"mode": "train", "momentum": np.float64(0.9), "running_mean": 0}

        def batchnorm():
            return layers.batchnorm_forward(x, one, 1, dict(bn_param))

        def step():
            out, cache = batchnorm()
            _, (param, mask) = layers.dropout_forward(out, {"p": 0.5, "mode": "train"})
            layers.batchnorm_backward(layers.dropout_backward(out, (param, mask)), cache)
        self.check("safetensors", lambda client: step)
        self.check("json", lambda client: batchnorm)

    def test_of_a_network_which_goes_on_all_the_same(self):
        without_warnings(self)
        gc.disable()
        self.addCleanup(gc.enable)
        x, y = numbers(4, 3), np.arange(4) % 3

        def work_of(client):
            net = layerd.Network(client, [("affine", 4), "batchnorm", "relu", ("dropout", 0.5),
                                          ("affine", 3)], input=3, update="adam")

            def work():
                net.step(x, y)
                net.set_weights({"0.b": client.fetch(client.put(np.ones(4)))})
            return work
        self.check("safetensors", work_of)

    def check(self, form, work_of):
        with layerd.Client(form=form) as client:
            layers.set_client(client)
            work = work_of(client)
            work()
            for kind in Plain, OfTheSystem:
                line, left = 0, 0
                while left <= 0:
                    line += 1
                    error = kind("time is up")
                    came, left = self.run_until(line, error, work)
                    self.assertIs(came, None if left > 0 else error, f"line {line}")
                    error.__traceback__ = error.__context__ = None  # and what it holds
                self.assertGreater(line, 100)


if __name__ == "__main__":
    unittest.main()
