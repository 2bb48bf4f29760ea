#!/usr/bin/python3
"""Three replicas, a Redis and HAProxy before them, for anyone to try, until Ctrl-C:

    tests/replicas/serve.py build/layerd [PORT]"""
import os
import signal
import socket
import sys

import engines


def port_or_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return port
    except OSError:
        return engines.free_port()


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    engines.PROGRAM = os.path.abspath(sys.argv[1])
    store, daemons, proxy = engines.Redis("--appendonly", "yes"), [], None
    try:
        daemons = [engines.replica(store, "--drain-time", "2s") for _ in range(3)]
        proxy = engines.Proxy([daemon.port for daemon in daemons],
                              port=port_or_free(int(sys.argv[2]) if len(sys.argv) > 2 else 8080))
        for daemon in daemons:
            print(f"layerd on http://127.0.0.1:{daemon.port}, process {daemon.process.pid}")
        print(f"redis-server on 127.0.0.1:{store.port}, process {store.process.pid}")
        print(f"HAProxy on http://127.0.0.1:{proxy.port}: call this one; Ctrl-C ends all", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    finally:
        if proxy:
            proxy.end()
        for daemon in daemons:
            daemon.kill()
        store.end()


if __name__ == "__main__":
    main()
