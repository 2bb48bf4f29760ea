/* What right and wrong answers to spatial_groupnorm look like: normalised.h has how. */
#include "answers/normalised_draw.h"
#include "answers/normalised_lists.h"

enum { GROUPS }; /* gn_param */

#define AXIS_FAULTS(where)                                                                         \
    SETS_FAULT("by_channel",                                                                       \
               "each channel was normalised by itself: mean and variance are those of a group of " \
               "channels",                                                                         \
               where, sets_of_planes),                                                             \
        SETS_FAULT("by_position",                                                                  \
                   "each pixel was normalised over its channels: mean and variance are those of "  \
                   "a group of channels with all their pixels",                                    \
                   where, sets_of_positions),                                                      \
        SETS_FAULT("by_position",                                                                  \
                   "each pixel was normalised over the channels of its group: mean and variance "  \
                   "are those of a group of channels with all their pixels",                       \
                   where, sets_of_group_positions),                                                \
        SETS_FAULT("by_example",                                                                   \
                   "each example was normalised as a whole: each group of its channels has a "     \
                   "mean and a variance",                                                          \
                   where, sets_of_examples),                                                       \
        SETS_FAULT("groups_over_batch",                                                            \
                   "mean and variance go over the batch: each example has its own", where,         \
                   sets_of_groups_over_batch),                                                     \
        SETS_FAULT("over_batch",                                                                   \
                   "each channel was normalised over the batch, as in spatial_batchnorm", where,   \
                   sets_of_channels),                                                              \
        SETS_FAULT("groups_strided",                                                               \
                   "groups are made of every so manieth channel: they are of neighbours", where,   \
                   sets_of_strided_groups),                                                        \
        SETS_FAULT("groups_is_size",                                                               \
                   "groups was taken for the number of channels in a group: it is the number of "  \
                   "groups",                                                                       \
                   where, sets_of_groups_of_size),                                                 \
        EVERYTHING_FAULT(where)

#define SIZES(n)                                                                                   \
    { [LETTER('N')] = (n), [LETTER('C')] = 6, [LETTER('H')] = 3, [LETTER('W')] = 2 }

static void plain(layers_drawing *drawing, layers_call *asked) {
    draw_set_number(asked, GROUPS, 3);
    draw_plain(drawing, asked);
}

static void far(layers_drawing *drawing, layers_call *asked) {
    draw_set_number(asked, GROUPS, 3);
    draw_far(drawing, asked);
}

static void flat(layers_drawing *drawing, layers_call *asked) {
    draw_set_number(asked, GROUPS, 3);
    draw_flat(drawing, asked);
}

static const layers_case cases[] = {
    {"plain", SIZES(4), {0}, plain},
    {"one", SIZES(1), {0}, plain},
    {"far", SIZES(4), {0}, far},
    {"flat", SIZES(4), {0}, flat},
    {0},
};

const layers_answers spatial_groupnorm_forward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = cases,
    .faults = (const layers_fault[]){AXIS_FAULTS(OUT), FORWARD_FAULTS(0), {0}},
};

const layers_answers spatial_groupnorm_backward_answers = {
    .bound = normalised_bound,
    .notes = normalised_notes,
    .note = normalised_note,
    .memo = normalised_memo,
    .unclear = NORM_UNCLEAR,
    .cases = cases,
    .faults = (const layers_fault[]){AXIS_FAULTS(DX | DGAMMA), BACKWARD_FAULTS, {0}},
};
