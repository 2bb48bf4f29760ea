"""A store that speaks TLS: its certificate is checked, for the name that it is called by, and it may ask
for one."""
import os
import subprocess

import engines
from case import Case
from promises import backward, forward, number_of


class Tls(Case):
    def setUp(self):
        self.folder = self.start(engines.Engine()).folder.name
        self.ca = self.path("ca.pem")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-days", "2", "-subj", "/CN=an authority", "-keyout", self.path("ca.key"),
                     "-out", self.ca)

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def certificate(self, name, *names):
        """A certificate for names, and its key: the file of each"""
        key, request, signed = (self.path(name + end) for end in (".key", ".csr", ".pem"))
        with open(self.path(name + ".ext"), "w") as file:
            file.write("subjectAltName=" + ",".join(names))
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", "/CN=" + name, "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.path("ca.key"),
                     "-CAcreateserial", "-days", "1", "-extfile", self.path(name + ".ext"),
                     "-out", signed)
        return signed, key

    def server(self, *options, names=("DNS:localhost", "IP:127.0.0.1")):
        signed, key = self.certificate("server", *names)
        port = engines.free_port()
        store = engines.Redis("--tls-port", str(port), "--tls-cert-file", signed, "--tls-key-file", key,
                              "--tls-ca-cert-file", self.ca, "--tls-auth-clients", "no", *options)
        store.tls_port = port
        return self.start(store)

    def address(self, store, host="127.0.0.1", certificate=None):
        with_one = f"&certificate={certificate}" if certificate else ""
        return f"rediss://{host}:{store.tls_port}?ca={self.ca}{with_one}"

    def expect_refusal(self, pattern, address):
        with self.assertRaises(SystemExit) as ended:
            engines.replica(address)
        self.assertRegex(str(ended.exception), "cannot be used: " + pattern)

    def test_handles_go_by_tls(self):
        store = self.server()
        daemons = [*self.replicas(1, self.address(store)),
                   *self.replicas(1, self.address(store, "localhost"))]
        a, b = (self.caller(daemon.port) for daemon in daemons)
        for i in range(100):
            handle = self.expect(forward(a, i), 200).body["cache"]
            self.assertEqual(number_of(self.expect(backward(b, handle), 200)), i)
            self.expect(backward(a, handle, "?cache=release"), 200)
            self.expect(backward(b, handle), 404, "unknown_cache")
        large = {"shape": [400000], "data": [i / 3 for i in range(400000)]}  # 3.2 MB, in pieces
        kept = self.expect(a.call("/graph", {"inputs": {"t": large}, "nodes": [], "keep": ["t"]}),
                           200).body["kept"]["t"]
        given = self.expect(b.call("/graph?tensors=flat", {"inputs": {"t": {"tensor": kept}},
                                                           "nodes": [], "give": ["t"]}), 200)
        self.assertEqual(given.body["results"]["t"], large)

    def test_large_caches_go_ahead_by_tls(self):
        store = self.server()
        a, b = (self.caller(daemon.port) for daemon in
                self.replicas(2, self.address(store)))
        forward = {"x": [[i / 7 for i in range(1000)]] * 200, "w": [[0.5]] * 1000, "b": [1]}
        handle = self.expect(a.call("/affine/forward", forward), 200).body["cache"]
        answers = [self.expect(caller.call("/affine/backward", {"dout": [[1]] * 200, "cache": handle}),
                               200) for caller in (a, b)]
        self.assertEqual(answers[0].body, answers[1].body)
        self.assertEqual(answers[0].body["db"], [200])

    def test_who_is_not_vouched_for_is_none(self):
        store = self.server(names=("DNS:elsewhere",))
        bare, _ = self.address(store).split("?")
        self.expect_refusal("TLS: .*name in the certificate", self.address(store))
        self.expect_refusal("TLS: .*issuer is unknown", bare)
        self.expect_refusal("no certificate can be read from /nowhere", bare + "?ca=/nowhere")

    def test_a_store_may_ask_for_a_certificate(self):
        store = self.server("--tls-auth-clients", "yes")
        signed, key = self.certificate("client", "DNS:client")
        both = self.path("both.pem")
        with open(both, "w") as file:
            file.write(open(signed).read() + open(key).read())
        daemon, = self.replicas(1, self.address(store, certificate=both))
        caller = self.caller(daemon.port)
        handle = self.expect(forward(caller, 5), 200).body["cache"]
        self.assertEqual(number_of(self.expect(backward(caller, handle), 200)), 5)
        self.expect_refusal("no certificate and key can be read",
                            self.address(store, certificate=signed))
        try:  # the store's word may be lost with the connection that it ends
            without, = self.replicas(1, self.address(store))
            self.expect(forward(self.caller(without.port), 1), 503, "store_unavailable")
        except SystemExit as ended:
            self.assertRegex(str(ended), "cannot be used: TLS: .*alert")
