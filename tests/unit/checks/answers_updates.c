/* What is right and wrong of the updates: every honest way to compute a step stays far within the
 * bound, in both precisions and of all kinds of numbers; steps that other libraries make are told
 * by their names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "checks.h"

TestSuite(answers_updates);

enum { N = 24 };

static layers_dtype precision; /* of what is computed */

static double r(double number) {
    return rounded(precision, number);
}

/* A step as it is given: what it starts from. */
typedef struct {
    double w[N], dw[N], before[2][N]; /* velocity, or cache, or m and v */
    double rate, share[2], epsilon, t;
} step;

/* What it came to. */
typedef struct {
    double next_w[N], after[2][N];
} moved;

static double spread(uint64_t *seed, double size) {
    return (uniform(seed) * 2 - 1) * size;
}

/* Sizes of the gradients, and beside them of what was before; 0 is the first step. */
static const double sizes[] = {1, 1e-3, 1e3, 1e-12, 1e-20};
static const double olds[] = {0, 1, 100};

static step step_of(uint64_t *seed, double size, double old) {
    step s = {0};
    for (int i = 0; i < N; i++) {
        s.w[i] = spread(seed, i % 4 ? 1 : 0.01);
        s.dw[i] = i == 5 ? 0 : spread(seed, size);
        s.before[0][i] = spread(seed, size * old);
        s.before[1][i] = uniform(seed) * (size * old) * (size * old);
    }
    return s;
}

static void ask_step(asking *a, const char *layer, const step *s, layers_dtype dtype) {
    ask(a, layer, "update", dtype);
    give_values(a, "w", SHAPE(4, 6), s->w);
    give_values(a, "dw", SHAPE(4, 6), s->dw);
    give_number(a, "learning_rate", s->rate);
}

/* What is given, as the precision of the claim has it. */
static step rounded_step(const step *s) {
    step to = *s;
    for (int i = 0; i < N; i++) {
        to.w[i] = r(s->w[i]);
        to.dw[i] = r(s->dw[i]);
        to.before[0][i] = r(s->before[0][i]);
        to.before[1][i] = r(s->before[1][i]);
    }
    return to;
}

static void assert_within(const asking *a, const char *name, const double *values, int way) {
    double worst = worst_of(a, name, values);
    CHECK(worst < 0.5, "%s, way %d, in %s: %s is %.3g bounds off", a->question.operation->layer,
          way, layers_dtype_name(precision), name, worst);
}

/* ---- sgd, sgd_momentum -------------------------------------------------------------------------
 */

enum { FOLDED = 2 }; /* of the ways to add up: the last */

static void move_velocity(const step *s, int way, moved *to) {
    double rate = r(s->rate), momentum = r(s->share[0]);
    for (int i = 0; i < N; i++) {
        double stays = r(momentum * s->before[0][i]), comes = r(rate * s->dw[i]);
        double sum =
            (double)((long double)s->share[0] * s->before[0][i] - (long double)s->rate * s->dw[i]);
        to->after[0][i] = way == 1 ? r(sum) : r(stays - comes);
        to->next_w[i] =
            way == FOLDED ? r(r(s->w[i] + stays) - comes) : r(s->w[i] + to->after[0][i]);
    }
}

Test(answers_updates, honest_steps_of_velocities_are_right) {
    uint64_t seed = 1;
    for (size_t p = 0; p < PRECISIONS; p++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t o = 0; o < sizeof olds / sizeof *olds; o++) {
                precision = precisions_of[p].precision;
                step s = step_of(&seed, sizes[i], olds[o]), plain = step_of(&seed, sizes[i], 0);
                asking sgd, with_momentum;
                s.rate = plain.rate = 0.3;
                s.share[0] = 0.9;
                ask_step(&sgd, "sgd", &plain, precisions_of[p].dtype);
                answer(&sgd, precision);
                ask_step(&with_momentum, "sgd_momentum", &s, precisions_of[p].dtype);
                give_number(&with_momentum, "momentum", s.share[0]);
                give_values(&with_momentum, "velocity", SHAPE(4, 6), s.before[0]);
                answer(&with_momentum, precision);
                plain = rounded_step(&plain);
                s = rounded_step(&s);
                for (int way = 0; way <= FOLDED; way++) {
                    moved to;
                    move_velocity(&plain, way, &to);
                    assert_within(&sgd, "next_w", to.next_w, way);
                    move_velocity(&s, way, &to);
                    assert_within(&with_momentum, "next_w", to.next_w, way);
                    assert_within(&with_momentum, "velocity", to.after[0], way);
                }
                drop_asked(&sgd);
                drop_asked(&with_momentum);
            }
}

/* ---- rmsprop, adam -----------------------------------------------------------------------------
 */

/* stays · before + (1 − stays) · next in several ways. */
enum { OF_DOUBLE, OF_ROUNDED, TOWARDS, EXACTLY, DECAYS };

static double decayed(double stays, double before, double next, int way) {
    double comes = way == OF_ROUNDED ? r(1 - r(stays)) : r(1 - stays);
    if (way == EXACTLY)
        return r((double)((long double)stays * before + (1 - (long double)stays) * next));
    if (way == TOWARDS)
        return r(before + r(comes * r(next - before)));
    return r(r(r(stays) * before) + r(comes * next));
}

/* 1 − betaᵗ in several ways. */
enum { OF_POWER, OF_PRODUCTS, OF_EXACT_POWER, POWERS };

static double share_of(double beta, double t, int way) {
    double power = way == OF_POWER ? r(pow(r(beta), t)) : pow(beta, t);
    if (way == OF_PRODUCTS) {
        power = 1;
        for (int i = 0; i < (int)t; i++)
            power = r(power * r(beta));
    }
    return r(1 - power);
}

static double square_of(double dw, int way) {
    return way == EXACTLY ? dw * dw : r(dw * dw);
}

/* rate · mean / (root + epsilon), with the corrections where courses, torch and others have them.
 */
enum { CORRECTED, DIVISOR_CORRECTED, RATE_CORRECTED, QUOTIENTS };

static double quotient(const step *s, double m, double v, const double share[2], int way) {
    double rate = r(s->rate), epsilon = r(s->epsilon);
    if (way == CORRECTED) {
        double mean = r(m / share[0]), root = r(sqrt(r(v / share[1])));
        return r(r(rate * mean) / r(root + epsilon));
    }
    if (way == DIVISOR_CORRECTED) {
        double divisor = r(r(r(sqrt(v)) / r(sqrt(share[1]))) + epsilon);
        return r(r(rate / share[0]) * r(m / divisor));
    }
    double fold = r(sqrt(share[1]));
    rate = r(r(rate * fold) / share[0]);
    return r(r(rate * m) / r(r(sqrt(v)) + r(epsilon * fold)));
}

/* The two that divide by a root: rmsprop has no m, and no correction. */
static void move_root(const step *s, bool adam, int decays, int powers, int quotients, moved *to) {
    double share[2] = {1, 1};
    for (int b = 0; adam && b < 2; b++)
        share[b] = share_of(s->share[b], s->t + 1, powers);
    for (int i = 0; i < N; i++) {
        double m = adam ? decayed(s->share[0], s->before[0][i], s->dw[i], decays) : s->dw[i];
        double v = decayed(s->share[1], s->before[1][i], square_of(s->dw[i], decays), decays);
        to->after[0][i] = m;
        to->after[1][i] = v;
        to->next_w[i] = r(s->w[i] - quotient(s, m, v, share, quotients));
    }
}

static const double betas[][2] = {{0.9, 0.999}, {0.5, 0.9}, {0, 0.99}, {0.1, 0.3}};
static const double epsilons[] = {1e-8, 1e-3, 0.5};
static const double steps_before[] = {0, 1, 9, 1000};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The steps of one seed, each of its own mixture of the above. */
static step mixed_step(uint64_t *seed, int i) {
    step s = step_of(seed, sizes[i % COUNT(sizes)], olds[i / 2 % COUNT(olds)]);
    s.rate = i % 3 ? 0.01 : 1.7;
    memcpy(s.share, betas[i / 3 % COUNT(betas)], sizeof s.share);
    s.epsilon = epsilons[i / 5 % COUNT(epsilons)];
    s.t = steps_before[i / 7 % COUNT(steps_before)];
    return s;
}

static void ask_root(asking *a, const step *s, bool adam, layers_dtype dtype) {
    ask_step(a, adam ? "adam" : "rmsprop", s, dtype);
    give_number(a, "epsilon", s->epsilon);
    give_number(a, adam ? "beta2" : "decay_rate", s->share[1]);
    give_values(a, adam ? "v" : "cache", SHAPE(4, 6), s->before[1]);
    if (!adam)
        return;
    give_number(a, "beta1", s->share[0]);
    give_values(a, "m", SHAPE(4, 6), s->before[0]);
    give_number(a, "t", s->t);
}

static void try_ways(const asking *a, const step *given, bool adam) {
    step s = rounded_step(given);
    for (int way = 0; way < DECAYS * POWERS * QUOTIENTS; way++) {
        moved to;
        move_root(&s, adam, way % DECAYS, way / DECAYS % POWERS, way / DECAYS / POWERS, &to);
        assert_within(a, "next_w", to.next_w, way);
        assert_within(a, adam ? "v" : "cache", to.after[1], way);
        if (adam)
            assert_within(a, "m", to.after[0], way);
    }
}

Test(answers_updates, honest_steps_over_roots_are_right) {
    uint64_t seed = 2;
    for (size_t p = 0; p < PRECISIONS; p++)
        for (int i = 0; i < 240; i++) {
            asking a;
            bool adam = i % 2;
            step s = mixed_step(&seed, i);
            precision = precisions_of[p].precision;
            ask_root(&a, &s, adam, precisions_of[p].dtype);
            answer(&a, precision);
            try_ways(&a, &s, adam);
            drop_asked(&a);
        }
}

/* ---- what is told apart ------------------------------------------------------------------------
 */

/* A step by the gradients 2, −0.5 and 0.25 from the weights 1, −1 and 3, at a rate of 1/2. */
static void ask_three(asking *a, const char *layer, layers_dtype dtype) {
    ask(a, layer, "update", dtype);
    give_values(a, "w", SHAPE(3), VALUES(1, -1, 3));
    give_values(a, "dw", SHAPE(3), VALUES(2, -0.5, 0.25));
    give_number(a, "learning_rate", 0.5);
}

Test(answers_updates, other_rules_of_velocity_are_named) {
    asking a;
    ask_three(&a, "sgd_momentum", LAYERS_F64);
    give_number(&a, "momentum", 0.75);
    give_values(&a, "velocity", SHAPE(3), VALUES(4, 8, -16));
    answer(&a, LAYERS_F64);
    assert_found(&a, "velocity", VALUES(2, 6.25, -12.125), LAYERS_RIGHT, NULL);
    assert_found(&a, "next_w", VALUES(3, 5.25, -9.125), LAYERS_RIGHT, NULL);
    assert_found(&a, "velocity", VALUES(5, 5.5, -11.75), LAYERS_WRONG, "velocity_without_rate");
    assert_found(&a, "next_w", VALUES(-1.5, -3.75, 8.875), LAYERS_WRONG, "velocity_without_rate");
    assert_found(&a, "next_w", VALUES(1.5, 3.9375, -6.21875), LAYERS_WRONG, "nesterov");
    assert_found(&a, "velocity", VALUES(2.75, 6.0625, -12.03125), LAYERS_WRONG, "dampened");
    assert_found(&a, "velocity", VALUES(-1, 0.25, -0.125), LAYERS_WRONG, "velocity_lost");
    assert_found(&a, "velocity", VALUES(3, 8.25, -16.125), LAYERS_WRONG, "momentum_missing");
    assert_found(&a, "velocity", VALUES(4, 8, -16), LAYERS_WRONG, "velocity_not_stored");
    assert_found(&a, "next_w", VALUES(0, -0.75, 2.875), LAYERS_WRONG, "velocity_lost");
    assert_found(&a, "next_w", VALUES(3, 5.25, -9), LAYERS_WRONG, NULL);
    drop_asked(&a);
}

/* The first step of torch's: the same weights, another velocity. */
Test(answers_updates, a_velocity_without_rate_is_told_by_itself_alone) {
    asking a;
    ask_three(&a, "sgd_momentum", LAYERS_F64);
    answer(&a, LAYERS_F64);
    assert_found(&a, "next_w", VALUES(0, -0.75, 2.875), LAYERS_RIGHT, NULL);
    assert_found(&a, "velocity", VALUES(2, -0.5, 0.25), LAYERS_WRONG, "velocity_without_rate");
    drop_asked(&a);
}

/* w − rate · step of the three. */
static const double *went(double to[3], double a, double b, double c) {
    to[0] = 1 - 0.5 * a;
    to[1] = -1 - 0.5 * b;
    to[2] = 3 - 0.5 * c;
    return to;
}

Test(answers_updates, places_of_epsilon_are_named) {
    asking adam, rmsprop;
    double to[3];
    ask_three(&adam, "adam", LAYERS_F64);
    give_number(&adam, "epsilon", 1);
    answer(&adam, LAYERS_F64);
    assert_found(&adam, "next_w", went(to, 2 / 3., -1 / 3., 0.2), LAYERS_RIGHT, NULL);
    assert_found(&adam, "next_w", went(to, 2 / sqrt(5), -0.5 / sqrt(1.25), 0.25 / sqrt(1.0625)),
                 LAYERS_WRONG, "eps_inside_root");
    assert_found(&adam, "next_w", went(to, 1, -1, 1), LAYERS_WRONG, "eps_missing");
    double fold = sqrt(0.001);
    assert_found(&adam, "next_w",
                 went(to, 2 * fold / (2 * fold + 1), -0.5 * fold / (0.5 * fold + 1),
                      0.25 * fold / (0.25 * fold + 1)),
                 LAYERS_WRONG, "eps_before_correction");
    ask_three(&rmsprop, "rmsprop", LAYERS_F64);
    give_number(&rmsprop, "epsilon", 1);
    answer(&rmsprop, LAYERS_F64);
    assert_found(&rmsprop, "next_w", went(to, 2 / 1.2, -0.5 / 1.05, 0.25 / 1.025), LAYERS_RIGHT,
                 NULL);
    assert_found(&rmsprop, "next_w",
                 went(to, 2 / sqrt(1.04), -0.5 / sqrt(1.0025), 0.25 / sqrt(1.000625)), LAYERS_WRONG,
                 "eps_inside_root");
    drop_asked(&adam);
    drop_asked(&rmsprop);
}

Test(answers_updates, corrections_are_named) {
    asking a;
    double to[3];
    ask_three(&a, "adam", LAYERS_F64);
    give_number(&a, "beta1", 0.25);
    give_number(&a, "beta2", 0.75);
    give_number(&a, "epsilon", 1);
    answer(&a, LAYERS_F64);
    assert_found(&a, "m", VALUES(1.5, -0.375, 0.1875), LAYERS_RIGHT, NULL);
    assert_found(&a, "v", VALUES(1, 0.0625, 0.015625), LAYERS_RIGHT, NULL);
    assert_found(&a, "m", VALUES(2, -0.5, 0.25), LAYERS_WRONG, "not_weighed");
    assert_found(&a, "v", VALUES(4, 0.25, 0.0625), LAYERS_WRONG, "not_weighed");
    assert_found(&a, "v", VALUES(0.5, -0.125, 0.0625), LAYERS_WRONG, "square_missing");
    assert_found(&a, "v", VALUES(0.5, 0.125, 0.0625), LAYERS_WRONG, "square_missing");
    assert_found(&a, "m", VALUES(0, 0, 0), LAYERS_WRONG, "moments_not_stored");
    double norm = sqrt(4.3125);
    assert_found(&a, "m", VALUES(1.5 / norm, -0.375 / norm, 0.1875 / norm), LAYERS_WRONG,
                 "clipped");
    assert_found(&a, "next_w", went(to, 1.5 / 2, -0.375 / 1.25, 0.1875 / 1.125), LAYERS_WRONG,
                 "no_bias_correction");
    assert_found(&a, "next_w", went(to, 1.125 / 1.5, -0.28125 / 1.125, 0.140625 / 1.0625),
                 LAYERS_WRONG, "correction_multiplied");
    assert_found(&a, "next_w", went(to, 2 / 2., -0.5 / 1.25, 0.25 / 1.125), LAYERS_WRONG,
                 "only_m_corrected");
    double root = sqrt(1 / 0.4375);
    assert_found(&a, "next_w",
                 went(to, 1.6 / (root + 1), -0.4 / (root / 4 + 1), 0.2 / (root / 8 + 1)),
                 LAYERS_WRONG, "t_one_ahead");
    assert_found(&a, "next_w", VALUES(NAN, NAN, NAN), LAYERS_WRONG, "t_not_incremented");
    drop_asked(&a);
}

/* In float32 an epsilon of 1e-8 cannot be seen beside roots of 1: nobody can tell whether it was
 * added. In float64 it can. */
Test(answers_updates, a_first_step_with_the_courses_epsilon_needs_float64) {
    for (layers_dtype dtype = LAYERS_F64; dtype <= LAYERS_F32; dtype++) {
        asking a;
        ask_three(&a, "adam", dtype);
        answer(&a, dtype);
        assert_found(&a, "next_w", right_of(&a, "next_w"),
                     dtype == LAYERS_F64 ? LAYERS_RIGHT : LAYERS_UNDECIDED, NULL);
        assert_found(&a, "m", right_of(&a, "m"), LAYERS_RIGHT, NULL);
        drop_asked(&a);
    }
}

/* 1 − 0.9999999999 is 0 in float32, and an epsilon of 1e-60 too. */
Test(answers_updates, a_step_that_float32_loses_is_undecided) {
    asking power, epsilon;
    ask_three(&power, "adam", LAYERS_F32);
    give_number(&power, "beta2", 1 - 1e-10);
    answer(&power, LAYERS_F32);
    assert_found(&power, "next_w", VALUES(NAN, NAN, NAN), LAYERS_UNDECIDED, NULL);
    ask(&epsilon, "rmsprop", "update", LAYERS_F32);
    give_values(&epsilon, "w", SHAPE(2), VALUES(1, 2));
    give_values(&epsilon, "dw", SHAPE(2), VALUES(0, 0));
    give_number(&epsilon, "epsilon", 1e-60);
    answer(&epsilon, LAYERS_F32);
    assert_found(&epsilon, "next_w", VALUES(NAN, 2), LAYERS_UNDECIDED, NULL);
    drop_asked(&power);
    drop_asked(&epsilon);
}

/* What has no end is right where it is, and nothing else is. */
Test(answers_updates, steps_without_end_are_judged_by_kind) {
    static const char *const layers[] = {"sgd", "sgd_momentum", "rmsprop", "adam"};
    for (int i = 0; i < 4; i++)
        for (int p = 0; p < PRECISIONS; p++) {
            asking a;
            ask(&a, layers[i], "update", precisions_of[p].dtype);
            give_values(&a, "w", SHAPE(4), VALUES(INFINITY, 1, NAN, 2));
            give_values(&a, "dw", SHAPE(4), VALUES(1, -INFINITY, 1, 0.5));
            give_number(&a, "learning_rate", 0.5);
            if (i >= 2)
                give_number(&a, "epsilon", 0.5);
            answer(&a, precisions_of[p].precision);
            double claim[4];
            memcpy(claim, right_of(&a, "next_w"), sizeof claim);
            assert_found(&a, "next_w", claim, LAYERS_RIGHT, NULL);
            claim[0] = 1;
            assert_found(&a, "next_w", claim, LAYERS_WRONG, NULL);
            drop_asked(&a);
        }
}

/* Bounds are of the claim's precision, not wider. */
Test(answers_updates, steps_of_float32_are_not_right_in_float64) {
    uint64_t seed = 3;
    for (int i = 1; i < 20; i += 2) {
        asking a;
        step s = mixed_step(&seed, 5 * i);
        s.share[1] = 0.9;
        s.t = 2;
        ask_root(&a, &s, true, LAYERS_F64);
        answer(&a, LAYERS_F64);
        precision = LAYERS_F32;
        step narrow = rounded_step(&s);
        moved to;
        move_root(&narrow, true, 0, 0, 0, &to);
        CHECK(worst_of(&a, "next_w", to.next_w) > 1e4 && worst_of(&a, "v", to.after[1]) > 1e4,
              "float32 is %.3g bounds off", worst_of(&a, "v", to.after[1]));
        drop_asked(&a);
    }
}
