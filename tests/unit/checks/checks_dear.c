/* Wrong claims of shapes in which each element of a fault hangs on many others take no longer than
 * a timeout allows; and what may overflow or vanish on the way to a bound decides nothing. */
#include <float.h>
#include <math.h>

#include "checks.h"

TestSuite(checks_dear, .timeout = 20);

static double *numbers(size_t count) {
    double *values = malloc(count * sizeof *values);
    cr_assert(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (double)(i * 7919 % 1009) / 512 - 1;
    return values;
}

/* One row of a million classes. */
Test(checks_dear, long_rows) {
    static const char *const layers[] = {"svm", "softmax"};
    const size_t shape[] = {1, 1000000};
    double *values = numbers(shape[1]);
    for (size_t i = 0; i < 2; i++) {
        asking a;
        ask(&a, layers[i], "loss", LAYERS_F64);
        give_values(&a, "x", shape, 2, values);
        give_labels(&a, "y", 1, (const int64_t[]){3});
        answer(&a, LAYERS_F64);
        CHECK(finding_of(&a, "dx", values).verdict == LAYERS_WRONG, "%s passes", layers[i]);
        drop_asked(&a);
    }
    free(values);
}

/* Windows of a quarter of x that all overlap; all elements are the largest of each. */
static void pool_large_windows(size_t length, bool alike, layers_dtype precision) {
    const size_t shape[] = {1, 1, length, length};
    const size_t out[] = {1, 1, length / 2 + 1, length / 2 + 1};
    double *values = numbers(length * length), *zeros = calloc(length * length, sizeof *zeros);
    asking a;
    cr_assert(zeros);
    ask(&a, "max_pool", "backward", LAYERS_F64);
    give_values(&a, "x", shape, 4, alike ? zeros : values);
    give_values(&a, "dout", out, 4, values);
    give_number(&a, "pool_height", (double)length / 2);
    give_number(&a, "pool_width", (double)length / 2);
    give_number(&a, "stride", 1);
    answer(&a, precision);
    CHECK(finding_of(&a, "dx", values).verdict == LAYERS_WRONG, "wrong gradients pass");
    drop_asked(&a);
    free(values);
    free(zeros);
}

Test(checks_dear, large_windows) {
    pool_large_windows(60, false, LAYERS_F64);
    pool_large_windows(100, true, LAYERS_F32);
    pool_large_windows(160, false, LAYERS_F64);
}

/* What faults remember is counted, as other memory is. */
Test(checks_dear, what_is_remembered_is_charged) {
    const size_t shape[] = {1, 1, 60, 60}, out[] = {1, 1, 31, 31};
    double *values = numbers(3600);
    layers_error error;
    asking a;
    ask(&a, "max_pool", "backward", LAYERS_F64);
    give_values(&a, "x", shape, 4, values);
    give_values(&a, "dout", out, 4, values);
    give_number(&a, "pool_height", 30);
    give_number(&a, "pool_width", 30);
    give_number(&a, "stride", 1);
    cr_assert(layers_check_make(&a.check, &a.question, &a.asked, LAYERS_F64, &error) == LAYERS_OK);
    /* out, dx, and of each window its doubt and four numbers of a fault */
    size_t least = (961 + 3600 + 5 * 961) * sizeof(double);
    CHECK(layers_check_bytes(a.check) >= least, "%zu bytes, of %zu", layers_check_bytes(a.check),
          least);
    CHECK_EQUAL(layers_check_result_bytes(a.check), 3600 * sizeof(double));
    drop_asked(&a);
    free(values);
}

/* The squares of x vanish and those of w overflow, but no product does. */
Test(checks_dear, squares_out_of_range) {
    static const int powers[] = {480, 511, 520, 560, 600, -560};
    const size_t N = 1, D = 64, M = 1;
    for (size_t p = 0; p < sizeof powers / sizeof *powers; p++) {
        double *x = numbers(D), *w = numbers(D), forwards = 0, backwards = 0;
        asking a;
        for (size_t i = 0; i < D; i++)
            x[i] = ldexp(sin((double)i), -powers[p]), w[i] = ldexp(cos((double)i), powers[p]);
        for (size_t i = 0; i < D; i++) {
            forwards += x[i] * w[i];
            backwards += x[D - 1 - i] * w[D - 1 - i];
        }
        ask(&a, "affine", "forward", LAYERS_F64);
        give_values(&a, "x", (const size_t[]){N, D}, 2, x);
        give_values(&a, "w", (const size_t[]){D, M}, 2, w);
        give_values(&a, "b", &M, 1, (const double[]){0.5});
        answer(&a, LAYERS_F64);
        CHECK(forwards != backwards, "the order does not matter here");
        const double right[] = {forwards + 0.5, backwards + 0.5};
        for (int i = 0; i < 2; i++)
            CHECK(finding_of(&a, "out", &right[i]).verdict != LAYERS_WRONG,
                  "2^%d: the right answer is wrong", powers[p]);
        CHECK(abs(powers[p]) > 500 || finding_of(&a, "out", right).verdict == LAYERS_RIGHT,
              "2^%d: the right answer is not right", powers[p]);
        drop_asked(&a);
        free(x);
        free(w);
    }
}

/* A tolerance too large for a number is the largest there is. */
Test(checks_dear, tolerance_out_of_range) {
    asking a;
    layers_finding finding;
    layers_error error;
    const layers_tolerance tolerance = {DBL_MAX, DBL_MAX};
    const size_t one[] = {1, 1};
    ask(&a, "relu", "forward", LAYERS_F64);
    give_values(&a, "x", one, 2, (const double[]){5});
    answer(&a, LAYERS_F64);
    for (int i = 0; i < 2; i++) {
        const double claimed = i == 0 ? 7 : INFINITY;
        layers_value value = {.tensor = tensor_of(LAYERS_F64, one, 2, &claimed)};
        cr_assert(layers_check_judge(a.check, 0, &value, &tolerance, &finding, &error) ==
                  LAYERS_OK);
        CHECK(finding.bound == DBL_MAX && (finding.verdict == LAYERS_WRONG) == (i == 1),
              "%g is %s within %g (%s)", claimed, layers_verdict_names[finding.verdict],
              finding.bound, finding.says);
        layers_tensor_clear(&value.tensor);
    }
    drop_asked(&a);
}

/* Of a large claim some pieces are looked at to name what is wrong: where these are right they name
 * nothing, whatever else gives the same there. */
Test(checks_dear, right_pieces_name_nothing) {
    const size_t shape[] = {100000};
    double *values = numbers(shape[0]);
    static const size_t places[] = {0, 300, 50000, 99999};
    asking a;
    for (size_t i = 0; i < shape[0]; i++)
        values[i] = fabs(values[i]) + 1;
    ask(&a, "relu", "forward", LAYERS_F64);
    give_values(&a, "x", shape, 1, values);
    answer(&a, LAYERS_F64);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        values[places[i]] += 1;
        assert_found(&a, "out", values, LAYERS_WRONG, NULL);
        values[places[i]] -= 1;
    }
    drop_asked(&a);
    free(values);
}
