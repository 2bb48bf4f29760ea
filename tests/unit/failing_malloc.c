/* The program's own malloc takes the place of the C library's (or of a sanitizer's), which does the
 * work. */
#include "failing_malloc.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ ||                                 \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t bytes);
void *REAL(calloc)(size_t count, size_t bytes);
void *REAL(realloc)(void *block, size_t bytes);
void *REAL(memalign)(size_t alignment, size_t bytes);
void REAL(free)(void *block);

static _Thread_local struct {
    bool watching, failing, failed;
    size_t left; /* allocations before the one that fails */
    long live;
} state;

/* Whether this allocation is the one that fails. */
static bool fails(void) {
    if (!state.failing || state.left-- > 0)
        return false;
    state.failing = false;
    state.failed = true;
    errno = ENOMEM;
    return true;
}

static void *count(void *block) {
    state.live += state.watching && block;
    return block;
}

/* The default visibility: jansson's calls and those of the C library itself come here too. */
#define VISIBLE __attribute__((visibility("default")))

VISIBLE void *malloc(size_t bytes) {
    return fails() ? NULL : count(REAL(malloc)(bytes));
}

VISIBLE void *calloc(size_t number, size_t bytes) {
    return fails() ? NULL : count(REAL(calloc)(number, bytes));
}

VISIBLE void *realloc(void *block, size_t bytes) {
    if (fails())
        return NULL;
    void *moved = REAL(realloc)(block, bytes);
    return block ? moved : count(moved);
}

VISIBLE void *aligned_alloc(size_t alignment, size_t bytes) {
    return fails() ? NULL : count(REAL(memalign)(alignment, bytes));
}

VISIBLE int posix_memalign(void **block, size_t alignment, size_t bytes) {
    *block = aligned_alloc(alignment, bytes);
    return *block ? 0 : ENOMEM;
}

VISIBLE void free(void *block) {
    state.live -= state.watching && block;
    REAL(free)(block);
}

void malloc_watch(void) {
    state.watching = true;
    state.live = 0;
}

void malloc_fail_at(size_t index) {
    state.failing = true;
    state.failed = false;
    state.left = index;
}

bool malloc_failed(void) {
    state.failing = false;
    return state.failed;
}

long malloc_live(void) {
    state.watching = false;
    return state.live;
}
