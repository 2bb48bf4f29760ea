#!/usr/bin/env bash
# Installs into an empty folder and builds the README's C program against it, with the shared and
# with the static library: both must print what the README says. Then the manual.
set -euo pipefail
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
make --no-print-directory install PREFIX="$root/usr" >/dev/null
sed -n '/^```c$/,/^```$/p' README.md | sed '/^```/d' >"$root/example.c"
expected=$(sed -n '/^\$ gcc example.c/{n;p}' README.md)
export PKG_CONFIG_PATH=$root/usr/lib/pkgconfig

# shellcheck disable=SC2046
gcc -Wall -Wextra -Werror "$root/example.c" $(pkg-config --cflags --libs layers) -o "$root/shared"
# shellcheck disable=SC2046
gcc -Wall -Wextra -Werror "$root/example.c" $(pkg-config --cflags layers) "$root/usr/lib/liblayers.a" \
    $(pkg-config --static --libs-only-other --libs layers | sed 's/-llayers//') -o "$root/static"
for kind in shared static; do
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
echo "install: 5 passed, 0 failed"
