"""Real engines on free ports: redis-server, its Sentinel, HAProxy, and daemons that share a store."""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "chaos"))
from daemon import WITH_US, Daemon  # noqa: E402

os.environ["PATH"] += ":/usr/sbin"
os.environ["OMP_NUM_THREADS"] = "1"
PROGRAM = sys.argv[1] if len(sys.argv) > 1 else "build/layerd"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def within(seconds, condition):
    """Whether it holds before so long"""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


class Engine:
    """A process of its own, in a folder of its own."""

    def __init__(self, port=None):
        self.port = port or free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="layerd-replicas-")
        self.process = None

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run(self, *words, env=None):
        with open(os.path.join(self.folder.name, "log"), "a") as log:
            self.process = subprocess.Popen((*WITH_US, *words), stdout=log, stderr=log, cwd=self.folder.name,
                                            env=dict(os.environ, **(env or {})))

    def log(self):
        with open(os.path.join(self.folder.name, "log")) as log:
            return log.read()

    def send(self, number):
        self.process.send_signal(number)

    def pause(self):
        self.send(signal.SIGSTOP)

    def go_on(self):
        self.send(signal.SIGCONT)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            self.process.wait()

    def end(self):
        self.kill()
        self.folder.cleanup()


class Redis(Engine):
    def __init__(self, *options, port=None, env=None):
        super().__init__(port)
        self.options, self.env = options, env
        self.start()

    def start(self, *more):
        self.run(os.environ.get("REDIS_SERVER", "redis-server"), "--port", str(self.port), "--bind",
                 "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0", *self.options, *more,
                 env=self.env)
        if not within(10, self.answers):
            raise SystemExit("redis-server does not answer:\n" + self.log())

    def answers(self):
        try:
            return self.say("PING") in ("PONG", None)
        except OSError:
            return False

    def say(self, *words):
        """One command; integers, texts and lists as Python's, errors and nil as None"""
        with socket.create_connection(("127.0.0.1", self.port), 5) as link:
            parts = [str(word).encode() for word in words]
            link.sendall(b"*%d\r\n" % len(parts) +
                         b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            return read_reply(link.makefile("rb"))

    def used(self):
        return int(re.search(r"used_memory:(\d+)", self.say("INFO", "memory")).group(1))


def read_reply(file):
    line = file.readline().decode()
    kind, rest = line[:1], line[1:].strip()
    if kind == "*":
        return [read_reply(file) for _ in range(int(rest))]
    if kind == "$":
        return None if rest == "-1" else file.read(int(rest) + 2)[:-2].decode("latin-1")
    if not kind:
        raise OSError("no answer")
    return int(rest) if kind == ":" else None if kind == "-" else rest


class Sentinel(Engine):
    def __init__(self, master, name="layerd", quorum=1, port=None):
        super().__init__(port)
        path = self.write("sentinel.conf", f"""port {self.port}
bind 127.0.0.1
dir {self.folder.name}
sentinel monitor {name} 127.0.0.1 {master.port} {quorum}
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 3000
sentinel parallel-syncs {name} 1
""")
        self.start(path)

    def start(self, path):
        self.run("redis-sentinel", path)
        if not within(10, self.knows_replicas):
            raise SystemExit("the Sentinel knows no replica:\n" + self.log())

    def restart(self):
        self.kill()
        self.start(os.path.join(self.folder.name, "sentinel.conf"))

    def ask(self, *words):
        return Redis.say(self, *words)

    def state(self):
        """What it knows of the master, by names"""
        words = self.ask("SENTINEL", "master", "layerd")
        return dict(zip(words[::2], words[1::2]))

    def knows_replicas(self):
        try:
            return bool(self.ask("SENTINEL", "replicas", "layerd"))
        except OSError:
            return False

    def master(self):
        return int(self.ask("SENTINEL", "get-master-addr-by-name", "layerd")[1])


class Proxy(Engine):
    """The HAProxy of server/deploy/, before daemons on these ports. In turns: each request goes to
    the next replica, so that a handle is seldom used where it was given."""

    def __init__(self, ports, in_turns=False, port=None):
        super().__init__(port)
        with open("server/deploy/haproxy.cfg") as file:
            text = file.read()
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        servers = "".join(f"    server r{i} 127.0.0.1:{port}\n" for i, port in enumerate(ports))
        text = re.sub(r"(    server \w+ [\d.:]+\n)+", servers, text)
        if in_turns:
            text = text.replace("balance leastconn", "balance roundrobin")
            text = re.sub(r".*(http-reuse never|prefer-last-server).*\n", "", text)
        self.run("haproxy", "-db", "-f", self.write("haproxy.cfg", text))
        if not within(10, self.answers):
            raise SystemExit("HAProxy does not answer:\n" + self.log())

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as link:
                link.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
                return b" 200 " in link.recv(100)
        except OSError:
            return False


def replica(store, *options, port=0):
    """A daemon of a store: of an engine, or by its address"""
    address = store if isinstance(store, str) else f"redis://127.0.0.1:{store.port}"
    return Daemon(PROGRAM, "--store", address, "--address-connections", "4096", *options, port=port)
