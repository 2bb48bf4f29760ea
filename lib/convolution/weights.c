/* The gradient of a correlation by its kernels: weights.h says how. */
#ifndef REAL
#include "convolution/weights.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "blocks.h"
#include "convolution/axis.h"
#include "convolution/tile.h"
#include "kernel.h"
#include "layers/tensor.h"

enum {
    BAND = 1 << 16,     /* elements of x in a band as it is laid out, about */
    BANDS_TOGETHER = 8, /* that are added between two meetings of the threads, */
    TOGETHER = 1 << 22, /* of so many elements at most, or one band */
    TOTALS = 1 << 21,   /* elements of dw that are summed at a time, about */
};

/* One direction of a band. Neighbouring places are `apart` elements from each other, which is less
 * than the stride where that leaves elements out. */
typedef struct {
    size_t places, band, kernel, apart, stride, length;
    int64_t pad;
} side;

static side side_of(size_t places, size_t kernel, size_t length, const geometry *g) {
    return (side){.places = places,
                  .band = places,
                  .kernel = kernel,
                  .apart = at_most(g->stride, kernel),
                  .stride = g->stride,
                  .length = length,
                  .pad = (int64_t)g->pad};
}

/* Elements of a band. */
static size_t side_elements(const side *side) {
    return (side->band - 1) * side->apart + side->kernel;
}

static size_t side_bands(const side *side) {
    return divide_up(side->places, side->band);
}

/* Places in the band of number `i`. */
static size_t side_places(const side *side, size_t i) {
    return at_most(side->band, side->places - i * side->band);
}

/* Where in the source an element of a band lies: outside, for a negative number or one beyond it.
 */
static int64_t side_source(const side *side, size_t i, size_t element) {
    return (int64_t)((i * side->band + element / side->apart) * side->stride +
                     element % side->apart) -
           side->pad;
}

/* How the run of a kernel's row comes in vectors; a length of it in sums. */
typedef struct {
    size_t whole, half, length;
} run_cut;

static run_cut cut_run(const tile_kind *kind, size_t run) {
    size_t whole = run / kind->whole.lanes, left = run % kind->whole.lanes;
    size_t half = left > 0 && left <= kind->half.lanes;
    whole += left > kind->half.lanes;
    return (run_cut){whole, half, whole * kind->whole.lanes + half * kind->half.lanes};
}

typedef struct {
    const geometry *g;
    side rows, columns;
    run_cut cut;
    uint32_t *offset; /* of a band's places in x */
} plan;

static size_t band_size(const plan *p) {
    return p->g->C * side_elements(&p->rows) * side_elements(&p->columns);
}

static layers_code plan_make(plan *p, const geometry *g, const tile_kind *kind,
                             layers_error *error) {
    *p = (plan){.g = g,
                .rows = side_of(g->P, g->R, g->H, g),
                .columns = side_of(g->Q, g->S, g->W, g),
                .cut = cut_run(kind, g->S * g->C)};
    while (p->rows.band > 1 && band_size(p) > BAND)
        p->rows.band = divide_up(p->rows.band, 2);
    while (p->columns.band > 1 && band_size(p) > BAND)
        p->columns.band = divide_up(p->columns.band, 2);
    p->offset = calloc(p->rows.band * p->columns.band, sizeof *p->offset);
    if (!p->offset)
        return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for the work on an image");
    for (size_t i = 0, k = 0; i < p->rows.band; i++)
        for (size_t j = 0; j < p->columns.band; j++)
            p->offset[k++] =
                (uint32_t)((i * p->rows.apart * side_elements(&p->columns) + j * p->columns.apart) *
                           g->C);
    return LAYERS_OK;
}

/* A band: of which image, and which of its rows and columns. */
typedef struct {
    size_t image, i, j, rows, columns; /* so many places */
} band;

static size_t bands_of(const plan *p) {
    return p->g->N * side_bands(&p->rows) * side_bands(&p->columns);
}

static band band_of(const plan *p, size_t unit) {
    size_t across = side_bands(&p->columns), down = side_bands(&p->rows);
    band band = {.image = unit / across / down, .i = unit / across % down, .j = unit % across};
    band.rows = side_places(&p->rows, band.i);
    band.columns = side_places(&p->columns, band.j);
    return band;
}

#define THIS_FILE "convolution/weights.c"
#include "both_dtypes.h"

#else /* for REAL */

typedef struct {
    const plan *plan;
    const tile_kind *kind;
    const REAL *x, *dout;
    size_t first, channels;       /* of dout, whose part of dw is summed now */
    size_t unit, units;           /* the bands that are added now */
    REAL *totals;                 /* (channels, R, cut.length) */
    REAL *bands;                  /* x of each of these */
    size_t band_length, together; /* so many bands at a time */
} typed(work);

typedef REAL typed(four)
    __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* Four elements of four planes, to four pixels. */
INLINED void typed(turn_four)(REAL *restrict to, size_t C, const REAL *restrict from,
                              size_t plane) {
    typed(four) a = *(const typed(four) *)from, b = *(const typed(four) *)(from + plane),
                c = *(const typed(four) *)(from + 2 * plane),
                d = *(const typed(four) *)(from + 3 * plane);
    typed(four) ab = __builtin_shufflevector(a, b, 0, 4, 1, 5),
                cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    *(typed(four) *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(typed(four) *)(to + C) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(typed(four) *)(to + 2 * C) = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    *(typed(four) *)(to + 3 * C) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

/* `count` elements of each of C planes, the channels of a pixel side by side. */
KERNEL void typed(interleave)(REAL *to, size_t C, const REAL *from, size_t plane, size_t count) {
    size_t fours = C / 4 * 4, i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t c = 0; c < fours; c += 4)
            typed(turn_four)(to + i * C + c, C, from + c * plane + i, plane);
    for (; i < count; i++)
        for (size_t c = 0; c < fours; c++)
            to[i * C + c] = from[c * plane + i];
    for (size_t c = fours; c < C; c++)
        for (i = 0; i < count; i++)
            to[i * C + c] = from[c * plane + i];
}

/* A row of a band; `row` is the first channel's, NULL where that is outside. */
static void typed(lay_row)(const plan *p, const band *band, const REAL *row, REAL *to) {
    const side *columns = &p->columns;
    size_t C = p->g->C, count = side_elements(columns), step;
    for (size_t e = 0; e < count; e += step, to += step * C) {
        int64_t from = side_source(columns, band->j, e), length = (int64_t)columns->length;
        step = columns->apart == columns->stride ? count : columns->kernel; /* one run */
        size_t low = from < 0 ? at_most(step, (size_t)-from) : 0;
        size_t high = length > from ? at_most(step, (size_t)(length - from)) : 0;
        high = row && high > low ? high : low;
        memset(to, 0, low * C * sizeof *to);
        if (high > low)
            typed(interleave)(to + low * C, C, row + (from + (int64_t)low), p->g->H * p->g->W,
                              high - low);
        memset(to + high * C, 0, (step - high) * C * sizeof *to);
    }
}

static void typed(lay_out)(const typed(work) * work, const band *band, REAL *to) {
    const plan *p = work->plan;
    const geometry *g = p->g;
    size_t width = side_elements(&p->columns) * g->C;
    for (size_t e = 0; e < side_elements(&p->rows); e++, to += width) {
        int64_t row = side_source(&p->rows, band->i, e);
        bool inside = row >= 0 && row < (int64_t)g->H;
        const REAL *image = work->x + band->image * g->C * g->H * g->W;
        typed(lay_row)(p, band, inside ? image + (size_t)row * g->W : NULL, to);
    }
    memset(to, 0, TILE_LANES_MOST * sizeof *to); /* a vector may reach beyond the end */
}

static void typed(prepare_band)(void *argument, size_t i) {
    const typed(work) *work = argument;
    band band = band_of(work->plan, work->unit + i);
    typed(lay_out)(work, &band, work->bands + i * work->band_length);
}

/* `count` vectors of one row of the kernel, from the element `first` of its run on. */
static void typed(add_vectors)(const tile_sums *sums, size_t first, size_t count, size_t run,
                               tile *t, bool few) {
    for (size_t v = 0; v < count; v += TILE_VECTORS) {
        size_t vectors = at_most(TILE_VECTORS, count - v);
        for (size_t i = 0; i < vectors; i++) {
            t->to[i] = first + (v + i) * sums->lanes;
            t->at[i] = run + t->to[i];
        }
        sums->sum[few][vectors - 1](t);
    }
}

/* The places of one band, whole rows of dout or one part of a row: its terms. */
static void typed(add_places)(const typed(work) * work, tile *t, size_t r) {
    const plan *p = work->plan;
    bool few = t->rows <= work->kind->rows / 2;
    size_t run = r * side_elements(&p->columns) * p->g->C;
    typed(add_vectors)(&work->kind->whole, 0, p->cut.whole, run, t, few);
    typed(add_vectors)(&work->kind->half, p->cut.whole * work->kind->whole.lanes, p->cut.half, run,
                       t, few);
}

/* All bands' part of as many channels as a tile has rows, and one row of the kernel. */
static void typed(add_bands)(void *argument, size_t task) {
    const typed(work) *work = argument;
    const plan *p = work->plan;
    const geometry *g = p->g;
    size_t r = task % g->R, first = task / g->R * work->kind->rows;
    size_t rows = at_most(work->kind->rows, work->channels - first);
    for (size_t n = 0; n < work->units; n++) {
        band band = band_of(p, work->unit + n);
        bool whole = band.columns == g->Q;
        const REAL *dout =
            work->dout +
            ((band.image * g->F + work->first + first) * g->P + band.i * p->rows.band) * g->Q +
            band.j * p->columns.band;
        for (size_t k = 0; k < (whole ? 1 : band.rows); k++) {
            tile t = {.rows = rows,
                      .terms = whole ? band.rows * band.columns : band.columns,
                      .a = dout + k * g->Q,
                      .a_apart = g->P * g->Q,
                      .offset = p->offset + k * p->columns.band,
                      .x = work->bands + n * work->band_length,
                      .sums = work->totals + (first * g->R + r) * p->cut.length,
                      .apart = g->R * p->cut.length,
                      .add = work->unit + n + k > 0};
            typed(add_places)(work, &t, r);
        }
    }
}

/* From (channels, R, S, C) to (channels, C, R, S). */
static void typed(put)(const typed(work) * work, REAL *dw) {
    const geometry *g = work->plan->g;
    const REAL *from = work->totals;
    for (size_t f = 0; f < work->channels; f++, dw += g->C * g->R * g->S)
        for (size_t r = 0; r < g->R; r++, from += work->plan->cut.length)
            for (size_t s = 0; s < g->S; s++)
                for (size_t c = 0; c < g->C; c++)
                    dw[(c * g->R + r) * g->S + s] = from[s * g->C + c];
}

static void typed(sum_channels)(typed(work) * work, REAL *dw, layers_pool *pool) {
    const plan *p = work->plan;
    size_t blocks = divide_up(work->channels, work->kind->rows), bands = bands_of(p);
    if (bands == 0)
        memset(work->totals, 0, work->channels * p->g->R * p->cut.length * sizeof(REAL));
    for (work->unit = 0; work->unit < bands; work->unit += work->together) {
        work->units = at_most(work->together, bands - work->unit);
        layers_pool_run(pool, work->units, typed(prepare_band), work);
        layers_pool_run(pool, blocks * p->g->R, typed(add_bands), work);
    }
    typed(put)(work, dw + work->first * p->g->C * p->g->R * p->g->S);
}

static layers_code typed(run)(typed(work) * work, REAL *dw, layers_pool *pool,
                              layers_error *error) {
    const plan *p = work->plan;
    layers_tensor memory;
    size_t rows = work->kind->rows, one = p->g->R * p->cut.length + 1;
    size_t most = TOTALS / one / rows * rows;
    size_t channels = at_most(p->g->F, most > rows ? most : rows), totals = channels * one;
    work->band_length = band_size(p) + TILE_LANES_MOST;
    work->together = bands_together(work->band_length, BANDS_TOGETHER, TOGETHER);
    size_t length = totals + work->together * work->band_length;
    layers_code code =
        layers_tensor_make(&memory, sizeof(REAL) == 8 ? LAYERS_F64 : LAYERS_F32, &length, 1, error);
    if (code != LAYERS_OK)
        return code;
    work->totals = memory.data;
    work->bands = work->totals + totals;
    for (work->first = 0; work->first < p->g->F; work->first += channels) {
        work->channels = at_most(channels, p->g->F - work->first);
        typed(sum_channels)(work, dw, pool);
    }
    layers_tensor_clear(&memory);
    return LAYERS_OK;
}

layers_code typed(correlate_weights)(const correlation *c, const REAL *x, const REAL *dout,
                                     REAL *dw, layers_error *error) {
    plan plan;
    const geometry *g = &c->g;
    if (g->F == 0 || g->C == 0 || g->R == 0 || g->S == 0)
        return LAYERS_OK;
    layers_code code = plan_make(&plan, g, c->kind, error);
    if (code != LAYERS_OK)
        return code;
    typed(work) work = {.plan = &plan, .kind = c->kind, .x = x, .dout = dout};
    code = typed(run)(&work, dw, c->pool, error);
    free(plan.offset);
    return code;
}

#endif
