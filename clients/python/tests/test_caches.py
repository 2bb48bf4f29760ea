"""Caches that nothing refers to any more are freed: soon, once, and by whom they belong to."""
import gc
import os
import subprocess
import sys
import unittest

from support import answers, in_each_form, is_freed, numbers, server, take_request

import layerd
from layerd import layers


@in_each_form
class Freeing(unittest.TestCase):
    def forward(self):
        return layers.relu_forward(numbers(2, 3))[1]

    def test_what_is_forgotten_is_freed_by_the_next_call(self):
        handle = self.forward().handle
        self.assertFalse(is_freed(handle))
        kept = self.forward()
        self.assertTrue(is_freed(handle))
        self.assertFalse(is_freed(kept.handle))

    def test_thousands_do_not_pile_up(self):
        handles = [self.forward().handle for _ in range(1000)]
        self.client.version()
        self.assertTrue(all(map(is_freed, handles[::50] + handles[-50:])))

    def test_many_at_once_are_freed_by_and_by(self):
        caches = [self.forward() for _ in range(200)]
        handles = [cache.handle for cache in caches]
        del caches
        for _ in range(4):
            self.client.version()
        self.assertTrue(all(map(is_freed, handles[::10])))

    def test_used_ones_stay(self):
        out, cache = layers.affine_forward(numbers(4, 3), numbers(3, 2), numbers(2))
        for _ in range(3):
            layers.affine_backward(out, cache)
        self.assertEqual(self.client.cache_info(cache)["layer"], "affine")

    def test_one_in_a_cycle(self):
        cycle = [self.forward()]
        cycle.append(cycle)
        handle = cycle[0].handle
        del cycle
        gc.collect()
        self.client.version()
        self.assertTrue(is_freed(handle))

    def test_release(self):
        cache = self.forward()
        self.client.release(cache)
        self.assertTrue(is_freed(cache.handle))
        self.client.release(cache)
        self.client.release("never-given")
        with self.assertRaises(layerd.Error) as raised:
            layers.relu_backward(numbers(2, 3), cache)
        self.assertEqual((raised.exception.status, raised.exception.code), (404, "unknown_cache"))

    def test_release_with_backward(self):
        cache = self.forward()
        self.client.call("relu/backward?cache=release", dout=numbers(2, 3), cache=cache)
        self.assertTrue(is_freed(cache.handle))

    def test_no_cache(self):
        answer = self.client.call("relu/forward?cache=none", x=numbers(2, 3))
        self.assertEqual(answer.keys(), {"out"})

    def test_close_frees_all(self):
        kept, forgotten = self.forward(), self.forward().handle
        self.client.close()
        self.assertTrue(is_freed(kept.handle) and is_freed(forgotten))
        self.assertEqual(self.forward().dtype.name, "float64")  # and the client goes on

    def test_errors_do_not_hinder(self):
        handle = self.forward().handle
        with self.assertRaises(ValueError):
            layers.softmax_loss(numbers(2, 3), [5, 5])
        self.assertTrue(is_freed(handle))


class Ends(unittest.TestCase):
    """Of processes that have caches."""

    def run_python(self, code):
        done = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", code], text=True,
                              capture_output=True, env={**os.environ, "PYTHONPATH": sys.path[1]},
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_the_end_of_a_program_frees(self):
        handles = self.run_python(
            "from layerd.layers import *\n"
            "out, cache = relu_forward(np.ones((2, 2)))\n"
            "print(cache.handle, relu_forward(out)[1].handle)\n")
        self.assertEqual(len(handles), 2)
        self.assertTrue(all(map(is_freed, handles)))

    def test_the_end_of_a_child_does_not(self):
        self.assertEqual(self.run_python(
            "import os, sys\n"
            "from layerd.layers import *\n"
            "out, cache = relu_forward(np.ones((2, 2)))\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    relu_backward(out, cache)\n"
            "    del cache\n"
            "    relu_forward(out)\n"
            "    sys.exit()\n"
            "assert os.waitpid(pid, 0)[1] == 0\n"
            "print(relu_backward(out, cache).sum())\n"), ["4.0"])

    def check_child(self, code):
        """Whether a child frees its caches, held and forgotten, and leaves its parent's: the code
        runs `work` in one and has its result printed."""
        *own, parents = self.run_python(
            "import os, sys, multiprocessing, concurrent.futures\n"
            "from layerd.layers import *\n"
            "def work(kept=[]):\n"
            "    out, cache = relu_forward(np.ones((2, 2)))\n"
            "    kept.append(cache)\n"
            "    return cache.handle + ' ' + relu_forward(out)[1].handle\n"
            "if __name__ == '__main__':\n"
            "    out, cache = relu_forward(np.ones((2, 2)))\n"
            + "".join(f"    {line}\n" for line in code.splitlines()) +
            "    from layerd import calls\n"
            "    assert calls._client.cache_info(cache)['layer'] == 'relu'\n"
            "    assert relu_backward(out, cache).sum() == 4\n"
            "    print(cache.handle)\n")
        self.assertEqual(len(own), 2)
        self.assertTrue(all(map(is_freed, [*own, parents])))

    def test_a_child_frees_its_own_at_sys_exit(self):
        self.check_child(
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    del cache\n"
            "    print(work(), flush=True)\n"
            "    sys.exit()\n"
            "assert os.waitpid(pid, 0)[1] == 0")

    def test_a_child_frees_its_own_at_an_exception(self):
        self.check_child(
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    print(work(), flush=True)\n"
            "    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)\n"
            "    raise ValueError\n"
            "assert os.waitpid(pid, 0)[1] == 256")

    def test_a_process_of_multiprocessing_frees_its_own(self):
        self.check_child(
            "context = multiprocessing.get_context('fork')\n"
            "queue = context.SimpleQueue()\n"
            "child = context.Process(target=lambda: queue.put(work()))\n"
            "child.start()\n"
            "child.join()\n"
            "print(queue.get())")

    def test_a_worker_of_an_executor_frees_its_own(self):
        self.check_child(
            "with concurrent.futures.ProcessPoolExecutor(1) as pool:\n"
            "    print(pool.submit(work).result())")

    def test_a_worker_that_was_closed_and_joined_frees_its_own(self):
        self.check_child(
            "pool = multiprocessing.get_context('fork').Pool(1)\n"
            "print(pool.apply(work))\n"
            "pool.close()\n"
            "pool.join()")

    def test_the_child_of_a_child_frees_its_own(self):
        self.check_child(
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    with concurrent.futures.ProcessPoolExecutor(1) as pool:\n"
            "        print(pool.submit(work).result(), flush=True)\n"
            "    sys.exit()\n"
            "assert os.waitpid(pid, 0)[1] == 0")

    def test_the_end_of_a_program_does_not_wait_for_a_daemon_that_is_gone(self):
        def gone(connection):
            answers('{"cache":"c"}')(connection)
            take_request(connection)
            connection.recv(1)  # silent until the client gives up
        with server(gone) as url:
            self.run_python(
                "import layerd\n"
                f"client = layerd.Client('{url}', form='json')\n"
                "cache = client.call('relu/forward', x=[1.0])['cache']\n")


if __name__ == "__main__":
    unittest.main()
