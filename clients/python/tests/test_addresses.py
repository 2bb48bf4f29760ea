"""Daemons behind https, a path, a token; and the headers of requests."""
import contextlib
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
from unittest import mock

import numpy as np
from support import RELU, json_answer, numbers, server, take_request

import layerd

X = np.array([7.0])
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_max_body_size 0;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    server {
        listen 127.0.0.1:PORT ssl;
        listen 127.0.0.2:PORT ssl;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        location /layers/ {
            proxy_pass DAEMON/;
            proxy_http_version 1.1;
        }
    }
}
"""


class Https(unittest.TestCase):
    """By an nginx with a certificate that it signed itself, for 127.0.0.1. (Not every machine knows
    localhost by name.)"""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
             "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem",
             "-out", "cert.pem"], cwd=cls.folder, check=True, capture_output=True)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        config = NGINX.replace("PORT", str(port)).replace("DAEMON", os.environ["LAYERD_URL"])
        (cls.folder / "nginx.conf").write_text(config)
        command = ["nginx", "-p", str(cls.folder), "-e", "error.log", "-c", "nginx.conf"]
        path = f"{os.environ['PATH']}:/usr/sbin"
        process = cls.enterClassContext(subprocess.Popen(command, env={"PATH": path}))
        cls.addClassCleanup(process.terminate)
        cls.url = f"https://127.0.0.1:{port}/layers"
        cls.context = ssl.create_default_context(cafile=cls.folder / "cert.pem")
        for _ in range(100):
            with contextlib.suppress(ConnectionError), \
                    socket.create_connection(("127.0.0.1", port)):
                return
            time.sleep(0.05)
        raise AssertionError((cls.folder / "error.log").read_text())

    def test_calls(self):
        x, w, b = numbers(300, 200), numbers(200, 250), numbers(250)
        for form in "safetensors", "json":
            with layerd.Client(self.url, form=form, context=self.context) as client:
                for _ in range(3):
                    answer = client.call("affine/forward", x=x, w=w, b=b)
                    np.testing.assert_allclose(answer["out"], x.dot(w) + b, 1e-10, 1e-10)
                dw = client.call("affine/backward", dout=answer["out"], cache=answer["cache"])["dw"]
                np.testing.assert_allclose(dw, x.T.dot(answer["out"]), 1e-9, 1e-9)
                self.assertEqual(len(client._idle), 1)  # all went over one connection

    def test_a_certificate_that_nobody_vouches_for(self):
        with layerd.Client(self.url) as client:
            with self.assertRaisesRegex(layerd.ConnectionFailed, "certificate"):
                client.call("relu/forward", x=X)

    def test_a_certificate_of_another_host(self):
        with layerd.Client(self.url.replace("127.0.0.1", "127.0.0.2"),
                           context=self.context) as client:
            with self.assertRaisesRegex(layerd.ConnectionFailed, "certificate"):
                client.call("relu/forward", x=X)

    def test_the_environment_names_certificates(self):
        with mock.patch.dict(os.environ, SSL_CERT_FILE=str(self.folder / "cert.pem")), \
                layerd.Client(self.url) as client:
            self.assertEqual(client.version()["name"], "layerd")

    def test_one_that_does_not_speak_it(self):
        with server(lambda connection: connection.sendall(b"hello\r\n\r\n")) as url, \
                layerd.Client(url.replace("http", "https")) as client:
            with self.assertRaises(layerd.ConnectionFailed):
                client.call("relu/forward", x=X)

    def test_a_kept_connection_that_was_closed_is_replaced(self):
        with layerd.Client(self.url, context=self.context) as client:
            client.version()
            client._idle[0]._socket.shutdown(socket.SHUT_RDWR)
            self.assertEqual(client.version()["name"], "layerd")

    def test_no_answer_in_time(self):
        with server(lambda connection: connection.recv(1 << 20) and connection.recv(1)) as url, \
                layerd.Client(url.replace("http", "https"), timeout=0.2) as client:
            with self.assertRaises(layerd.TimedOut):
                client.version()


class Headers(unittest.TestCase):
    def seen(self, environment, **options):
        """The head of a call's request."""
        heads = []

        def conversation(connection):
            heads.append(take_request(connection))
            connection.sendall(json_answer(RELU))
        with mock.patch.dict(os.environ, environment), server(conversation) as url, \
                layerd.Client(url, form="json", **options) as client:
            client.call("relu/forward", x=X)
        return heads[0].split("\r\n")

    def test_they_are_sent(self):
        head = self.seen({}, headers={"X-Request-Id": "one", "traceparent": "00-1-1-01"})
        self.assertIn("X-Request-Id: one", head)
        self.assertIn("traceparent: 00-1-1-01", head)

    def test_the_token_of_the_environment(self):
        self.assertIn("Authorization: Bearer abc", self.seen({"LAYERD_TOKEN": "abc"}))
        head = self.seen({"LAYERD_TOKEN": "abc"}, headers={"authorization": "Basic eA=="})
        self.assertEqual([line for line in head if line.lower().startswith("authorization")],
                         ["authorization: Basic eA=="])
        self.assertFalse([line for line in self.seen({"LAYERD_TOKEN": ""})
                          if line.startswith("Authorization")])

    def test_a_token_goes_before_that_of_the_environment(self):
        for environment in {}, {"LAYERD_TOKEN": "abc"}:
            self.assertIn("Authorization: Bearer def", self.seen(environment, token="def"))
        self.assertFalse([line for line in self.seen({"LAYERD_TOKEN": "abc"}, token="")
                          if line.startswith("Authorization")])

    def test_with_requests_that_free_caches_too(self):
        heads = []

        def conversation(connection):
            for body in '{"cache":"c"}', "{}":
                heads.append(take_request(connection))
                connection.sendall(json_answer(body))
        with server(conversation) as url, \
                layerd.Client(url, form="json", headers={"A": "b"}) as client:
            client.release(client.call("relu/forward", x=X)["cache"])
        for head in heads:
            self.assertIn("A: b", head.split("\r\n"))

    def test_what_cannot_be_sent(self):
        for name, value in (("a b", "c"), ("", "c"), ("a", "b\r\nc: d"), ("a", "\0"), ("a:", "b"),
                            ("a", "\u20ac")):
            with self.assertRaisesRegex(ValueError, "header"):
                layerd.Client(headers={name: value})
        for name in "Host", "content-length", "Transfer-Encoding", "Content-Type":
            with self.assertRaisesRegex(ValueError, "itself"):
                layerd.Client(headers={name: "1"})
        with mock.patch.dict(os.environ, LAYERD_TOKEN="a\nb"), self.assertRaises(ValueError):
            layerd.Client()
        with self.assertRaises(ValueError):
            layerd.Client(token="a\r\nb")


if __name__ == "__main__":
    unittest.main()
