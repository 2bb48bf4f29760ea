/* max_pool: what the course checks of it, NaN, infinities, zeros and equals, windows that overlap,
 * leave out or do not fit, and every way of looking for the largest against plain loops. */
#include <math.h>
#include <stdlib.h>

#include "unit/calls.h"

TestSuite(max_pool);

enum { POOL_HEIGHT, POOL_WIDTH, STRIDE };

static layers_call pool(layers_call call, double height, double width, double stride) {
    call.params[POOL_HEIGHT] = (layers_value){.given = true, .number = height};
    call.params[POOL_WIDTH] = (layers_value){.given = true, .number = width};
    call.params[STRIDE] = (layers_value){.given = true, .number = stride};
    return call;
}

/* One plane. */
static layers_call plane(size_t H, size_t W, const double *x, double size, double stride) {
    return pool(forward_of("max_pool", LAYERS_F64, SHAPE(1, 1, H, W), x), size, size, stride);
}

/* Runs forward and backward of one plane and holds them to these values. */
static void check_plane(layers_call *call, const double *out, const double *dout,
                        const double *dx) {
    run(call);
    assert_values(&call->outputs[0], out, call->outputs[0].size, 0, 0, "out");
    layers_call back = backward_from(call, call->outputs[0].shape, 4, dout);
    run(&back);
    assert_shape(&back.outputs[0], call->inputs[0].shape, 4, "dx");
    assert_values(&back.outputs[0], dx, call->inputs[0].size, 0, 0, "dx");
    layers_call_clear(&back);
    layers_call_clear(call);
}

Test(max_pool, is_the_courses) {
    static const double out[] = {-0.26315789, -0.24842105, -0.20421053, -0.18947368, -0.14526316,
                                 -0.13052632, -0.08631579, -0.07157895, -0.02736842, -0.01263158,
                                 0.03157895,  0.04631579,  0.09052632,  0.10526316,  0.14947368,
                                 0.16421053,  0.20842105,  0.22315789,  0.26736842,  0.28210526,
                                 0.32631579,  0.34105263,  0.38526316,  0.4};
    double x[96];
    for (size_t i = 0; i < 96; i++)
        x[i] = -0.3 + 0.7 * (double)i / 95;
    layers_call call = pool(forward_of("max_pool", LAYERS_F64, SHAPE(2, 3, 4, 4), x), 2, 2, 2);
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(2, 3, 2, 2), "out");
    assert_values(&call.outputs[0], out, 24, 0, 0.5001e-8, "out");
    layers_call_clear(&call);
}

Test(max_pool, adds_up_where_windows_overlap) {
    layers_call call = plane(3, 3, VALUES(1, 2, 3, 4, 9, 5, 6, 7, 8), 2, 1);
    check_plane(&call, VALUES(9, 9, 9, 9), VALUES(1, 20, 300, 4000),
                VALUES(0, 0, 0, 0, 4321, 0, 0, 0, 0));
}

Test(max_pool, gives_nothing_to_what_no_window_meets) {
    layers_call call =
        plane(3, 5, VALUES(1, 2, 99, 4, 3, 0, 0, 99, 0, 0, 99, 99, 99, 99, 99), 2, 3);
    check_plane(&call, VALUES(2, 4), VALUES(5, 7),
                VALUES(0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    call = plane(3, 3, VALUES(1, 2, 9, 4, 3, 9, 9, 9, 9), 2, 2);
    check_plane(&call, VALUES(4), VALUES(5), VALUES(0, 0, 0, 5, 0, 0, 0, 0, 0));
}

Test(max_pool, of_equals_takes_the_first) {
    layers_call call = plane(2, 4, VALUES(1, 7, 7, 7, 7, 7, 7, 7), 2, 2);
    check_plane(&call, VALUES(7, 7), VALUES(1, 2), VALUES(0, 1, 2, 0, 0, 0, 0, 0));
    call = plane(1, 2, VALUES(-0.0, 0.0), 1, 1);
    call.params[POOL_WIDTH].number = 2;
    run(&call);
    cr_assert(signbit(element(&call.outputs[0], 0)));
    layers_call_clear(&call);
}

Test(max_pool, has_nan_for_the_largest_and_the_first_of_them) {
    layers_call call = plane(2, 4, VALUES(1, NAN, INFINITY, 3, NAN, 2, NAN, NAN), 2, 2);
    check_plane(&call, VALUES(NAN, NAN), VALUES(1, 2), VALUES(0, 1, 0, 0, 0, 0, 2, 0));
}

Test(max_pool, of_minus_infinities_is_one) {
    layers_call call = plane(2, 2, VALUES(-INFINITY, -INFINITY, -INFINITY, -INFINITY), 2, 2);
    check_plane(&call, VALUES(-INFINITY), VALUES(3), VALUES(3, 0, 0, 0));
    call = plane(2, 2, VALUES(-INFINITY, -INFINITY, -INFINITY, -1e308), 2, 2);
    check_plane(&call, VALUES(-1e308), VALUES(3), VALUES(0, 0, 0, 3));
}

Test(max_pool, with_the_longest_stride_has_one_window) {
    layers_call call = plane(2, 3, VALUES(1, 2, 9, 4, 3, 9), 2, 0x1p53 - 1);
    check_plane(&call, VALUES(4), VALUES(5), VALUES(0, 0, 0, 5, 0, 0));
}

Test(max_pool, refuses_windows_that_do_not_fit) {
    layers_call call = plane(2, 3, VALUES(1, 2, 3, 4, 5, 6), 3, 1);
    assert_refused(&call, LAYERS_INVALID_PARAM, "pool_param/pool_height", "is 3", "H = 2");
    call = pool(call, 2, 0x1p53 - 1, 1);
    assert_refused(&call, LAYERS_INVALID_PARAM, "pool_param/pool_width", "9007199254740991",
                   "W = 3");
    layers_call_clear(&call);
    call = pool(forward_of("max_pool", LAYERS_F64, SHAPE(2, 2, 0, 3), NULL), 1, 1, 1);
    assert_refused(&call, LAYERS_INVALID_PARAM, "pool_param/pool_height", "is 1", "H = 0");
    layers_call_clear(&call);
}

Test(max_pool, of_no_images) {
    layers_call call = pool(forward_of("max_pool", LAYERS_F32, SHAPE(0, 3, 8, 9), NULL), 2, 3, 2);
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(0, 3, 4, 4), "out");
    layers_call back = backward_from(&call, SHAPE(0, 3, 4, 4), NULL);
    run(&back);
    assert_shape(&back.outputs[0], SHAPE(0, 3, 8, 9), "dx");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

/* What `images` more of them, each of one window, add to a cache. */
static size_t cache_growth(size_t height, size_t width, size_t images) {
    size_t bytes[2];
    for (size_t i = 0; i < 2; i++) {
        layers_error error;
        layers_call call = call_of("max_pool", "forward", LAYERS_F64);
        call.inputs[0] = tensor_make(LAYERS_F64, SHAPE(1 + i * images, 1, height, width));
        call = pool(call, (double)height, (double)width, 1);
        cr_assert(layers_prepare(&call, &error) == LAYERS_OK);
        bytes[i] = call.cache_bytes;
        layers_call_clear(&call);
    }
    return bytes[1] - bytes[0];
}

Test(max_pool, keeps_an_index_of_as_few_bytes_as_do) {
    cr_assert(cache_growth(16, 16, 100) == 100);
    cr_assert(cache_growth(1, 257, 100) == 200);
    cr_assert(cache_growth(256, 256, 2) == 4);
    cr_assert(cache_growth(256, 257, 2) == 8);
}

/* ---- plain loops --------------------------------------------------------------------------- */

typedef struct {
    size_t N, C, H, W, R, S, stride;
} geometry;

/* The first largest of the window that starts at element `start`. */
static size_t first_largest(const geometry *g, const layers_tensor *x, size_t start) {
    size_t best = start;
    for (size_t r = 0; r < g->R; r++)
        for (size_t s = 0; s < g->S; s++) {
            size_t here = start + r * g->W + s;
            double most = element(x, best), value = element(x, here);
            if (!isnan(most) && (value > most || isnan(value)))
                best = here;
        }
    return best;
}

/* Integers and NaN, so that many are equal and sums exact. */
static layers_tensor hard_images(const geometry *g, layers_dtype dtype, uint64_t *seed) {
    layers_tensor x = tensor_make(dtype, SHAPE(g->N, g->C, g->H, g->W));
    for (size_t i = 0; i < x.size; i++) {
        double value = floor(200 * uniform(seed)) - 100;
        bool rare = uniform(seed) < 0.01;
        set_element(&x, i, rare ? NAN : value < -90 ? -INFINITY : value);
    }
    return x;
}

static layers_tensor whole_numbers(const layers_tensor *like, uint64_t *seed) {
    layers_tensor tensor = tensor_make(like->dtype, like->shape, like->rank);
    for (size_t i = 0; i < tensor.size; i++)
        set_element(&tensor, i, 1 + floor(99 * uniform(seed)));
    return tensor;
}

static void assert_same(const layers_tensor *got, const double *want, const geometry *g,
                        const char *what) {
    for (size_t i = 0; i < got->size; i++)
        cr_assert(is_close(element(got, i), want[i], 0, 0),
                  "%s[%zu] is %g, not %g: %s, images of %zu by %zu, windows of %zu by %zu, %zu "
                  "apart",
                  what, i, element(got, i), want[i], layers_dtype_name(got->dtype), g->H, g->W,
                  g->R, g->S, g->stride);
}

static void check_geometry(const geometry *g, layers_dtype dtype, layers_pool *threads) {
    uint64_t seed = g->H * 1000 + g->W;
    layers_call call = call_of("max_pool", "forward", dtype);
    call.inputs[0] = hard_images(g, dtype, &seed);
    call = pool(call, (double)g->R, (double)g->S, (double)g->stride);
    call.pool = threads;
    run(&call);
    layers_call back = {.operation = layers_find("max_pool", "backward"), .dtype = dtype};
    back.inputs[0] = whole_numbers(&call.outputs[0], &seed);
    back.cache = layers_cache_ref(call.cache);
    back.pool = threads;
    run(&back);
    size_t P = call.outputs[0].shape[2], Q = call.outputs[0].shape[3];
    double *out = calloc(call.outputs[0].size, sizeof *out);
    double *dx = calloc(call.inputs[0].size, sizeof *dx);
    for (size_t o = 0; o < call.outputs[0].size; o++) {
        size_t start = (o / Q / P * g->H + o / Q % P * g->stride) * g->W + o % Q * g->stride;
        size_t best = first_largest(g, &call.inputs[0], start);
        out[o] = element(&call.inputs[0], best);
        dx[best] += element(&back.inputs[0], o);
    }
    assert_same(&call.outputs[0], out, g, "out");
    assert_same(&back.outputs[0], dx, g, "dx");
    free(out);
    free(dx);
    layers_call_clear(&back);
    layers_call_clear(&call);
}

static void check_both(geometry g, layers_pool *threads) {
    if (g.R > g.H || g.S > g.W)
        return;
    check_geometry(&g, LAYERS_F64, threads);
    check_geometry(&g, LAYERS_F32, threads);
}

Test(max_pool, is_that_of_plain_loops) {
    for (size_t size = 1; size < 5; size++)
        for (size_t stride = 1; stride < 5; stride++)
            for (size_t W = size; W < 45; W += 1 + W / 20)
                check_both((geometry){1 + W % 3, 2, 1 + W % 7, W, size, size, stride}, NULL);
}

Test(max_pool, is_that_of_plain_loops_where_windows_are_large) {
    static const size_t heights[] = {1, 5, 16, 40}, widths[] = {1, 7, 16, 17, 33, 64, 70};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 7; j++)
            for (size_t stride = 1; stride < 20; stride += 5)
                check_both((geometry){2, 1, 42, 71, heights[i], widths[j], stride}, NULL);
    check_both((geometry){1, 1, 300, 301, 257, 256, 11}, NULL); /* indices of four bytes */
}

Test(max_pool, is_that_of_plain_loops_with_threads) {
    layers_pool *threads = layers_pool_make(2, NULL);
    for (size_t size = 2; size < 5; size++)
        for (size_t stride = 1; stride < 4; stride++)
            check_both((geometry){3, 40, 33, 34, size, size, stride}, threads);
    for (size_t size = 2; size < 4; size++) /* rows shorter than a vector, in several pieces */
        for (size_t W = size; W < 9; W++)
            check_both((geometry){60, 60, 9, W, size, size, 2}, threads);
    layers_pool_free(threads);
}
