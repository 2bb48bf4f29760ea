/* layernorm, spatial_batchnorm and spatial_groupnorm on data that are hard to normalise, against
 * plain formulas in long double; and their corners. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/calls.h"

TestSuite(norms);

enum { N = 6, C = 4, H = 5, W = 9, PLANE = H * W, GROUPS = 2, SIZE = N * C * PLANE };

/* Which set an element of (N, C, H, W) is normalised in, and which gamma and beta it has. layernorm
 * takes an example as its row. */
typedef struct {
    const char *layer;
    size_t sets, gammas;
    size_t (*set)(size_t i);
    size_t (*gamma)(size_t i);
} norm;

static size_t example_of(size_t i) {
    return i / (C * PLANE);
}
static size_t feature_of(size_t i) {
    return i % (C * PLANE);
}
static size_t channel_of(size_t i) {
    return i / PLANE % C;
}
static size_t group_of(size_t i) {
    return i / (C / GROUPS * PLANE);
}

static const norm norms[] = {
    {"layernorm", N, C *PLANE, example_of, feature_of},
    {"spatial_batchnorm", C, C, channel_of, channel_of},
    {"spatial_groupnorm", N *GROUPS, C, group_of, channel_of},
};

#define EACH_NORM(n) for (const norm *n = norms; n < norms + sizeof norms / sizeof *norms; n++)

static layers_call forward_call(const norm *n, layers_dtype dtype, const double *x) {
    bool rows = n->gammas == C * PLANE;
    layers_call call = call_of(n->layer, "forward", dtype);
    uint64_t seed = 3;
    call.inputs[0] =
        rows ? tensor_of(dtype, SHAPE(N, C * PLANE), x) : tensor_of(dtype, SHAPE(N, C, H, W), x);
    call.inputs[1] = tensor_random(dtype, SHAPE(n->gammas), &seed, 0.5, 2);
    call.inputs[2] = tensor_random(dtype, SHAPE(n->gammas), &seed, -1, 1);
    if (!rows) /* mode: train, or groups */
        call.params[0] = (layers_value){.given = true, .number = GROUPS};
    return call;
}

/* In long double, of what the call has in its dtype. */
typedef struct {
    long double first, mean; /* the mean is their sum */
    long double inv_std, shift, slope;
    size_t count;
} statistics;

static long double xhat_of(const statistics *s, double x) {
    return (x - s->first - s->mean) * s->inv_std;
}

static void statistics_of(const norm *n, const layers_tensor *x, statistics *of) {
    memset(of, 0, n->sets * sizeof *of);
    for (size_t i = 0; i < SIZE; i++)
        if (of[n->set(i)].count++ == 0)
            of[n->set(i)].first = element(x, i);
    for (size_t i = 0; i < SIZE; i++) {
        statistics *s = &of[n->set(i)];
        s->mean += (element(x, i) - s->first) / s->count;
    }
    for (size_t i = 0; i < SIZE; i++) {
        statistics *s = &of[n->set(i)];
        long double distance = element(x, i) - s->first - s->mean;
        s->inv_std += distance * distance / s->count;
    }
    for (size_t s = 0; s < n->sets; s++)
        of[s].inv_std = 1 / sqrtl(of[s].inv_std + 1e-5);
}

static void expect_near(const layers_tensor *got, size_t i, long double want, double bound,
                        const char *about, const char *what) {
    double rounding = got->dtype == LAYERS_F64 ? 0x1p-53 : 0x1p-24;
    cr_assert(fabsl(element(got, i) - want) <= rounding * bound, "%s: %s[%zu] is %.17g, not %.17Lg",
              about, what, i, element(got, i), want);
}

/* Distances are exact but for what the mean is rounded by: bounds are of a few roundings of what
 * stands in the formulas. */
static void check(const norm *n, layers_dtype dtype, const double *data, const char *kind) {
    char about[96];
    statistics of[N * GROUPS + N];
    layers_call call = forward_call(n, dtype, data);
    const layers_tensor *x = &call.inputs[0], *gamma = &call.inputs[1], *beta = &call.inputs[2];
    snprintf(about, sizeof about, "%s of %s in %s", n->layer, kind, layers_dtype_name(dtype));
    statistics_of(n, x, of);
    run(&call);
    uint64_t seed = 9;
    layers_call back = call_of(n->layer, "backward", dtype);
    back.inputs[0] = tensor_random(dtype, x->shape, x->rank, &seed, -1, 1);
    back.cache = layers_cache_ref(call.cache);
    run(&back);
    const layers_tensor *dout = &back.inputs[0];
    long double dgamma[C * PLANE] = {0}, dbeta[C * PLANE] = {0};
    for (size_t i = 0; i < SIZE; i++) {
        statistics *s = &of[n->set(i)];
        size_t k = n->gamma(i);
        long double xhat = xhat_of(s, element(x, i)), g = element(gamma, k);
        expect_near(&call.outputs[0], i, xhat * g + element(beta, k),
                    8 * (1 + 2 * (double)fabsl(xhat)), about, "out");
        s->shift += g * element(dout, i) / s->count;
        s->slope += g * element(dout, i) * xhat / s->count;
        dgamma[k] += element(dout, i) * xhat;
        dbeta[k] += element(dout, i);
    }
    for (size_t i = 0; i < SIZE; i++) {
        const statistics *s = &of[n->set(i)];
        long double xhat = xhat_of(s, element(x, i));
        long double g = element(gamma, n->gamma(i)) * element(dout, i);
        expect_near(&back.outputs[0], i, (g - s->shift - xhat * s->slope) * s->inv_std,
                    16 * (double)(s->inv_std * (2 + fabsl(xhat))), about, "dx");
    }
    for (size_t k = 0; k < n->gammas; k++) {
        expect_near(&back.outputs[1], k, dgamma[k], 8 * (1 + (double)fabsl(dgamma[k])) + 64, about,
                    "dgamma");
        expect_near(&back.outputs[2], k, dbeta[k], 8 * (1 + (double)fabsl(dbeta[k])), about,
                    "dbeta");
    }
    layers_call_clear(&back);
    layers_call_clear(&call);
}

static void check_all(const double *data, const char *kind, bool narrow) {
    EACH_NORM(n) {
        check(n, LAYERS_F64, data, kind);
        if (narrow)
            check(n, LAYERS_F32, data, kind);
    }
}

static void spread(double *data, double mean, double width) {
    uint64_t seed = 17;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = mean + width * (2 * uniform(&seed) - 1);
}

Test(norms, hold_on_hard_data) {
    double data[SIZE];
    spread(data, 0, 1);
    check_all(data, "a unit's spread", true);
    spread(data, 1e4, 1);
    check_all(data, "mean 1e4, spread 1", true);
    spread(data, -12345.678, 1e-3);
    check_all(data, "mean -12345.678, spread 1e-3", true);
    spread(data, 1e8, 8);
    check_all(data, "mean 1e8, spread 8", true);
    spread(data, 1e12, 1e-2);
    check_all(data, "mean 1e12, spread 0.01", false);
    spread(data, 1e12, 1e-2);
    for (size_t i = 0; i < 8; i++) /* far from all others, and first */
        data[i] = data[SIZE / 2 + i] = 0;
    check_all(data, "a few far ones", false);
    spread(data, 0, 1e-30);
    check_all(data, "tiny numbers", true);
    spread(data, 0, 1e30);
    check_all(data, "large numbers", true);
    spread(data, 0, 1e300);
    check_all(data, "the largest numbers", false);
    spread(data, 1e300, 1e298);
    check_all(data, "the largest numbers, far from 0", false);
}

/* 12345.678 is no sum of few powers of two in either dtype. */
Test(norms, equal_numbers_give_beta) {
    double data[SIZE];
    static const double values[] = {12345.678, 0.1, -3e16, 1e-40, 1.7e308};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++)
        EACH_NORM(n)
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        if (dtype == LAYERS_F32 && fabs(values[v]) > FLT_MAX)
            continue;
        for (size_t i = 0; i < SIZE; i++)
            data[i] = values[v];
        layers_call call = forward_call(n, dtype, data);
        run(&call);
        for (size_t i = 0; i < SIZE; i++)
            cr_assert(element(&call.outputs[0], i) == element(&call.inputs[2], n->gamma(i)),
                      "%s of %g: out[%zu] is %.17g, not beta", n->layer, values[v], i,
                      element(&call.outputs[0], i));
        layers_call_clear(&call);
    }
}

Test(norms, nan_stays_in_its_set) {
    double data[SIZE];
    EACH_NORM(n) {
        spread(data, 0, 1);
        data[SIZE / 2 + 1] = NAN;
        data[3] = INFINITY;
        layers_call call = forward_call(n, LAYERS_F64, data);
        run(&call);
        for (size_t i = 0; i < SIZE; i++) {
            bool spoilt = n->set(i) == n->set(3) || n->set(i) == n->set(SIZE / 2 + 1);
            cr_assert(isnan(element(&call.outputs[0], i)) == spoilt, "%s: out[%zu] is %g", n->layer,
                      i, element(&call.outputs[0], i));
        }
        layers_call_clear(&call);
    }
}

Test(norms, running_statistics_move) {
    layers_call call =
        forward_of("spatial_batchnorm", LAYERS_F64, SHAPE(2, 1, 1, 2), VALUES(1, 3, 5, 7));
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(1), VALUES(2));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(1), VALUES(1));
    call.params[0].given = true; /* train */
    call.params[1] = (layers_value){.given = true, .number = 4};
    call.params[3].tensor = tensor_of(LAYERS_F64, SHAPE(1), VALUES(10));
    run(&call); /* mean 4, variance 5 */
    assert_values(&call.outputs[0], VALUES(-1, 1. / 3, 5. / 3, 3), 4, 1e-15, 0, "out");
    assert_values(&call.params[3].tensor, VALUES(9.4), 1, 1e-15, 0, "running_mean");
    assert_values(&call.params[4].tensor, VALUES(0.5), 1, 1e-15, 0, "running_var");
    call.params[0].choice = 1; /* test, by these */
    run(&call);
    assert_values(&call.outputs[0],
                  VALUES(1 + 2 * (1 - 9.4) / sqrt(4.5), 1 + 2 * (3 - 9.4) / sqrt(4.5),
                         1 + 2 * (5 - 9.4) / sqrt(4.5), 1 + 2 * (7 - 9.4) / sqrt(4.5)),
                  4, 1e-15, 0, "out");
    layers_call_clear(&call);
}

/* By what it has no part in, a mean of 1e8 cannot be folded into the shift. */
Test(norms, test_mode_subtracts_the_mean_first) {
    layers_call call =
        forward_of("spatial_batchnorm", LAYERS_F32, SHAPE(1, 1, 1, 2), VALUES(1e8, 1e8));
    call.inputs[1] = tensor_of(LAYERS_F32, SHAPE(1), VALUES(3));
    call.inputs[2] = tensor_of(LAYERS_F32, SHAPE(1), VALUES(6));
    call.params[0] = (layers_value){.given = true, .choice = 1};
    call.params[3].tensor = tensor_of(LAYERS_F32, SHAPE(1), VALUES(1e8));
    run(&call);
    assert_values(&call.outputs[0], VALUES(6, 6), 2, 0, 0, "out");
    layers_call_clear(&call);
}

Test(norms, of_nothing) {
    layers_call call = forward_of("spatial_batchnorm", LAYERS_F64, SHAPE(2, 1, 0, 3), NULL);
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(1), VALUES(3));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(1), VALUES(6));
    call.params[0].given = true;
    assert_refused(&call, LAYERS_INVALID_SHAPE, "x", "N · H · W = 0", "spatial_batchnorm/forward");
    layers_call_clear(&call);
    call = forward_of("layernorm", LAYERS_F64, SHAPE(0, 2), NULL);
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(2), VALUES(3, 3));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(2), VALUES(6, 6));
    run(&call);
    layers_call back = backward_from(&call, SHAPE(0, 2), NULL);
    run(&back);
    assert_values(&back.outputs[1], VALUES(0, 0), 2, 0, 0, "dgamma");
    layers_call_clear(&back);
    layers_call_clear(&call);
    call = forward_of("layernorm", LAYERS_F64, SHAPE(2, 0), NULL);
    call.inputs[1] = tensor_make(LAYERS_F64, SHAPE(0));
    call.inputs[2] = tensor_make(LAYERS_F64, SHAPE(0));
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(2, 0), "out");
    layers_call_clear(&call);
    call = forward_of("spatial_groupnorm", LAYERS_F64, SHAPE(2, 2, 0, 1), NULL);
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(2), VALUES(3, 3));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(2), VALUES(6, 6));
    call.params[0] = (layers_value){.given = true, .number = 2};
    run(&call);
    back = backward_from(&call, SHAPE(2, 2, 0, 1), NULL);
    run(&back);
    assert_values(&back.outputs[2], VALUES(0, 0), 2, 0, 0, "dbeta");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(norms, groups_divide_the_channels) {
    layers_call call =
        forward_of("spatial_groupnorm", LAYERS_F64, SHAPE(1, 3, 1, 1), VALUES(1, 2, 3));
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(3), VALUES(1, 1, 1));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(3), VALUES(4, 5, 6));
    call.params[0] = (layers_value){.given = true, .number = 2};
    assert_refused(&call, LAYERS_INVALID_PARAM, "gn_param/groups", "groups is 2", "channels, 3");
    call.params[0].number = 4;
    assert_refused(&call, LAYERS_INVALID_PARAM, "gn_param/groups", "groups is 4", "channels, 3");
    call.inputs[0].shape[1] = call.inputs[1].shape[0] = call.inputs[2].shape[0] = 0;
    call.inputs[0].size = call.inputs[1].size = call.inputs[2].size = 0;
    call.params[0].number = 0x1p52; /* of no channels there is one group */
    assert_refused(&call, LAYERS_INVALID_PARAM, "gn_param/groups", "must divide", "channels, 0");
    call.inputs[0].shape[1] = call.inputs[1].shape[0] = call.inputs[2].shape[0] = 3;
    call.inputs[0].size = call.inputs[1].size = call.inputs[2].size = 3;
    call.params[0].number = 3; /* one number each */
    run(&call);
    assert_values(&call.outputs[0], VALUES(4, 5, 6), 3, 0, 0, "out");
    layers_call_clear(&call);
}

/* Forward and backward of an example of a call, or of all. */
typedef struct {
    layers_call forward, backward;
} both_ways;

static both_ways both_of(const layers_call *model, const layers_tensor *x,
                         const layers_tensor *dout) {
    both_ways both = {over_again(model), call_of(model->operation->layer, "backward", x->dtype)};
    layers_tensor_clear(&both.forward.inputs[0]);
    both.forward.inputs[0] = layers_tensor_share(x);
    run(&both.forward);
    both.backward.inputs[0] = layers_tensor_share(dout);
    both.backward.cache = layers_cache_ref(both.forward.cache);
    run(&both.backward);
    return both;
}

static void both_clear(both_ways *both) {
    layers_call_clear(&both->forward);
    layers_call_clear(&both->backward);
}

/* An example of a tensor, as a tensor. */
static layers_tensor example(const layers_tensor *all, size_t n) {
    layers_tensor one = *all;
    one.shape[0] = 1;
    size_t size = all->size / all->shape[0], bytes;
    layers_dtype_bytes(all->dtype, size, &bytes);
    return layers_tensor_wrap(all->dtype, one.shape, all->rank, (char *)all->data + n * bytes);
}

static void assert_same(const layers_tensor *got, const layers_tensor *want) {
    size_t bytes;
    layers_dtype_bytes(want->dtype, want->size, &bytes);
    cr_assert_eq(got->size, want->size);
    cr_assert_eq(memcmp(got->data, want->data, bytes), 0);
}

static void assert_is_that_of_each(const norm *n, layers_dtype dtype, const size_t *shape,
                                   int rank) {
    double zeros[SIZE] = {0};
    uint64_t seed = 18;
    layers_call model = forward_call(n, dtype, zeros);
    layers_tensor x = tensor_random(dtype, shape, rank, &seed, -5, 40);
    layers_tensor dout = tensor_random(dtype, shape, rank, &seed, -1, 1);
    both_ways all = both_of(&model, &x, &dout);
    for (size_t i = 0; i < shape[0]; i += shape[0] / 3) {
        layers_tensor one_x = example(&x, i), one_dout = example(&dout, i);
        layers_tensor out = example(&all.forward.outputs[0], i),
                      dx = example(&all.backward.outputs[0], i);
        both_ways one = both_of(&model, &one_x, &one_dout);
        assert_same(&out, &one.forward.outputs[0]);
        assert_same(&dx, &one.backward.outputs[0]);
        both_clear(&one);
    }
    both_clear(&all);
    layers_tensor_clear(&x);
    layers_tensor_clear(&dout);
    layers_call_clear(&model);
}

/* Results that the caches do not hold are stored otherwise than small ones. */
Test(norms, of_many_examples_is_that_of_each) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        assert_is_that_of_each(&norms[0], dtype, SHAPE(23302, C * PLANE));
        assert_is_that_of_each(&norms[2], dtype, SHAPE(502, C, 46, 46));
    }
}
