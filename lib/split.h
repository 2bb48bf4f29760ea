/* Doubles that are subtracted from elements of either dtype. For files that both_dtypes.h includes,
 * behind their #ifdef REAL; no include guard: it is for each REAL anew. */

/* What is subtracted from elements, as the sum of two of them: x − mean loses no digits in float
 * when the mean is large. In double the second is 0, and not used. */
typedef struct {
    REAL high[COLUMN_PANEL], low[COLUMN_PANEL];
} typed(split);

INLINED void typed(split_up)(size_t width, const double *value, typed(split) * split) {
    for (size_t d = 0; d < width; d++) {
        split->high[d] = (REAL)value[d];
        split->low[d] = (REAL)(value[d] - split->high[d]);
    }
}

INLINED REAL typed(less)(REAL x, const typed(split) * split, size_t d) {
    return sizeof(REAL) == 4 ? (x - split->high[d]) - split->low[d] : x - split->high[d];
}
