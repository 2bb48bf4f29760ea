#!/usr/bin/env bash
# HAProxy's "option prefer-last-server" does nothing, unless connections to servers are not reused.
#
# It says that requests of one client connection go on to the server of the last one. With the
# default http-reuse safe the connection to the server is given up between requests, and the balance
# decides anew each time. With "http-reuse never" beside it, it does what it says.
#
# Debian 12, haproxy 2.6.12-1+deb12u4, roundrobin, 12 requests on one connection:
#     alone: abababababab   with http-reuse never: aaaaaaaaaaaa
# Needs Python 3, and libssl3.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    haproxy=2.6.12-1+deb12u4 liblua5.3-0=5.3.6-2 libopentracing-c-wrapper0=1.1.3-3+b1 \
    libopentracing1=1.6.0-4
for package in *.deb; do dpkg -x "$package" .; done

cat >balance.py <<'PYTHON'
import http.client, http.server, socket, subprocess, sys, threading, time


def server(name):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1")
            self.end_headers()
            self.wfile.write(name)

        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def answers(servers, reuse):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lines = ["defaults", "mode http", "timeout connect 5s", "timeout client 5s",
             "timeout server 5s", "listen proxy", "bind 127.0.0.1:%d" % port,
             "balance roundrobin", "option prefer-last-server", reuse]
    lines += ["server s%d 127.0.0.1:%d" % (number, number) for number in servers]
    with open("haproxy.cfg", "w") as file:
        file.write("\n".join(lines) + "\n")
    proxy = subprocess.Popen(["usr/sbin/haproxy", "-db", "-q", "-f", "haproxy.cfg"])
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        seen = b""
        for _ in range(12):
            connection.request("GET", "/")
            seen += connection.getresponse().read()
        return seen.decode()
    finally:
        proxy.kill()
        proxy.wait()


servers = [server(b"a"), server(b"b")]
alone, never = answers(servers, ""), answers(servers, "http-reuse never")
print("alone: %s   with http-reuse never: %s" % (alone, never))
sys.exit(not (alone in ("ab" * 6, "ba" * 6) and never in ("a" * 12, "b" * 12)))
PYTHON
lib=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
if ! LD_LIBRARY_PATH=$lib /usr/bin/python3 balance.py; then
    echo "changed: HAProxy's prefer-last-server works otherwise" >&2
    exit 1
fi
echo "as seen: prefer-last-server needs http-reuse never"
