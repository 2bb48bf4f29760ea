/* What right and wrong answers to layernorm look like: normalised.h has how. */
#include "answers/normalised_draw.h"
#include "answers/normalised_lists.h"

#define AXIS_FAULTS(where)                                                                         \
    SETS_FAULT("wrong_axis",                                                                       \
               "each column was normalised, as in batchnorm: layernorm's mean and variance are "   \
               "each row's own, axis 1",                                                           \
               where, sets_of_features),                                                           \
        EVERYTHING_FAULT(where)

#define CASES(far)                                                                                 \
    (const layers_case[]) {                                                                        \
        {"plain", {[LETTER('N')] = 6, [LETTER('D')] = 5}, {0}, draw_plain},                        \
            {"one", {[LETTER('N')] = 1, [LETTER('D')] = 5}, {0}, draw_plain},                      \
            {"far", {[LETTER('N')] = 6, [LETTER('D')] = 5}, {0}, far},                             \
            {"flat", {[LETTER('N')] = 6, [LETTER('D')] = 5}, {0}, draw_flat}, {                    \
            0                                                                                      \
        }                                                                                          \
    }

const layers_answers layernorm_forward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = CASES(draw_far),
    .faults = (const layers_fault[]){FORWARD_FAULTS(0), AXIS_FAULTS(OUT), SQUARE_FAULT(OUT), {0}},
};

const layers_answers layernorm_backward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = CASES(draw_far_sums),
    .faults =
        (const layers_fault[]){
            BACKWARD_FAULTS, AXIS_FAULTS(DX | DGAMMA), SQUARE_FAULT(DX | DGAMMA | DBETA), {0}},
};
