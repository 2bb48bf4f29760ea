/* The sets of a normalisation, and sums over them. */
#include "answers/normalised.h"

#include <math.h>
#include <string.h>

#include "blocks.h"
#include "kernel.h"

/* ---- what is asked -----------------------------------------------------------------------------
 */

static const layers_value *param_of(const layers_call *call, const char *name) {
    const layers_param *param = call->operation->params;
    for (int i = 0; param[i].name; i++)
        if (!strcmp(param[i].name, name))
            return &call->params[i];
    return NULL;
}

grouping grouping_of(size_t O, size_t A, size_t K, size_t B) {
    if (K == 1)
        return (grouping){O, 1, 1, A * B};
    if (A == 1 && B == 1)
        return (grouping){1, 1, O * K, 1};
    return (grouping){O, A, K, B};
}

static grouping right_sets(const normalised *n) {
    if (n->over_batch)
        return grouping_of(1, n->N, n->C, n->plane);
    size_t groups = n->groups ? n->groups : 1, examples = n->size > 0 ? n->N : 0;
    return grouping_of(examples, 1, groups, n->C / groups * n->plane);
}

normalised normalised_of_call(const layers_call *forward) {
    const layers_tensor *x = &forward->inputs[NORMALISED_X];
    const layers_value *mode = param_of(forward, "mode"), *groups = param_of(forward, "groups");
    normalised n = {.N = x->shape[0],
                    .C = x->shape[1],
                    .plane = x->rank == 4 ? x->shape[2] * x->shape[3] : 1,
                    .groups = groups ? (size_t)groups->number : 0,
                    .over_batch = mode,
                    .fixed = mode && mode->choice == TEST,
                    .own = mode,
                    .size = x->size,
                    .eps = param_of(forward, "eps")->number,
                    .x = x->data,
                    .gamma = forward->inputs[NORMALISED_GAMMA].data,
                    .beta = forward->inputs[NORMALISED_BETA].data};
    n.sets = right_sets(&n);
    n.scales = (scaling){n.plane, n.C};
    return n;
}

normalised normalised_of(const layers_check *check) {
    normalised n = normalised_of_call(&check->forward);
    n.check = check;
    n.dout = check->backward.operation ? check_dout(check) : NULL;
    return n;
}

/* ---- sums over sets ----------------------------------------------------------------------------
 */

size_t panel_width(const grouping *sets, size_t k) {
    return sets->B == 1 ? at_most(PANEL, sets->K - k) : 1;
}

KERNEL void add_distances(size_t width, const double *restrict x, panel *restrict to) {
    for (size_t j = 0; j < width; j++) {
        double d = (x[j] - to->mean[j]) - to->rest[j];
        to->absolute[j] += fabs(x[j]);
        to->squares[j] += d * d;
    }
}

KERNEL void add_gradients(size_t width, const double *restrict x, const double *restrict dout,
                          const double *restrict gamma, panel *restrict to) {
    for (size_t j = 0; j < width; j++) {
        double d = (x[j] - to->mean[j]) - to->rest[j], g = gamma[j] * dout[j], gd = g * d;
        to->absolute[j] += fabs(x[j]);
        to->squares[j] += d * d;
        to->g[j] += g;
        to->gd[j] += gd;
        to->absolute_g[j] += fabs(g);
        to->absolute_gd[j] += fabs(gd);
    }
}

/* Of what stands in `mean` already. */
KERNEL void add_shifted(size_t width, const double *restrict x, panel *restrict to) {
    for (size_t j = 0; j < width; j++)
        to->rest[j] += x[j] - to->mean[j];
}

/* The gammas of elements that follow each other, in `room` where they do not lie so. */
static const double *gammas_of(const block *block, size_t i, size_t width, double *room) {
    const scaling *s = block->scales;
    const double *gamma = block->n->gamma;
    if (!s) {
        spread(1, width, room);
        return room;
    }
    size_t first = scale_of(s, i);
    if (s->inner == 1 && first + width <= s->count)
        return gamma + first;
    if (i % s->inner + width <= s->inner) {
        spread(gamma[first], width, room);
        return room;
    }
    for (size_t j = 0; j < width; j++)
        room[j] = gamma[scale_of(s, i + j)];
    return room;
}

/* Those of a block: sets beside each other, or one that is spread. */
static size_t places_of(const block *block) {
    return block->sets->B == 1 ? block->width : at_most(PANEL, block->sets->B);
}

static void add_part(const block *block, size_t i, size_t width, panel *sums) {
    const normalised *n = block->n;
    double room[PANEL];
    if (n->dout)
        add_gradients(width, n->x + i, n->dout + i, gammas_of(block, i, width, room), sums);
    else
        add_distances(width, n->x + i, sums);
}

static void add_mean_part(const block *block, size_t i, size_t width, panel *sums) {
    add_shifted(width, block->n->x + i, sums);
}

typedef void adder(const block *block, size_t i, size_t width, panel *sums);

static void each_part(const block *block, panel *sums, adder *add) {
    const grouping *g = block->sets;
    size_t length = g->B == 1 ? block->width : g->B;
    for (size_t a = 0; a < g->A; a++) {
        size_t start = ((block->o * g->A + a) * g->K + block->k) * g->B;
        for (size_t j = 0; j < length; j += PANEL)
            add(block, start + j, at_most(PANEL, length - j), sums);
    }
}

void panel_sum(const block *block, panel *sums) {
    size_t places = places_of(block), count = block->n->dout ? 6 : 2;
    double *const list[6] = {sums->absolute, sums->squares,    sums->g,
                             sums->gd,       sums->absolute_g, sums->absolute_gd};
    if (block->sets->B > 1) {
        spread(sums->mean[0], places, sums->mean);
        spread(sums->rest[0], places, sums->rest);
    }
    for (size_t i = 0; i < 6; i++)
        spread(0, places, list[i]);
    each_part(block, sums, add_part);
    for (size_t i = 0; i < count && block->sets->B > 1; i++)
        list[i][0] = pairwise_sum(list[i], places);
}

/* Distances from the first member are exact where they are small. */
void panel_means(const block *block, panel *sums) {
    const grouping *g = block->sets;
    const double *first = block->n->x + (block->o * g->A * g->K + block->k) * g->B;
    size_t places = places_of(block);
    for (size_t j = 0; j < places; j++)
        sums->mean[j] = g->B > 1 ? first[0] : first[j];
    spread(0, places, sums->rest);
    each_part(block, sums, add_mean_part);
    if (g->B > 1)
        sums->rest[0] = pairwise_sum(sums->rest, places);
    for (size_t j = 0; j < block->width; j++) {
        double left = sums->rest[j] / (double)members_of(g), shift = sums->mean[j];
        sums->mean[j] = shift + left;
        sums->rest[j] = (shift - sums->mean[j]) + left;
    }
}
