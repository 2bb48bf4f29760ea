/* How loops are cut into pieces that stay in the first-level cache. */
#ifndef LIB_BLOCKS_H
#define LIB_BLOCKS_H

#include <stddef.h>

enum {
    /* Columns are summed over blocks of rows, and the blocks' sums then added up: the error grows
     * with ROW_BLOCK + N / ROW_BLOCK instead of N. */
    ROW_BLOCK = 64,
    COLUMN_PANEL = 1024, /* columns at a time, at most */

    /* Rows are summed in LANES sums at once, which the compiler keeps in vector registers, over
     * blocks of ROW_PIECE elements, likewise. */
    LANES = 16,
    ROW_PIECE = 2048,

    FLAGS = 512,     /* of a mask, at a time */
    PIECE = 1 << 14, /* elements that one thread takes at a time, where each is for itself */
};

static inline size_t at_most(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Pieces of so many elements. */
static inline size_t pieces(size_t size) {
    return size / PIECE + (size % PIECE != 0);
}

/* The sum of numbers, in pairs, of pairs, and so on; they are used up. */
static inline double pairwise_sum(double *number, size_t count) {
    while (count > 1) {
        size_t half = (count + 1) / 2;
        for (size_t i = 0; i < count / 2; i++)
            number[i] += number[i + half];
        count = half;
    }
    return count ? number[0] : 0;
}

#endif
