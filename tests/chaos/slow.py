#!/usr/bin/python3
"""The slow attacks of slowhttptest, each of 1000 connections, on a daemon with default options: who
calls meanwhile, from the attacker's address or from another, is answered rightly. `make attacks`, or

    tests/chaos/slow.py build/layerd [SECONDS]"""
import http.client
import resource
import subprocess
import sys
import threading
import time

from daemon import Daemon

EVERY_SECONDS, PATIENCE_SECONDS = 0.1, 10
CALLS = [("GET", "/healthz", None, b'{"status":"ok"}'),
         ("POST", "/relu/forward?cache=none", b'{"x":[-1,2]}', b'{"out":[0.0,2.0]}')]
FLOOD = "a flood of headers"
ATTACKS = {  # and what they ask for
    "slow headers": ("/healthz", "-H -c 1000 -i 2"),
    "slow bodies": ("/relu/forward", "-B -c 1000 -i 2 -s 100000 -f application/json"),
    "slow reading": ("/openapi.json", "-X -c 1000 -k 10 -n 2 -w 1 -y 64 -z 8"),
    "ranges": ("/openapi.json", "-R -c 1000 -a 1 -b 3000"),
    FLOOD: ("/healthz", "-H -c 4000 -i 2"),  # more than one address may have
}


class Caller(threading.Thread):
    """Calls again and again, each time on a connection of its own"""

    def __init__(self, daemon, address, also=()):
        super().__init__()
        self.daemon_port, self.address, self.right = daemon.port, address, {200, *also}
        self.times, self.faults, self.refused = [], [], 0
        self.done = threading.Event()
        self.start()

    def call(self, method, target, body, want):
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon_port, PATIENCE_SECONDS,
                                                source_address=(self.address, 0))
        start = time.monotonic()
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            if 429 in self.right:  # he was still sending when he was refused
                self.refused += 1
                return
            self.faults.append(f"{target} from {self.address}: {error!r}")
            return
        finally:
            connection.close()
        self.times.append((time.monotonic() - start) * 1e3)
        self.refused += answer.status != 200
        if answer.status not in self.right or (answer.status == 200 and text != want):
            self.faults.append(f"{target} from {self.address}: {answer.status} {text[:200]}")

    def run(self):
        while not self.done.wait(EVERY_SECONDS):
            for call in CALLS:
                self.call(*call)

    def stop(self):
        """A line of what was seen"""
        self.done.set()
        self.join()
        times = sorted(self.times) or [float("nan")]
        figures = [times[int((len(times) - 1) * q)] for q in (0.5, 0.99, 1)]
        return (f"{self.address}: {len(self.times):5} answers, {self.refused:4} refusals, "
                "p50 %.1f p99 %.1f max %.1f ms" % tuple(figures))


def attack(daemon, name, seconds):
    target, options = ATTACKS[name]
    callers = [Caller(daemon, "127.0.0.1", {429} if name == FLOOD else ()),
               Caller(daemon, "127.0.0.2")]
    command = ["slowhttptest", *options.split(), "-r", "500", "-l", str(seconds), "-v", "1", "-u",
               f"http://127.0.0.1:{daemon.port}{target}"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    for caller in callers:
        print(f"{name:18}  {caller.stop()}", flush=True)
    faults = [fault for caller in callers for fault in caller.faults]
    if ended.returncode != 0 or not all(caller.times for caller in callers):
        faults.append(f"nothing was tried: {ended.stdout[-500:].decode(errors='replace')}")
    return faults


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    daemon = Daemon(sys.argv[1])
    faults, passed = [], 0
    for name in ATTACKS:
        found = attack(daemon, name, int(sys.argv[2]) if len(sys.argv) > 2 else 20)
        passed += not found
        faults += found[:10]
    print(f"resident: {daemon.resident():.1f} MiB")
    if not daemon.is_alive() or daemon.stop() != 0:
        faults.append("the daemon did not end well:\n" + "".join(daemon.log[-20:]))
    print("\n".join(faults))
    print(f"attacks: {passed} passed, {len(ATTACKS) - passed} failed")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
