/* What there is to know of the sets of a normalisation, and how far right answers may be from the
 * right ones.
 *
 * Mean and variance of n numbers, in any order of summation, are off by (n + 1) u · mean|x| and, of
 * v = var + eps, (n + 8) u (1 + mean x² / v): so much loses E[x²] − mean² (Chan, Golub and LeVeque,
 * "Algorithms for Computing the Sample Variance", 1983). Where that is more than can be called
 * right, what distances from a rounded mean lose is the measure, also from one that moves on with
 * each number (Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products",
 * 1962). Folded forms, x · s + (beta − mean · s), round numbers as large as x · s. */
#include <math.h>

#include "answers/normalised.h"
#include "blocks.h"
#include "kernel.h"

/* Of the variance, relatively: what E[x²] − mean² may lose to be right. A bound made from it is
 * then about what a check takes at most. */
#define SANE 0x1p-12

/* ---- notes -------------------------------------------------------------------------------------
 */

size_t normalised_notes(const layers_check *check) {
    normalised n = normalised_of(check);
    return ALL_NUMBERS + SET_NUMBERS * sets_of(&n.sets) + 2 * n.scales.count;
}

/* What bounds are made of, of one set. */
typedef struct {
    double s, mean, variance, v;
    double absolute;                    /* mean |x| */
    double gx, absolute_g, absolute_gx; /* means of g · xhat, |g|, |g · xhat| */
    double mean_error, v_error;         /* of the mean; of v, relatively */
} moments_seen;

/* How far mean and v may be off. */
static void set_errors(const normalised *n, moments_seen *m) {
    const layers_check *check = n->check;
    double u = check->unit, count = (double)members_of(&n->sets), inputs = check->rounded ? 1 : 0;
    double squares = m->variance + m->mean * m->mean, times = squares / m->v;
    if (n->fixed) {
        m->mean_error = inputs * u * fabs(m->mean);
        m->v_error = 8 * u + check->tiny / m->v;
        return;
    }
    m->mean_error = (count + 1 + inputs) * u * m->absolute;
    m->v_error = (count + 8 + 2 * inputs) * u * (1 + times);
    if (!(m->v_error <= SANE)) {
        double off = m->mean_error / sqrt(m->v);
        m->v_error = (count + 8) * u + 2 * inputs * u * sqrt(times) + 2 * off + off * off;
    }
    m->v_error += check->tiny / m->v;
    if (!(m->v_error < 0.5) || !(count * squares <= check->huge))
        m->v_error = INFINITY;
}

/* With xhat as well as it is known. */
static void bound_gradients(const normalised *n, const moments_seen *m, size_t k, double flat,
                            double steep) {
    double u = n->check->unit, count = (double)members_of(&n->sets), s = m->s;
    double factor = ((n->fixed ? 12 : count + 24) * u + 2 * m->v_error) / s, level = 0, slope = 0;
    if (!n->fixed) {
        level = factor * m->absolute_g + (flat * fabs(m->gx) + 2 * m->absolute_gx * flat) / s;
        slope = factor * m->absolute_gx +
                (steep * fabs(m->gx) + m->absolute_g * flat + m->absolute_gx * steep) / s;
    }
    double gamma = n->own ? fabs(n->gamma[k]) : 1;
    note_of_sets(n, SET_FACTOR)[k] = factor;
    note_of_sets(n, SET_LEVEL)[k] = gamma * level;
    note_of_sets(n, SET_SLOPE)[k] = gamma * slope;
    if (!n->own)
        return;
    note_of_scales(n, NORMALISED_DGAMMA)[k] =
        count * (((count + 4) * u + steep) * m->absolute_gx + flat * m->absolute_g);
    note_of_scales(n, NORMALISED_DBETA)[k] = (count + 2) * u * count * m->absolute_g;
}

static void note_set(const normalised *n, const panel *sums, size_t j, size_t k) {
    size_t members = members_of(&n->sets);
    double count = members ? (double)members : 1; /* none, in test mode */
    moments_seen m = {.mean = sums->mean[j], .absolute = sums->absolute[j] / count};
    m.variance = n->fixed ? check_before(n->check, RUNNING_VAR)[k] : sums->squares[j] / count;
    m.v = m.variance + n->eps;
    m.s = sqrt(m.v);
    m.gx = sums->gd[j] / count / m.s;
    m.absolute_g = sums->absolute_g[j] / count;
    m.absolute_gx = sums->absolute_gd[j] / count / m.s;
    set_errors(n, &m);
    double u = n->check->unit, inputs = n->check->rounded ? 1 : 0;
    double flat = (m.mean_error + (4 + inputs) * u * fabs(m.mean)) / m.s;
    double steep = m.v_error / 2 + (8 + inputs) * u;
    note_of_sets(n, SET_MEAN)[k] = m.mean;
    note_of_sets(n, SET_REST)[k] = sums->rest[j];
    note_of_sets(n, SET_VARIANCE)[k] = m.variance;
    note_of_sets(n, SET_G)[k] = sums->g[j];
    note_of_sets(n, SET_GD)[k] = sums->gd[j];
    note_of_sets(n, SET_INV_STD)[k] = 1 / m.s;
    note_of_sets(n, SET_FLAT)[k] = flat;
    note_of_sets(n, SET_STEEP)[k] = steep;
    if (n->dout) {
        bound_gradients(n, &m, k, flat, steep);
    } else {
        note_of_sets(n, SET_MEAN_BOUND)[k] = m.mean_error;
        note_of_sets(n, SET_VARIANCE_BOUND)[k] = m.v_error * m.v;
    }
}

/* Means and variances of sets of one size make up those of the array. */
static void note_all(const normalised *n, double *all) {
    size_t sets = sets_of(&n->sets);
    const double *mean = note_of_sets(n, SET_MEAN), *variance = note_of_sets(n, SET_VARIANCE);
    const double *g = note_of_sets(n, SET_G), *gd = note_of_sets(n, SET_GD);
    const double *inv_std = note_of_sets(n, SET_INV_STD);
    double between = 0, unlike = 0;
    for (size_t k = 0; k < sets; k++) {
        all[ALL_MEAN] += mean[k] / (double)sets;
        all[ALL_MEAN_VARIANCE] += variance[k] / (double)sets;
        all[ALL_G] += g[k];
        all[ALL_GXHAT] += gd[k] * inv_std[k];
        double gamma = n->own ? n->gamma[k] : 1;
        all[ALL_GD] += gamma * gd[k];
        all[ALL_SCALED_G] += gamma * g[k];
        all[ALL_SCALED_GXHAT] += gamma * gd[k] * inv_std[k];
    }
    for (size_t k = 0; k < sets; k++) {
        double apart = mean[k] - all[ALL_MEAN], other = variance[k] - all[ALL_MEAN_VARIANCE];
        between += apart * apart / (double)sets;
        unlike += other * other / (double)sets;
    }
    all[ALL_VARIANCE] = all[ALL_MEAN_VARIANCE] + between;
    all[ALL_STD_VARIANCE] = sqrt(unlike);
}

KERNEL void add_to_scales(size_t width, const double *restrict x, const double *restrict dout,
                          double mean, double rest, double inv_std, double flat, double steep,
                          double *restrict dgamma, double *restrict dbeta) {
    for (size_t j = 0; j < width; j++) {
        double xhat = ((x[j] - mean) - rest) * inv_std, up = fabs(dout[j]);
        dgamma[j] += up * (flat + fabs(xhat) * steep);
        dbeta[j] += up;
    }
}

/* What a set adds to the bounds of dgamma and dbeta where it has several gammas: its members lie
 * side by side. */
static void note_scales(const normalised *n, size_t k) {
    size_t end = (k + 1) * n->sets.B, width, inner = n->scales.inner;
    double terms = (double)terms_of(n), u = n->check->unit;
    double steep = note_of_sets(n, SET_STEEP)[k] + (terms + 4) * u;
    double *dgamma = note_of_scales(n, NORMALISED_DGAMMA);
    double *dbeta = note_of_scales(n, NORMALISED_DBETA);
    for (size_t i = k * n->sets.B; i < end; i += width) {
        double sum[2][PANEL];
        size_t s = scale_of(&n->scales, i);
        bool beside = inner == 1;
        width = at_most(end - i, beside ? n->scales.count - s : at_most(PANEL, inner - i % inner));
        if (!beside)
            for (size_t j = 0; j < width; j++)
                sum[0][j] = sum[1][j] = 0;
        add_to_scales(width, n->x + i, n->dout + i, note_of_sets(n, SET_MEAN)[k],
                      note_of_sets(n, SET_REST)[k], note_of_sets(n, SET_INV_STD)[k],
                      note_of_sets(n, SET_FLAT)[k], steep, beside ? dgamma + s : sum[0],
                      beside ? dbeta + s : sum[1]);
        if (beside)
            continue;
        dgamma[s] += pairwise_sum(sum[0], width);
        dbeta[s] += pairwise_sum(sum[1], width);
    }
}

/* The operation has the means. */
static void note_block(const normalised *n, const block *block) {
    panel sums;
    size_t first = block->o * n->sets.K + block->k;
    for (size_t j = 0; j < block->width; j++) {
        moments m = kept_moments(n->check->forward.cache, first + j);
        sums.mean[j] = m.mean;
        sums.rest[j] = m.rest;
    }
    panel_sum(block, &sums);
    for (size_t j = 0; j < block->width; j++)
        note_set(n, &sums, j, first + j);
    for (size_t j = 0; j < block->width && n->dout && !n->own; j++)
        note_scales(n, first + j);
}

void normalised_note(const layers_check *check, double *notes) {
    normalised n = normalised_of(check);
    const grouping *g = &n.sets;
    block block = {.n = &n, .sets = g, .scales = n.own ? NULL : &n.scales};
    if (members_of(g) == 0 && !n.fixed)
        return;
    for (block.o = 0; block.o < g->O; block.o++)
        for (block.k = 0; block.k < g->K; block.k += block.width) {
            block.width = panel_width(g, block.k);
            note_block(&n, &block);
        }
    note_all(&n, notes);
    double terms = (double)terms_of(&n);
    for (size_t s = 0; n.dout && !n.own && s < n.scales.count; s++)
        note_of_scales(&n, NORMALISED_DBETA)[s] *= (terms + 2) * check->unit;
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

enum { ABREAST = 256 };

/* Elements beside each other, with what their sets and their gammas have. */
typedef struct {
    double unit, tiny;
    const double *gamma;
    const double *right, *beta, *flat, *steep;      /* forward */
    const double *x, *dout, *mean, *rest, *inv_std; /* dx */
    const double *factor, *level, *slope;
} bounded;

/* gamma · xhat is out − beta. */
KERNEL void bound_out(size_t width, const bounded *of, double *restrict to) {
    const double *gamma = of->gamma, *beta = of->beta, *right = of->right;
    const double *flat = of->flat, *steep = of->steep;
    double unit = of->unit, tiny = of->tiny;
    for (size_t j = 0; j < width; j++) {
        double xhat = fabs(gamma[j]) * flat[j] + fabs(right[j] - beta[j]) * steep[j];
        to[j] = 4 * (xhat + 2 * unit * (fabs(beta[j]) + fabs(right[j]))) + 4 * tiny;
    }
}

KERNEL void bound_dx(size_t width, const bounded *of, double *restrict to) {
    const double *x = of->x, *mean = of->mean, *rest = of->rest, *inv_std = of->inv_std;
    const double *gamma = of->gamma, *dout = of->dout;
    const double *factor = of->factor, *level = of->level, *slope = of->slope;
    double tiny = of->tiny;
    for (size_t j = 0; j < width; j++) {
        double xhat = fabs((x[j] - mean[j]) - rest[j]) * inv_std[j];
        double g = fabs(gamma[j] * dout[j]);
        to[j] = 4 * (factor[j] * g + level[j] + xhat * slope[j]) + 4 * tiny;
    }
}

/* Where a number is not finite, kind and place are all there is to compare; where a bound is not,
 * these inputs do not tell. */
KERNEL void settle(size_t count, const double *restrict right, double *restrict bound) {
    for (size_t i = 0; i < count; i++) {
        double known = bound[i] <= 0x1.fffffffffffffp1023 ? bound[i] : INFINITY;
        bound[i] = fabs(right[i]) <= 0x1.fffffffffffffp1023 ? known : 0;
    }
}

/* What a number of each set, or of each gamma, is for elements that follow each other: sets or
 * gammas beside each other, or one. */
static const double *beside(const double *number, bool many, size_t width, double *room) {
    if (!many)
        spread(*number, width, room);
    return many ? number : room;
}

static void bound_elements(const normalised *n, int output, size_t first, size_t count,
                           double *to) {
    const grouping *g = &n->sets;
    const layers_check *check = n->check;
    const bool forward = !n->dout, many_sets = g->B == 1, many_scales = n->scales.inner == 1;
    const double *right = check_values(check, output);
    size_t width;
    for (size_t i = first; i < first + count; i += width) {
        double room[7][ABREAST];
        size_t k = set_of(g, i), s = scale_of(&n->scales, i);
        size_t alike = many_sets ? g->K - k % g->K : g->B - i % g->B;
        width = many_scales ? n->scales.count - s : n->scales.inner - i % n->scales.inner;
        width = at_most(at_most(width, alike), at_most(ABREAST, first + count - i));
#define OF_SET(which, r)  beside(note_of_sets(n, which) + k, many_sets, width, room[r])
#define OF_SCALE(list, r) beside(list + s, many_scales, width, room[r])
        bounded of = {.unit = check->unit, .tiny = check->tiny};
        of.gamma = OF_SCALE(n->gamma, 0);
        if (forward) {
            of.right = right + i;
            of.beta = OF_SCALE(n->beta, 1);
            of.flat = OF_SET(SET_FLAT, 2);
            of.steep = OF_SET(SET_STEEP, 3);
            bound_out(width, &of, to + (i - first));
        } else {
            of.x = n->x + i;
            of.dout = n->dout + i;
            of.mean = OF_SET(SET_MEAN, 1);
            of.rest = OF_SET(SET_REST, 2);
            of.inv_std = OF_SET(SET_INV_STD, 3);
            of.factor = OF_SET(SET_FACTOR, 4);
            of.level = OF_SET(SET_LEVEL, 5);
            of.slope = OF_SET(SET_SLOPE, 6);
            bound_dx(width, &of, to + (i - first));
        }
#undef OF_SET
#undef OF_SCALE
    }
}

/* running = momentum · before + (1 − momentum) · sample; in test mode it stays. */
static void bound_running(const normalised *n, int output, size_t first, size_t count, double *to) {
    const layers_check *check = n->check;
    bool mean = output == CLAIM_PARAM(RUNNING_MEAN);
    const double *before = check_before(check, mean ? RUNNING_MEAN : RUNNING_VAR);
    const double *sample = note_of_sets(n, mean ? SET_MEAN : SET_VARIANCE);
    const double *error = note_of_sets(n, mean ? SET_MEAN_BOUND : SET_VARIANCE_BOUND);
    double momentum = check_number(check, MOMENTUM), share = 1 - momentum;
    for (size_t k = first; k < first + count; k++) {
        double sizes = fabs(momentum * before[k]) + fabs(share * sample[k]);
        double moved = share * error[k] + (check->rounded ? 5 : 3) * check->unit * sizes;
        /* share is 1 − momentum of a rounded momentum */
        moved += check->rounded ? check->unit * momentum * fabs(sample[k]) : 0;
        to[k - first] = 4 * (n->fixed ? check->unit * fabs(before[k]) : moved) + 4 * check->tiny;
    }
}

void normalised_bound(const layers_check *check, int output, size_t first, size_t count,
                      double *bound) {
    normalised n = normalised_of(check);
    if (output >= LAYERS_MAX_TENSORS)
        bound_running(&n, output, first, count, bound);
    else if (!n.dout || output == NORMALISED_DX)
        bound_elements(&n, output, first, count, bound);
    else
        for (size_t s = first; s < first + count; s++)
            bound[s - first] = 4 * note_of_scales(&n, output)[s] + 4 * check->tiny;
    settle(count, check_values(check, output) + first, bound);
}
