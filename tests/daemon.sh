# For tests that need a daemon of their own: `. tests/daemon.sh`, start_daemon build/layerd and its
# options, which sets url, and stop_daemon, which fails unless the daemon ends well. It never outlives
# the test; `log` is its, and files whose names begin so go with it.
log=$(mktemp)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true; rm -f "$log" "$log".*' EXIT

start_daemon() {
    : >"$log" # here, for the daemon before it may have told its address there
    "$@" --listen 127.0.0.1:0 2>>"$log" &
    daemon=$!
    url=
    for _ in $(seq 500); do
        url=$(sed -n 's/.* serves on \(http:[^ ]*\) .*/\1/p' "$log")
        [ -n "$url" ] && return
        sleep 0.01
    done
    echo "the daemon did not start:"
    cat "$log"
    return 1
}

stop_daemon() {
    kill -TERM "$daemon"
    wait "$daemon" || { echo "the daemon did not stop well:"; cat "$log"; return 1; }
}
