/* How a correlation goes: plan.h says what there is to know. */
#include "convolution/plan.h"

#include <stdlib.h>

#include "blocks.h"

enum { BAND = 1 << 17 }; /* elements of a band as it is laid out, about */

geometry geometry_flattened(geometry g) {
    if (g.R != 1 || g.S != 1 || g.stride != 1 || g.pad != 0)
        return g;
    g.W *= g.H;
    g.Q *= g.P;
    g.H = g.P = 1;
    return g;
}

size_t plan_row(const plan *p) {
    return p->in_place ? p->width : axis_laid_out(&p->columns);
}

size_t plan_plane(const plan *p) {
    return p->in_place ? p->height * p->width : axis_laid_out(&p->rows) * plan_row(p);
}

size_t plan_band(const plan *p) {
    return p->planes * axis_laid_out(&p->rows) * axis_laid_out(&p->columns);
}

/* Whole rows, as many as are not too large; parts of a row where one is. */
static void choose_bands(plan *p) {
    p->rows.band = p->rows.places;
    p->columns.band = p->columns.places;
    if (p->in_place)
        return;
    while (p->rows.band > 1 && plan_band(p) > BAND)
        p->rows.band = divide_up(p->rows.band, 2);
    while (p->columns.band > TILE_LANES_MOST && plan_band(p) > BAND)
        p->columns.band = divide_up(p->columns.band, 2);
}

/* Takes the source where it lies, if places are elements of it and none lies outside, and a vector
 * is not longer than a row. */
static bool lies_ready(const plan *p) {
    const axis *rows = &p->rows, *columns = &p->columns;
    return rows->step == 1 && columns->step == 1 && rows->base == 0 && columns->base == 0 &&
           rows->first == 0 && columns->first == 0 && rows->result_step == 1 &&
           rows->places + rows->reach <= rows->length &&
           columns->places + columns->reach <= columns->length &&
           columns->places >= TILE_LANES_MOST && p->planes * p->height * p->width <= UINT32_MAX;
}

void plan_clear(plan *p) {
    free(p->residue);
    free(p->offset);
    free(p->factor);
}

static bool plan_lists(plan *p, size_t residues, size_t taps, bool turns) {
    p->residue = calloc(residues + 1, sizeof *p->residue); /* there may be none */
    p->offset = calloc(taps + 1, sizeof *p->offset);
    p->factor = turns ? calloc(taps + 1, sizeof *p->factor) : NULL;
    if (p->residue && p->offset && (p->factor || !turns))
        return true;
    plan_clear(p);
    return false;
}

static layers_code no_memory(layers_error *error) {
    return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for the work on an image");
}

static axis forward_axis(size_t length, size_t kernel, size_t places, const geometry *g) {
    return (axis){.places = places,
                  .step = g->stride,
                  .base = -(int64_t)g->pad,
                  .length = length,
                  .phases = at_most(g->stride, kernel),
                  .reach = kernel ? (kernel - 1) / g->stride : 0,
                  .result_step = 1,
                  .results = places};
}

/* Backward the source is dout, and result h of dx meets, of residue a = (h + pad) mod stride, the
 * taps r = a, a + stride, ... in the rows ⌊(h + pad) / stride⌋, and so on upwards. */
static axis backward_axis(size_t length, size_t kernel, size_t results, const geometry *g) {
    int64_t stride = (int64_t)g->stride, pad = (int64_t)g->pad;
    int64_t residues = (int64_t)at_most(g->stride, kernel);
    int64_t reach = (int64_t)divide_up(kernel, g->stride) - 1;
    int64_t first = ceil_of(pad - (residues - 1), stride);
    return (axis){.first = first,
                  .places = (size_t)(floor_of((int64_t)results - 1 + pad, stride) + 1 - first),
                  .step = 1,
                  .base = -reach,
                  .length = length,
                  .phases = 1,
                  .reach = (size_t)reach,
                  .result_step = g->stride,
                  .result_pad = pad,
                  .results = results};
}

static void add_tap(plan *p, size_t offset, size_t factor) {
    p->offset[p->taps] = (uint32_t)offset;
    if (p->factor)
        p->factor[p->taps] = (uint32_t)factor;
    p->taps++;
}

/* All taps, in the order that w has them in. */
static void list_forward(plan *p, const geometry *g) {
    const axis *rows = &p->rows, *columns = &p->columns;
    p->residue[p->residues++] = (residue){.taps = g->C * g->R * g->S};
    for (size_t c = 0; c < g->C; c++)
        for (size_t r = 0; r < g->R; r++)
            for (size_t s = 0; s < g->S; s++)
                add_tap(p,
                        c * plan_plane(p) + axis_tap(rows, r) * plan_row(p) + axis_tap(columns, s),
                        p->taps);
}

static void list_residue(plan *p, const geometry *g, size_t row, size_t column) {
    size_t first = p->taps;
    for (size_t f = 0; f < g->F; f++)
        for (size_t r = row, i = p->rows.reach; r < g->R; r += g->stride, i--)
            for (size_t s = column, j = p->columns.reach; s < g->S; s += g->stride, j--)
                add_tap(p, f * plan_plane(p) + i * plan_row(p) + j,
                        (f * g->C * g->R + r) * g->S + s);
    p->residue[p->residues++] =
        (residue){.row = row, .column = column, .taps = p->taps - first, .first = first};
}

layers_code plan_forward(plan *p, const geometry *g, layers_error *error) {
    *p = (plan){.images = g->N,
                .planes = g->C,
                .height = g->H,
                .width = g->W,
                .rows = forward_axis(g->H, g->R, g->P, g),
                .columns = forward_axis(g->W, g->S, g->Q, g),
                .channels = g->F,
                .result_height = g->P,
                .result_width = g->Q,
                .channel_factors = g->C * g->R * g->S};
    p->in_place = lies_ready(p);
    choose_bands(p);
    if (!plan_lists(p, 1, g->C * g->R * g->S, false))
        return no_memory(error);
    list_forward(p, g);
    return LAYERS_OK;
}

layers_code plan_backward(plan *p, const geometry *g, layers_error *error) {
    size_t rows = at_most(g->stride, g->R), columns = at_most(g->stride, g->S);
    *p = (plan){.images = g->N,
                .planes = g->F,
                .height = g->P,
                .width = g->Q,
                .rows = backward_axis(g->P, g->R, g->H, g),
                .columns = backward_axis(g->Q, g->S, g->W, g),
                .channels = g->C,
                .result_height = g->H,
                .result_width = g->W,
                .channel_factors = g->R * g->S};
    p->in_place = lies_ready(p);
    choose_bands(p);
    if (!plan_lists(p, rows * columns, g->F * g->R * g->S, true))
        return no_memory(error);
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++)
            list_residue(p, g, row, column);
    return LAYERS_OK;
}
