#!/usr/bin/env bash
# cJSON writes doubles that do not read back as themselves, though it checks just that.
#
# It prints 15 digits, reads them back, and prints 17 if the number has changed. But "changed" is
# compared with a relative tolerance of one epsilon, so a number that is off in its last bit passes.
#
# Debian 12, libcjson1 1.7.15-1+deb12u4:
#     0.30000000000000004 is written as 0.3, 1.0000000000000002 as 1
# and so are 14,293 of the 99,999 doubles 3 / n. Needs gcc.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    libcjson1=1.7.15-1+deb12u4 libcjson-dev=1.7.15-1+deb12u4
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(gcc -print-multiarch)

cat >digits.c <<'C'
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

static int lost(double value, int say) {
    cJSON *number = cJSON_CreateNumber(value);
    char *text = cJSON_PrintUnformatted(number);
    double back = strtod(text, NULL);
    if (say) printf("%.17g is written as %s\n", value, text);
    free(text);
    cJSON_Delete(number);
    return back != value;
}

int main(void) {
    int changed = 0;
    for (int n = 1; n < 100000; n++) changed += lost(3.0 / n, 0);
    printf("%d of 99999 doubles 3 / n have changed\n", changed);
    return !(lost(0.1 + 0.2, 1) && lost(1.0000000000000002, 1) && changed > 0);
}
C
gcc -O1 -Iusr/include digits.c -o digits "$lib/libcjson.so.1"
if ! LD_LIBRARY_PATH=$lib ./digits; then
    echo "changed: cJSON writes doubles so that they read back the same" >&2
    exit 1
fi
echo "as seen: cJSON loses the last bit"
