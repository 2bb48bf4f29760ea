/* How columns are summed: over blocks of rows, in double, and the blocks' sums then added up. The
 * error grows with ROW_BLOCK + N / ROW_BLOCK instead of N, and a block of rows is still in the
 * cache for what comes next. */
#ifndef LIB_COLUMNS_H
#define LIB_COLUMNS_H

#include <stddef.h>

enum {
    ROW_BLOCK = 64,
    COLUMN_PANEL = 64, /* columns at a time: their sums stay in the first-level cache */
};

static inline size_t at_most(size_t a, size_t b) {
    return a < b ? a : b;
}

#endif
