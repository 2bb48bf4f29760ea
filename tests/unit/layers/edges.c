/* The corners of relu, affine and the losses: no rows, one element, the ends of the number range,
 * NaN and the infinities; and the numbers that the course publishes. */
#include <float.h>
#include <math.h>

#include "unit/calls.h"

TestSuite(edges);

/* relu */

Test(edges, relu_of_zeros_and_infinities_is_positive_zero_or_itself) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        layers_call call =
            forward_of("relu", dtype, SHAPE(6), VALUES(-0.0, 0.0, -INFINITY, INFINITY, NAN, -NAN));
        run(&call);
        for (size_t i = 0; i < 3; i++)
            cr_assert(element(&call.outputs[0], i) == 0 && !signbit(element(&call.outputs[0], i)),
                      "out[%zu] is %g", i, element(&call.outputs[0], i));
        cr_assert(element(&call.outputs[0], 3) == INFINITY);
        cr_assert(isnan(element(&call.outputs[0], 4)) && isnan(element(&call.outputs[0], 5)));
        layers_call back = backward_from(&call, SHAPE(6), VALUES(NAN, -1, INFINITY, -7, NAN, 3));
        run(&back);
        assert_values(&back.outputs[0], VALUES(0, 0, 0, -7, 0, 0), 6, 0, 0, "dx");
        for (size_t i = 0; i < 6; i++)
            cr_assert(i == 3 || !signbit(element(&back.outputs[0], i)), "dx[%zu] is -0.0", i);
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

Test(edges, relu_keeps_the_ends_of_the_range) {
    const double tiny = 0x1p-1074, subnormal = 1e-310;
    layers_call call =
        forward_of("relu", LAYERS_F64, SHAPE(8),
                   VALUES(tiny, -tiny, subnormal, -subnormal, 1e300, -1e300, DBL_MAX, DBL_MIN));
    run(&call);
    assert_values(&call.outputs[0], VALUES(tiny, 0, subnormal, 0, 1e300, 0, DBL_MAX, DBL_MIN), 8, 0,
                  0, "out");
    layers_call_clear(&call);
    call = forward_of("relu", LAYERS_F32, SHAPE(3), VALUES(0x1p-149, -0x1p-149, FLT_MAX));
    run(&call);
    assert_values(&call.outputs[0], VALUES(0x1p-149, 0, FLT_MAX), 3, 0, 0, "out");
    layers_call_clear(&call);
}

/* Every length up to two bytes of mask, so that each bit of the last byte has its turn. */
Test(edges, relu_of_every_short_length) {
    static const double x[16] = {1, -1, 2, -2, -3, 3, 4, -4, 5, 6, -5, -6, 7, -7, -8, 8};
    for (size_t size = 0; size <= 16; size++) {
        layers_call call = forward_of("relu", LAYERS_F64, SHAPE(size), x);
        run(&call);
        layers_call back = backward_from(&call, SHAPE(size), x);
        run(&back);
        for (size_t i = 0; i < size; i++) {
            double want = x[i] > 0 ? x[i] : 0;
            cr_assert(element(&call.outputs[0], i) == want, "out[%zu] of %zu", i, size);
            cr_assert(element(&back.outputs[0], i) == want, "dx[%zu] of %zu", i, size);
        }
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

Test(edges, affine_of_rank_32) {
    size_t shape[LAYERS_MAX_RANK];
    for (int i = 0; i < LAYERS_MAX_RANK; i++)
        shape[i] = 1;
    shape[0] = 2;
    shape[31] = 3;
    layers_call call =
        forward_of("affine", LAYERS_F64, shape, LAYERS_MAX_RANK, VALUES(1, 2, 3, 4, 5, 6));
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(3, 1), VALUES(1, 10, 100));
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(1), VALUES(0.5));
    run(&call);
    assert_values(&call.outputs[0], VALUES(321.5, 654.5), 2, 0, 0, "out");
    layers_call back = backward_from(&call, SHAPE(2, 1), VALUES(1, -1));
    run(&back);
    assert_shape(&back.outputs[0], shape, LAYERS_MAX_RANK, "dx");
    assert_values(&back.outputs[0], VALUES(1, 10, 100, -1, -10, -100), 6, 0, 0, "dx");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

/* affine */

static layers_call affine(size_t N, size_t D, size_t M, const double *x, const double *w,
                          const double *b) {
    layers_call call = forward_of("affine", LAYERS_F64, SHAPE(N, D), x);
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(D, M), w);
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(M), b);
    return call;
}

Test(edges, affine_of_no_rows_has_gradients_of_zeros) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        layers_call call = forward_of("affine", dtype, SHAPE(0, 2), NULL);
        call.inputs[1] = tensor_of(dtype, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
        call.inputs[2] = tensor_of(dtype, SHAPE(3), VALUES(7, 8, 9));
        run(&call);
        assert_shape(&call.outputs[0], SHAPE(0, 3), "out");
        layers_call back = backward_from(&call, SHAPE(0, 3), NULL);
        run(&back);
        assert_shape(&back.outputs[0], SHAPE(0, 2), "dx");
        assert_values(&back.outputs[1], VALUES(0, 0, 0, 0, 0, 0), 6, 0, 0, "dw");
        assert_values(&back.outputs[2], VALUES(0, 0, 0), 3, 0, 0, "db");
        layers_call_clear(&back);
        layers_call_clear(&call);
    }
}

Test(edges, affine_of_no_features_is_the_bias) {
    layers_call call = affine(2, 0, 3, NULL, NULL, VALUES(7, 8, 9));
    run(&call);
    assert_values(&call.outputs[0], VALUES(7, 8, 9, 7, 8, 9), 6, 0, 0, "out");
    layers_call back = backward_from(&call, SHAPE(2, 3), VALUES(1, 2, 3, 4, 5, 6));
    run(&back);
    assert_shape(&back.outputs[0], SHAPE(2, 0), "dx");
    assert_shape(&back.outputs[1], SHAPE(0, 3), "dw");
    assert_values(&back.outputs[2], VALUES(5, 7, 9), 3, 0, 0, "db");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(edges, affine_of_no_outputs_has_a_gradient_of_zeros) {
    layers_call call = affine(2, 2, 0, VALUES(1, 2, 3, 4), NULL, NULL);
    run(&call);
    assert_shape(&call.outputs[0], SHAPE(2, 0), "out");
    layers_call back = backward_from(&call, SHAPE(2, 0), NULL);
    run(&back);
    assert_values(&back.outputs[0], VALUES(0, 0, 0, 0), 4, 0, 0, "dx");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(edges, affine_of_single_numbers) {
    layers_call call = affine(1, 1, 1, VALUES(3), VALUES(5), VALUES(7));
    run(&call);
    assert_values(&call.outputs[0], VALUES(22), 1, 0, 0, "out");
    layers_call back = backward_from(&call, SHAPE(1, 1), VALUES(2));
    run(&back);
    assert_values(&back.outputs[0], VALUES(10), 1, 0, 0, "dx");
    assert_values(&back.outputs[1], VALUES(6), 1, 0, 0, "dw");
    assert_values(&back.outputs[2], VALUES(2), 1, 0, 0, "db");
    layers_call_clear(&back);
    layers_call_clear(&call);
}

Test(edges, affine_overflows_and_underflows_as_floating_point_does) {
    layers_call call =
        affine(4, 1, 1, VALUES(1e300, 1e-300, INFINITY, NAN), VALUES(1e10), VALUES(-1e300));
    run(&call);
    assert_values(&call.outputs[0], VALUES(INFINITY, -1e300, INFINITY, NAN), 4, 0, 0, "out");
    layers_call_clear(&call);
    call = affine(1, 1, 1, VALUES(1e-300), VALUES(1e-10), VALUES(0));
    run(&call);
    assert_values(&call.outputs[0], VALUES(1e-310), 1, 1e-12, 0, "out");
    layers_call_clear(&call);
}

static void linspace(double from, double to, size_t count, double *x) {
    for (size_t i = 0; i < count; i++)
        x[i] = from + (to - from) * (double)i / (double)(count - 1);
}

Test(edges, affine_as_the_course_publishes) {
    double x[240], w[360], b[3];
    linspace(-0.1, 0.5, 240, x);
    linspace(-0.2, 0.3, 360, w);
    linspace(-0.3, 0.1, 3, b);
    layers_call call = forward_of("affine", LAYERS_F64, SHAPE(2, 4, 5, 6), x);
    call.inputs[1] = tensor_of(LAYERS_F64, SHAPE(120, 3), w);
    call.inputs[2] = tensor_of(LAYERS_F64, SHAPE(3), b);
    run(&call);
    assert_values(&call.outputs[0],
                  VALUES(1.49834967, 1.70660132, 1.91485297, 3.25553199, 3.5141327, 3.77273342), 6,
                  5e-9, 0, "out");
    layers_call_clear(&call);
}

Test(edges, relu_as_the_course_publishes) {
    double x[12];
    linspace(-0.5, 0.5, 12, x);
    layers_call call = forward_of("relu", LAYERS_F64, SHAPE(3, 4), x);
    run(&call);
    assert_values(
        &call.outputs[0],
        VALUES(0, 0, 0, 0, 0, 0, 0.04545455, 0.13636364, 0.22727273, 0.31818182, 0.40909091, 0.5),
        12, 1e-7, 0, "out");
    layers_call_clear(&call);
}

/* the losses */

static layers_call loss_of(const char *layer, layers_dtype dtype, size_t N, size_t C,
                           const double *x, const double *y) {
    layers_call call = call_of(layer, "loss", dtype);
    call.inputs[0] = tensor_of(dtype, SHAPE(N, C), x);
    call.inputs[1] = tensor_of(LAYERS_I64, SHAPE(N), y);
    return call;
}

static void assert_loss(layers_call *call, double loss, const double *dx, double rtol) {
    run(call);
    assert_values(&call->outputs[0], &loss, 1, rtol, 0, "loss");
    assert_values(&call->outputs[1], dx, call->outputs[1].size, rtol, 0, "dx");
    layers_call_clear(call);
}

Test(edges, losses_need_rows) {
    static const char *const layers[] = {"svm", "softmax"};
    for (int i = 0; i < 2; i++) {
        layers_call call = loss_of(layers[i], LAYERS_F64, 0, 3, NULL, NULL);
        assert_refused(&call, LAYERS_INVALID_SHAPE, "x", "no rows", layers[i]);
        layers_call_clear(&call);
        call = loss_of(layers[i], LAYERS_F64, 2, 0, NULL, VALUES(0, 0));
        assert_refused(&call, LAYERS_LABEL_OUT_OF_RANGE, "y/0", "0 classes", "/y/0");
        layers_call_clear(&call);
    }
}

Test(edges, one_class_has_no_loss) {
    static const char *const layers[] = {"svm", "softmax"};
    for (int i = 0; i < 2; i++)
        for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
            layers_call call = loss_of(layers[i], dtype, 2, 1, VALUES(-3, 1e30), VALUES(0, 0));
            assert_loss(&call, 0, VALUES(0, 0), 0);
        }
}

Test(edges, softmax_of_scores_far_apart_neither_overflows_nor_gives_log_0) {
    static const double apart[] = {1e4, 1e30, 1e300};
    for (size_t i = 0; i < 3; i++) {
        double s = apart[i];
        layers_call right = loss_of("softmax", LAYERS_F64, 1, 2, VALUES(s, -s), VALUES(0));
        assert_loss(&right, 0, VALUES(0, 0), 0);
        layers_call wrong = loss_of("softmax", LAYERS_F64, 1, 2, VALUES(s, -s), VALUES(1));
        assert_loss(&wrong, 2 * s, VALUES(1, -1), 1e-15);
        layers_call tie = loss_of("softmax", LAYERS_F64, 1, 2, VALUES(s, s), VALUES(0));
        assert_loss(&tie, log(2), VALUES(-0.5, 0.5), 1e-15);
    }
    layers_call narrow = loss_of("softmax", LAYERS_F32, 1, 2, VALUES(1e38, -1e38), VALUES(1));
    assert_loss(&narrow, 2e38, VALUES(1, -1), 1e-6);
}

Test(edges, softmax_of_tiny_scores_is_even) {
    layers_call call =
        loss_of("softmax", LAYERS_F64, 1, 4, VALUES(5e-324, 1e-310, 0, -1e-300), VALUES(2));
    assert_loss(&call, log(4), VALUES(0.25, 0.25, -0.75, 0.25), 1e-15);
}

Test(edges, softmax_spreads_nan) {
    static const double rows[][3] = {{NAN, 0, 0}, {0, NAN, 0}, {0, 0, NAN}, {0, INFINITY, 0}};
    for (size_t i = 0; i < 4; i++) {
        layers_call call = loss_of("softmax", LAYERS_F64, 1, 3, rows[i], VALUES(0));
        run(&call);
        cr_assert(isnan(element(&call.outputs[0], 0)) || element(&call.outputs[0], 0) == INFINITY,
                  "row %zu: the loss is %g", i, element(&call.outputs[0], 0));
        cr_assert(isnan(element(&call.outputs[1], 1)), "row %zu: dx is %g", i,
                  element(&call.outputs[1], 1));
        layers_call_clear(&call);
    }
}

Test(edges, softmax_masked_by_minus_infinity) {
    layers_call call = loss_of("softmax", LAYERS_F64, 1, 3, VALUES(1, -INFINITY, 1), VALUES(0));
    assert_loss(&call, log(2), VALUES(-0.5, 0, 0.5), 1e-15);
}

Test(edges, svm_ties_at_margin_0_give_no_gradient) {
    layers_call call = loss_of("svm", LAYERS_F64, 1, 3, VALUES(2, 1, 0.5), VALUES(0));
    assert_loss(&call, 0, VALUES(0, 0, 0), 0);
    double above = nextafter(1, 2);
    call = loss_of("svm", LAYERS_F64, 1, 2, VALUES(2, above), VALUES(0));
    assert_loss(&call, above - 1, VALUES(-1, 1), 0);
}

Test(edges, svm_of_equal_scores_counts_every_other_class) {
    static const double scales[] = {0, 1e17, -1e300};
    for (size_t i = 0; i < 3; i++) {
        double s = scales[i];
        layers_call call = loss_of("svm", LAYERS_F64, 2, 3, VALUES(s, s, s, s, s, s), VALUES(0, 2));
        assert_loss(&call, 2, VALUES(-1, 0.5, 0.5, 0.5, 0.5, -1), 0);
    }
}

/* A gradient of nothing is +0.0, as NumPy's is: -0.0 would be written to the caller. */
Test(edges, svm_without_a_positive_margin_has_a_gradient_of_plus_zero) {
    layers_call call = loss_of("svm", LAYERS_F64, 1, 2, VALUES(9, 1), VALUES(0));
    run(&call);
    for (size_t i = 0; i < 2; i++)
        cr_assert(element(&call.outputs[1], i) == 0 && !signbit(element(&call.outputs[1], i)),
                  "dx[%zu] is %g", i, element(&call.outputs[1], i));
    layers_call_clear(&call);
}

Test(edges, svm_of_huge_scores) {
    layers_call call = loss_of("svm", LAYERS_F64, 1, 3, VALUES(1e300, -1e300, 0), VALUES(1));
    assert_loss(&call, 3e300, VALUES(1, -2, 1), 1e-15);
}

Test(edges, svm_of_nan_is_nan_without_a_gradient) {
    layers_call call = loss_of("svm", LAYERS_F64, 1, 3, VALUES(0, NAN, -5), VALUES(0));
    assert_loss(&call, NAN, VALUES(0, 0, 0), 0);
    call = loss_of("svm", LAYERS_F64, 1, 3, VALUES(NAN, 0, -5), VALUES(0));
    assert_loss(&call, NAN, VALUES(0, 0, 0), 0);
}

/* As the course's sanity checks say: about 9 and about 2.3 for 10 classes and small scores. */
Test(edges, losses_of_small_scores_are_as_the_course_says) {
    uint64_t seed = 231;
    layers_tensor x = tensor_random(LAYERS_F64, SHAPE(50, 10), &seed, -0.001, 0.001);
    layers_tensor y = tensor_random(LAYERS_I64, SHAPE(50), &seed, 0, 10);
    static const struct {
        const char *layer;
        double loss;
    } rows[] = {{"svm", 9}, {"softmax", 2.302585}};
    for (size_t i = 0; i < 2; i++) {
        layers_call call = call_of(rows[i].layer, "loss", LAYERS_F64);
        call.inputs[0] = layers_tensor_share(&x);
        call.inputs[1] = layers_tensor_share(&y);
        run(&call);
        assert_values(&call.outputs[0], &rows[i].loss, 1, 1e-3, 0, rows[i].layer);
        layers_call_clear(&call);
    }
    layers_tensor_clear(&x);
    layers_tensor_clear(&y);
}
