/* Sums over the rows of some columns, in double: by 4 rows, by ROW_BLOCK, and then all, so that the
 * error grows little with their number. For files that both_dtypes.h includes, behind their #ifdef
 * REAL; no include guard: it is for each REAL anew. */

/* At most COLUMN_PANEL columns of (N, D) tensors: x, and where they are needed dout. */
typedef struct {
    size_t N, D, width;
    const REAL *x, *dout; /* from the first of the columns on */
} typed(columns);

/* What is summed for each column: Σx and nothing; Σ(x − mean) and Σ(x − mean)²; or Σdout and
 * Σdout · (x − mean). */
#ifndef COLUMN_SUMS
#define COLUMN_SUMS
enum { PLAIN, SQUARES, PRODUCTS };
#endif

typedef struct {
    double u[COLUMN_PANEL], v[COLUMN_PANEL];
} typed(column_pair);

/* Adds 1 or 4 rows of the panel to the two sums of each column. */
INLINED void typed(add_rows)(const typed(columns) * p, int what, size_t n, size_t rows,
                             const double *restrict mean, typed(column_pair) *restrict to) {
    const REAL *x = p->x + n * p->D, *dout = what == PRODUCTS ? p->dout + n * p->D : NULL;
    size_t width = p->width, D = p->D;
    for (size_t d = 0; d < width; d++) {
        double u[4] = {0}, v[4] = {0};
        for (size_t i = 0; i < rows; i++) {
            double distance = what == PLAIN ? x[i * D + d] : x[i * D + d] - mean[d];
            u[i] = what == PRODUCTS ? dout[i * D + d] : distance;
            v[i] = what == PLAIN ? 0 : u[i] * distance;
        }
        to->u[d] += rows == 4 ? (u[0] + u[1]) + (u[2] + u[3]) : u[0];
        if (what != PLAIN)
            to->v[d] += rows == 4 ? (v[0] + v[1]) + (v[2] + v[3]) : v[0];
    }
}

INLINED void typed(clear)(size_t width, typed(column_pair) * pair) {
    memset(pair->u, 0, width * sizeof *pair->u);
    memset(pair->v, 0, width * sizeof *pair->v);
}

/* The sums of all rows: by 4 and by ROW_BLOCK of them. */
INLINED void typed(column_sums)(const typed(columns) * p, int what, const double *restrict mean,
                                typed(column_pair) *restrict whole) {
    if (p->N == 0)
        typed(clear)(p->width, whole);
    for (size_t n0 = 0; n0 < p->N; n0 += ROW_BLOCK) {
        typed(column_pair) more;
        typed(column_pair) *block = n0 ? &more : whole; /* cppcheck-suppress uninitvar */
        size_t end = at_most(p->N, n0 + ROW_BLOCK), n = n0;
        typed(clear)(p->width, block);
        for (; n + 4 <= end; n += 4)
            typed(add_rows)(p, what, n, 4, mean, block);
        for (; n < end; n++)
            typed(add_rows)(p, what, n, 1, mean, block);
        for (size_t d = 0; n0 && d < p->width; d++) {
            whole->u[d] += more.u[d];
            whole->v[d] += more.v[d];
        }
    }
}
