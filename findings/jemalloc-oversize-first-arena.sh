#!/usr/bin/env bash
# jemalloc: oversize_threshold:0 does not hold for the first arena.
#
# Blocks of 8 MiB and more go to an arena of their own, whose memory goes back to the system as soon
# as it is freed; a threshold of 0 is to turn that off. It turns off the arena alone: the first one,
# which is made before the option is looked at, keeps 8 MiB, and gives such blocks back at once as
# well, whatever dirty_decay_ms says. With narenas:1 there is no other. Each use of such a block then
# faults its pages in anew. Set while the process runs, arena.0.oversize_threshold helps.
#
# Debian 12, libjemalloc2 5.3.0-1, narenas:1,oversize_threshold:0,dirty_decay_ms:60000; a block of
# 16 MiB is written to and freed, eight times:
#     arena.0.oversize_threshold 8388608: 28,679 page faults in the last seven
#     set to the largest there can be: none
# Needs gcc.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download libjemalloc2=5.3.0-1 libjemalloc-dev=5.3.0-1
for package in *.deb; do dpkg -x "$package" .; done
lib=$(dirname "$(find . -name libjemalloc.so.2)")

cat >blocks.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int mallctl(const char *name, void *was, size_t *was_bytes, void *now, size_t bytes);
const char *malloc_conf = "narenas:1,oversize_threshold:0,dirty_decay_ms:60000";

static long faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static long of_one_more(void) {
    long before = faults();
    char *block = malloc(16 << 20);
    memset(block, 1, 16 << 20);
    free(block);
    return faults() - before;
}

static long of_seven_more(void) {
    long all = 0;
    of_one_more();
    for (int i = 0; i < 7; i++)
        all += of_one_more();
    return all;
}

int main(void) {
    size_t was, bytes = sizeof was, never = (size_t)7 << 60;
    long given_back = of_seven_more();
    if (mallctl("arena.0.oversize_threshold", &was, &bytes, &never, sizeof never))
        return 2;
    long held = of_seven_more();
    printf("arena.0.oversize_threshold %zu: %ld page faults, %zu: %ld\n", was, given_back, never,
           held);
    return !(was == 8 << 20 && given_back > 7 * 3000 && held < 100);
}
C
gcc blocks.c -o blocks "$lib/libjemalloc.so.2" -Wl,-rpath,"$lib"
if ! LD_LIBRARY_PATH=$lib ./blocks; then
    echo "changed: oversize_threshold:0 holds for the first arena too" >&2
    exit 1
fi
echo "as seen: with oversize_threshold:0 the first arena still gives large blocks back at once"
