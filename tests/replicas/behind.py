#!/usr/bin/python3
"""Stands in the place of a daemon: two of them that share a store, and HAProxy before them, so that
each request goes to the other one. The variables LAYERD_REPLICA and LAYERD_STORE tell which.

    LAYERD=tests/replicas/behind.py build/http-tests --filter 'handles/*'"""
import os
import signal
import sys

import engines


def main():
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    options = sys.argv[3:]  # behind --listen 127.0.0.1:0
    engines.PROGRAM = os.environ["LAYERD_REPLICA"]
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    daemons, proxy = [], None
    try:
        daemons = [engines.replica(os.environ["LAYERD_STORE"], *options) for _ in range(2)]
        proxy = engines.Proxy([daemon.port for daemon in daemons], in_turns=True)
        print(f"- info layerd serves on http://127.0.0.1:{proxy.port} with two of its kind",
              file=sys.stderr, flush=True)
        signal.sigwait(signals)
    finally:
        if proxy:
            proxy.end()
        failed = [daemon.log for daemon in daemons if daemon.stop() != 0]
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
