/* Challenges of the normalisations. */
#include "answers/normalised_draw.h"

#include <string.h>

#include "answers/normalised.h"

/* From 1/2 to 2, either way. */
static void draw_not_small(layers_drawing *drawing, layers_tensor *tensor) {
    double *to = tensor->data;
    for (size_t i = 0; i < tensor->size; i++)
        to[i] = (draw_below(drawing, 2) ? 1 : -1) * draw_number(drawing, 0.5, 2);
}

static void set_eps(layers_call *asked, double eps) {
    int i = 0;
    while (strcmp(asked->operation->params[i].name, "eps") != 0)
        i++;
    draw_set_number(asked, i, eps);
}

static normalised begin(layers_drawing *drawing, layers_call *asked, double eps) {
    draw_not_small(drawing, &asked->inputs[NORMALISED_GAMMA]);
    draw_not_small(drawing, &asked->inputs[NORMALISED_BETA]);
    set_eps(asked, eps);
    return normalised_of_call(asked);
}

/* Draws the members of a set anew. */
static void draw_set(layers_drawing *drawing, layers_call *asked, const normalised *n, size_t set,
                     double mean, double reach) {
    double *x = asked->inputs[NORMALISED_X].data;
    for (size_t i = 0; i < n->size; i++)
        if (set_of(&n->sets, i) == set)
            x[i] = mean + draw_number(drawing, -reach, reach);
}

/* Makes the members of the last set equal, where there are others: without eps they are 0 / 0. */
static void make_constant(layers_drawing *drawing, layers_call *asked, const normalised *n) {
    size_t last = sets_of(&n->sets) - 1;
    if (last > 0)
        draw_set(drawing, asked, n, last, draw_number(drawing, -2, 2), 0);
}

static double draw_sign(layers_drawing *drawing) {
    return draw_below(drawing, 2) ? 1 : -1;
}

void draw_plain(layers_drawing *drawing, layers_call *asked) {
    normalised n = begin(drawing, asked, 0.125);
    draw_set(drawing, asked, &n, 0, 0, 0.25);
    make_constant(drawing, asked, &n);
}

/* In float32, rounding of larger means would hide small differences of eps. */
void draw_flat(layers_drawing *drawing, layers_call *asked) {
    normalised n = begin(drawing, asked, 0.0625);
    bool wide = draw_dtype(drawing) == LAYERS_F64;
    for (size_t k = 0; k < sets_of(&n.sets); k++)
        draw_set(drawing, asked, &n, k, draw_number(drawing, wide ? -2 : -0.5, wide ? 2 : 0.5),
                 wide ? 0.5 : 0.25);
    make_constant(drawing, asked, &n);
}

/* From set `first` on. */
static void draw_off(layers_drawing *drawing, layers_call *asked, const normalised *n,
                     size_t first) {
    draw_set(drawing, asked, n, first, 0, 0.125);
    for (size_t k = first + 1; k < sets_of(&n->sets); k++)
        draw_set(drawing, asked, n, k, draw_sign(drawing) * draw_number(drawing, 16, 24), 32);
    make_constant(drawing, asked, n);
}

static void draw_at(layers_drawing *drawing, layers_call *asked, double least) {
    normalised n = begin(drawing, asked, 0.0625);
    double farthest = draw_sign(drawing) * draw_number(drawing, least, 1.5 * least);
    draw_set(drawing, asked, &n, 0, farthest, 0.0625);
    draw_off(drawing, asked, &n, 1);
}

void draw_far(layers_drawing *drawing, layers_call *asked) {
    draw_at(drawing, asked, draw_dtype(drawing) == LAYERS_F32 ? 0x1p10 : 0x1p25);
}

/* Sums over rows of which one is too far away hide how the others were normalised. */
void draw_far_sums(layers_drawing *drawing, layers_call *asked) {
    if (draw_dtype(drawing) == LAYERS_F64) {
        draw_at(drawing, asked, 0x1p20);
        return;
    }
    normalised n = begin(drawing, asked, 0.0625);
    draw_off(drawing, asked, &n, 0);
}

static void draw_running(layers_drawing *drawing, layers_call *asked, int mode) {
    draw_set_choice(asked, MODE, mode);
    draw_set_number(asked, MOMENTUM, 0.8125);
    draw_param(drawing, asked, RUNNING_MEAN, -2, 2);
    draw_param(drawing, asked, RUNNING_VAR, 0.5, 3);
}

void draw_batch_plain(layers_drawing *drawing, layers_call *asked) {
    draw_running(drawing, asked, TRAIN);
    draw_plain(drawing, asked);
}

void draw_batch_flat(layers_drawing *drawing, layers_call *asked) {
    draw_running(drawing, asked, TRAIN);
    draw_flat(drawing, asked);
}

void draw_batch_far(layers_drawing *drawing, layers_call *asked) {
    draw_running(drawing, asked, TRAIN);
    draw_far(drawing, asked);
}

/* The first variance is small and the last one 0, so that what is done with eps shows. */
void draw_batch_test(layers_drawing *drawing, layers_call *asked) {
    draw_running(drawing, asked, TEST);
    draw_plain(drawing, asked);
    layers_tensor *variance = &asked->params[RUNNING_VAR].tensor;
    if (!variance->data)
        return;
    ((double *)variance->data)[0] = draw_number(drawing, 0.0625, 0.1875);
    ((double *)variance->data)[variance->size - 1] = 0;
}
