/* The corners of batchnorm: no rows, equal numbers, the smallest steps, the ends of the number
 * range, NaN and the infinities; and what the course checks of it. */
#include <float.h>
#include <math.h>

#include "unit/calls.h"

TestSuite(batchnorm);

enum { TRAIN, TEST };

static layers_call batchnorm(layers_dtype dtype, size_t N, size_t D, const double *x, int mode) {
    layers_call call = forward_of("batchnorm", dtype, SHAPE(N, D), x);
    call.inputs[1] = tensor_make(dtype, SHAPE(D));
    call.inputs[2] = tensor_make(dtype, SHAPE(D));
    for (size_t d = 0; d < D; d++) {
        set_element(&call.inputs[1], d, 1);
        set_element(&call.inputs[2], d, 0);
    }
    call.params[0] = (layers_value){.given = true, .choice = mode};
    return call;
}

Test(batchnorm, of_one_row_is_beta) {
    layers_call call = batchnorm(LAYERS_F64, 1, 2, VALUES(5, -3), TRAIN);
    set_element(&call.inputs[2], 0, 7);
    run(&call);
    assert_values(&call.outputs[0], VALUES(7, 0), 2, 0, 0, "out");
    assert_values(&call.params[3].tensor, VALUES(0.5, -0.3), 2, 1e-15, 0, "running_mean");
    assert_values(&call.params[4].tensor, VALUES(0, 0), 2, 0, 0, "running_var");
    layers_call back = backward_from(&call, SHAPE(1, 2), VALUES(3, 4));
    run(&back);
    assert_values(&back.outputs[0], VALUES(0, 0), 2, 0, 0, "dx");
    assert_values(&back.outputs[1], VALUES(0, 0), 2, 0, 0, "dgamma");
    assert_values(&back.outputs[2], VALUES(3, 4), 2, 0, 0, "dbeta");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(batchnorm, in_train_mode_needs_rows) {
    layers_call call = batchnorm(LAYERS_F64, 0, 2, NULL, TRAIN);
    assert_refused(&call, LAYERS_INVALID_SHAPE, "x", "no rows", "batchnorm/forward");
    layers_call_clear(&call);
}

Test(batchnorm, in_test_mode_takes_no_rows) {
    layers_call call = batchnorm(LAYERS_F64, 0, 2, NULL, TEST);
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(0, 2), "out");
    layers_call back = backward_from(&call, SHAPE(0, 2), NULL);
    run(&back);
    assert_values(&back.outputs[1], VALUES(0, 0), 2, 0, 0, "dgamma");
    assert_values(&back.outputs[2], VALUES(0, 0), 2, 0, 0, "dbeta");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(batchnorm, of_no_features) {
    layers_call call = batchnorm(LAYERS_F64, 3, 0, NULL, TRAIN);
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(3, 0), "out");
    assert_shape(&call.params[3].tensor, SHAPE(0), "running_mean");
    layers_call_clear(&call);
}

Test(batchnorm, in_test_mode_moves_nothing) {
    layers_call call = batchnorm(LAYERS_F64, 2, 1, VALUES(1, 5), TEST);
    call.params[1] = (layers_value){.given = true, .number = 1};
    call.params[3].tensor = tensor_of(LAYERS_F64, SHAPE(1), VALUES(3));
    call.params[4].tensor = tensor_of(LAYERS_F64, SHAPE(1), VALUES(3));
    run(&call);
    assert_values(&call.outputs[0], VALUES(-1, 1), 2, 1e-15, 0, "out");
    assert_values(&call.params[3].tensor, VALUES(3), 1, 0, 0, "running_mean");
    assert_values(&call.params[4].tensor, VALUES(3), 1, 0, 0, "running_var");
    layers_call back = backward_from(&call, SHAPE(2, 1), VALUES(10, 20));
    run(&back);
    assert_values(&back.outputs[0], VALUES(5, 10), 2, 1e-15, 0, "dx");
    assert_values(&back.outputs[1], VALUES(10), 1, 1e-15, 0, "dgamma");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(batchnorm, with_momentum_0_remembers_the_last_batch_alone) {
    layers_call call = batchnorm(LAYERS_F64, 2, 1, VALUES(1, 5), TRAIN);
    call.params[2] = (layers_value){.given = true, .number = 0};
    call.params[3].tensor = tensor_of(LAYERS_F64, SHAPE(1), VALUES(100));
    layers_tensor callers = layers_tensor_share(&call.params[3].tensor);
    run(&call);
    assert_values(&call.params[3].tensor, VALUES(3), 1, 0, 0, "running_mean");
    assert_values(&call.params[4].tensor, VALUES(4), 1, 0, 0, "running_var");
    assert_values(&callers, VALUES(100), 1, 0, 0, "the caller's running_mean");
    layers_tensor_clear(&callers);
    layers_call_clear(&call);
}

Test(batchnorm, of_small_steps_on_a_large_offset_loses_nothing) {
    static const double x[] = {1e8 - 1, 1e8 + 1, 1e8 - 1, 1e8 + 1};
    layers_call call = batchnorm(LAYERS_F64, 4, 1, x, TRAIN);
    run(&call);
    double y = 1 / sqrt(1 + 1e-5);
    assert_values(&call.outputs[0], VALUES(-y, y, -y, y), 4, 1e-14, 0, "out");
    assert_values(&call.params[4].tensor, VALUES(0.1), 1, 1e-14, 0, "running_var");
    layers_call_clear(&call);
    /* float32 has steps of 8 there, which it represents exactly */
    static const double wide[] = {1e8 - 8, 1e8 + 8, 1e8 - 8, 1e8 + 8};
    call = batchnorm(LAYERS_F32, 4, 1, wide, TRAIN);
    run(&call);
    assert_values(&call.outputs[0], VALUES(-1, 1, -1, 1), 4, 1e-6, 0, "out");
    assert_values(&call.params[4].tensor, VALUES(6.4), 1, 1e-6, 0, "running_var");
    layers_call_clear(&call);
}

Test(batchnorm, spreads_nan_within_its_feature_only) {
    layers_call call = batchnorm(LAYERS_F64, 2, 3, VALUES(1, NAN, INFINITY, 5, 0, 0), TRAIN);
    run(&call);
    double y = 2 / sqrt(4 + 1e-5);
    assert_values(&call.outputs[0], VALUES(-y, NAN, NAN, y, NAN, NAN), 6, 1e-14, 0, "out");
    layers_call_clear(&call);
}

Test(batchnorm, takes_the_smallest_eps) {
    layers_call call = batchnorm(LAYERS_F64, 2, 1, VALUES(2, 2), TRAIN);
    call.params[1] = (layers_value){.given = true, .number = 0x1p-1074};
    run(&call);
    assert_values(&call.outputs[0], VALUES(0, 0), 2, 0, 0, "out");
    layers_call_clear(&call);
}

Test(batchnorm, of_equal_numbers_is_beta_and_has_the_variance_0) {
    static const double numbers[] = {33333333333333.332, 0.1, -1e300, DBL_MAX, 0x1p-1074};
    static const size_t counts[] = {2, 5, 11, 300};
    for (size_t i = 0; i < 20; i++) {
        enum { MOST = 300 };
        double x[MOST], dout[MOST], number = numbers[i % 5];
        size_t N = counts[i / 5];
        for (size_t n = 0; n < N; n++) {
            x[n] = number;
            dout[n] = (double)n;
        }
        layers_call call = batchnorm(LAYERS_F64, N, 1, x, TRAIN);
        call.params[2] = (layers_value){.given = true, .number = 0};
        set_element(&call.inputs[2], 0, 7);
        run(&call);
        for (size_t n = 0; n < N; n++)
            cr_assert(element(&call.outputs[0], n) == 7, "%zu of %g: out is %.17g", N, number,
                      element(&call.outputs[0], n));
        assert_values(&call.params[3].tensor, &number, 1, 0, 0, "running_mean");
        assert_values(&call.params[4].tensor, VALUES(0), 1, 0, 0, "running_var");
        layers_call back = backward_from(&call, SHAPE(N, 1), dout);
        run(&back);
        double middle = (double)(N - 1) / 2;
        cr_assert(is_close(element(&back.outputs[0], 0), -middle / sqrt(1e-5), 1e-14, 0));
        assert_values(&back.outputs[1], VALUES(0), 1, 0, 0, "dgamma");
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

Test(batchnorm, of_the_smallest_steps_loses_nothing) {
    static const double offset[] = {1e8, 1e12, 1e15}, step[] = {1, 0x1p-7, 0.125};
    for (size_t i = 0; i < 3; i++) {
        double low = offset[i] - step[i], high = offset[i] + step[i];
        layers_call call = batchnorm(LAYERS_F64, 4, 1, VALUES(low, high, high, low), TRAIN);
        call.params[2] = (layers_value){.given = true, .number = 0};
        run(&call);
        double variance = step[i] * step[i], std = sqrt(variance + 1e-5), y = step[i] / std;
        assert_values(&call.outputs[0], VALUES(-y, y, y, -y), 4, 4e-16, 0, "out");
        assert_values(&call.params[4].tensor, &variance, 1, 4e-16, 0, "running_var");
        layers_call back = backward_from(&call, SHAPE(4, 1), VALUES(1, 2, 4, 8));
        run(&back);
        double slope = -3 * y / 4;
        assert_values(&back.outputs[1], VALUES(-3 * y), 1, 4e-16, 0, "dgamma");
        assert_values(&back.outputs[0],
                      VALUES((-2.75 + y * slope) / std, (-1.75 - y * slope) / std,
                             (0.25 - y * slope) / std, (4.25 + y * slope) / std),
                      4, 1e-12, 0, "dx");
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

/* The mean of these is between two numbers of float64, and no distance from it is one of them. */
Test(batchnorm, knows_a_mean_between_two_numbers) {
    double c = 0x1p50, next = c + 0.25;
    layers_call call = batchnorm(LAYERS_F64, 3, 1, VALUES(c, c, next), TRAIN);
    call.params[1] = (layers_value){.given = true, .number = 1e-30};
    run(&call);
    double y = sqrt(0.5);
    assert_values(&call.outputs[0], VALUES(-y, -y, 2 * y), 3, 1e-15, 0, "out");
    layers_call back = backward_from(&call, SHAPE(3, 1), VALUES(1, 2, 3));
    run(&back);
    assert_values(&back.outputs[1], VALUES(3 * y), 1, 1e-15, 0, "dgamma");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

/* Sums, squares and distances of the largest numbers are beyond the dtype, the results are not. */
Test(batchnorm, of_the_largest_numbers_does_not_overflow) {
    static const double most[] = {[LAYERS_F64] = DBL_MAX, [LAYERS_F32] = FLT_MAX};
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        double m = most[dtype], rtol = dtype == LAYERS_F64 ? 1e-15 : 1e-6;
        layers_call call = batchnorm(
            dtype, 5, 3, VALUES(m, m, m, -m, m, -m, -m, m, -m, m, m, -m, 0, m, -m), TRAIN);
        call.params[2] = (layers_value){.given = true, .number = 0};
        set_element(&call.inputs[2], 1, 3);
        run(&call);
        double y = 1 / sqrt(0.8);
        assert_values(&call.outputs[0],
                      VALUES(y, 3, 2, -y, 3, -0.5, -y, 3, -0.5, y, 3, -0.5, 0, 3, -0.5), 15, rtol,
                      0, "out");
        assert_values(&call.params[3].tensor, VALUES(0, m, -0.6 * m), 3, rtol, 0, "running_mean");
        assert_values(&call.params[4].tensor, VALUES(INFINITY, 0, INFINITY), 3, 0, 0,
                      "running_var");
        layers_call back = backward_from(
            &call, SHAPE(5, 3), VALUES(m / 8, 1, 1, -m / 8, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, m / 8));
        run(&back);
        double z = y / 16;
        assert_values(&back.outputs[0],
                      VALUES(z, 0, 0, -z, 0, -0.0390625, z, 0, -0.0390625, -z, 0, -0.0390625, 0, 0,
                             0.1171875),
                      15, rtol, 1e-16, "dx");
        cr_assert(is_close(element(&back.outputs[1], 0), m / 4 * y, rtol, 0));
        cr_assert(is_close(element(&back.outputs[1], 2), -m / 16, rtol, 0));
        cr_assert(is_close(element(&back.outputs[2], 2), m / 8, rtol, 0));
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

/* 1 / sqrt(running_var + eps) is what it is for IEEE: an infinity of 0, NaN below 0. */
Test(batchnorm, in_test_mode_divides_by_the_root_that_there_is) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        layers_call call = batchnorm(dtype, 3, 2, VALUES(0, 0, 1, 1, 2, 2), TEST);
        call.params[1] = (layers_value){.given = true, .number = 0x1p-10};
        call.params[4].tensor = tensor_of(dtype, SHAPE(2), VALUES(-0x1p-10, -0x1p-9));
        run(&call);
        assert_values(&call.outputs[0], VALUES(NAN, NAN, INFINITY, NAN, INFINITY, NAN), 6, 0, 0,
                      "out");
        layers_call back = backward_from(&call, SHAPE(3, 2), VALUES(0, 1, 1, 1, -1, 1));
        run(&back);
        assert_values(&back.outputs[0], VALUES(NAN, NAN, INFINITY, NAN, -INFINITY, NAN), 6, 0, 0,
                      "dx");
        assert_values(&back.outputs[1], VALUES(NAN, NAN), 2, 0, 0, "dgamma");
        assert_values(&back.outputs[2], VALUES(0, 3), 2, 0, 0, "dbeta");
        layers_call_clear(&back);
        set_element(&call.inputs[0], 0, -1);
        run(&call);
        back = backward_from(&call, SHAPE(3, 2), VALUES(-1, 1, 1, 1, 1, 1));
        run(&back);
        assert_values(&back.outputs[1], VALUES(INFINITY, NAN), 2, 0, 0, "dgamma");
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

/* In float32 neither the root nor x times it is; they are in float64. */
Test(batchnorm, takes_an_eps_that_float32_does_not_hold) {
    layers_call call = batchnorm(LAYERS_F32, 2, 1, VALUES(1e-30, 0), TEST);
    call.params[1] = (layers_value){.given = true, .number = 1e-80};
    run(&call);
    assert_values(&call.outputs[0], VALUES(1e10, 0), 2, 1e-6, 0, "out");
    set_element(&call.inputs[0], 0, 1);
    run(&call);
    assert_values(&call.outputs[0], VALUES(INFINITY, 0), 2, 0, 0, "out");
    layers_call_clear(&call);
}

/* As the course checks it: means of beta, standard deviations of gamma. */
Test(batchnorm, has_the_mean_beta_and_the_deviation_gamma) {
    uint64_t seed = 231;
    enum { N = 200, D = 3 };
    layers_call call = call_of("batchnorm", "forward", LAYERS_F64);
    call.inputs[0] = tensor_random(LAYERS_F64, SHAPE(N, D), &seed, -5, 40);
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(D), VALUES(1, 2, 3));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(D), VALUES(11, 12, 13));
    call.params[0].given = true;
    run(&call);
    for (size_t d = 0; d < D; d++) {
        double mean = 0, square = 0;
        for (size_t n = 0; n < N; n++)
            mean += element(&call.outputs[0], n * D + d) / N;
        for (size_t n = 0; n < N; n++)
            square += pow(element(&call.outputs[0], n * D + d) - mean, 2) / N;
        cr_assert(is_close(mean, 11 + (double)d, 1e-12, 0), "mean %.15g", mean);
        cr_assert(is_close(sqrt(square), 1 + (double)d, 1e-6, 0), "deviation %g", sqrt(square));
    }
    layers_call_clear(&call);
}

/* The columns from `first` on of a call of `D`, forward and backward. */
static void assert_has_columns(const layers_call whole[2], size_t N, size_t D, size_t first,
                               layers_dtype dtype) {
    enum { COLUMNS = 3 };
    double *x = malloc(2 * N * COLUMNS * sizeof *x), *dout = x + N * COLUMNS;
    for (size_t i = 0; i < N * COLUMNS; i++) {
        size_t from = i / COLUMNS * D + first + i % COLUMNS;
        x[i] = element(&whole[0].inputs[0], from);
        dout[i] = element(&whole[1].inputs[0], from);
    }
    layers_call part[2] = {batchnorm(dtype, N, COLUMNS, x, TRAIN)};
    run(&part[0]);
    part[1] = backward_from(&part[0], SHAPE(N, COLUMNS), dout);
    run(&part[1]);
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < N * COLUMNS; i++)
            cr_assert_eq(element(&part[way].outputs[0], i),
                         element(&whole[way].outputs[0], i / COLUMNS * D + first + i % COLUMNS));
        layers_call_clear(&part[way]);
    }
    free(x);
}

/* Results that the caches do not hold are stored otherwise than small ones. */
Test(batchnorm, of_many_columns_is_that_of_each) {
    enum { N = 2053, D = 2048 };
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        uint64_t seed = 18;
        layers_call whole[2] = {batchnorm(dtype, 0, D, NULL, TRAIN),
                                call_of("batchnorm", "backward", dtype)};
        layers_tensor_clear(&whole[0].inputs[0]);
        whole[0].inputs[0] = tensor_random(dtype, SHAPE(N, D), &seed, -5, 40);
        run(&whole[0]);
        whole[1].inputs[0] = tensor_random(dtype, SHAPE(N, D), &seed, -1, 1);
        whole[1].cache = layers_cache_ref(whole[0].cache);
        run(&whole[1]);
        for (size_t first = 0; first < D; first += 1022)
            assert_has_columns(whole, N, D, first, dtype);
        for (int way = 0; way < 2; way++)
            layers_call_clear(&whole[way]);
    }
}
