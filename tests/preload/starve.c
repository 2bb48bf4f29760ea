/* A library for LD_PRELOAD: SIGUSR1 makes one allocation in fifty of the process fail, and a second
 * one ends that. The C library does the work. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

enum { ONE_IN = 50 };

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_bool starving;

static bool fails(void) {
    static _Thread_local unsigned random = 1;
    if (!atomic_load_explicit(&starving, memory_order_relaxed))
        return false;
    random = random * 1664525 + 1013904223;
    if ((random >> 16) % ONE_IN > 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes) {
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes) {
    return fails() ? NULL : __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **block, size_t alignment, size_t bytes) {
    *block = aligned_alloc(alignment, bytes);
    return *block ? 0 : ENOMEM;
}

static void turn(int number) {
    (void)number;
    atomic_store(&starving, !atomic_load(&starving));
}

__attribute__((constructor)) static void start(void) {
    signal(SIGUSR1, turn);
}
