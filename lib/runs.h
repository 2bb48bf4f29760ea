/* Normalising sets of numbers that lie in runs: a row, an example's group of channels, a channel's
 * planes. For files that both_dtypes.h includes, behind their #ifdef REAL; no include guard: it is
 * for each REAL anew.
 *
 * As in batchnorm, statistics and sums are in double, of distances from a number near to all, and
 * the mean is the sum of two numbers; what is done to each element is in its own dtype; and the few
 * sets for which that is not enough are done in long double. */
#include "moments.h"
#include "stream.h"

#ifndef RUNS
#define RUNS
enum {
    NEAR_PLACES = 4, /* of a set, whose mean is near that of all */
    NEAR_ENOUGH = 2, /* so many times the variance squares may be that are of distances from it */
    RUN_PIECE = 256, /* elements that are summed in a few sums, before all */
};

/* The compiler finds better code for sums of such than of as many numbers. */
typedef double doubles __attribute__((vector_size(32), aligned(8), may_alias));
_Static_assert(LANES == 16, "four of them");

/* Sums of pieces, and what they lack. */
typedef struct {
    run_sums sum, lost;
} running_sums;

INLINED void add_piece_sums(running_sums *to, const run_sums *piece) {
    double lost;
    to->sum.u = two_sum(to->sum.u, piece->u, &lost);
    to->lost.u += lost;
    to->sum.v = two_sum(to->sum.v, piece->v, &lost);
    to->lost.v += lost;
}

/* Where they overflowed, what they lack is no number. */
INLINED run_sums whole_sums(const running_sums *of) {
    run_sums whole = of->sum;
    if (isfinite(whole.u) && isfinite(whole.v)) {
        whole.u += of->lost.u;
        whole.v += of->lost.v;
    }
    return whole;
}

static inline double sum_of(const doubles *all) {
    return ((*all)[0] + (*all)[2]) + ((*all)[1] + (*all)[3]);
}
#endif

#include "lanes.h"

#define AT(array) (*(const typed(lanes) *)((array) + i))

typedef REAL typed(four)
    __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* Four elements, in double. Vectors go by pointer: how functions pass them depends on the
 * processor. */
INLINED void typed(load)(const REAL *from, doubles *to) {
    *to = (doubles){from[0], from[1], from[2], from[3]};
}

/* Adds the next four: distance and distance², or dout and dout · distance. */
INLINED void typed(add_four)(const REAL *x, const REAL *dout, double near, doubles *u, doubles *v) {
    doubles distance, other;
    typed(load)(x, &distance);
    distance -= near;
    if (dout)
        typed(load)(dout, &other);
    else
        other = distance;
    *u += other;
    *v += other * distance;
}

/* Adds Σ(x − near) and Σ(x − near)² of a run, or where there is dout Σdout and Σdout · (x − near).
 */
INLINED void typed(add_run)(const REAL *x, const REAL *dout, size_t length, double near,
                            running_sums *sums) {
    for (size_t i0 = 0; i0 < length; i0 += RUN_PIECE) {
        doubles u0 = {0}, u1 = {0}, u2 = {0}, u3 = {0}, v0 = {0}, v1 = {0}, v2 = {0}, v3 = {0};
        size_t end = at_most(length, i0 + RUN_PIECE), i = i0;
        for (; i + LANES <= end; i += LANES) {
            typed(add_four)(x + i, dout ? dout + i : NULL, near, &u0, &v0);
            typed(add_four)(x + i + 4, dout ? dout + i + 4 : NULL, near, &u1, &v1);
            typed(add_four)(x + i + 8, dout ? dout + i + 8 : NULL, near, &u2, &v2);
            typed(add_four)(x + i + 12, dout ? dout + i + 12 : NULL, near, &u3, &v3);
        }
        u0 = (u0 + u1) + (u2 + u3);
        v0 = (v0 + v1) + (v2 + v3);
        run_sums piece = {sum_of(&u0), sum_of(&v0)};
        for (; i < end; i++) {
            double distance = x[i] - near, other = dout ? dout[i] : distance;
            piece.u += other;
            piece.v += other * distance;
        }
        add_piece_sums(sums, &piece);
    }
}

/* The mean of a few of a set's numbers, from all over it. */
INLINED double typed(near_mean)(const typed(set) * set) {
    double sum = 0;
    for (size_t k = 0; k < NEAR_PLACES; k++)
        sum += set->x[k * set->runs / NEAR_PLACES * set->apart + k * set->length / NEAR_PLACES];
    return shortened(sum / NEAR_PLACES);
}

/* Of a set that is not empty. Where the numbers that `near` is the mean of were not like the
 * others, once more, with what is now known of the mean. */
KERNEL moments typed(set_moments)(const typed(set) * set, double eps) {
    double count = (double)(set->runs * set->length), near = typed(near_mean)(set), squares;
    moments moments = {0};
    run_sums sums;
    for (int attempt = 0; attempt < 2; attempt++) {
        running_sums running = {0};
        double lost;
        for (size_t i = 0; i < set->runs; i++)
            typed(add_run)(set->x + i * set->apart, NULL, set->length, near, &running);
        sums = whole_sums(&running);
        squares = sums.v - sums.u * (sums.u / count);
        double sum = two_sum(near * count, sums.u, &lost);
        moments.mean = quotient(sum, lost, count, &moments.rest);
        if (sums.v <= NEAR_ENOUGH * squares)
            break;
        near = shortened(moments.mean);
    }
    if (!(sums.v <= LOST * squares) || !(sums.v + fabs(moments.mean) <= DBL_MAX))
        return typed(moments_of)(set, eps);
    moments.variance = squares / count;
    moments.inv_std = 1 / sqrt(moments.variance + eps);
    return moments;
}

/* Σdout and Σdout · (x − mean) of a run; layernorm, with a gamma an element, has sums of its own.
 */
__attribute__((unused)) KERNEL run_sums typed(run_products)(const REAL *x, const REAL *dout,
                                                            size_t length, double mean) {
    running_sums sums = {0};
    typed(add_run)(x, dout, length, mean, &sums);
    return whole_sums(&sums);
}

/* What xhat has too much where the mean is taken as REAL. */
INLINED double typed(left)(const moments *m) {
    return ((m->mean - (REAL)m->mean) + m->rest) * m->inv_std;
}

INLINED long double typed(xhat)(const moments *m, REAL x) {
    return ((long double)x - m->mean - m->rest) * m->inv_std;
}

/* A run and its normalised self, with gamma and beta: of each element, or one for all (`each` is 0
 * then, and 1 else). */
typedef struct {
    const REAL *x;
    REAL *out;
    size_t length, each;
    const REAL *gamma, *beta;
    bool past_caches;
} typed(run);

/* `past` the caches only where out is a multiple of 16. */
INLINED void typed(normalise_run)(const typed(run) * r, size_t each, const moments *m, bool past) {
    const REAL *restrict x = r->x, *restrict gamma = r->gamma, *restrict beta = r->beta;
    REAL *restrict out = r->out;
    const REAL mean = (REAL)m->mean, inv_std = (REAL)m->inv_std;
    const double left = typed(left)(m);
    const REAL rest = (REAL)left, shift = (REAL)(*r->beta - left * *r->gamma);
    size_t i = 0;
    for (; i + LANES_IN <= r->length; i += LANES_IN) {
        fetch_page_ahead(x + i);
        if (!past)
            fetch_page_ahead(out + i);
        typed(lanes) xhat = (AT(x) - mean) * inv_std;
        xhat = each ? (xhat - rest) * AT(gamma) + AT(beta) : xhat * *gamma + shift;
        store_32(out + i, &xhat, past);
    }
    for (; i < r->length; i++) {
        REAL xhat = (x[i] - mean) * inv_std;
        out[i] = each ? (xhat - rest) * gamma[i] + beta[i] : xhat * *gamma + shift;
    }
    end_stores(past);
}

/* out = (x − mean) · inv_std · gamma + beta */
KERNEL void typed(normalise)(const typed(run) * r, const moments *m) {
    if (typed(is_far)(m->mean, m->inv_std))
        for (size_t i = 0; i < r->length; i++)
            r->out[i] =
                (REAL)(typed(xhat)(m, r->x[i]) * r->gamma[i * r->each] + r->beta[i * r->each]);
    else if (r->past_caches && (size_t)r->out % 16 == 0)
        typed(normalise_run)(r, r->each, m, true);
    else if (r->each)
        typed(normalise_run)(r, 1, m, false);
    else
        typed(normalise_run)(r, 0, m, false);
}

/* A run with its gradient: dx = (dout · gamma − shift − xhat · slope) · inv_std · scale, gamma as
 * above. */
typedef struct {
    const REAL *x, *dout, *gamma;
    REAL *dx, scale;
    size_t length, each;
    double shift, slope;
    bool past_caches;
} typed(run_gradient);

/* What (x − mean) is multiplied by, in dx. */
INLINED double typed(steepness)(const typed(run_gradient) * r, const moments *m) {
    return m->inv_std * r->slope * m->inv_std * r->scale;
}

INLINED void typed(gradient_run)(const typed(run_gradient) * r, size_t each, const moments *m,
                                 bool past) {
    const REAL *restrict x = r->x, *restrict dout = r->dout, *restrict gamma = r->gamma;
    REAL *restrict dx = r->dx;
    const REAL mean = (REAL)m->mean, steepness = (REAL)typed(steepness)(r, m);
    const REAL factor = (REAL)(m->inv_std * r->scale);
    const double shift = r->shift - typed(left)(m) * r->slope;
    const REAL high = (REAL)shift, low = (REAL)(shift - high);
    size_t i = 0;
    for (; i + LANES_IN <= r->length; i += LANES_IN) {
        fetch_page_ahead(x + i);
        fetch_page_ahead(dout + i);
        if (!past)
            fetch_page_ahead(dx + i);
        typed(lanes) rest = (each ? AT(dout) * AT(gamma) : AT(dout) * *gamma) - high;
        if (sizeof(REAL) == 4)
            rest -= low;
        rest = rest * factor - (AT(x) - mean) * steepness;
        store_32(dx + i, &rest, past);
    }
    for (; i < r->length; i++) {
        REAL rest = dout[i] * gamma[i * each] - high;
        if (sizeof(REAL) == 4)
            rest -= low;
        dx[i] = rest * factor - (x[i] - mean) * steepness;
    }
    end_stores(past);
}

static long double typed(gradient_far)(const typed(run_gradient) * r, size_t i, const moments *m) {
    long double rest = (long double)r->dout[i] * r->gamma[i * r->each] - r->shift;
    return (rest - typed(xhat)(m, r->x[i]) * r->slope) * m->inv_std * r->scale;
}

KERNEL void typed(gradient)(const typed(run_gradient) * r, const moments *m) {
    const double steepness = typed(steepness)(r, m);
    if (typed(is_far)(m->mean, m->inv_std) ||
        (r->scale != 0 && typed(is_beyond)(m->inv_std * r->scale)) ||
        (r->slope != 0 && r->scale != 0 && typed(is_beyond)(steepness)))
        for (size_t i = 0; i < r->length; i++)
            r->dx[i] = (REAL)typed(gradient_far)(r, i, m);
    else if (r->past_caches && (size_t)r->dx % 16 == 0)
        typed(gradient_run)(r, r->each, m, true);
    else if (r->each)
        typed(gradient_run)(r, 1, m, false);
    else
        typed(gradient_run)(r, 0, m, false);
}
