/* Correlations and the tiles that they are made of, of every kind that runs here, against plain
 * loops in long double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convolution/correlate.h"
#include "convolution/weights.h"
#include "unit/calls.h"

TestSuite(convolution);

enum { SHAPES = 400 };

/* Numbers that both dtypes hold; in long double what must come out, and the sum of its terms
 * without their signs. */
typedef struct {
    size_t count;
    double *value;
    long double *want, *size;
} numbers;

static void make_numbers(numbers *n, size_t count, uint64_t *seed) {
    n->count = count;
    n->value = calloc(count + 1, sizeof *n->value);
    n->want = calloc(count + 1, sizeof *n->want);
    n->size = calloc(count + 1, sizeof *n->size);
    for (size_t i = 0; i < count; i++)
        n->value[i] = (double)(float)(2 * uniform(seed) - 1);
}

static size_t below(size_t most, uint64_t *seed) {
    return (size_t)(uniform(seed) * (double)most);
}

/* Strides that leave rows out, kernels larger than the image, one pixel, no image. */
static geometry any_geometry(uint64_t *seed) {
    for (;;) {
        geometry g = {.N = below(4, seed),
                      .C = 1 + below(5, seed),
                      .H = 1 + below(9, seed),
                      .W = 1 + below(40, seed),
                      .F = 1 + below(10, seed),
                      .R = 1 + below(4, seed),
                      .S = 1 + below(5, seed),
                      .stride = 1 + below(4, seed),
                      .pad = below(2, seed) * below(5, seed)};
        if (g.R > g.H + 2 * g.pad || g.S > g.W + 2 * g.pad)
            continue;
        return g;
    }
}

/* Calls do(out, x, w) for the places of every product; x < 0 for one that lies in the padding. */
typedef void (*product)(void *argument, size_t out, ptrdiff_t x, size_t w);

static void each_tap(const geometry *g, size_t n, size_t f, size_t p, size_t q, product what,
                     void *argument) {
    for (size_t c = 0; c < g->C; c++)
        for (size_t r = 0; r < g->R; r++)
            for (size_t s = 0; s < g->S; s++) {
                size_t h = p * g->stride + r - g->pad, column = q * g->stride + s - g->pad;
                bool inside = h < g->H && column < g->W;
                what(argument, ((n * g->F + f) * g->P + p) * g->Q + q,
                     inside ? (ptrdiff_t)(((n * g->C + c) * g->H + h) * g->W + column) : -1,
                     ((f * g->C + c) * g->R + r) * g->S + s);
            }
}

static void each_product(const geometry *g, product what, void *argument) {
    for (size_t n = 0; n < g->N; n++)
        for (size_t f = 0; f < g->F; f++)
            for (size_t p = 0; p < g->P; p++)
                for (size_t q = 0; q < g->Q; q++)
                    each_tap(g, n, f, p, q, what, argument);
}

/* A correlation; what must come of it stands with what has the same shape: out with dout. */
typedef struct {
    geometry g;
    numbers x, w, b, dout;
} example;

static void add_term(numbers *to, size_t i, long double term) {
    to->want[i] += term;
    to->size[i] += fabsl(term);
}

static void add_product(void *argument, size_t out, ptrdiff_t x, size_t w) {
    example *e = argument;
    if (x < 0)
        return;
    add_term(&e->dout, out, (long double)e->x.value[x] * e->w.value[w]);
    add_term(&e->x, (size_t)x, (long double)e->dout.value[out] * e->w.value[w]);
    add_term(&e->w, w, (long double)e->dout.value[out] * e->x.value[x]);
}

static void make_example(example *e, geometry g, uint64_t *seed) {
    g.P = (g.H + 2 * g.pad - g.R) / g.stride + 1;
    g.Q = (g.W + 2 * g.pad - g.S) / g.stride + 1;
    e->g = g;
    make_numbers(&e->x, g.N * g.C * g.H * g.W, seed);
    make_numbers(&e->w, g.F * g.C * g.R * g.S, seed);
    make_numbers(&e->b, g.F, seed);
    make_numbers(&e->dout, g.N * g.F * g.P * g.Q, seed);
    each_product(&e->g, add_product, e);
    for (size_t i = 0; i < e->dout.count; i++)
        add_term(&e->dout, i, e->b.value[i / g.P / g.Q % g.F]);
}

static void clear_example(example *e) {
    numbers *all[] = {&e->x, &e->w, &e->b, &e->dout};
    for (int i = 0; i < 4; i++) {
        free(all[i]->value);
        free(all[i]->want);
        free(all[i]->size);
    }
}

static void *as(layers_dtype dtype, const numbers *n) {
    double *wide = malloc((n->count + 1) * sizeof *wide);
    float *narrow = (float *)wide;
    for (size_t i = 0; i < n->count; i++)
        if (dtype == LAYERS_F64)
            wide[i] = n->value[i];
        else
            narrow[i] = (float)n->value[i];
    return wide;
}

static void expect(const example *e, layers_dtype dtype, const void *got, const numbers *want,
                   const char *kind, const char *what) {
    const geometry *g = &e->g;
    double rounding = 8 * (dtype == LAYERS_F64 ? 0x1p-53 : 0x1p-24);
    for (size_t i = 0; i < want->count; i++) {
        double right = (double)want->want[i];
        double value =
            dtype == LAYERS_F64 ? ((const double *)got)[i] : (double)((const float *)got)[i];
        cr_assert(fabs(value - right) <= rounding * (double)want->size[i],
                  "%s, %s[%zu] of x (%zu, %zu, %zu, %zu), w (%zu, ., %zu, %zu), stride %zu, pad "
                  "%zu is %.9g, not %.9g",
                  kind, what, i, g->N, g->C, g->H, g->W, g->F, g->R, g->S, g->stride, g->pad, value,
                  right);
    }
}

static layers_code compute(const correlation *c, layers_dtype dtype, void *const in[4],
                           void *const out[3]) {
    layers_error error;
    layers_code code = dtype == LAYERS_F64 ? correlate_f64(c, in[0], in[1], in[2], out[0], &error)
                                           : correlate_f32(c, in[0], in[1], in[2], out[0], &error);
    if (code == LAYERS_OK)
        code = dtype == LAYERS_F64 ? correlate_back_f64(c, in[3], in[1], out[1], &error)
                                   : correlate_back_f32(c, in[3], in[1], out[1], &error);
    if (code == LAYERS_OK)
        code = dtype == LAYERS_F64 ? correlate_weights_f64(c, in[0], in[3], out[2], &error)
                                   : correlate_weights_f32(c, in[0], in[3], out[2], &error);
    return code;
}

/* What is not set would be NaN. */
static void *unset(size_t count) {
    double *memory = malloc((count + 1) * sizeof *memory);
    memset(memory, 0xff, (count + 1) * sizeof *memory);
    return memory;
}

static void check_example(const example *e, layers_dtype dtype, const tile_kind *kind,
                          layers_pool *pool) {
    correlation c = {geometry_flattened(e->g), kind, pool};
    void *in[] = {as(dtype, &e->x), as(dtype, &e->w), as(dtype, &e->b), as(dtype, &e->dout)};
    void *out[] = {unset(e->dout.count), unset(e->x.count), unset(e->w.count)};
    cr_assert(compute(&c, dtype, in, out) == LAYERS_OK);
    expect(e, dtype, out[0], &e->dout, kind->name, "out");
    expect(e, dtype, out[1], &e->x, kind->name, "dx");
    expect(e, dtype, out[2], &e->w, kind->name, "dw");
    for (int i = 0; i < 4; i++)
        free(in[i]);
    for (int i = 0; i < 3; i++)
        free(out[i]);
}

static void check(geometry g, uint64_t *seed, layers_pool *pool) {
    example e;
    make_example(&e, g, seed);
    for (const tile_kind *kind = tile_kinds_f64; kind->name; kind++)
        if (kind->runs())
            check_example(&e, LAYERS_F64, kind, pool);
    for (const tile_kind *kind = tile_kinds_f32; kind->name; kind++)
        if (kind->runs())
            check_example(&e, LAYERS_F32, kind, pool);
    clear_example(&e);
}

Test(convolution, is_what_plain_loops_give) {
    uint64_t seed = 13;
    for (int i = 0; i < SHAPES; i++)
        check(any_geometry(&seed), &seed, NULL);
}

/* Large enough for several bands, of rows and, with one image of a few long rows, of columns. */
Test(convolution, bands_are_one_image) {
    uint64_t seed = 5;
    layers_pool *pool = layers_pool_make(2, NULL);
    check(
        (geometry){
            .N = 2, .C = 24, .H = 90, .W = 95, .F = 3, .R = 3, .S = 2, .stride = 2, .pad = 1},
        &seed, pool);
    check(
        (geometry){
            .N = 1, .C = 2, .H = 1, .W = 90000, .F = 2, .R = 3, .S = 5, .stride = 1, .pad = 2},
        &seed, pool);
    check((geometry){.N = 1, .C = 1, .H = 2, .W = 300000, .F = 1, .R = 2, .S = 3, .stride = 5},
          &seed, pool);
    /* a window is all of an image but a rim: rows of two places, and dx has 200 times as many */
    check((geometry){.N = 2, .C = 3, .H = 20, .W = 22, .F = 5, .R = 20, .S = 21, .stride = 1},
          &seed, pool);
    layers_pool_free(pool);
}

/* Rows whose last vector overlaps the one before, and more terms than one block has. */
Test(convolution, vectors_that_overlap_are_added_once) {
    uint64_t seed = 3;
    for (size_t W = 1; W <= 50; W++)
        for (size_t C = 255; C <= 513; C += C == 257 ? 256 : 1)
            check((geometry){.N = 1, .C = C, .H = 1, .W = W, .F = 3, .R = 1, .S = 1, .stride = 1},
                  &seed, NULL);
    check(
        (geometry){
            .N = 1, .C = 64, .H = 28, .W = 28, .F = 8, .R = 3, .S = 3, .stride = 1, .pad = 1},
        &seed, NULL);
}

/* What lies outside dout is no zero that an infinite weight could meet. */
Test(convolution, infinite_weights_meet_windows_alone) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        layers_call call = forward_of("conv", dtype, SHAPE(1, 1, 1, 3), VALUES(1, 2, 3));
        call.inputs[1] = tensor_of(dtype, SHAPE(1, 1, 1, 2), VALUES(INFINITY, 1));
        call.inputs[2] = tensor_of(dtype, SHAPE(1), VALUES(0));
        run(&call);
        layers_call back = backward_from(&call, SHAPE(1, 1, 1, 2), VALUES(1, 2));
        run(&back);
        assert_values(&back.outputs[0], VALUES(INFINITY, INFINITY, 2), 3, 0, 0, "dx");
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}
