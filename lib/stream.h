/* Stores of results too large to stay in the caches. A usual store first fetches the line that it
 * goes to; one that goes past the caches does not, which saves a third of a relu's traffic. */
#ifndef LIB_STREAM_H
#define LIB_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bytes of a result from which it does. */
enum { STREAM_FROM = 8 << 20 };

/* The same where what is read has been read just before: the last cache may hold both. */
enum { STREAM_ALL_FROM = 16 << 20 };

/* Where the pages are small the processor does not fetch beyond the one that it is in. */
enum { PAGE_AHEAD = 4096 };

INLINED void fetch_page_ahead(const void *place) {
    __builtin_prefetch((const char *)place + PAGE_AHEAD);
}

/* Asks for what comes a page after the next `bytes` of an array that ends at `end`. */
INLINED void fetch_ahead(const void *from, size_t bytes, const void *end) {
    const char *first = from, *last = end;
    if ((size_t)(last - first) < bytes + PAGE_AHEAD)
        return;
    for (size_t i = PAGE_AHEAD; i < bytes + PAGE_AHEAD; i += 64)
        __builtin_prefetch(first + i);
}

/* Copied as bytes, gcc has a vector go by way of memory. */
typedef uint64_t stream_vector __attribute__((vector_size(32), aligned(4), may_alias));

/* 32 bytes; `to` is a multiple of 16. */
INLINED void store_32(void *to, const void *from, bool past_caches) {
#ifdef __SSE2__
    if (past_caches) {
        __m128i half[2];
        memcpy(half, from, sizeof half);
        _mm_stream_si128((__m128i *)to, half[0]);
        _mm_stream_si128((__m128i *)to + 1, half[1]);
        return;
    }
#endif
    (void)past_caches;
    *(stream_vector *)to = *(const stream_vector *)from;
}

/* After the last of them: other threads see them before anything later. */
INLINED void end_stores(bool past_caches) {
#ifdef __SSE2__
    if (past_caches)
        _mm_sfence();
#endif
    (void)past_caches;
}

#endif
