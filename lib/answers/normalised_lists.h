/* The faults that all normalisations share, for the lists of layers_answers. Each is a recipe. */
#ifndef ANSWERS_NORMALISED_LISTS_H
#define ANSWERS_NORMALISED_LISTS_H

#include "answers/normalised.h"

#define OUT        CLAIM_BIT(0)
#define DX         CLAIM_BIT(NORMALISED_DX)
#define DGAMMA     CLAIM_BIT(NORMALISED_DGAMMA)
#define DBETA      CLAIM_BIT(NORMALISED_DBETA)
#define MEAN_MOVES CLAIM_BIT(CLAIM_PARAM(RUNNING_MEAN))
#define VAR_MOVES  CLAIM_BIT(CLAIM_PARAM(RUNNING_VAR))
#define OF(...)    (&(const recipe){__VA_ARGS__})
#define NORM_UNCLEAR                                                                               \
    "the squares of these numbers leave the range of the dtype, or their mean is so large that "   \
    "rounding hides their spread: send smaller ones"

// clang-format off: versions differ about lists in macros

/* A fault of a recipe. */
#define FAULT(name, words, where, when, ...)                                                       \
    {                                                                                              \
        .code = name, .says = words, .outputs = where, .applies = when, .how = OF(__VA_ARGS__),    \
        .fill = normalised_fill                                                                    \
    }

/* One that only special inputs show, or that right claims need not be told from. */
#define SPECIAL(name, words, where, when, ...)                                                     \
    {                                                                                              \
        .code = name, .says = words, .outputs = where, .kind = FAULT_SPECIAL, .applies = when,     \
        .how = OF(__VA_ARGS__), .fill = normalised_fill                                            \
    }

/* What is done with eps, and deviations that are none. In backward `where` is what depends on xhat,
 * and the first of two is the gradient of such a forward, the second the right formula with such a
 * deviation in it. */
#define DEVIATION_FAULTS(where, variance)                                                             \
    FAULT("eps_missing", "eps was left out: the deviation is sqrt(var + eps)", where,                 \
          normalised_has_rows, .deviation = EPS_MISSING),                                             \
        FAULT("eps_outside_root", "eps was added to the root: it belongs inside, sqrt(var + eps)",    \
              where, normalised_has_rows, .deviation = EPS_OUTSIDE),                                  \
        FAULT("eps_twice", "eps was added twice: the deviation is sqrt(var + eps)", where,            \
              normalised_has_rows, .deviation = EPS_TWICE),                                           \
        FAULT("eps_subtracted", "eps was subtracted: the deviation is sqrt(var + eps)", where,        \
              normalised_has_rows, .deviation = EPS_SUBTRACTED),                                      \
        FAULT("eps_not_read", "eps was taken to be 1e-5: use the one that is given", where,           \
              normalised_has_other_eps, .deviation = EPS_FIXED, .eps = 1e-5),                         \
        FAULT("eps_1e-3",                                                                             \
              "eps was taken to be 1e-3, as some libraries do: use the one of the call", where,       \
              normalised_has_no_thousandth, .deviation = EPS_FIXED, .eps = 1e-3),                     \
        SPECIAL("eps_not_read", "eps was taken to be 1e-8: use the one that is given", where,         \
                normalised_has_rows, .deviation = EPS_FIXED, .eps = 1e-8),                            \
        FAULT("variance_not_root", "the variance divides: its root is due, sqrt(var + eps)",          \
              where, normalised_has_rows, .deviation = NOT_ROOT),                                     \
        FAULT("unbiased_variance",                                                                    \
              "the variance was divided by the number of terms less 1 (ddof=1): divide by all of "    \
              "them",                                                                                 \
              where, normalised_trains, .deviation = UNBIASED),                                       \
        FAULT("variance_of_everything",                                                               \
              "the variance is one number for the whole array: name the axes that it goes over",      \
              (where) | (variance), normalised_trains_many, .deviation = OF_EVERYTHING),              \
        FAULT("variance_of_everything",                                                               \
              "the variance is one number for all of x − mean: name the axes that it goes over",      \
              (where) | (variance), normalised_trains_many, .deviation = MEAN_OF_VARIANCES),          \
        FAULT("std_of_variances",                                                                     \
              "std was taken of the variances: their root is due, sqrt(var + eps)", where,            \
              normalised_trains, .deviation = STD_OF_VARIANCES),                                      \
        SPECIAL(                                                                                      \
            "variance_cancels",                                                                       \
            "the variance was computed as mean(x²) − mean(x)², which loses all digits where the " \
            "mean is far from 0: average (x − mean)²",                                                \
            (where) | (variance), normalised_trains, .deviation = CANCELLING)

#define MEAN_FAULT(where, when)                                                                    \
    FAULT("mean_not_subtracted",                                                                   \
          "the mean was not subtracted: xhat is (x − mean) / sqrt(var + eps)", where, when,        \
          .mean_stays = true)

#define FORWARD_FAULTS(variance)                                                                   \
    FAULT("beta_missing", "beta was not added", OUT, normalised_has_rows, .beta_missing = true),   \
        FAULT("gamma_missing", "gamma does not scale: out is gamma · xhat + beta", OUT,            \
              normalised_has_rows, .gamma_missing = true),                                         \
        FAULT("gamma_missing", "gamma and beta were left out: out is gamma · xhat + beta", OUT,    \
              normalised_has_rows, .gamma_missing = true, .beta_missing = true),                   \
        MEAN_FAULT(OUT, normalised_has_rows), DEVIATION_FAULTS(OUT, variance)

#define BACKWARD_FAULTS                                                                            \
    FAULT(                                                                                         \
        "statistics_held_constant",                                                                \
        "mean and variance were taken for constants: x moves them too, and gradients go through "  \
        "them",                                                                                    \
        DX, normalised_trains, .gradient = HELD_CONSTANT),                                         \
        FAULT("mean_term_missing", "the gradient through the mean is missing", DX,                 \
              normalised_trains, .gradient = NO_MEAN_TERM),                                        \
        FAULT("variance_term_missing", "the gradient through the variance is missing", DX,         \
              normalised_trains, .gradient = NO_VARIANCE_TERM),                                    \
        FAULT("sums_not_divided",                                                                  \
              "sums stand in dx where means are due: divide them by the number of terms", DX,      \
              normalised_trains_members, .gradient = NOT_DIVIDED),                                 \
        FAULT("sums_of_everything",                                                                \
              "the sums in the formula of dx go over the whole array: name their axes", DX,        \
              normalised_trains_many, .gradient = SUMS_OF_EVERYTHING),                             \
        FAULT("sums_of_everything",                                                                \
              "the sums in the formula of dx go over the whole array: name their axes", DX,        \
              normalised_trains_many, .gradient = SCALED_SUMS_OF_EVERYTHING),                      \
        FAULT("gamma_missing", "gamma is missing in dx: the gradient of xhat is gamma · dout", DX, \
              normalised_has_rows, .gamma_missing = true),                                         \
        FAULT("dgamma_from_x", "dgamma is the sum of dout · x: xhat is due in the place of x",     \
              DGAMMA, normalised_has_rows, .mean_stays = true, .deviation = NO_DEVIATION),         \
        {.code = "mean_not_sum",                                                                   \
         .says = "the gradient is a mean: over the elements that share it, it is a sum",           \
         .outputs = DGAMMA | DBETA,                                                                \
         .applies = normalised_has_rows,                                                           \
         .variant = DIVIDED,                                                                       \
         .fill = normalised_fill},                                                                 \
        MEAN_FAULT(DX, normalised_trains), MEAN_FAULT(DGAMMA, normalised_has_rows),                \
        DEVIATION_FAULTS(DX | DGAMMA, 0),                                                          \
        FAULT("eps_outside_root", "eps was added to the root: it belongs inside, sqrt(var + eps)", \
              DX, normalised_trains, .deviation = EPS_OUTSIDE, .gradient = TEXTBOOK),              \
        FAULT("eps_outside_root", "eps was added to the root: it belongs inside, sqrt(var + eps)", \
              DX, normalised_trains, .deviation = EPS_OUTSIDE, .gradient = XHAT_KEPT),             \
        FAULT("variance_not_root", "the variance divides: its root is due, sqrt(var + eps)", DX,   \
              normalised_trains, .deviation = NOT_ROOT, .gradient = TEXTBOOK),                     \
        FAULT("unbiased_variance",                                                                 \
              "the variance was divided by the number of terms less 1 (ddof=1): divide by all of " \
              "them",                                                                              \
              DX, normalised_trains, .deviation = UNBIASED, .gradient = TEXTBOOK),                 \
        FAULT("variance_of_everything",                                                            \
              "the variance is one number for the whole array: name the axes that it goes over",   \
              DX, normalised_trains_many, .deviation = OF_EVERYTHING, .gradient = TEXTBOOK),       \
        FAULT("std_of_variances",                                                                  \
              "std was taken of the variances: their root is due, sqrt(var + eps)", DX,            \
              normalised_trains, .deviation = STD_OF_VARIANCES, .gradient = TEXTBOOK)

/* Sets of other numbers. */
#define SETS_FAULT(name, words, where, which)                                                      \
    SPECIAL(name, words, where, normalised_trains, .sets = which)

#define EVERYTHING_FAULT(where)                                                                    \
    SETS_FAULT(                                                                                    \
        "over_everything",                                                                         \
        "mean and variance are one number for the whole array: name the axes that they go over",   \
        where, sets_of_everything)

/* gamma and beta went by rows, which a square array lets pass. */
#define SQUARE_FAULT(where)                                                                        \
    SPECIAL("gamma_wrong_axis",                                                                    \
            "gamma and beta went by rows: each of their elements belongs to a column", where,      \
            normalised_trains_square, .scales = scales_of_examples)

/* Of the two batchnorms: test mode. */
#define TEST_MODE_FAULT(where)                                                                     \
    FAULT(                                                                                         \
        "batch_statistics_in_test",                                                                \
        "the batch's own mean and variance normalise in test mode: running_mean and running_var "  \
        "are due",                                                                                 \
        where, normalised_is_fixed, .source = OF_BATCH)

#define TEST_MODE_VARIANCE_FAULT                                                                   \
    FAULT("batch_statistics_in_test",                                                              \
          "the batch's own variance normalises in test mode: running_var is due", OUT,             \
          normalised_is_fixed, .source = VARIANCE_OF_BATCH)

#define TEST_MODE_GRADIENT_FAULT                                                                   \
    FAULT("train_gradient_in_test",                                                                \
          "dx goes through mean and variance in test mode: there the running statistics are "      \
          "constants",                                                                             \
          DX, normalised_is_fixed, .gradient = TEXTBOOK)

#define RUNNING_FAULT(name, words, where, when, what)                                              \
    {                                                                                              \
        .code = name, .says = words, .outputs = where, .applies = when, .variant = what,           \
        .fill = normalised_fill                                                                    \
    }

#define RUNNING_FAULTS                                                                                \
    RUNNING_FAULT(                                                                                    \
        "running_overwritten",                                                                        \
        "the running statistic is the batch's: momentum · old + (1 − momentum) · new is "         \
        "due",                                                                                        \
        MEAN_MOVES | VAR_MOVES, normalised_trains, RUNNING_OVERWRITTEN),                              \
        {/* in a first step, from zeros, it does not show */                                          \
         .code = "running_not_decayed",                                                               \
         .says = "the old running statistic was not multiplied by momentum",                          \
         .outputs = MEAN_MOVES | VAR_MOVES,                                                           \
         .kind = FAULT_SPECIAL,                                                                       \
         .applies = normalised_trains,                                                                \
         .variant = RUNNING_ADDED_SHARE,                                                              \
         .fill = normalised_fill},                                                                    \
        RUNNING_FAULT("running_not_decayed",                                                          \
                      "the batch's statistic was added to the running one: momentum · old + (1 − " \
                      "momentum) · new is due",                                                       \
                      MEAN_MOVES | VAR_MOVES, normalised_trains, RUNNING_ADDED),                      \
        RUNNING_FAULT("running_not_decayed",                                                          \
                      "the running statistic took the batch's whole: momentum · old + (1 − "       \
                      "momentum) · new is due",                                                       \
                      MEAN_MOVES | VAR_MOVES, normalised_trains, RUNNING_ADDED_WHOLE),                \
        RUNNING_FAULT("momentum_swapped",                                                             \
                      "momentum weighs the batch's statistic: it is the share of the old one",        \
                      MEAN_MOVES | VAR_MOVES, normalised_trains, RUNNING_SWAPPED),                    \
        RUNNING_FAULT("running_exchanged",                                                            \
                      "the batch's mean went to running_var, or its variance to running_mean",        \
                      MEAN_MOVES | VAR_MOVES, normalised_trains, RUNNING_EXCHANGED),                  \
        RUNNING_FAULT("running_lost", "the running statistic did not move in train mode",             \
                      MEAN_MOVES | VAR_MOVES, normalised_trains, RUNNING_LOST),                       \
        RUNNING_FAULT("running_std",                                                                  \
                      "running_var holds deviations: it averages variances, without "                 \
                      "the root",                                                                     \
                      VAR_MOVES, normalised_trains, RUNNING_STD),                                     \
        RUNNING_FAULT("running_std",                                                                  \
                      "running_var holds deviations: it averages variances, without "                 \
                      "eps and the root",                                                             \
                      VAR_MOVES, normalised_trains, RUNNING_STD_EPS),                                 \
        RUNNING_FAULT(                                                                                \
            "running_unbiased",                                                                       \
            "running_var averages variances divided by the number of terms less 1 (ddof=1): "         \
            "divide by all of them",                                                                  \
            VAR_MOVES, normalised_trains, RUNNING_UNBIASED),                                          \
        RUNNING_FAULT("running_plus_eps",                                                             \
                      "eps was added to running_var: it belongs where the variance "                  \
                      "divides",                                                                      \
                      VAR_MOVES, normalised_trains, RUNNING_PLUS_EPS),                                \
        RUNNING_FAULT("running_moves_in_test",                                                        \
                      "the running statistic moved in test mode, where it must stay as it is",        \
                      MEAN_MOVES | VAR_MOVES, normalised_is_fixed, RUNNING_MOVES)
// clang-format on

#endif
