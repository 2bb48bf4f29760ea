"""Connections that are cut, late, shared, or refuse."""
import os
import signal
import socket
import threading
import time
import unittest
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from support import RELU, answers, daemon, json_answer, numbers, server, take_request

import layerd

X = np.array([7.0])


def client_of(url, **options):
    return layerd.Client(url, form="json", **options)


class Dead(unittest.TestCase):
    """A kept connection that the daemon has closed, as it does with an idle one."""

    def test_one_that_is_known_to_be_closed_is_not_used(self):
        with server(answers(RELU), answers(RELU)) as url, client_of(url) as client:
            for _ in range(2):
                self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])
                time.sleep(0.05)

    def closed_at_the_next_request(self, connection):
        answers(RELU)(connection)
        take_request(connection)

    def test_one_that_ends_before_any_answer_is_replaced(self):
        with server(self.closed_at_the_next_request, answers(RELU)) as url, \
                client_of(url) as client:
            for _ in range(2):
                self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])

    def test_one_that_is_reset_is_replaced(self):
        def reset(connection):
            self.closed_at_the_next_request(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        with server(reset, answers(RELU)) as url, client_of(url) as client:
            for _ in range(2):
                self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])

    def test_what_was_to_be_freed_on_it_is_freed_on_the_next(self):
        seen = []

        def closed(connection):
            answers('{"cache":"c"}')(connection)
            seen.append(take_request(connection))

        def again(connection):
            seen.append(take_request(connection))
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n" + json_answer(RELU))
        with server(closed, again) as url, client_of(url) as client:
            client.call("relu/forward", x=X)
            self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])
        self.assertEqual([head.split()[:2] for head in seen], [["DELETE", "/cache/c"]] * 2)

    def test_a_release_is_not_repeated(self):
        with server(self.closed_at_the_next_request, answers(RELU)) as url, \
                client_of(url) as client:
            client.call("relu/forward", x=X)
            with self.assertRaises(layerd.ConnectionFailed):
                client.call("relu/backward?cache=release", dout=X, cache="c")

    def test_a_new_one_is_not_replaced(self):
        with server(take_request, answers(RELU)) as url, client_of(url) as client:
            with self.assertRaises(ConnectionError):
                client.call("relu/forward", x=X)

    def test_half_an_answer_is_not_repeated(self):
        def half(connection):
            answers(RELU)(connection)
            take_request(connection)
            connection.sendall(json_answer(RELU)[:-5])
        with server(half, answers(RELU)) as url, client_of(url) as client:
            client.call("relu/forward", x=X)
            with self.assertRaises(layerd.ConnectionFailed):
                client.call("relu/forward", x=X)
            self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])

    def test_an_answer_that_closes_is_the_connections_last(self):
        def last(connection):
            take_request(connection)
            connection.sendall(json_answer(RELU, "Connection: close\r\n"))
            connection.recv(1)
        with server(last, answers(RELU)) as url, client_of(url) as client:
            for _ in range(2):
                self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])


class Trouble(unittest.TestCase):
    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = "http://127.0.0.1:%d" % listener.getsockname()[1]
        with self.assertRaisesRegex(ConnectionError, url) as raised:
            client_of(url).call("relu/forward", x=X)
        self.assertIsInstance(raised.exception, layerd.Error)
        self.assertIsNone(raised.exception.status)

    def test_no_answer_in_time(self):
        def silent(connection):
            take_request(connection)
            connection.recv(1)  # ends when the client gives up
        with server(silent, answers(RELU)) as url, client_of(url, timeout=0.1) as client:
            with self.assertRaises(TimeoutError) as raised:
                client.call("relu/forward", x=X)
            self.assertIsInstance(raised.exception, layerd.ConnectionFailed)
            client.timeout = 60
            self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])

    def test_an_answer_before_the_body_is_through(self):
        problem = '{"detail": "the body is larger than allowed", "code": "body_too_large"}'

        def refuse(connection):
            connection.recv(100)
            connection.sendall(json_answer(problem).replace(b"200 OK", b"413 No"))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 20):
                pass
        with server(refuse) as url, client_of(url) as client:
            with self.assertRaisesRegex(layerd.InvalidRequest, "larger than allowed"):
                client.call("relu/forward", x=np.zeros(10**6))

    def test_not_a_layerd(self):
        replies = [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                   b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                   b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nhello"]
        for reply in replies:
            def conversation(connection, reply=reply):
                take_request(connection)
                connection.sendall(reply)
            for form in "json", "safetensors":
                with server(conversation) as url, layerd.Client(url, form=form) as client:
                    with self.assertRaises(layerd.Error) as raised:
                        client.call("relu/forward", x=X)
                    self.assertNotIsInstance(raised.exception, (ValueError, ConnectionError))

    def test_chunked_and_unbounded_answers(self):
        chunked = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                   b"5\r\n" + RELU[:5].encode() + b"\r\n%x;a=b\r\n" % len(RELU[5:]) +
                   RELU[5:].encode() + b"\r\n0\r\nTrailer: 1\r\n\r\n")
        until_the_end = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + RELU.encode()

        def conversation(connection):
            for reply in chunked, until_the_end:
                take_request(connection)
                connection.sendall(reply)
        with server(conversation) as url, client_of(url) as client:
            for _ in range(2):
                self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])

    def test_unavailable_tells_when_to_try_again(self):
        def full(connection):
            take_request(connection)
            connection.sendall(json_answer('{"detail": "full", "code": "cache_full"}',
                                           "Retry-After: 3\r\n").replace(b"200 OK", b"503 No"))
        with server(full) as url, client_of(url, retries=0) as client:
            with self.assertRaises(layerd.Unavailable) as raised:
                client.call("relu/forward", x=X)
        self.assertEqual((raised.exception.retry_after, raised.exception.code), (3, "cache_full"))

    def test_a_connection_that_is_refused_while_caches_are_freed(self):
        def refuse(connection):
            take_request(connection)
            connection.sendall(json_answer('{"detail": "too many", "code": "overloaded"}',
                                           "Connection: close\r\n").replace(b"200 OK", b"503 No"))
        with server(answers('{"cache":"c"}'), refuse, refuse) as url, \
                client_of(url, retries=0) as client:
            client.call("relu/forward", x=X)
            time.sleep(0.05)
            with self.assertRaisesRegex(layerd.Unavailable, "too many"):
                client.call("relu/forward", x=X)

    def test_bad_addresses(self):
        for url in ("localhost:8080", "ftp://localhost", "http://", "http://a/?b=c", "http://a/#b"):
            with self.assertRaisesRegex(ValueError, "http://127.0.0.1:8080"):
                layerd.Client(url)
        with self.assertRaisesRegex(ValueError, "safetensors"):
            layerd.Client(form="xml")

    def test_there_is_no_such_operation(self):
        with layerd.Client(form="json") as client, self.assertRaises(layerd.Error) as raised:
            client.call("conv/forward\r\nX: y", x=X)
        self.assertEqual((raised.exception.status, raised.exception.code), (404, "not_found"))

    def test_a_path_in_the_url_comes_first(self):
        seen = []

        def conversation(connection):
            seen.append(take_request(connection))
            connection.sendall(json_answer(RELU))
        with server(conversation) as url, client_of(url + "/layers/") as client:
            client.call("/relu/forward?cache=none", x=X)
        self.assertTrue(seen[0].startswith("POST /layers/relu/forward?cache=none&tensors=flat "))


def refuses(times, status, extra="", then=RELU):
    """A conversation that refuses so many requests before it answers one; notes their times."""
    def conversation(connection):
        for _ in range(times):
            take_request(connection)
            conversation.seen.append(time.monotonic())
            connection.sendall(json_answer('{"detail": "not now", "code": "overloaded"}', extra)
                               .replace(b"200 OK", b"%d No" % status))
        take_request(connection)
        conversation.seen.append(time.monotonic())
        connection.sendall(json_answer(then))
    conversation.seen = []
    return conversation


class Refusals(unittest.TestCase):
    """What the daemon refuses for now is repeated, when it asks for that."""

    def test_after_the_time_that_it_asks_for(self):
        for status in 503, 429:
            conversation = refuses(1, status, "Retry-After: 1\r\n")
            with server(conversation) as url, client_of(url) as client:
                self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])
            first, second = conversation.seen
            self.assertGreaterEqual(second - first, 1)
            self.assertLess(second - first, 3)

    def test_after_longer_pauses_where_it_asks_for_none(self):
        conversation = refuses(3, 503)
        with server(conversation) as url, client_of(url) as client:
            self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])
        waits = [after - before for before, after in
                 zip(conversation.seen, conversation.seen[1:])]
        for wait, least in zip(waits, (0.1, 0.2, 0.4)):
            self.assertGreaterEqual(wait, least)

    def test_a_release_too_for_nothing_was_computed(self):
        with server(refuses(1, 503, "Retry-After: 0\r\n")) as url, client_of(url) as client:
            client.call("relu/backward?cache=release", dout=X, cache="c")

    def test_not_more_often_than_retries(self):
        conversation = refuses(9, 503, "Retry-After: 0\r\n")
        with server(conversation) as url, client_of(url, retries=2) as client:
            with self.assertRaisesRegex(layerd.Unavailable, "not now"):
                client.call("relu/forward", x=X)
        self.assertEqual(len(conversation.seen), 3)

    def test_not_longer_than_the_timeout(self):
        conversation = refuses(9, 503, "Retry-After: 900\r\n")
        with server(conversation) as url, client_of(url) as client:
            with self.assertRaises(layerd.Unavailable) as raised:
                client.call("relu/forward", x=X)
        self.assertEqual((raised.exception.retry_after, len(conversation.seen)), (900, 1))

    def test_other_errors_are_not_repeated(self):
        conversation = refuses(9, 422, "Retry-After: 0\r\n")
        with server(conversation) as url, client_of(url) as client:
            with self.assertRaises(layerd.InvalidRequest):
                client.call("relu/forward", x=X)
        self.assertEqual(len(conversation.seen), 1)

    def test_a_crowd_before_a_short_queue_is_served(self):
        x, w, b = numbers(300, 300), numbers(300, 300, seed=1), numbers(300)
        want = x.dot(w) + b
        with daemon("--queue", "2", "--threads", "1") as url, layerd.Client(url) as client:
            def work(_):
                return np.allclose(client.call("affine/forward", x=x, w=w, b=b)["out"], want)
            with ThreadPoolExecutor(120) as pool:
                self.assertEqual(list(pool.map(work, range(120))), [True] * 120)
            page = urllib.request.urlopen(f"{url}/metrics").read().decode()
        self.assertRegex(page, r"layerd_queue_refused_total [1-9]")


class Interrupts(unittest.TestCase):
    def test_an_interrupted_call_leaves_its_connection(self):
        """Its answer, which comes late, must not be taken for the next call's."""
        answer = json_answer('{"out":{"shape":[1],"data":[666.0]}}')

        def slow(connection):
            take_request(connection)
            connection.sendall(answer[:40])
            os.kill(os.getpid(), signal.SIGINT)
            take_request(connection)  # there must be none
            connection.sendall(answer[40:])
        was = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
        self.addCleanup(signal.signal, signal.SIGINT, was)
        with server(slow, answers(RELU)) as url, client_of(url) as client:
            with self.assertRaises(KeyboardInterrupt):
                client.call("relu/forward", x=X)
            self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])

    def test_a_handler_that_forks_leaves_the_call_to_the_parent(self):
        children = []

        def slow(connection):
            take_request(connection)
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.2)
            connection.sendall(json_answer(RELU))
            answers(RELU)(connection)
        before = signal.signal(signal.SIGUSR1, lambda *_: children.append(os.fork()))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        with server(slow) as url, client_of(url, timeout=10) as client:
            try:
                got = client.call("relu/forward", x=X)["out"].tolist()
            except layerd.ConnectionFailed:
                got = None
            if children == [0]:
                os._exit(got is not None)
            self.assertEqual(os.waitpid(children[0], 0)[1], 0)
            self.assertEqual(got, [7])
            self.assertEqual(client.call("relu/forward", x=X)["out"].tolist(), [7])


class Threads(unittest.TestCase):
    def test_many_threads_share_a_client(self):
        wrong = []

        def work(seed):
            x, w, b = numbers(8, 5, seed=seed), numbers(5, 4, seed=seed), numbers(4, seed=seed)
            for _ in range(40):
                answer = client.call("affine/forward", x=x, w=w, b=b)
                dw = client.call("affine/backward", dout=answer["out"], cache=answer["cache"])["dw"]
                out = x.dot(w) + b
                if not (np.allclose(answer["out"], out, 1e-12, 1e-12) and
                        np.allclose(dw, x.T.dot(out), 1e-12, 1e-12)):
                    wrong.append(seed)
        with layerd.Client(form="json") as client:
            threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])


class Daemon(unittest.TestCase):
    def test_version(self):
        with layerd.Client() as client:
            version = client.version()
        self.assertEqual((version["name"], version["version"]), ("layerd", layerd.__version__))


if __name__ == "__main__":
    unittest.main()
