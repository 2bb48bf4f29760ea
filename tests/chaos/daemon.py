"""A daemon under test, and what the system says of it."""
import os
import re
import signal
import subprocess
import threading
import urllib.request

# what is started ends with who starts it
WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class Daemon:
    """layerd on a free port, or on that of `port`, with options; its log is kept."""

    def __init__(self, program, *options, port=0):
        self.log = []
        self.process = subprocess.Popen(
            [*WITH_US, program, "--listen", f"127.0.0.1:{port}", *options],
            stderr=subprocess.PIPE, text=True, errors="replace")
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(r" serves on http://127\.0\.0\.1:(\d+) ", line)
            if found:
                self.port = int(found.group(1))
                break
        else:
            raise SystemExit("the daemon did not start:\n" + "".join(self.log))
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read_log(self):
        self.log.extend(self.process.stderr)

    def resident(self):
        """MiB"""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def figure(self, name):
        """A sample of /metrics without labels"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as page:
            return float(re.search(rf"^{name} (\S+)$", page.read().decode(), re.M).group(1))

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; its exit status"""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            return "none within 15 s"
