/* What right and wrong answers to spatial_batchnorm look like: normalised.h has how. */
#include "answers/normalised_draw.h"
#include "answers/normalised_lists.h"

#define CHANNEL_SAYS                                                                               \
    "x was reshaped to (N · H · W, C) as it lies, so that channels share columns: "              \
    "transpose(0, 2, 3, 1) moves C to the end first"

#define FIRST_SAYS                                                                                 \
    "x was reshaped to (C, N · H · W) as it lies, so that channels share rows: "                 \
    "transpose(1, 0, 2, 3) moves C to the front first"

/* What of the running statistics shows in `mean` and `var`: a variance of the whole array is a
 * fault of its own. */
#define AXIS_FAULTS(where, mean, var)                                                              \
    SPECIAL("channel_not_moved", CHANNEL_SAYS, (where) | (mean) | (var), normalised_has_rows,      \
            .sets = sets_not_moved, .scales = scales_not_moved),                                   \
        SPECIAL("channel_not_moved", FIRST_SAYS, (where) | (mean) | (var), normalised_has_rows,    \
                .sets = sets_in_a_row, .scales = scales_in_a_row),                                 \
        SETS_FAULT("over_everything",                                                              \
                   "mean and variance are those of the whole array: each channel has its own",     \
                   (where) | (mean), sets_of_everything),                                          \
        SETS_FAULT("batch_left_out",                                                               \
                   "each image was normalised by itself: mean and variance go over the batch too", \
                   where, sets_of_planes),                                                         \
        SETS_FAULT("positions_apart",                                                              \
                   "each pixel was normalised by itself: mean and variance go over H and W too",   \
                   where, sets_of_features),                                                       \
        SETS_FAULT("by_example",                                                                   \
                   "each example was normalised as a whole: mean and variance are each channel's", \
                   where, sets_of_examples)

#define NOT_MOVED_BACK(where)                                                                      \
    {                                                                                              \
        .code = "channel_not_moved_back",                                                          \
        .says = "the values are right, but lie as (N, H, W, C): transpose(0, 3, 1, 2) moves C "    \
                "back before the reshape",                                                         \
        .outputs = where, .kind = FAULT_SPECIAL, .applies = normalised_has_rows,                   \
        .variant = MOVED_BACK_WRONGLY, .fill = normalised_fill,                                    \
    }

#define SIZES(n)                                                                                   \
    { [LETTER('N')] = (n), [LETTER('C')] = 5, [LETTER('H')] = 4, [LETTER('W')] = 3 }

static const layers_case cases[] = {
    {"plain", SIZES(2), {0}, draw_batch_plain}, {"one", SIZES(1), {0}, draw_batch_plain},
    {"far", SIZES(1), {0}, draw_batch_far},     {"flat", SIZES(2), {0}, draw_batch_flat},
    {"test", SIZES(2), {0}, draw_batch_test},   {0},
};

const layers_answers spatial_batchnorm_forward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = cases,
    .faults = (const layers_fault[]){AXIS_FAULTS(OUT, MEAN_MOVES, VAR_MOVES),
                                     NOT_MOVED_BACK(OUT),
                                     FORWARD_FAULTS(VAR_MOVES),
                                     TEST_MODE_FAULT(OUT),
                                     TEST_MODE_VARIANCE_FAULT,
                                     RUNNING_FAULTS,
                                     {0}},
};

const layers_answers spatial_batchnorm_backward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = cases,
    .faults = (const layers_fault[]){AXIS_FAULTS(DX | DGAMMA, 0, 0),
                                     NOT_MOVED_BACK(DX),
                                     SPECIAL("channel_not_moved", CHANNEL_SAYS, DBETA,
                                             normalised_has_rows, .scales = scales_not_moved),
                                     SPECIAL("channel_not_moved", FIRST_SAYS, DBETA,
                                             normalised_has_rows, .scales = scales_in_a_row),
                                     BACKWARD_FAULTS,
                                     TEST_MODE_FAULT(DX | DGAMMA),
                                     TEST_MODE_GRADIENT_FAULT,
                                     {0}},
};
