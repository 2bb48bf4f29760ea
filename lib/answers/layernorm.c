/* What right and wrong answers to layernorm look like: normalised.h has how. */
#include "answers/normalised_draw.h"
#include "answers/normalised_lists.h"

#define AXIS_FAULTS(where)                                                                         \
    SETS_FAULT("wrong_axis",                                                                       \
               "each column was normalised, as in batchnorm: layernorm's mean and variance are "   \
               "each row's own, axis 1",                                                           \
               where, sets_of_features),                                                           \
        EVERYTHING_FAULT(where)

#define SIZES(n)                                                                                   \
    { [LETTER('N')] = (n), [LETTER('D')] = 5 }

static const layers_case cases[] = {
    {"plain", SIZES(6), {0}, draw_plain},
    {"one", SIZES(1), {0}, draw_plain},
    {"far", SIZES(6), {0}, draw_far},
    {"flat", SIZES(6), {0}, draw_flat},
    {0},
};

static const layers_case backward_cases[] = {
    {"plain", SIZES(6), {0}, draw_plain},
    {"one", SIZES(1), {0}, draw_plain},
    {"far", SIZES(6), {0}, draw_far_sums},
    {"flat", SIZES(6), {0}, draw_flat},
    {0},
};

const layers_answers layernorm_forward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = cases,
    .faults = (const layers_fault[]){FORWARD_FAULTS(0), AXIS_FAULTS(OUT), SQUARE_FAULT(OUT), {0}},
};

const layers_answers layernorm_backward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = backward_cases,
    .faults =
        (const layers_fault[]){
            BACKWARD_FAULTS, AXIS_FAULTS(DX | DGAMMA), SQUARE_FAULT(DX | DGAMMA | DBETA), {0}},
};
