/* Correlations by matrix products: unfold.h says when. */
#ifndef REAL
#include "convolution/unfold.h"

#include <string.h>

#include "blocks.h"
#include "gemm.h"
#include "kernel.h"
#include "layers/tensor.h"

enum { UNFOLDED = 1 << 20 }; /* elements at a time, about */

/* The part of a window's row of S elements that is inside an image's row: from `low` to before
 * `high`; `at` is where its first element would be. */
typedef struct {
    size_t low, high;
    ptrdiff_t at;
} span;

static span span_of(const geometry *g, size_t q) {
    ptrdiff_t at = (ptrdiff_t)(q * g->stride) - (ptrdiff_t)g->pad;
    span s = {.at = at};
    ptrdiff_t left = (ptrdiff_t)g->W - at;
    s.low = at < 0 ? at_most(g->S, (size_t)-at) : 0;
    s.high = left > 0 ? at_most(g->S, (size_t)left) : 0;
    s.high = s.high < s.low ? s.low : s.high;
    return s;
}

#define THIS_FILE "convolution/unfold.c"
#include "both_dtypes.h"

#else /* for REAL */

/* Some places of one image. */
typedef struct {
    const geometry *g;
    const REAL *x; /* the image, or NULL */
    REAL *dx;      /* its gradient, or NULL */
    size_t first, count;
    REAL *unfolded; /* (count, C·R·S) */
    REAL *rows;     /* (count, F): of out, or dout */
} typed(places);

/* Channel c of the places' windows: taken from x, or added to dx. */
static void typed(move_channel)(void *argument, size_t c) {
    const typed(places) *p = argument;
    const geometry *g = p->g;
    for (size_t i = 0; i < p->count; i++) {
        size_t place = p->first + i;
        span s = span_of(g, place % g->Q);
        REAL *window = p->unfolded + (i * g->C + c) * g->R * g->S;
        for (size_t r = 0; r < g->R; r++, window += g->S) {
            size_t h = place / g->Q * g->stride + r - g->pad; /* wraps where it is outside */
            size_t high = h < g->H ? s.high : s.low;
            ptrdiff_t row = h < g->H ? (ptrdiff_t)((c * g->H + h) * g->W) + s.at : 0;
            if (p->dx) {
                for (size_t k = s.low; k < high; k++)
                    p->dx[row + (ptrdiff_t)k] += window[k];
                continue;
            }
            memset(window, 0, s.low * sizeof *window);
            for (size_t k = s.low; k < high; k++)
                window[k] = p->x[row + (ptrdiff_t)k];
            memset(window + high, 0, (g->S - high) * sizeof *window);
        }
    }
}

/* Between (F, P, Q) and the places' rows of F. */
static void typed(put_rows)(const typed(places) * p, REAL *out) {
    const geometry *g = p->g;
    for (size_t f = 0; f < g->F; f++)
        for (size_t i = 0; i < p->count; i++)
            out[f * g->P * g->Q + p->first + i] = p->rows[i * g->F + f];
}

static void typed(get_rows)(const typed(places) * p, const REAL *dout) {
    const geometry *g = p->g;
    for (size_t f = 0; f < g->F; f++)
        for (size_t i = 0; i < p->count; i++)
            p->rows[i * g->F + f] = dout[f * g->P * g->Q + p->first + i];
}

/* So many places at a time, at least one, and memory for them. */
static layers_code typed(make_places)(const geometry *g, typed(places) * p, layers_tensor *memory,
                                      layers_error *error) {
    size_t window = g->C * g->R * g->S, fit = UNFOLDED / (window + g->F + 1);
    *p = (typed(places)){.g = g, .count = at_most(g->P * g->Q, fit > 0 ? fit : 1)};
    size_t length = p->count * (window + g->F);
    layers_code code =
        layers_tensor_make(memory, sizeof(REAL) == 8 ? LAYERS_F64 : LAYERS_F32, &length, 1, error);
    p->unfolded = memory->data;
    p->rows = code == LAYERS_OK ? p->unfolded + p->count * window : NULL;
    return code;
}

layers_code typed(unfold)(const correlation *c, const REAL *x, const REAL *w, const REAL *b,
                          REAL *out, layers_error *error) {
    const geometry *g = &c->g;
    typed(places) p;
    layers_tensor memory;
    layers_code code = typed(make_places)(g, &p, &memory, error);
    if (code != LAYERS_OK)
        return code;
    size_t all = g->P * g->Q, together = p.count;
    for (size_t n = 0; n < g->N; n++)
        for (p.first = 0; p.first < all; p.first += together) {
            p.count = at_most(together, all - p.first);
            p.x = x + n * g->C * g->H * g->W;
            layers_pool_run(c->pool, g->C, typed(move_channel), &p);
            typed(gemm)(c->pool,
                        &(product){.transpose_b = true,
                                   .m = p.count,
                                   .n = g->F,
                                   .k = g->C * g->R * g->S,
                                   .a = p.unfolded,
                                   .b = w,
                                   .bias = b,
                                   .c = p.rows},
                        1);
            typed(put_rows)(&p, out + n * g->F * all);
        }
    layers_tensor_clear(&memory);
    return LAYERS_OK;
}

layers_code typed(unfold_back)(const correlation *c, const REAL *dout, const REAL *w, REAL *dx,
                               layers_error *error) {
    const geometry *g = &c->g;
    typed(places) p;
    layers_tensor memory;
    layers_code code = typed(make_places)(g, &p, &memory, error);
    if (code != LAYERS_OK)
        return code;
    size_t all = g->P * g->Q, together = p.count;
    memset(dx, 0, g->N * g->C * g->H * g->W * sizeof *dx);
    for (size_t n = 0; n < g->N; n++)
        for (p.first = 0; p.first < all; p.first += together) {
            p.count = at_most(together, all - p.first);
            p.dx = dx + n * g->C * g->H * g->W;
            typed(get_rows)(&p, dout + n * g->F * all);
            typed(gemm)(c->pool,
                        &(product){.m = p.count,
                                   .n = g->C * g->R * g->S,
                                   .k = g->F,
                                   .a = p.rows,
                                   .b = w,
                                   .c = p.unfolded},
                        1);
            layers_pool_run(c->pool, g->C, typed(move_channel), &p);
        }
    layers_tensor_clear(&memory);
    return LAYERS_OK;
}

#endif
