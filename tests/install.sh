#!/usr/bin/env bash
# Installs as lib/README.md says, where /usr/local and /etc are for this test alone, and runs its lines.
# Then into an empty folder, against which its C program is built with the shared and with the static
# library: each must print what the page says. Then the manual.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
sed -n '/^```c$/,/^```$/p' lib/README.md | sed '/^```/d' >"$root/example.c"
expected=$(sed -n '/^\$ gcc example.c/{n;p}' lib/README.md)

# A namespace of mounts whose root may be this user; there are machines that forbid it.
if unshare -rm true 2>/dev/null; then
    mkdir "$root/local" "$root/etc"
    { cp -a /etc/. "$root/etc/" || true; } 2>/dev/null # what this user may not read is not needed
    sed -n 's/^\$ \(gcc example.c .*\)/\1/p' lib/README.md >"$root/line.sh"
    got=$(unshare -rm bash -ec "mount --bind '$root/local' /usr/local; mount --bind '$root/etc' /etc
        make --no-print-directory install PREFIX=/usr/local >/dev/null
        cd '$root'; . ./line.sh")
    [ "$got" = "$expected" ] || { echo "in /usr/local: got '$got', expected '$expected'"; exit 1; }
else
    echo "install: no namespace of mounts here: /usr/local is not tried"
fi

make --no-print-directory install PREFIX="$root/usr" >/dev/null
export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig

# shellcheck disable=SC2046
gcc -Wall -Wextra -Werror "$root/example.c" $(pkg-config --cflags --libs layers) -o "$root/shared"
# shellcheck disable=SC2046
gcc -Wall -Wextra -Werror "$root/example.c" $(pkg-config --cflags layers) "$root/usr/lib/liblayers.a" \
    $(pkg-config --static --libs-only-other --libs layers | sed 's/-llayers//') -o "$root/static"
# shellcheck disable=SC2046
gcc -static "$root/example.c" $(pkg-config --static --cflags --libs layers) -o "$root/whole" \
    2>"$root/gcc.log" || { cat "$root/gcc.log"; exit 1; } # a warning of libgomp's is fine
for kind in shared static whole; do
    got=$(LD_LIBRARY_PATH=$root/usr/lib "$root/$kind")
    [ "$got" = "$expected" ] || { echo "$kind: got '$got', expected '$expected'"; exit 1; }
done
[ "$("$root/usr/bin/layerd" --version | cut -d' ' -f1)" = layerd ]
grep -qx "ExecStart=$root/usr/bin/layerd" "$root/usr/lib/systemd/system/layerd.service"

# The manual: no fault in it, and every option of the help.
manual=$root/usr/share/man/man1/layerd.1
faults=$(mandoc -T lint -W warning "$manual"; man --warnings --local-file "$manual" 2>&1 >/dev/null)
[ -z "$faults" ] || { echo "$faults"; exit 1; }
text=$(man --local-file "$manual" | col -b)
for option in $("$root/usr/bin/layerd" --help | sed -n 's/^  \(--[^ ]*\).*/\1/p'); do
    grep -q -e "^ *$option" <<<"$text" || { echo "the manual has no $option"; exit 1; }
done
echo "install: 7 passed, 0 failed"
