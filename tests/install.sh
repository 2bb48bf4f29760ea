#!/usr/bin/env bash
# Installs as lib/README.md says, where /usr/local and /etc are for this test alone, and runs its lines.
# Then into an empty folder, against which its C programs are built with the shared and with the static
# library: each must print what the page says. Then the manual.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# Its programs, in the order of the page, and what each prints.
programs=(example step)
declare -A expected
for i in "${!programs[@]}"; do
    name=${programs[i]}
    awk -v block=$((i + 1)) '/^```/ { inside = $0 == "```c" && ++n == block; next } inside' lib/README.md \
        >"$root/$name.c"
    expected[$name]=$(sed -n "/^\\$ gcc $name\\.c/{n;p}" lib/README.md)
done

# A namespace of mounts whose root may be this user; there are machines that forbid it.
if unshare -rm true 2>/dev/null; then
    mkdir "$root/local" "$root/etc"
    { cp -a /etc/. "$root/etc/" || true; } 2>/dev/null # what this user may not read is not needed
    sed -n 's/^\$ \(gcc .*\)/\1/p' lib/README.md >"$root/line.sh"
    got=$(unshare -rm bash -ec "mount --bind '$root/local' /usr/local; mount --bind '$root/etc' /etc
        make --no-print-directory install PREFIX=/usr/local >/dev/null
        cd '$root'; . ./line.sh")
    wanted=$(printf '%s\n' "${expected[example]}" "${expected[step]}")
    [ "$got" = "$wanted" ] || { echo "in /usr/local: got '$got', expected '$wanted'"; exit 1; }
else
    echo "install: no namespace of mounts here: /usr/local is not tried"
fi

make --no-print-directory install PREFIX="$root/usr" >/dev/null
export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig

for name in "${programs[@]}"; do
    # shellcheck disable=SC2046
    gcc -Wall -Wextra -Werror "$root/$name.c" $(pkg-config --cflags --libs layers) -o "$root/shared"
    # shellcheck disable=SC2046
    gcc -Wall -Wextra -Werror "$root/$name.c" $(pkg-config --cflags layers) "$root/usr/lib/liblayers.a" \
        $(pkg-config --static --libs-only-other --libs layers | sed 's/-llayers//') -o "$root/static"
    # shellcheck disable=SC2046
    gcc -static "$root/$name.c" $(pkg-config --static --cflags --libs layers) -o "$root/whole" \
        2>"$root/gcc.log" || { cat "$root/gcc.log"; exit 1; } # a warning of libgomp's is fine
    for kind in shared static whole; do
        got=$(LD_LIBRARY_PATH=$root/usr/lib "$root/$kind")
        [ "$got" = "${expected[$name]}" ] ||
            { echo "$name, $kind: got '$got', expected '${expected[$name]}'"; exit 1; }
    done
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
echo "install: 11 passed, 0 failed"
