#!/usr/bin/env bash
# Debian's serial OpenBLAS gives wrong products where several threads call it at once.
#
# "Serial" reads as "makes no threads of its own"; it also means that the table of its work buffers
# has no lock. Two callers can be given the same buffer, and each packs its matrices over the
# other's. Nothing is reported. The OpenMP build locks.
#
# Debian 12, libopenblas0-serial 0.3.21+ds-4, two threads, products of 104 x 104 that are a constant
# each: after some thousand calls, in 1 to 4 seconds on two processors,
#     thread 0, call 10888: 120 for 104
# Needs gcc and more than one processor; it tries for two minutes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get -o APT::Sandbox::User=root -qq download \
    libopenblas0-serial=0.3.21+ds-4 libopenblas-serial-dev=0.3.21+ds-4
for package in *.deb; do dpkg -x "$package" .; done
arch=$(gcc -print-multiarch)

cat >callers.c <<'C'
#include <cblas.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { SIDE = 104, CALLERS = 2, SECONDS = 120 };
static double in[CALLERS][SIDE * SIDE], out[CALLERS][SIDE * SIDE];
static atomic_bool wrong;

/* The n-th caller multiplies matrices that are n everywhere. */
static void *caller(void *argument) {
    int n = *(int *)argument;
    double *a = in[n - 1], *c = out[n - 1];
    for (int i = 0; i < SIDE * SIDE; i++) a[i] = n;
    time_t end = time(NULL) + SECONDS;
    for (long call = 1; !wrong && time(NULL) < end; call++) {
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, a, SIDE, a,
                    SIDE, 0, c, SIDE);
        for (int i = 0; i < SIDE * SIDE; i++) {
            if (c[i] == (double)SIDE * n * n) continue;
            if (!atomic_exchange(&wrong, true))
                printf("thread %d, call %ld: %g for %d\n", n - 1, call, c[i], SIDE * n * n);
            break;
        }
    }
    return NULL;
}

int main(void) {
    pthread_t threads[CALLERS];
    int number[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        number[i] = i + 1;
        pthread_create(&threads[i], NULL, caller, &number[i]);
    }
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
    return !wrong;
}
C
gcc -O1 -I"usr/include/$arch/openblas-serial" callers.c -o callers \
    "usr/lib/$arch/openblas-serial/libopenblas.so.0" -pthread
if ! LD_LIBRARY_PATH="usr/lib/$arch/openblas-serial" ./callers; then
    echo "changed: two threads called the serial OpenBLAS for two minutes and all was right" >&2
    exit 1
fi
echo "as seen: the serial OpenBLAS mixes concurrent products"
