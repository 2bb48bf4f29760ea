/* Correlation of images with kernels: correlate.h says how. */
#ifndef REAL
#include "convolution/correlate.h"

#include <string.h>

#include "blocks.h"
#include "convolution/plan.h"
#include "convolution/tile.h"
#include "convolution/unfold.h"
#include "kernel.h"
#include "layers/tensor.h"

enum {
    BANDS_TOGETHER = 8, /* that are computed between two meetings of the threads, */
    TOGETHER = 1 << 22, /* of so many elements at most, or one band */
    FACTORS = 1 << 21,  /* elements of turned kernels at a time, about */
};

/* How the places of a row come in vectors: whole ones, of which the last may overlap the one before
 * it, and perhaps a half one. */
typedef struct {
    size_t whole, half;
} row_cut;

static row_cut cut_row(const tile_kind *kind, size_t columns) {
    size_t whole = columns / kind->whole.lanes, left = columns % kind->whole.lanes;
    return left == 0                  ? (row_cut){whole, 0}
           : left <= kind->half.lanes ? (row_cut){whole, 1}
                                      : (row_cut){whole + 1, 0};
}

/* Whether tiles would be almost empty: a row has less places than a quarter of a vector. */
static bool is_narrow(const correlation *c) {
    return 4 * c->g.Q < c->kind->whole.lanes;
}

/* Whether the gradient would be of much padding: dx has more than four times as many places, each
 * of which meets every stride-th tap, as there are windows. */
static bool is_sparse(const geometry *g) {
    double pixels = (double)g->H / (double)g->stride * ((double)g->W / (double)g->stride);
    return pixels > 4 * (double)g->P * (double)g->Q;
}

#define THIS_FILE "convolution/correlate.c"
#include "both_dtypes.h"

#else /* for REAL */

/* A correlation on its way. */
typedef struct {
    const plan *plan;
    const tile_kind *kind;
    layers_pool *pool;
    const REAL *source, *w, *bias;
    REAL *result;
    size_t first, channels; /* those of the results that are computed now */
    const REAL *factors;    /* theirs, of each the taps in the order of the plan's list */
    REAL *turned;           /* memory for them, where w has them in another order */
    size_t together;        /* so many bands are computed at a time, */
    size_t unit;            /* this one and those behind it */
    size_t parts;           /* and the channels of each in so many tasks */
    REAL *bands;            /* those that are computed, laid out */
    size_t band_length;
} typed(work);

static void typed(turn)(void *argument, size_t i) {
    const typed(work) *work = argument;
    const plan *p = work->plan;
    const REAL *from = work->w + (work->first + i) * p->channel_factors;
    REAL *to = work->turned + i * p->taps;
    for (size_t t = 0; t < p->taps; t++)
        to[t] = from[p->factor[t]];
}

/* ---- laying out ------------------------------------------------------------------------------ */

KERNEL void typed(copy_strided)(REAL *restrict to, const REAL *restrict from, size_t count,
                                size_t stride) {
    for (size_t i = 0; i < count; i++)
        to[i] = from[i * stride];
}

/* The columns of one row, which is NULL where it is outside. Returns the end. */
static REAL *typed(lay_row)(const axis *columns, int64_t first, const REAL *row, REAL *to) {
    size_t places = columns->band + columns->reach;
    for (size_t a = 0; a < columns->phases; a++, to += places) {
        int64_t start = first * (int64_t)columns->step + columns->base + (int64_t)a;
        int64_t length = row ? (int64_t)columns->length : 0, left = length - start;
        size_t low = start < 0 ? at_most(places, divide_up((size_t)-start, columns->step)) : 0;
        size_t high = left > 0 ? at_most(places, divide_up((size_t)left, columns->step)) : 0;
        high = high < low ? low : high;
        memset(to, 0, low * sizeof *to);
        if (high > low && columns->step == 1)
            memcpy(to + low, row + (start + (int64_t)low), (high - low) * sizeof *to);
        else if (high > low)
            typed(copy_strided)(to + low, row + (start + (int64_t)(low * columns->step)),
                                high - low, columns->step);
        memset(to + high, 0, (places - high) * sizeof *to);
    }
    return to;
}

/* The band of rows i and columns j of an image. */
static void typed(lay_out)(const plan *p, const REAL *image, size_t i, size_t j, REAL *to) {
    const axis *rows = &p->rows, *columns = &p->columns;
    int64_t first = rows->first + (int64_t)(i * rows->band);
    int64_t first_column = columns->first + (int64_t)(j * columns->band);
    for (size_t c = 0; c < p->planes; c++, image += p->height * p->width)
        for (size_t a = 0; a < rows->phases; a++)
            for (size_t k = 0; k < rows->band + rows->reach; k++) {
                int64_t row = (first + (int64_t)k) * (int64_t)rows->step + rows->base + (int64_t)a;
                bool inside = row >= 0 && row < (int64_t)rows->length;
                to = typed(lay_row)(columns, first_column,
                                    inside ? image + (size_t)row * p->width : NULL, to);
            }
    memset(to, 0, TILE_LANES_MOST * sizeof *to); /* a vector may reach beyond the end */
}

/* ---- summing --------------------------------------------------------------------------------- */

/* Places in rows and columns, and the results that they are, of a tile's channels. */
typedef struct {
    const REAL *x;
    size_t row_length;
    size_t rows, columns;
    REAL *result;
    size_t result_row, result_step, result_plane;
} typed(grid);

/* Puts the first `places` of each vector of a tile's sums where they belong. */
static void typed(scatter)(const typed(grid) * grid, const tile *t, const size_t *to,
                           size_t vectors, size_t places) {
    const REAL *sums = t->sums;
    for (size_t row = 0; row < t->rows; row++)
        for (size_t v = 0; v < vectors; v++)
            for (size_t i = 0; i < places; i++)
                grid->result[row * grid->result_plane + to[v] + i * grid->result_step] =
                    sums[row * t->apart + t->to[v] + i];
}

/* One tile, by way of memory of its own where vectors are not results as they are. */
static void typed(sum_tile)(const typed(grid) * grid, const tile_sums *sums, tile *t, bool few,
                            size_t vectors) {
    void (*sum)(const tile *) = sums->sum[few][vectors - 1];
    size_t places = at_most(sums->lanes, grid->columns);
    t->sums = grid->result;
    t->apart = grid->result_plane;
    if (places == sums->lanes && grid->result_step == 1) {
        sum(t);
        return;
    }
    REAL own[TILE_ROWS_MOST * TILE_VECTORS * TILE_LANES_MOST];
    size_t to[TILE_VECTORS];
    memcpy(to, t->to, sizeof to);
    for (size_t v = 0; v < vectors; v++)
        t->to[v] = v * sums->lanes;
    t->sums = own;
    t->apart = TILE_VECTORS * sums->lanes;
    sum(t);
    typed(scatter)(grid, t, to, vectors, places);
}

/* `count` vectors of each row, from the place `first` on. */
static void typed(sum_vectors)(const typed(grid) * grid, const tile_sums *sums, size_t first,
                               size_t count, tile *t, bool few) {
    size_t lanes = sums->lanes, vectors = 0;
    size_t last = grid->columns > lanes ? grid->columns - lanes : 0;
    for (size_t row = 0; row < grid->rows; row++)
        for (size_t i = 0; i < count; i++) {
            size_t place = at_most(first + i * lanes, last);
            t->at[vectors] = row * grid->row_length + place;
            t->to[vectors] = row * grid->result_row + place * grid->result_step;
            if (++vectors == TILE_VECTORS || (row + 1 == grid->rows && i + 1 == count)) {
                typed(sum_tile)(grid, sums, t, few, vectors);
                vectors = 0;
            }
        }
}

/* Some places of one residue, in as many channels as a tile has rows. */
static void typed(sum_channels)(const typed(work) * work, const residue *residue,
                                const typed(grid) * places, size_t first) {
    const tile_kind *kind = work->kind;
    size_t rows = at_most(kind->rows, work->channels - first);
    bool few = rows <= kind->rows / 2;
    typed(grid) grid = *places;
    grid.result += first * grid.result_plane;
    tile t = {.rows = rows,
              .terms = residue->taps,
              .a = work->factors + first * work->plan->taps + residue->first,
              .a_apart = work->plan->taps,
              .offset = work->plan->offset + residue->first,
              .x = grid.x,
              .bias = work->bias ? work->bias + work->first + first : NULL};
    row_cut cut = cut_row(kind, grid.columns);
    typed(sum_vectors)(&grid, &kind->whole, 0, cut.whole, &t, few);
    if (cut.half)
        typed(sum_vectors)(&grid, &kind->half, cut.whole * kind->whole.lanes, 1, &t, few);
}

/* A band: of which image, which of its rows and columns, and where it is laid out. */
typedef struct {
    size_t image, i, j;
    const REAL *source; /* the image */
    REAL *memory;
} typed(band);

static typed(band) typed(band_of)(const typed(work) * work, size_t index) {
    const plan *p = work->plan;
    size_t across = axis_bands(&p->columns), down = axis_bands(&p->rows);
    size_t unit = work->unit + index, image = unit / across / down;
    return (typed(band)){.image = image,
                         .i = unit / across % down,
                         .j = unit % across,
                         .source = work->source + image * p->planes * p->height * p->width,
                         .memory = work->bands + index * work->band_length};
}

static void typed(lay_out_band)(void *argument, size_t index) {
    const typed(work) *work = argument;
    typed(band) band = typed(band_of)(work, index);
    typed(lay_out)(work->plan, band.source, band.i, band.j, band.memory);
}

/* A band, in one part of the channels. Whoever has all of its channels lays it out himself. */
static void typed(run_task)(void *argument, size_t task) {
    const typed(work) *work = argument;
    const plan *p = work->plan;
    size_t part = task % work->parts, plane = p->result_height * p->result_width;
    size_t rows = work->kind->rows, blocks = divide_up(work->channels, rows);
    typed(band) band = typed(band_of)(work, task / work->parts);
    if (!p->in_place && work->parts == 1)
        typed(lay_out_band)(argument, task);
    for (size_t n = 0; n < p->residues; n++) {
        const residue *residue = &p->residue[n];
        size_t row, rows_end, column, columns_end;
        if (!axis_results(&p->rows, band.i, residue->row, &row, &rows_end) ||
            !axis_results(&p->columns, band.j, residue->column, &column, &columns_end))
            continue;
        typed(grid) grid = {
            .x = (p->in_place ? band.source : band.memory) + row * plan_row(p) + column,
            .row_length = plan_row(p),
            .rows = rows_end - row,
            .columns = columns_end - column,
            .result = work->result + (band.image * p->channels + work->first) * plane +
                      axis_result(&p->rows, band.i, row, residue->row) * p->result_width +
                      axis_result(&p->columns, band.j, column, residue->column),
            .result_row = p->rows.result_step * p->result_width,
            .result_step = p->columns.result_step,
            .result_plane = plane,
        };
        for (size_t k = part * blocks / work->parts; k < (part + 1) * blocks / work->parts; k++)
            typed(sum_channels)(work, residue, &grid, k * rows);
    }
}

static void typed(run_channels)(typed(work) * work) {
    const plan *p = work->plan;
    size_t units = p->images * axis_bands(&p->rows) * axis_bands(&p->columns);
    if (units == 0)
        return;
    size_t blocks = divide_up(work->channels, work->kind->rows);
    work->parts = at_most(blocks, divide_up(BANDS_TOGETHER, at_most(units, work->together)));
    size_t together = p->in_place ? units : work->together;
    for (work->unit = 0; work->unit < units; work->unit += together) {
        size_t count = at_most(together, units - work->unit);
        if (!p->in_place && work->parts > 1)
            layers_pool_run(work->pool, count, typed(lay_out_band), work);
        layers_pool_run(work->pool, count * work->parts, typed(run_task), work);
    }
}

/* By some channels at a time where the kernels have to be turned, so that these take little. */
static void typed(run_all)(typed(work) * work, size_t channels) {
    for (work->first = 0; work->first < work->plan->channels; work->first += channels) {
        work->channels = at_most(channels, work->plan->channels - work->first);
        work->factors = work->turned ? work->turned : work->w;
        if (work->turned)
            layers_pool_run(work->pool, work->channels, typed(turn), work);
        typed(run_channels)(work);
    }
}

static layers_code typed(run)(typed(work) * work, bool turns, layers_error *error) {
    const plan *p = work->plan;
    layers_tensor memory;
    if (p->rows.places == 0 || p->columns.places == 0) /* all of x is between the windows */
        return LAYERS_OK;
    size_t rows = work->kind->rows, some = FACTORS / (p->taps + 1) / rows * rows;
    size_t channels = turns ? at_most(p->channels, some > rows ? some : rows) : p->channels;
    size_t turned = turns ? channels * p->taps : 0;
    work->band_length = p->in_place ? 0 : plan_band(p) + TILE_LANES_MOST;
    work->together = bands_together(work->band_length, BANDS_TOGETHER, TOGETHER);
    size_t length = turned + work->together * work->band_length;
    layers_code code =
        layers_tensor_make(&memory, sizeof(REAL) == 8 ? LAYERS_F64 : LAYERS_F32, &length, 1, error);
    if (code != LAYERS_OK)
        return code;
    work->turned = turns ? memory.data : NULL;
    work->bands = (REAL *)memory.data + turned;
    typed(run_all)(work, channels);
    layers_tensor_clear(&memory);
    return LAYERS_OK;
}

layers_code typed(correlate)(const correlation *c, const REAL *x, const REAL *w, const REAL *b,
                             REAL *out, layers_error *error) {
    plan plan;
    if (c->g.N == 0 || c->g.F == 0)
        return LAYERS_OK;
    if (is_narrow(c))
        return typed(unfold)(c, x, w, b, out, error);
    layers_code code = plan_forward(&plan, &c->g, error);
    if (code != LAYERS_OK)
        return code;
    typed(work) work = {.plan = &plan,
                        .kind = c->kind,
                        .pool = c->pool,
                        .source = x,
                        .w = w,
                        .bias = b,
                        .result = out};
    code = typed(run)(&work, false, error);
    plan_clear(&plan);
    return code;
}

KERNEL bool typed(are_finite)(const REAL *number, size_t count) {
    REAL sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += number[i] * 0;
    return sum == 0;
}

/* What lies outside dout must not meet a w that is not finite, since 0 · inf is NaN. */
layers_code typed(correlate_back)(const correlation *c, const REAL *dout, const REAL *w, REAL *dx,
                                  layers_error *error) {
    plan plan;
    const geometry *g = &c->g;
    size_t size = g->N * g->C * g->H * g->W;
    if (is_sparse(g) || !typed(are_finite)(w, g->F * g->C * g->R * g->S))
        return typed(unfold_back)(c, dout, w, dx, error);
    if (g->stride > g->R || g->stride > g->S) /* some of x is under no tap */
        memset(dx, 0, size * sizeof *dx);
    if (size == 0 || g->R == 0 || g->S == 0)
        return LAYERS_OK;
    layers_code code = plan_backward(&plan, g, error);
    if (code != LAYERS_OK)
        return code;
    typed(work) work = {
        .plan = &plan, .kind = c->kind, .pool = c->pool, .source = dout, .w = w, .result = dx};
    code = typed(run)(&work, true, error);
    plan_clear(&plan);
    return code;
}

#endif
