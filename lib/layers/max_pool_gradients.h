/* Where the gradients of the windows go. For max_pool.c, which both_dtypes.h includes, behind its
 * #ifdef REAL; no include guard: it is for each REAL anew.
 *
 * An element's sum has the windows that it is the largest of in row-major order, from 0 on. */

/* Integers of either sign, as comparisons give them. */
// clang-format off: versions differ about the colons
typedef __typeof__(_Generic((REAL)0, double : (int64_t)0, float : (int32_t)0)) typed(flag);
// clang-format on
typedef typed(flag) typed(flags) __attribute__((vector_size(32), aligned(sizeof(REAL)), may_alias));

typedef struct {
    typed(flags) lane;        /* its number, in every lane */
    typed(flags) has_left[2]; /* of the first lanes of a row, and of others */
    typed(bits) place[9];     /* numbers of places */
} typed(numbers);

/* The indices and gradients of windows from number o on; if not all of them are there, it has to
 * look which. */
INLINED void typed(take)(const pooling *g, size_t o, bool all_there, typed(bits) * index,
                         typed(lanes) * dout) {
    const REAL *gradient = g->out;
    if (all_there) {
        typed(widen)(g->index + o, index);
        *dout = *(const typed(lanes) *)(gradient + o);
        return;
    }
    for (size_t l = 0; l < LANES_IN; l++) {
        bool is_there = o + l < g->windows; /* o wraps where it is before the first */
        (*index)[l] = is_there ? g->index[o + l] : 0;
        (*dout)[l] = is_there ? gradient[o + l] : 0;
    }
}

/* sum += the gradients of the windows whose largest is at this place. */
INLINED void typed(add_of)(const typed(bits) * index, const typed(lanes) * dout,
                           const typed(bits) * place, typed(lanes) * sum) {
    *sum += (typed(lanes))((typed(bits))(*index == *place) & *(const typed(bits) *)dout);
}

/* Windows of K by K, from number o on, of the row and the column before by n and m: adds what they
 * give to an element, the one to the right, the one below, and the one below that to the right. */
INLINED void typed(add_windows)(const pooling *g, size_t K, size_t o, size_t n, size_t m,
                                bool all_there, const typed(flags) * in_row,
                                const typed(numbers) * numbers, typed(lanes) sum[4]) {
    typed(bits) index;
    typed(lanes) dout;
    const typed(bits) *place = numbers->place + 2 * n * K + 2 * m;
    typed(take)(g, o, all_there, &index, &dout);
    dout = (typed(lanes))(*in_row & (typed(flags))dout);
    typed(add_of)(&index, &dout, place, &sum[0]);
    if (2 * m + 1 < K)
        typed(add_of)(&index, &dout, place + 1, &sum[1]);
    if (2 * n + 1 < K)
        typed(add_of)(&index, &dout, place + K, &sum[2]);
    if (2 * m + 1 < K && 2 * n + 1 < K)
        typed(add_of)(&index, &dout, place + K + 1, &sum[3]);
}

/* The sums of elements of the rows 2i and 2i + 1 of a plane, from the columns 2j and 2j + 1 on:
 * for windows 2 apart, of K by K with K 2 or 3. `row` is the plane's first row of windows. */
INLINED void typed(collect)(const pooling *g, size_t K, size_t row, size_t i, size_t j,
                            bool all_there, const typed(numbers) * numbers, typed(lanes) sum[4]) {
    size_t o = (row + i) * g->Q + j;
    typed(flags) end = (typed(flag))(g->Q - j) - (typed(flags)){0};
    typed(flags) here = numbers->lane < end;
    typed(flags) left = (numbers->lane - 1 < end) & numbers->has_left[j > 0];
    sum[0] = sum[1] = sum[2] = sum[3] = (typed(lanes)){0};
    if (K == 3 && i > 0 && i <= g->P) {
        typed(add_windows)(g, K, o - g->Q - 1, 1, 1, all_there, &left, numbers, sum);
        typed(add_windows)(g, K, o - g->Q, 1, 0, all_there, &here, numbers, sum);
    }
    if (i < g->P) {
        if (K == 3)
            typed(add_windows)(g, K, o - 1, 0, 1, all_there, &left, numbers, sum);
        typed(add_windows)(g, K, o, 0, 0, all_there, &here, numbers, sum);
    }
}

/* Elements from columns 2j and 2j + 1 on. A row shorter than two vectors is stored with some of the
 * elements behind it, which come later, unless they are beyond `limit`. */
INLINED void typed(put_pairs)(const pooling *g, size_t j, const typed(lanes) * even,
                              const typed(lanes) * odd, REAL *dx, const REAL *limit) {
    typed(lanes) low = typed(LOW)(*even, *odd), high = typed(HIGH)(*even, *odd), both[2];
    size_t left = g->W - 2 * j;
    dx += 2 * j;
    if (left >= 2 * LANES_IN || (j == 0 && limit - dx >= 2 * (ptrdiff_t)LANES_IN)) {
        *(typed(lanes) *)dx = low;
        *(typed(lanes) *)(dx + LANES_IN) = high;
    } else if (left == 2 * LANES_IN - 1) {
        *(typed(lanes) *)dx = low;
        *(typed(lanes) *)(dx + LANES_IN - 1) = typed(MIDDLE)(low, high);
    } else {
        both[0] = low;
        both[1] = high;
        memcpy(dx, both, left * sizeof(REAL));
    }
}

/* Where in dx a pair of rows starts. */
INLINED REAL *typed(pair_start)(const pooling *g, size_t pair) {
    return (REAL *)g->x + (pair / g->pairs * g->H + pair % g->pairs * 2) * g->W;
}

/* Two rows of dx, the second of which may be beyond the plane. */
INLINED void typed(gather_pair)(const pooling *g, size_t K, size_t pair, bool all_there,
                                const REAL *limit, const typed(numbers) * numbers) {
    size_t row = pair / g->pairs * g->P, i = pair % g->pairs;
    REAL *dx = typed(pair_start)(g, pair);
    for (size_t done = 0; done < g->columns; done += LANES_IN) {
        typed(lanes) sum[4];
        size_t j = g->columns < LANES_IN ? 0 : at_most(done, g->columns - LANES_IN);
        typed(collect)(g, K, row, i, j, all_there, numbers, sum);
        typed(put_pairs)(g, j, &sum[0], &sum[1], dx, limit);
        if (2 * i + 1 < g->H)
            typed(put_pairs)(g, j, &sum[2], &sum[3], dx + g->W, limit);
    }
}

/* Whether all windows that a pair of rows reads are there, those too that are not in its row. */
INLINED bool typed(are_there)(const pooling *g, size_t pair) {
    size_t row = pair / g->pairs * g->P + pair % g->pairs;
    return row > 1 && row * g->Q + g->columns + LANES_IN <= g->windows;
}

/* Pairs of rows of dx from `first` to `end`. */
KERNEL_OF_32 void typed(gather_pairs)(const pooling *from, size_t first, size_t end) {
    const pooling g = *from;
    typed(numbers) numbers;
    for (size_t l = 0; l < LANES_IN; l++) {
        numbers.lane[l] = (int)l;
        numbers.has_left[0][l] = -(l > 0);
        numbers.has_left[1][l] = -1;
        for (size_t place = 0; place < 9; place++)
            numbers.place[place][l] = (typed(word))place;
    }
    const REAL *limit = typed(pair_start)(&g, end);
    for (size_t pair = first; pair < end; pair++) {
        bool all_there = typed(are_there)(&g, pair);
        if (g.R == 2 && all_there)
            typed(gather_pair)(&g, 2, pair, true, limit, &numbers);
        else if (g.R == 2)
            typed(gather_pair)(&g, 2, pair, false, limit, &numbers);
        else if (all_there)
            typed(gather_pair)(&g, 3, pair, true, limit, &numbers);
        else
            typed(gather_pair)(&g, 3, pair, false, limit, &numbers);
    }
}

/* A row of windows, whose gradients are added one by one. */
INLINED void typed(scatter_row)(const pooling *g, size_t row, size_t bytes) {
    REAL *dx = (REAL *)g->x + row_start(g, row);
    const REAL *dout = (const REAL *)g->out + row * g->Q;
    const uint8_t *index = g->index + row * g->Q * bytes;
    /* place / S by a product: exact below 2^16 */
    uint64_t inverse = ((uint64_t)1 << 32) / g->S + 1;
    for (size_t q = 0; q < g->Q; q++) {
        size_t place = index_get(index + q * bytes, bytes);
        size_t r = bytes <= 2 ? place * inverse >> 32 : place / g->S;
        dx[q * g->stride + place + r * (g->W - g->S)] += dout[q];
    }
}

/* Rows of windows from `first` to `end`, which no others overlap. Rows of dx become zeros before
 * the first of these is added to them. */
static void typed(scatter_rows)(const pooling *g, size_t first, size_t end) {
    size_t clean = row_start(g, first) / g->W;
    for (size_t row = first; row < end; row++) {
        size_t start = row_start(g, row) / g->W;
        size_t until = row % g->P == g->P - 1 ? (row / g->P + 1) * g->H
                                              : start + (g->R > g->stride ? g->R : g->stride);
        memset((REAL *)g->x + clean * g->W, 0, (until - clean) * g->W * sizeof(REAL));
        clean = until;
        if (g->B == 1)
            typed(scatter_row)(g, row, 1);
        else if (g->B == 2)
            typed(scatter_row)(g, row, 2);
        else
            typed(scatter_row)(g, row, g->B);
    }
}
