/* What right and wrong answers to batchnorm look like: normalised.h has how. */
#include "answers/normalised_draw.h"
#include "answers/normalised_lists.h"

#define AXIS_FAULTS(where)                                                                         \
    SETS_FAULT("wrong_axis",                                                                       \
               "each row was normalised, as in layernorm: batchnorm's mean and variance go over "  \
               "the batch, axis 0",                                                                \
               where, sets_of_examples),                                                           \
        EVERYTHING_FAULT(where)

static const layers_case cases[] = {
    {"plain", {[LETTER('N')] = 5, [LETTER('D')] = 4}, {0}, draw_batch_plain},
    {"one", {[LETTER('N')] = 1, [LETTER('D')] = 4}, {0}, draw_batch_plain},
    {"far", {[LETTER('N')] = 5, [LETTER('D')] = 4}, {0}, draw_batch_far},
    {"flat", {[LETTER('N')] = 5, [LETTER('D')] = 4}, {0}, draw_batch_flat},
    {"test", {[LETTER('N')] = 5, [LETTER('D')] = 4}, {0}, draw_batch_test},
    {0},
};

const layers_answers batchnorm_forward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = cases,
    .faults = (const layers_fault[]){FORWARD_FAULTS(VAR_MOVES),
                                     TEST_MODE_FAULT(OUT),
                                     TEST_MODE_VARIANCE_FAULT,
                                     AXIS_FAULTS(OUT),
                                     SQUARE_FAULT(OUT),
                                     RUNNING_FAULTS,
                                     {0}},
};

const layers_answers batchnorm_backward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = cases,
    .faults = (const layers_fault[]){BACKWARD_FAULTS,
                                     TEST_MODE_FAULT(DX | DGAMMA),
                                     TEST_MODE_GRADIENT_FAULT,
                                     AXIS_FAULTS(DX | DGAMMA),
                                     SQUARE_FAULT(DX | DGAMMA | DBETA),
                                     {0}},
};
