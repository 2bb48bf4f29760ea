/* The corners of dropout: nothing to drop, the ends of p, NaN and the infinities, seeds, and masks
 * of every kind. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "unit/calls.h"

enum { TRAIN, TEST };

static void set_dropout(layers_call *call, double p, int mode, double seed) {
    call->params[0] = (layers_value){.given = true, .number = p};
    call->params[1] = (layers_value){.given = true, .choice = mode};
    call->params[2] = (layers_value){.given = true, .number = seed};
}

Test(edges, rank_0_and_rank_32_pass_through) {
    size_t ones[LAYERS_MAX_RANK];
    for (int i = 0; i < LAYERS_MAX_RANK; i++)
        ones[i] = 1;
    ones[30] = 2;
    static const char *const layers[] = {"relu", "dropout"};
    for (int rank = 0; rank <= LAYERS_MAX_RANK; rank += LAYERS_MAX_RANK)
        for (int l = 0; l < 2; l++) {
            layers_call call = forward_of(layers[l], LAYERS_F64, ones, rank, VALUES(3, 4));
            if (l == 1)
                set_dropout(&call, 1, TRAIN, 5);
            run(&call);
            assert_shape(&call.outputs[0], ones, rank, "out");
            assert_values(&call.outputs[0], VALUES(3, 4), rank ? 2 : 1, 0, 0, "out");
            layers_call back = backward_from(&call, ones, rank, VALUES(-5, 6));
            run(&back);
            assert_shape(&back.outputs[0], ones, rank, "dx");
            assert_values(&back.outputs[0], VALUES(-5, 6), rank ? 2 : 1, 0, 0, "dx");
            layers_call_clear(&back);
            layers_call_clear(&call);
        }
}

Test(edges, dropout_of_nothing) {
    layers_call call = forward_of("dropout", LAYERS_F64, SHAPE(0), NULL);
    set_dropout(&call, 0.5, TRAIN, 1);
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(0), "out");
    layers_call_clear(&call);
}

/* numpy.random.seed(0); numpy.random.rand(8) < 0.6 is 1 0 0 1 1 0 1 0. */
Test(edges, dropout_is_x_times_mask_over_p) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        layers_call call = forward_of("dropout", dtype, SHAPE(2, 4),
                                      VALUES(3, 6, INFINITY, INFINITY, NAN, NAN, -6, -6));
        set_dropout(&call, 0.6, TRAIN, 0);
        run(&call);
        double eps = dtype == LAYERS_F64 ? 1e-15 : 1e-7;
        assert_values(&call.outputs[0], VALUES(5, 0, NAN, INFINITY, NAN, NAN, -10, 0), 8, eps, 0,
                      "out");
        layers_call back =
            backward_from(&call, SHAPE(2, 4), VALUES(0.6, 0.6, 1.2, 1.2, INFINITY, INFINITY, 0, 1));
        run(&back);
        assert_values(&back.outputs[0], VALUES(1, 0, 0, 2, INFINITY, NAN, 0, 0), 8, eps, 0, "dx");
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

Test(edges, dropout_of_a_tiny_p_drops_all_and_gives_no_nan) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        layers_call call = forward_of("dropout", dtype, SHAPE(3), VALUES(1, -2, 3));
        set_dropout(&call, 5e-324, TRAIN, 9);
        run(&call);
        assert_values(&call.outputs[0], VALUES(0, 0, 0), 3, 0, 0, "out");
        layers_call_clear(&call);
    }
}

/* Where 1 / p is infinite, x / p need not be. Such a p keeps an element about never: the mask is
 * set here. */
Test(edges, dropout_divides_by_a_p_without_an_inverse) {
    static const double dout[] = {0, 1e-5, -2e-3, 1, INFINITY, NAN, 1e-40, -0.0};
    static const double zeros[65], p[] = {5e-324, 1e-310, 5.5e-309, 5.6e-309, 1e-45, 1e-38, 0.3};
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
            layers_call call = forward_of("dropout", dtype, SHAPE(65), zeros);
            set_dropout(&call, p[i], TRAIN, 9);
            run(&call);
            memset(call.cache->saved[0].data, 0xff, 9);
            layers_call back = backward_from(&call, SHAPE(65), zeros);
            double want[65];
            for (size_t e = 0; e < 65; e++) {
                set_element(&back.inputs[0], e, dout[e % 8]);
                want[e] = element(&back.inputs[0], e) / p[i];
                want[e] = dtype == LAYERS_F32 ? (float)want[e] : want[e];
            }
            run(&back);
            assert_values(&back.outputs[0], want, 65, dtype == LAYERS_F32 ? 1.2e-7 : 3e-16, 0,
                          "dx");
            layers_call_clear(&back);
            layers_call_clear(&call);
        }
}

Test(edges, dropout_in_test_mode_is_x_itself) {
    static const double x[] = {1, -0.0, INFINITY, NAN, 1e-310};
    layers_call call = forward_of("dropout", LAYERS_F64, SHAPE(5), x);
    set_dropout(&call, 0.5, TEST, 3);
    run(&call);
    assert_values(&call.outputs[0], x, 5, 0, 0, "out");
    cr_assert(signbit(element(&call.outputs[0], 1)));
    layers_call back = backward_from(&call, SHAPE(5), x);
    run(&back);
    assert_values(&back.outputs[0], x, 5, 0, 0, "dx");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(edges, dropout_gives_back_the_seed_it_drew) {
    static const double ones[200] = {[0 ... 199] = 1};
    layers_call call = forward_of("dropout", LAYERS_F64, SHAPE(200), ones);
    set_dropout(&call, 0.5, TRAIN, 0);
    call.params[2] = (layers_value){0};
    run(&call);
    cr_assert(call.params[2].given);
    layers_call again = forward_of("dropout", LAYERS_F64, SHAPE(200), ones);
    set_dropout(&again, 0.5, TRAIN, call.params[2].number);
    run(&again);
    cr_assert(memcmp(call.outputs[0].data, again.outputs[0].data, sizeof ones) == 0);
    layers_call_clear(&again);
    layers_call_clear(&call);
}

/* A call with a mask of its own, of a dtype that need not be the call's. */
static layers_call masked(layers_dtype dtype, const layers_tensor *mask, const double *x) {
    layers_call call = forward_of("dropout", dtype, mask->shape, mask->rank, x);
    set_dropout(&call, 0.5, TRAIN, 0);
    call.params[2] = (layers_value){0};
    call.params[3].tensor = layers_tensor_share(mask);
    return call;
}

static const layers_dtype mask_dtypes[] = {LAYERS_U8, LAYERS_I64, LAYERS_F64, LAYERS_F32};

Test(edges, dropout_takes_a_mask_in_the_place_of_a_seed) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++)
        for (int i = 0; i < 4; i++) {
            layers_tensor mask = tensor_of(mask_dtypes[i], SHAPE(2, 2), VALUES(1, 0, 0, 1));
            layers_call call = masked(dtype, &mask, VALUES(3, -4, INFINITY, 1));
            run(&call);
            assert_values(&call.outputs[0], VALUES(6, 0, NAN, 2), 4, 0, 0, "out");
            cr_assert(!call.params[2].given, "a seed was drawn");
            layers_call back = backward_from(&call, SHAPE(2, 2), VALUES(1, 2, 3, 4));
            run(&back);
            assert_values(&back.outputs[0], VALUES(2, 0, 0, 8), 4, 0, 0, "dx");
            layers_call_clear(&back);
            layers_call_clear(&call);
            layers_tensor_clear(&mask);
        }
}

/* Past the flags that are read at a time and the piece of a thread, with a last byte that is not
 * full. */
Test(edges, dropout_takes_a_mask_of_any_length) {
    static const size_t sizes[] = {0, 1, 7, 63, 64, 65, 511, 513, 1030, (1 << 14) + 3, 50001};
    layers_pool *pool = layers_pool_make(2, NULL);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int i = 0; i < 4; i++) {
            uint64_t seed = sizes[s];
            layers_tensor mask = tensor_make(mask_dtypes[i], SHAPE(sizes[s]));
            for (size_t e = 0; e < mask.size; e++)
                set_element(&mask, e, uniform(&seed) < 0.3);
            double *ones = calloc(sizes[s] + 1, sizeof *ones);
            for (size_t e = 0; e < sizes[s]; e++)
                ones[e] = 1;
            layers_call call = masked(LAYERS_F64, &mask, ones);
            call.pool = pool;
            run(&call);
            cr_assert(!call.params[2].given, "a seed was drawn");
            for (size_t e = 0; e < mask.size; e++)
                cr_assert(element(&call.outputs[0], e) == 2 * element(&mask, e), "%zu of %zu", e,
                          sizes[s]);
            const uint8_t *bits = call.cache->saved[0].data;
            cr_assert(sizes[s] % 8 == 0 || bits[sizes[s] / 8] >> sizes[s] % 8 == 0,
                      "bits past the last of %zu", sizes[s]);
            free(ones);
            layers_call_clear(&call);
            layers_tensor_clear(&mask);
        }
    layers_pool_free(pool);
}

Test(edges, dropout_checks_a_mask_in_test_mode_and_does_not_use_it) {
    layers_tensor mask = tensor_of(LAYERS_F64, SHAPE(3), VALUES(1, 0, 0));
    layers_call call = masked(LAYERS_F64, &mask, VALUES(1, 2, 3));
    call.params[1].choice = TEST;
    run(&call);
    assert_values(&call.outputs[0], VALUES(1, 2, 3), 3, 0, 0, "out");
    layers_call back = backward_from(&call, SHAPE(3), VALUES(4, 5, 6));
    run(&back);
    assert_values(&back.outputs[0], VALUES(4, 5, 6), 3, 0, 0, "dx");
    set_element(&mask, 1, 0.5);
    assert_refused(&call, LAYERS_INVALID_PARAM, "dropout_param/mask/1", "0.5", "0 or 1");
    layers_call_clear(&back);
    layers_call_clear(&call);
    layers_tensor_clear(&mask);
}

Test(edges, dropout_refuses_a_mask_of_other_numbers_where_the_first_stands) {
    static const double x[3 * 400], others[] = {0.5, 2, -1, 5e-324, 1 + 0x1p-52, NAN, INFINITY};
    layers_tensor mask = tensor_of(LAYERS_F64, SHAPE(3, 400), x);
    layers_call call = masked(LAYERS_F64, &mask, x);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        set_element(&mask, 2 * 400 + 399, others[i]);
        assert_refused(&call, LAYERS_INVALID_PARAM, "dropout_param/mask/2/399", "must be 0 or 1",
                       "dropout_param/mask/2/399 is");
        set_element(&mask, 0, others[i]);
        assert_refused(&call, LAYERS_INVALID_PARAM, "dropout_param/mask/0/0", "", "0 or 1");
        set_element(&mask, 0, -0.0);
    }
    layers_call_clear(&call);
    layers_tensor_clear(&mask);
    mask = tensor_of(LAYERS_U8, SCALAR, VALUES(255));
    call = masked(LAYERS_F32, &mask, x);
    assert_refused(&call, LAYERS_INVALID_PARAM, "dropout_param/mask", "mask is 255", "0 or 1");
    layers_call_clear(&call);
    layers_tensor_clear(&mask);
}

Test(edges, dropout_with_a_mask_may_run_again) {
    layers_tensor mask = tensor_of(LAYERS_U8, SHAPE(3), VALUES(1, 0, 1));
    layers_call call = masked(LAYERS_F64, &mask, VALUES(1, 2, 3));
    for (int i = 0; i < 2; i++) {
        run(&call);
        assert_values(&call.outputs[0], VALUES(2, 0, 6), 3, 0, 0, "out");
    }
    layers_tensor_clear(&call.params[3].tensor);
    run(&call);
    cr_assert(call.params[2].given, "no seed was drawn where there was no mask");
    layers_call_clear(&call);
    layers_tensor_clear(&mask);
}

/* The course's check: 500 x 500 about 10; the mean stays, and 1 - p of the elements are 0. */
Test(edges, dropout_keeps_the_mean_as_the_course_checks) {
    uint64_t seed = 231;
    static const double ps[] = {0.25, 0.4, 0.7};
    layers_tensor x = tensor_random(LAYERS_F64, SHAPE(500, 500), &seed, 8, 12);
    for (size_t i = 0; i < 3; i++) {
        layers_call call = call_of("dropout", "forward", LAYERS_F64);
        call.inputs[0] = layers_tensor_share(&x);
        set_dropout(&call, ps[i], TRAIN, 231);
        run(&call);
        double sum = 0, zeros = 0;
        for (size_t e = 0; e < x.size; e++) {
            sum += element(&call.outputs[0], e);
            zeros += element(&call.outputs[0], e) == 0;
        }
        cr_assert(is_close(sum / 250000, 10, 0, 0.1), "mean %g at p = %g", sum / 250000, ps[i]);
        cr_assert(is_close(zeros / 250000, 1 - ps[i], 0, 0.01), "%g zeros", zeros / 250000);
        layers_call_clear(&call);
    }
    layers_tensor_clear(&x);
}
