# For tests of a daemon behind a path prefix: `. tests/proxy.sh` after tests/daemon.sh, start_proxy,
# which puts the nginx of server/README.md in front of the daemon at url and sets proxied, its address
# there, and stop_proxy. It never outlives the test.
proxy=
proxy_folder=$(mktemp -d)
trap '[ -z "$proxy" ] || kill "$proxy" 2>/dev/null || true
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -rf "$log" "$proxy_folder"' EXIT

start_proxy() {
    local port location
    port=$(/usr/bin/python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    location=$(sed -n '/^```nginx$/,/^```$/p' server/README.md | sed '/^```/d' | sed "s|http://127.0.0.1:8080|$url|")
    cat >"$proxy_folder/nginx.conf" <<END
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    server {
        listen 127.0.0.1:$port;
        $location
    }
}
END
    PATH=$PATH:/usr/sbin nginx -p "$proxy_folder" -e error.log -c nginx.conf &
    proxy=$!
    proxied=http://127.0.0.1:$port/layers
    curl -sSf --retry 50 --retry-connrefused --retry-delay 0 --retry-max-time 10 "$proxied/healthz" >/dev/null ||
        { cat "$proxy_folder/error.log"; return 1; }
}

stop_proxy() {
    kill -QUIT "$proxy"
    wait "$proxy"
    proxy=
}
