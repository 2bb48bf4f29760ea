/* What batchnorm needs to know of its columns: mean and variance of x, or Σ dout and
 * Σ dout · (x − mean), with one reading each. For batchnorm.c, which both_dtypes.h includes, behind
 * its #ifdef REAL; no include guard: it is for each REAL anew.
 *
 * Everything goes by tiles, of some rows and some columns, whose sums are then put together from
 * above to below. Where the tiles lie depends on N and D alone, so the threads do not change the
 * sums. Whole rows, where they are not long, are what the processor reads fastest. */
#include "columns.h"
#include "moments.h"

#ifndef BATCHNORM_SUMS
#define BATCHNORM_SUMS
enum {
    TILE_ROWS = 64,  /* at least, */
    TILES_DOWN = 16, /* and about so many tiles, at most, from above to below */
    NEAR_ROWS = 16,  /* of a tile, whose mean is near that of all its rows */
};

/* How (N, D) is cut. */
typedef struct {
    size_t N, D, rows, columns; /* of a tile, unless it is the last */
    size_t down, across;        /* so many tiles */
} tiling;

/* The sums of each tile, D of them for the tiles beside each other: Σ(x − near) and Σ(x − near)²;
 * or Σ dout and Σ dout · (x − mean), without near. */
typedef struct {
    double *near, *u, *v;
} tile_sums;

/* One tile from above to below, at least, which is empty where N is 0; then at least two threads
 * have work beside each other. */
static tiling tiling_of(size_t N, size_t D) {
    size_t rows = N / TILES_DOWN / TILE_ROWS * TILE_ROWS, half = (D / 2 + 15) / 16 * 16;
    rows = rows < TILE_ROWS ? TILE_ROWS : rows;
    size_t columns = at_most(N > rows ? D : half, COLUMN_PANEL);
    columns = columns < 32 ? 32 : columns;
    return (tiling){.N = N,
                    .D = D,
                    .rows = rows,
                    .columns = columns,
                    .down = N ? (N + rows - 1) / rows : 1,
                    .across = (D + columns - 1) / columns};
}

static size_t tile_height(const tiling *t, size_t row) {
    return at_most(t->rows, t->N - row * t->rows);
}

/* Of some columns; the mean is the sum of two numbers. */
typedef struct {
    double *mean, *rest, *variance;
} column_moments;

/* Puts the moments of some columns together from their tiles': a tile's rows are `apart` from the
 * mean of all by as much as their own mean is, and by their distances from that. Where the
 * distances from `near` overflowed, or were so large beside the deviation that squares of them lost
 * it, the variance is NaN: moments.h has it. */
KERNEL void merge_squares(const tiling *t, const tile_sums *sums, size_t width,
                          const column_moments *to) {
    const double *near = sums->near, *u = sums->u, *v = sums->v;
    double *restrict variance = to->variance;
    double left[COLUMN_PANEL], squares[COLUMN_PANEL], N = (double)t->N;
    memset(left, 0, width * sizeof *left);
    memset(squares, 0, width * sizeof *squares);
    memset(variance, 0, width * sizeof *variance);
    for (size_t k = 0; k < t->down; k++) {
        double n = (double)tile_height(t, k);
        for (size_t d = 0, i = k * t->D; d < width; d++, i++)
            left[d] += (near[i] - near[d]) * n + u[i];
    }
    for (size_t d = 0; d < width; d++) {
        double lost, sum = two_sum(near[d] * N, left[d], &lost);
        to->mean[d] = quotient(sum, lost, N, &to->rest[d]);
        left[d] /= N;
    }
    for (size_t k = 0; k < t->down; k++) {
        double n = (double)tile_height(t, k), share = 1 / n;
        for (size_t d = 0, i = k * t->D; d < width; d++, i++) {
            double own = u[i] * share, apart = (near[i] - near[d]) + own - left[d];
            variance[d] += (v[i] - u[i] * own) + n * (apart * apart);
            squares[d] += v[i];
        }
    }
    for (size_t d = 0; d < width; d++) {
        bool lost = !(squares[d] <= LOST * variance[d]);
        bool overflowed = !(squares[d] + fabs(to->mean[d]) <= DBL_MAX);
        variance[d] = lost || overflowed ? NAN : variance[d] / N;
    }
}

/* Adds the sums of some columns' tiles to those of the uppermost. */
KERNEL void merge_products(const tiling *t, const tile_sums *sums, size_t width) {
    for (size_t k = 1; k < t->down; k++) {
        const double *u = sums->u + k * t->D, *v = sums->v + k * t->D;
        INDEPENDENT
        for (size_t d = 0; d < width; d++) {
            sums->u[d] += u[d];
            sums->v[d] += v[d];
        }
    }
}
#endif

/* Of one tile, by the distances from the mean of its first rows. The square of what lies between
 * that and the mean of all its rows is at most rows / NEAR_ROWS times their variance, and so many
 * roundings is what it costs at most. */
KERNEL void typed(sum_squares)(const typed(columns) * tile, const tile_sums *to) {
    typed(column_pair) sums;
    typed(columns) first = *tile;
    first.N = at_most(NEAR_ROWS, tile->N);
    typed(column_sums)(&first, PLAIN, NULL, &sums);
    for (size_t d = 0; d < tile->width; d++)
        to->near[d] = shortened(sums.u[d] / (double)first.N);
    typed(column_sums)(tile, SQUARES, to->near, &sums);
    memcpy(to->u, sums.u, tile->width * sizeof *to->u);
    memcpy(to->v, sums.v, tile->width * sizeof *to->v);
}

/* Of one tile. */
KERNEL void typed(sum_products)(const typed(columns) * tile, const double *mean,
                                const tile_sums *to) {
    typed(column_pair) sums;
    typed(column_sums)(tile, PRODUCTS, mean, &sums);
    memcpy(to->u, sums.u, tile->width * sizeof *to->u);
    memcpy(to->v, sums.v, tile->width * sizeof *to->v);
}
