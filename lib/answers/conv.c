/* Wrong answers to conv, by name: conv_faults.c computes them. conv_bound.c says how far right ones
 * may be apart. */
#include "answers/conv.h"

/* ---- where they show ---------------------------------------------------------------------------
 */

static bool has_taps(const layers_check *check) {
    return check_length(check, 'R') * check_length(check, 'S') > 1;
}

static bool has_products(const layers_check *check) {
    return check_length(check, 'C') > 1 || has_taps(check);
}

static bool has_square_kernel(const layers_check *check) {
    return check_length(check, 'R') == check_length(check, 'S') && check_length(check, 'R') > 1;
}

static bool has_square_out(const layers_check *check) {
    return check_length(check, 'P') == check_length(check, 'Q') && check_length(check, 'P') > 1;
}

static bool has_square_x(const layers_check *check) {
    return check_length(check, 'H') == check_length(check, 'W') && check_length(check, 'H') > 1;
}

static bool is_all_square(const layers_check *check) {
    return check_length(check, 'R') == check_length(check, 'S') && has_square_x(check) &&
           has_square_out(check);
}

static bool has_padding(const layers_check *check) {
    return check_number(check, PAD) > 0;
}

static bool has_other_padding(const layers_check *check) {
    return check_number(check, PAD) != 1;
}

static bool has_windows(const layers_check *check) {
    return check_length(check, 'P') > 1 || check_length(check, 'Q') > 1;
}

static bool has_windows_of_example(const layers_check *check) {
    return has_windows(check) && check_length(check, 'N') > 0;
}

static bool has_inner_windows(const layers_check *check) {
    return check_length(check, 'P') > 1 && check_length(check, 'Q') > 1;
}

static bool has_stride(const layers_check *check) {
    return check_number(check, STRIDE) > 1 && has_windows(check);
}

static bool has_overlap(const layers_check *check) {
    double stride = check_number(check, STRIDE);
    return (stride < (double)check_length(check, 'R') && check_length(check, 'P') > 1) ||
           (stride < (double)check_length(check, 'S') && check_length(check, 'Q') > 1);
}

static bool has_overlap_of_filter(const layers_check *check) {
    return has_overlap(check) && check_length(check, 'F') > 0;
}

static bool has_channels(const layers_check *check) {
    return check_length(check, 'C') > 1;
}

static bool has_filters(const layers_check *check) {
    return check_length(check, 'F') > 1;
}

static bool has_example(const layers_check *check) {
    return check_length(check, 'N') > 0;
}

static bool has_examples(const layers_check *check) {
    return check_length(check, 'N') > 1;
}

static bool has_column_a_filter(const layers_check *check) {
    return check_length(check, 'Q') == check_length(check, 'F');
}

static bool has_row_a_filter(const layers_check *check) {
    return check_length(check, 'P') == check_length(check, 'F');
}

static bool has_example_a_filter(const layers_check *check) {
    return check_length(check, 'N') == check_length(check, 'F');
}

/* ---- other shapes ------------------------------------------------------------------------------
 */

static bool is_shape(const layers_tensor *tensor, int64_t a, int64_t b, int64_t c, int64_t d) {
    const size_t *shape = tensor->shape;
    return tensor->rank == 4 && shape[0] == (size_t)a && shape[1] == (size_t)b &&
           shape[2] == (size_t)c && shape[3] == (size_t)d;
}

/* Whether out has so many windows as there would be with this padding and stride. */
static bool has_windows_of(const layers_tensor *claim, const convolution *g, int64_t padding,
                           int64_t stride) {
    int64_t rows = g->H + padding - g->R, columns = g->W + padding - g->S;
    return rows >= 0 && columns >= 0 &&
           is_shape(claim, g->N, g->F, rows / stride + 1, columns / stride + 1);
}

/* The number of windows of this much room, rounded up. */
static int64_t rounded_up(int64_t room, int64_t stride) {
    return room / stride + (room % stride != 0);
}

static const char *out_shape_says(const convolution *g, const layers_tensor *claim) {
    int64_t rows = g->H + 2 * g->pad, columns = g->W + 2 * g->pad;
    bool is_less = is_shape(claim, g->N, g->F, g->P - 1, g->Q - 1);
    if (is_shape(claim, g->N, g->F, g->Q, g->P))
        return "height and width were exchanged";
    if (is_shape(claim, g->N, g->P, g->Q, g->F))
        return "the filters come before the rows and columns";
    if (has_windows_of(claim, g, 0, g->stride))
        return is_less
                   ? "x was not padded, or there is one window more: ⌊(H + 2·pad − R) / stride⌋ + 1"
                   : "x was not padded";
    if (has_windows_of(claim, g, 2, g->stride))
        return "x was padded by 1, whatever pad says";
    if (has_windows_of(claim, g, g->pad, g->stride) && !is_less)
        return "pad zeros go on each side of x, so that it grows by 2 · pad";
    if (has_windows_of(claim, g, 2 * g->pad, 1))
        return "the stride was left out";
    if (is_shape(claim, g->N, g->F, rounded_up(rows - g->R, g->stride) + 1,
                 rounded_up(columns - g->S, g->stride) + 1))
        return "the number of windows is rounded down: one that does not fit is left out";
    if (is_less)
        return has_windows_of(claim, g, g->pad, g->stride)
                   ? "pad zeros go on each side of x, so that it grows by 2 · pad, or there is one "
                     "window more: ⌊(H + 2·pad − R) / stride⌋ + 1"
                   : "there is one window more: ⌊(H + 2·pad − R) / stride⌋ + 1";
    if (is_shape(claim, g->N, g->F, rounded_up(rows, g->stride), rounded_up(columns, g->stride)))
        return "the last window starts where it still fits, at H + 2·pad − R at most";
    if (is_shape(claim, g->N, g->F, g->P, (rows - g->S) / g->stride + 1) ||
        is_shape(claim, g->N, g->F, (columns - g->R) / g->stride + 1, g->Q))
        return "height and width were mixed up: each is computed from its own";
    return NULL;
}

static const char *dx_shape_says(const convolution *g, const layers_tensor *claim) {
    bool empty = claim->size == 0 && g->N > 0 && g->C > 0 && g->H > 0 && g->W > 0;
    if (empty && g->pad == 0)
        return "dx is empty because pad is 0: a slice from pad to -pad then runs from 0 to 0; cut "
               "with pad : pad + H";
    if (is_shape(claim, g->N, g->C, g->H + 2 * g->pad, g->W + 2 * g->pad))
        return "the padding is to be cut off: dx is as large as x";
    if (is_shape(claim, g->N, g->C, g->H + 2 * g->pad - 2, g->W + 2 * g->pad - 2))
        return "1 was cut off each side, whatever pad says";
    if (is_shape(claim, g->N, g->C, g->W, g->H))
        return "height and width were exchanged";
    return NULL;
}

static const char *shape_says(const layers_check *check, int output, const layers_tensor *claim) {
    convolution g = convolution_of(check);
    if (!g.backward)
        return out_shape_says(&g, claim);
    if (output == DX)
        return dx_shape_says(&g, claim);
    if (output == DW && is_shape(claim, g.F, g.C, g.S, g.R))
        return "height and width were exchanged";
    return NULL;
}

/* ---- challenges --------------------------------------------------------------------------------
 */

/* A bias of at least 1/2 either way, no two alike. */
static void adjust(layers_drawing *drawing, layers_call *asked, double stride, double pad) {
    double *b = asked->inputs[B].data;
    for (size_t f = 0; f < asked->inputs[B].size; f++)
        b[f] = (draw_below(drawing, 2) ? 1 : -1) *
               (0.5 + (double)f / 2 + draw_number(drawing, 0, 0.25));
    draw_set_number(asked, STRIDE, stride);
    draw_set_number(asked, PAD, pad);
}

static void adjust_plain(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 2, 1);
}

static void adjust_unpadded(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 1, 0);
}

static void adjust_dense(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 1, 1);
}

static void adjust_wide(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 3, 2);
}

#define SIZES(n, c, f, h, w, r, s)                                                                 \
    {                                                                                              \
        [LETTER('N')] = (n), [LETTER('C')] = (c), [LETTER('F')] = (f), [LETTER('H')] = (h),        \
        [LETTER('W')] = (w), [LETTER('R')] = (r), [LETTER('S')] = (s)                              \
    }

static const layers_case cases[] = {
    {.name = "plain", .length = SIZES(2, 3, 4, 5, 8, 3, 2), .adjust = adjust_plain},
    {.name = "one", .length = SIZES(1, 3, 4, 5, 8, 3, 2), .adjust = adjust_plain},
    {.name = "unpadded", .length = SIZES(2, 3, 5, 4, 6, 2, 3), .adjust = adjust_unpadded},
    {.name = "wide", .length = SIZES(2, 2, 4, 5, 7, 4, 3), .adjust = adjust_wide},
    {.name = "dense", .length = SIZES(2, 2, 3, 4, 5, 3, 3), .adjust = adjust_dense},
    {.name = "square", .length = SIZES(3, 2, 3, 5, 5, 3, 3), .adjust = adjust_plain},
    {0},
};

#define PADDING_UNCLEAR                                                                            \
    "infinities and NaN over zeros that were put around are NaN to some and nothing to others: "

#define IN_OUT CLAIM_BIT(0)
#define IN_DX  CLAIM_BIT(DX)
#define IN_DW  CLAIM_BIT(DW)
#define IN_DB  CLAIM_BIT(DB)

/* clang-format off */
#define WAY(...) .how = &(const conv_way){__VA_ARGS__}

#define FAULT(name, words, where, ...)                                                             \
    { .code = name, .says = words, .outputs = where, .fill = conv_fault, __VA_ARGS__ }

/* clang-format on */

const layers_answers conv_forward_answers = {
    .bound = conv_bound,
    .notes = conv_notes,
    .note = conv_note,
    .shape_says = shape_says,
    .unclear = PADDING_UNCLEAR "make w finite, or pad 0",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("bias_missing", "out is the sum over the window alone: b was not added", IN_OUT,
                  WAY(.bias = NEVER)),
            FAULT("bias_inside",
                  "b was added to each product of a window: it is added once, to "
                  "their sum",
                  IN_OUT, WAY(.bias = BY_PRODUCT), .kind = FAULT_SPECIAL, .applies = has_products),
            FAULT("bias_inside",
                  "b was added for each channel: it is added once, to the sum over all of them",
                  IN_OUT, WAY(.bias = BY_CHANNEL), .kind = FAULT_SPECIAL, .applies = has_channels),
            FAULT(
                "flipped",
                "the kernel was flipped: w[f, c, 0, 0] meets the first row and column of a window",
                IN_OUT, WAY(.flipped = true), .applies = has_taps),
            FAULT("kernel_transposed",
                  "rows and columns of the kernel were exchanged: w is (F, C, height, width)",
                  IN_OUT, WAY(.exchanged = true), .kind = FAULT_SPECIAL,
                  .applies = has_square_kernel),
            FAULT("height_width_swapped",
                  "rows and columns of out were exchanged: out[n, f, p, q] is the window at row p "
                  "· stride and column q · stride",
                  IN_OUT, WAY(.exchanged_out = true), .kind = FAULT_SPECIAL,
                  .applies = has_square_out),
            FAULT("height_width_swapped",
                  "rows and columns of x were exchanged: x is (N, C, height, width)", IN_OUT,
                  WAY(.exchanged = true, .exchanged_out = true), .kind = FAULT_SPECIAL,
                  .applies = is_all_square),
            FAULT("padding_missing",
                  "x was not padded: windows start in the zeros around it, pad rows and columns "
                  "before x",
                  IN_OUT, WAY(.padded = BY_NOTHING, .fitting = true), .kind = FAULT_SPECIAL,
                  .applies = has_padding),
            FAULT("pad_at_end", "the zeros were put behind x alone: pad of them go on each side",
                  IN_OUT, WAY(.padded = BY_NOTHING), .kind = FAULT_SPECIAL, .applies = has_padding),
            FAULT("padding_fixed", "x was padded by 1, whatever pad says", IN_OUT,
                  WAY(.padded = BY_ONE), .kind = FAULT_SPECIAL, .applies = has_other_padding),
            FAULT("stride_ignored", "windows were taken one apart: they are to be stride apart",
                  IN_OUT, WAY(.dense = true), .kind = FAULT_SPECIAL, .applies = has_stride),
            FAULT("channels_not_summed",
                  "only the last channel counts: the channels of x are to be added up (+= where = "
                  "stands)",
                  IN_OUT, WAY(.last_channel = true), .kind = FAULT_SPECIAL,
                  .applies = has_channels),
            FAULT("channels_not_summed",
                  "only the first channel counts: the channels of x are to be added up", IN_OUT,
                  WAY(.first_channel = true), .kind = FAULT_SPECIAL, .applies = has_channels),
            FAULT("last_window_missing",
                  "the last row and column of windows were left 0: the loops end too early", IN_OUT,
                  WAY(.short_of_last = true), .kind = FAULT_SPECIAL, .applies = has_inner_windows),
            {0},
        },
};

const layers_answers conv_backward_answers = {
    .bound = conv_bound,
    .notes = conv_notes,
    .note = conv_note,
    .shape_says = shape_says,
    .unclear = PADDING_UNCLEAR "make w and dout finite",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FAULT("mean_not_sum",
                  "the gradient was divided by N: over the examples it is a sum, not a mean",
                  IN_DX | IN_DW | IN_DB, WAY(.mean = true), .applies = has_example),
            FAULT("mean_not_sum", "db is the mean of dout over N, height and width: it is the sum",
                  IN_DB, WAY(.mean_all = true), .kind = FAULT_SPECIAL, .applies = has_example),
            FAULT("flipped",
                  "the kernel was flipped: what forward multiplies with w[f, c, r, s], backward "
                  "does too",
                  IN_DX | IN_DW, WAY(.flipped = true), .applies = has_taps),
            FAULT("kernel_transposed",
                  "rows and columns of the kernel were exchanged: w is (F, C, height, width)",
                  IN_DX | IN_DW, WAY(.exchanged = true), .kind = FAULT_SPECIAL,
                  .applies = has_square_kernel),
            FAULT("height_width_swapped",
                  "rows and columns of dout were exchanged: dout is (N, F, height, width)",
                  IN_DX | IN_DW, WAY(.exchanged_out = true), .kind = FAULT_SPECIAL,
                  .applies = has_square_out),
            FAULT("height_width_swapped",
                  "rows and columns of dx were exchanged: it is (N, C, height, width) like x",
                  IN_DX, WAY(.exchanged_x = true), .kind = FAULT_SPECIAL, .applies = has_square_x),
            FAULT("padding_missing",
                  "dw was made from x without its padding: windows start pad rows and columns "
                  "before x",
                  IN_DW, WAY(.padded = BY_NOTHING, .fitting = true), .kind = FAULT_SPECIAL,
                  .applies = has_padding),
            FAULT("pad_at_end", "the zeros were put behind x alone: pad of them go on each side",
                  IN_DW, WAY(.padded = BY_NOTHING), .kind = FAULT_SPECIAL, .applies = has_padding),
            FAULT("padding_not_cut",
                  "dx begins with the gradient of the padding: cut pad rows and columns off each "
                  "side",
                  IN_DX, WAY(.padded = BY_NOTHING), .kind = FAULT_SPECIAL, .applies = has_padding),
            FAULT("padding_fixed", "x was padded by 1, or dx cut by 1, whatever pad says",
                  IN_DX | IN_DW, WAY(.padded = BY_ONE), .kind = FAULT_SPECIAL,
                  .applies = has_other_padding),
            FAULT("stride_ignored",
                  "windows were taken one apart: they are stride apart, as in forward",
                  IN_DX | IN_DW, WAY(.dense = true), .kind = FAULT_SPECIAL, .applies = has_stride),
            FAULT("overlap_not_added",
                  "where windows overlap their gradients add up: yours keeps the last (+= where = "
                  "stands)",
                  IN_DX, WAY(.last_window = true), .kind = FAULT_SPECIAL, .applies = has_overlap),
            FAULT("overlap_not_added",
                  "where windows overlap, and from filter to filter, gradients add up: yours keeps "
                  "the last (+= where = stands)",
                  IN_DX, WAY(.last_window = true, .last_filter = true), .kind = FAULT_SPECIAL,
                  .applies = has_overlap_of_filter),
            FAULT("filters_not_summed",
                  "only the last filter counts: dx is the sum over all of them (+= where = stands)",
                  IN_DX, WAY(.last_filter = true), .kind = FAULT_SPECIAL, .applies = has_filters),
            FAULT("examples_not_summed",
                  "only the last example counts: the gradient is the sum over all of them (+= "
                  "where = stands)",
                  IN_DW | IN_DB, WAY(.last_example = true), .kind = FAULT_SPECIAL,
                  .applies = has_examples),
            FAULT("windows_not_summed",
                  "only the last window counts: dw is the sum over all of them (+= where = stands)",
                  IN_DW, WAY(.last_window = true), .kind = FAULT_SPECIAL, .applies = has_windows),
            FAULT("windows_not_summed",
                  "only the last window of the last example counts: dw is the sum over all (+= "
                  "where = stands)",
                  IN_DW, WAY(.last_window = true, .last_example = true), .kind = FAULT_SPECIAL,
                  .applies = has_windows_of_example),
            FAULT("sum_wrong_axis",
                  "db was summed for each column of dout: it is the sum for each filter, over the "
                  "axes 0, 2 and 3",
                  IN_DB, WAY(.kept = BY_COLUMN), .kind = FAULT_SPECIAL,
                  .applies = has_column_a_filter),
            FAULT("sum_wrong_axis",
                  "db was summed for each row of dout: it is the sum for each filter, over the "
                  "axes 0, 2 and 3",
                  IN_DB, WAY(.kept = BY_ROW), .kind = FAULT_SPECIAL, .applies = has_row_a_filter),
            FAULT("sum_wrong_axis",
                  "db was summed for each example: it is the sum for each filter, over the axes 0, "
                  "2 and 3",
                  IN_DB, WAY(.kept = BY_EXAMPLE), .kind = FAULT_SPECIAL,
                  .applies = has_example_a_filter),
            {0},
        },
};
