/* How loops are cut into pieces that stay in the first-level cache. */
#ifndef LIB_BLOCKS_H
#define LIB_BLOCKS_H

#include <stddef.h>

enum {
    /* Columns are summed over blocks of rows, and the blocks' sums then added up: the error grows
     * with ROW_BLOCK + N / ROW_BLOCK instead of N. */
    ROW_BLOCK = 64,
    COLUMN_PANEL = 128, /* columns at a time, at most */

    /* Rows are summed in LANES sums at once, which the compiler keeps in vector registers, over
     * blocks of ROW_PIECE elements, likewise. */
    LANES = 16,
    ROW_PIECE = 2048,

    FLAGS = 512,     /* of a mask, at a time */
    PIECE = 1 << 13, /* elements that one thread takes at a time, where each is for itself */
};

static inline size_t at_most(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Pieces of so many elements. */
static inline size_t pieces(size_t size) {
    return size / PIECE + (size % PIECE != 0);
}

/* The sum of LANES sums, in pairs. */
static inline double lanes_total(const double lane[LANES]) {
    double half[LANES];
    for (int i = 0; i < LANES; i++)
        half[i] = lane[i];
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            half[i] += half[i + width];
    return half[0];
}

#endif
