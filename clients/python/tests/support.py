"""What the tests share. The daemon under test is that of LAYERD_URL; LAYERD is the program."""
import contextlib
import os
import re
import socket
import subprocess
import threading
import time
from urllib.parse import urlsplit

import numpy as np

import layerd
from layerd import layers

FORMS = "safetensors", "json"


def in_each_form(case):
    """Makes two tests of each of a TestCase: `self.client` and layerd.layers are of `self.form`."""
    for name, method in list(vars(case).items()):
        if name.startswith("test_"):
            delattr(case, name)
            for form in FORMS:
                setattr(case, f"{name}_in_{form}", _in_form(method, form))
    return case


def _in_form(method, form):
    def test(self):
        self.form = form
        with layerd.Client(form=form) as self.client:
            layers.set_client(self.client)
            method(self)
    return test


def is_freed(handle):
    """Asks the daemon by another client whether a cache is gone."""
    with layerd.Client() as other:
        try:
            other.cache_info(handle)
        except layerd.Error as error:
            return error.status == 404
    return False


@contextlib.contextmanager
def server(*conversations):
    """A server on a port of its own, that gives the n-th connection to the n-th function, as a
    socket to use, and closes it after that. Yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        for conversation in conversations:
            with contextlib.suppress(OSError):  # of an end that nobody waited for, too
                connection, _ = listener.accept()
                with connection:
                    conversation(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield "http://127.0.0.1:%d" % listener.getsockname()[1]
    finally:
        listener.close()


class Relay:
    """Between clients and the daemon of LAYERD_URL: tells what went by, and may hinder answers.

    sent, received  in bytes
    requests        their methods and paths
    loses           whether connections end before an answer's first byte
    delay           seconds that an answer is held back
    """

    def __init__(self):
        self.sent = self.received = 0
        self.requests = []
        self.loses = False
        self.delay = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                place = urlsplit(os.environ["LAYERD_URL"])
                daemon = socket.create_connection((place.hostname, place.port))
                for one_way in self._up, self._down:
                    threading.Thread(target=one_way, args=(client, daemon), daemon=True).start()

    def _up(self, client, daemon):
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                self.sent += len(data)
                self.requests += re.findall(rb"([A-Z]+ /\S*) HTTP/1.1\r\n", data)
                daemon.sendall(data)
        daemon.close()

    def _down(self, client, daemon):
        with contextlib.suppress(OSError):
            while (data := daemon.recv(1 << 20)) and not self.loses:
                self.received += len(data)
                time.sleep(self.delay)
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
        client.close()


@contextlib.contextmanager
def daemon(*options):
    """A layerd of its own. Yields its URL."""
    command = [os.environ["LAYERD"], "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            told = ""
            while not (found := re.search(r" serves on (http:\S+) ", told)):
                told = process.stderr.readline()
                assert told, "it did not start"
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield found[1]
        finally:
            process.terminate()


def take_request(connection):
    """Reads one request; returns its head. ConnectionError: the client closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += receive(connection)
    return head.decode()


def receive(connection):
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    return data


def json_answer(body, extra=""):
    """An answer of status 200, as bytes."""
    return (f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


RELU = '{"out":{"shape":[1],"data":[7.0]}}'


def answers(*bodies):
    """A conversation that gives each request the next body."""
    def conversation(connection):
        for body in bodies:
            take_request(connection)
            connection.sendall(json_answer(body))
    return conversation


def numbers(*shape, dtype=np.float64, seed=0):
    return np.asarray(np.random.RandomState(seed).randn(*shape), dtype)
