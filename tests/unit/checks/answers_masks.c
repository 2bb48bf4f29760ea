/* What is right and wrong of relu and dropout: what passes, what does not, and by what it is
 * scaled. */
#include <math.h>
#include <string.h>

#include "checks.h"

TestSuite(answers_masks);

enum { ROWS = 5, COLUMNS = 9, N = ROWS * COLUMNS };

/* ---- relu --------------------------------------------------------------------------------------
 */

static void ask_relu(asking *a, const char *operation, size_t count, const double *x,
                     const double *dout, precisions p) {
    ask(a, "relu", operation, p.dtype);
    give_values(a, "x", SHAPE(count), x);
    if (dout)
        give_values(a, "dout", SHAPE(count), dout);
    answer(a, p.precision);
}

Test(answers_masks, relu_is_exact) {
    for (int p = 0; p < 2; p++) {
        asking a;
        ask_relu(&a, "forward", 3, VALUES(1.5, -2, 0), NULL, precisions_of[p]);
        double more = p == 0 ? nextafter(1.5, 2) : (double)nextafterf(1.5F, 2);
        assert_found(&a, "out", VALUES(1.5, 0, -0.0), LAYERS_RIGHT, NULL);
        assert_found(&a, "out", VALUES(more, 0, 0), LAYERS_WRONG, NULL);
        assert_found(&a, "out", VALUES(1.5, -1e-30, 0), LAYERS_WRONG, NULL);
        assert_found(&a, "out", VALUES(1.5, -0.02, 0), LAYERS_WRONG, "leaky");
        drop_asked(&a);
    }
}

Test(answers_masks, relu_of_numbers_that_were_rounded_first_is_right) {
    asking a;
    uint64_t seed = 1;
    double x[N], out[N], dout[N], dx[N];
    for (int i = 0; i < N; i++) {
        x[i] = (uniform(&seed) - 0.5) * (i % 3 ? 1 : 1e-41);
        dout[i] = uniform(&seed) - 0.5;
        out[i] = (double)(float)(x[i] > 0 ? x[i] : 0);
        dx[i] = (float)x[i] > 0 ? (double)(float)dout[i] : 0;
    }
    ask_relu(&a, "forward", N, x, NULL, precisions_of[2]);
    CHECK(worst_of(&a, "out", out) < 0.5, "%g bounds off", worst_of(&a, "out", out));
    drop_asked(&a);
    ask_relu(&a, "backward", N, x, dout, precisions_of[2]);
    CHECK(worst_of(&a, "dx", dx) < 0.5, "%g bounds off", worst_of(&a, "dx", dx));
    drop_asked(&a);
}

Test(answers_masks, nan_stays_nan_and_has_no_gradient_to_agree_on) {
    asking a;
    ask_relu(&a, "forward", 3, VALUES(NAN, 2, -1), NULL, precisions_of[0]);
    assert_found(&a, "out", VALUES(NAN, 2, 0), LAYERS_RIGHT, NULL);
    assert_found(&a, "out", VALUES(0, 2, 0), LAYERS_WRONG, "nan_dropped");
    drop_asked(&a);
    ask_relu(&a, "backward", 3, VALUES(NAN, 2, -1), VALUES(3, 4, -5), precisions_of[0]);
    assert_found(&a, "dx", VALUES(0, 4, 0), LAYERS_UNDECIDED, NULL);
    assert_found(&a, "dx", VALUES(3, 4, 0), LAYERS_UNDECIDED, NULL);
    assert_found(&a, "dx", VALUES(NAN, 4, -5), LAYERS_WRONG, "not_masked");
    drop_asked(&a);
}

Test(answers_masks, a_slope_at_0_is_a_convention) {
    asking a;
    ask_relu(&a, "backward", 3, VALUES(0, 2, -1), VALUES(3, -4, 5), precisions_of[0]);
    assert_found(&a, "dx", VALUES(0, -4, 0), LAYERS_RIGHT, NULL);
    assert_found(&a, "dx", VALUES(3, -4, 0), LAYERS_UNDECIDED, "zero_passes");
    assert_found(&a, "dx", VALUES(1.5, -4, 0), LAYERS_UNDECIDED, "zero_half");
    assert_found(&a, "dx", VALUES(3, 0, 5), LAYERS_WRONG, "mask_from_dout");
    drop_asked(&a);
}

Test(answers_masks, numbers_above_0_alone_tell_nothing) {
    asking a;
    ask_relu(&a, "forward", 2, VALUES(1, 2), NULL, precisions_of[0]);
    assert_found(&a, "out", VALUES(1, 2), LAYERS_UNDECIDED, NULL);
    drop_asked(&a);
}

Test(answers_masks, infinities_pass_as_they_are) {
    for (int p = 0; p < PRECISIONS; p++) {
        asking a;
        double out[] = {INFINITY, 0, 1}, dx[] = {-INFINITY, 0, NAN, 4};
        ask_relu(&a, "forward", 3, VALUES(INFINITY, -INFINITY, 1), NULL, precisions_of[p]);
        assert_found(&a, "out", out, LAYERS_RIGHT, NULL);
        assert_found(&a, "out", VALUES(INFINITY, -INFINITY, 1), LAYERS_WRONG, "leaky");
        drop_asked(&a);
        ask_relu(&a, "backward", 4, VALUES(2, -2, 1, 3), VALUES(-INFINITY, INFINITY, NAN, 4),
                 precisions_of[p]);
        assert_found(&a, "dx", dx, LAYERS_RIGHT, NULL);
        drop_asked(&a);
        ask(&a, "dropout", "forward", precisions_of[p].dtype);
        give_values(&a, "x", SHAPE(3), VALUES(INFINITY, INFINITY, 2));
        give_values(&a, "mask", SHAPE(3), VALUES(1, 0, 1));
        give_number(&a, "p", 0.25);
        give_choice(&a, "mode", "train");
        answer(&a, precisions_of[p].precision);
        assert_found(&a, "out", VALUES(INFINITY, NAN, 8), LAYERS_RIGHT, NULL);
        assert_found(&a, "out", VALUES(INFINITY, 8, 8), LAYERS_WRONG, NULL);
        drop_asked(&a);
    }
}

/* ---- dropout -----------------------------------------------------------------------------------
 */

/* Of numpy.random.seed(7), p = 0.8 and the shape (5, 9): rand < p, rand < 1 − p, randn < p, and of
 * the shape (5, 1) rand < p. */
#define DRAWN      "111101111110111011011011011111111110111111111"
#define BELOW_REST "100000010000010000010000010000000000000000000"
#define NORMAL     "011111110111111111110110111101101111100101111"
#define ONE_A_ROW  "111111111111111111111111111111111111000000000"
#define FIRST_ROW  "111101111111101111111101111111101111111101111"

static void ask_dropout(asking *a, const char *operation, double p, const double *x,
                        precisions of) {
    ask(a, "dropout", operation, of.dtype);
    give_values(a, "x", SHAPE(ROWS, COLUMNS), x);
    if (!strcmp(operation, "backward"))
        give_values(a, "dout", SHAPE(ROWS, COLUMNS), x);
    give_number(a, "p", p);
    give_choice(a, "mode", "train");
}

static const double *numbers(double to[N]) {
    for (int i = 0; i < N; i++)
        to[i] = (i % 2 ? -1 : 1) * (1 + 0.25 * i);
    return to;
}

/* x · factor where the mask is '1'. */
static const double *masked(double to[N], const char *mask, double factor) {
    double x[N];
    numbers(x);
    for (int i = 0; i < N; i++)
        to[i] = mask[i] == '1' ? x[i] * factor : 0;
    return to;
}

Test(answers_masks, masks_of_a_seed_are_told_bit_for_bit) {
    static const char *const operations[] = {"forward", "backward"}, *const claims[] = {"out",
                                                                                        "dx"};
    const double p = 0.8, q = 1 - p;
    double x[N], to[N];
    for (int o = 0; o < 2; o++) {
        asking a;
        const char *claim = claims[o];
        ask_dropout(&a, operations[o], p, numbers(x), precisions_of[0]);
        give_number(&a, "seed", 7);
        answer(&a, LAYERS_F64);
        assert_found(&a, claim, masked(to, DRAWN, 1 / p), LAYERS_RIGHT, NULL);
        assert_found(&a, claim, masked(to, DRAWN, 1), LAYERS_WRONG, "not_scaled");
        assert_found(&a, claim, masked(to, DRAWN, 1 / p / p), LAYERS_WRONG, "scaled_twice");
        assert_found(&a, claim, masked(to, DRAWN, 1 / q), LAYERS_WRONG, "scaled_by_dropping");
        assert_found(&a, claim, masked(to, BELOW_REST, 1 / q), LAYERS_WRONG, "p_is_dropping");
        assert_found(&a, claim, masked(to, BELOW_REST, 1), LAYERS_WRONG, "p_is_dropping");
        assert_found(&a, claim, masked(to, BELOW_REST, 1 / p), LAYERS_WRONG,
                     "dropped_and_scaled_by_p");
        assert_found(&a, claim, masked(to, NORMAL, 1 / p), LAYERS_WRONG, "mask_from_normal");
        assert_found(&a, claim, masked(to, FIRST_ROW, 1 / p), LAYERS_WRONG, "mask_by_row");
        assert_found(&a, claim, masked(to, ONE_A_ROW, 1 / p), LAYERS_WRONG, "one_draw_a_row");
        drop_asked(&a);
    }
}

Test(answers_masks, honest_ways_to_scale_are_right) {
    uint64_t seed = 2;
    for (int i = 0; i < 60; i++) {
        asking a;
        precisions of = precisions_of[i % PRECISIONS];
        layers_dtype to = of.precision;
        double x[N], ways[4][N] = {0}, p = 0.05 + 0.9 * uniform(&seed), rate = 1 - p;
        for (int e = 0; e < N; e++)
            x[e] = uniform(&seed) - 0.5;
        ask_dropout(&a, "forward", p, x, of);
        give_number(&a, "seed", 7);
        answer(&a, to);
        for (int e = 0; e < N; e++) {
            double in = rounded(to, x[e]), kept = rounded(to, p), drops = rounded(to, rate);
            if (right_of(&a, "out")[e] == 0)
                continue;
            ways[0][e] = rounded(to, in / kept);
            ways[1][e] = rounded(to, in * rounded(to, 1 / kept));
            ways[2][e] = rounded(to, in * rounded(to, 1 / rounded(to, 1 - drops)));
            ways[3][e] = rounded(to, (double)((long double)x[e] / p));
        }
        for (int way = 0; way < 4; way++)
            CHECK(worst_of(&a, "out", ways[way]) < 0.5, "way %d, p = %g: %.3g bounds off", way, p,
                  worst_of(&a, "out", ways[way]));
        drop_asked(&a);
    }
}

Test(answers_masks, keeping_all_tells_nothing) {
    asking a;
    double x[N];
    ask_dropout(&a, "forward", 1, numbers(x), precisions_of[0]);
    give_number(&a, "seed", 7);
    answer(&a, LAYERS_F64);
    assert_found(&a, "out", x, LAYERS_UNDECIDED, NULL);
    drop_asked(&a);
}

Test(answers_masks, a_check_of_dropout_needs_its_seed_or_mask) {
    asking a;
    double x[N];
    layers_error error;
    ask_dropout(&a, "backward", 0.5, numbers(x), precisions_of[0]);
    CHECK(layers_check_make(&a.check, &a.question, &a.asked, LAYERS_F64, &error) ==
              LAYERS_MISSING_FIELD,
          "%s", error.message);
    CHECK_TEXT(error.field, "dropout_param/seed");
    CHECK(!a.check, "there is a check");
    drop_asked(&a);
}

Test(answers_masks, a_given_mask_is_used_as_it_is) {
    asking a;
    double x[N], mask[N], to[N];
    for (int i = 0; i < N; i++)
        mask[i] = DRAWN[i] == '1';
    ask_dropout(&a, "forward", 0.75, numbers(x), precisions_of[0]);
    give_values(&a, "mask", SHAPE(ROWS, COLUMNS), mask);
    answer(&a, LAYERS_F64);
    assert_found(&a, "out", masked(to, DRAWN, 4 / 3.), LAYERS_RIGHT, NULL);
    for (int i = 0; i < N; i++)
        to[i] = x[i] * (1 - mask[i]) / 0.75;
    assert_found(&a, "out", to, LAYERS_WRONG, "mask_inverted");
    assert_found(&a, "out", masked(to, BELOW_REST, 4 / 3.), LAYERS_WRONG, NULL);
    drop_asked(&a);
}

Test(answers_masks, test_mode_passes_all_as_it_is) {
    asking a;
    double x[N], to[N];
    ask_dropout(&a, "forward", 0.8, numbers(x), precisions_of[0]);
    give_choice(&a, "mode", "test");
    give_number(&a, "seed", 7);
    answer(&a, LAYERS_F64);
    assert_found(&a, "out", x, LAYERS_RIGHT, NULL);
    for (int i = 0; i < N; i++)
        to[i] = x[i] * 0.8;
    assert_found(&a, "out", to, LAYERS_WRONG, "test_scaled");
    assert_found(&a, "out", masked(to, DRAWN, 1 / 0.8), LAYERS_WRONG, "dropped_in_test");
    drop_asked(&a);
}
