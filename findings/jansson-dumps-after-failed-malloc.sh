#!/usr/bin/env bash
# Jansson's json_dumps can answer text that is no JSON, as a success, after a failed allocation.
#
# It is documented to answer NULL on error. One kind of failed allocation, while a key is written,
# is not noticed: the key is cut short and the rest follows. Who frees memory and goes on sends it
# out.
#
# Debian 12, libjansson4 2.14-2; of all single allocations of one dump, each made to fail in turn,
# one ends with
#     {"grads":{"dx":0.5},"loss":"x",:[1,2,3]}
# and all others with NULL. Needs gcc.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download libjansson4=2.14-2 libjansson-dev=2.14-2
for package in *.deb; do dpkg -x "$package" .; done
lib=usr/lib/$(gcc -print-multiarch)

cat >dumps.c <<'C'
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static long countdown;

static void *failing_malloc(size_t size) { return countdown-- == 0 ? NULL : malloc(size); }

int main(void) {
    json_t *value = json_pack("{s:s, s:[i,i,i], s:{s:f}}", "loss", "x", "shape", 1, 2, 3, "grads",
                              "dx", 0.5);
    int broken = 0;
    for (long nth = 0;; nth++) {
        countdown = nth;
        json_set_alloc_funcs(failing_malloc, free);
        char *text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT);
        json_set_alloc_funcs(malloc, free);
        if (countdown >= 0) break; /* none failed: past the last */
        json_error_t error;
        if (text != NULL && json_loads(text, 0, &error) == NULL) {
            printf("allocation %ld failed: %s\n", nth, text);
            broken++;
        }
        free(text);
    }
    return broken == 0;
}
C
gcc -Iusr/include dumps.c -o dumps "$lib/libjansson.so.4"
if ! LD_LIBRARY_PATH=$lib ./dumps; then
    echo "changed: json_dumps answers NULL or valid JSON, whichever allocation fails" >&2
    exit 1
fi
echo "as seen: json_dumps succeeds with broken JSON"
