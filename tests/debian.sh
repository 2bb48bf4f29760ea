#!/usr/bin/env bash
# Tries a clone of what is committed on a bare Debian: the two commands as a new user gives them, and
# all of .ci/run. On a foreign architecture, under qemu-user: the build, the unit tests and the vectors.
# For root, who has debootstrap (and qemu-user-static); takes half an hour, foreign an hour.
#
#   tests/debian.sh 12|13|bookworm|trixie [amd64|arm64]
#
# Bare systems are kept under $DEBIAN_ROOTS (~/.cache/layerd-debian); each try has a copy of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
release=$(echo "${1:?12 or 13}" | sed 's/^12$/bookworm/; s/^13$/trixie/')
own=$(dpkg --print-architecture) arch=${2:-$own}
roots=${DEBIAN_ROOTS:-$HOME/.cache/layerd-debian}
bare=$roots/$release-$arch

missing=$(for tool in debootstrap $([ "$arch" = "$own" ] || echo qemu-user-static binfmt-support); do
    dpkg-query -W "$tool" >/dev/null 2>&1 || echo "$tool"; done)
# shellcheck disable=SC2086
[ -z "$missing" ] || apt-get install -y -q $missing

# Foreign programs are run by qemu, which the kernel knows by their first bytes.
if [ "$arch" != "$own" ]; then
    [ -e /proc/sys/fs/binfmt_misc/register ] ||
        mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    update-binfmts --enable
fi

if [ ! -e "$bare/etc/debian_version" ]; then
    mkdir -p "$roots"
    rm -rf "$bare.new"
    debootstrap --arch="$arch" --variant=minbase --include=git,make,ca-certificates \
        "$release" "$bare.new"
    mv "$bare.new" "$bare"
fi

root=$(mktemp -d "$roots/try-XXXXXX")
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM
cp -a "$bare/." "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
git clone -q . "$root/layerd"

# Runs a command in the clone, with the bare system as the root of namespaces that end with it. (Where
# the root was changed by chroot the kernel gives no namespaces, which tests/install.sh needs.)
inside() {
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -euc '
        mount --rbind "$0" "$0"
        mount -t proc proc "$0/proc"
        mount --rbind /dev "$0/dev"
        cd "$0"
        pivot_root . .
        umount -l .
        exec env -i HOME=/root LANG=C.UTF-8 \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            bash -euo pipefail -c "cd /layerd; $1"' "$root" "$1"
}
echo "== Debian $(cat "$root/etc/debian_version") $arch"

if [ "$arch" != "$own" ]; then
    inside 'apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends $(make -s packages)' >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
    inside 'make -j"$(nproc)" tests'
    inside 'build/unit-tests --timeout 0'
    inside 'LAYERD=build/layerd build/http-tests --filter "vectors/*" --timeout 0'
    echo "== Debian $release $arch: the build, the unit tests and the vectors passed"
    exit
fi

# Serves, on a port that is free, says so, answers, and ends well at a signal to all of it.
inside 'LAYERD_LISTEN=127.0.0.1:0 setsid make run >/tmp/run.log 2>&1 & run=$!
    port=
    while [ -z "$port" ] && kill -0 $run 2>/dev/null; do
        sleep 1
        port=$(sed -n "s|.* serves on http://127.0.0.1:\([0-9]*\).*|\1|p" /tmp/run.log)
    done
    [ -n "$port" ] || { cat /tmp/run.log; exit 1; }
    exec 3<>/dev/tcp/127.0.0.1/$port
    printf "POST /relu/forward?cache=none HTTP/1.1\r\nHost: t\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"x\":[-1,2]}" >&3
    grep -q "{\"out\":\[0.0,2.0\]}" <&3
    kill -TERM -- -$run
    wait $run || true
    grep " stopped" /tmp/run.log'
echo "== make run: served, answered, ended"
inside 'time make test'
echo "== make test: passed"
inside 'time .ci/run'
echo "== Debian $release $arch: the two commands and .ci/run passed"
