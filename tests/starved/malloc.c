/* For a daemon that it is linked into: SIGUSR1 makes one allocation in fifty of the process fail,
 * and a second one ends that. The C library's allocator does the work. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define EXPORTED __attribute__((visibility("default"))) /* libraries are to use it too */

enum { ONE_IN = 50 };

/* The C library's function of this name, which dlsym finds without allocating. */
#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&(name)) found;                                                          \
        __typeof__(&(name)) real = __atomic_load_n(&found, __ATOMIC_RELAXED);                      \
        if (!real)                                                                                 \
            __atomic_store_n(&found, real = dlsym(RTLD_NEXT, #name), __ATOMIC_RELAXED);            \
        real;                                                                                      \
    })

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

EXPORTED void *malloc(size_t bytes) {
    return fails() ? NULL : REAL(malloc)(bytes);
}

EXPORTED void *calloc(size_t count, size_t bytes) {
    return fails() ? NULL : REAL(calloc)(count, bytes);
}

EXPORTED void *realloc(void *block, size_t bytes) {
    return fails() ? NULL : REAL(realloc)(block, bytes);
}

EXPORTED void *aligned_alloc(size_t alignment, size_t bytes) {
    return fails() ? NULL : REAL(aligned_alloc)(alignment, bytes);
}

EXPORTED int posix_memalign(void **block, size_t alignment, size_t bytes) {
    return fails() ? ENOMEM : REAL(posix_memalign)(block, alignment, bytes);
}

static void turn(int number) {
    (void)number;
    atomic_store(&starving, !atomic_load(&starving));
}

__attribute__((constructor)) static void start(void) {
    signal(SIGUSR1, turn);
}
