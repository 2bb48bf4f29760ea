/* Wrong answers to max_pool, by name: max_pool_faults.c computes them. max_pool_bound.c says how
 * far right ones may be apart. */
#include "answers/max_pool.h"

/* ---- where they show ---------------------------------------------------------------------------
 */

static bool has_choice(const layers_check *check) {
    return check_number(check, POOL_HEIGHT) * check_number(check, POOL_WIDTH) > 1;
}

static bool has_oblong_windows(const layers_check *check) {
    return check_number(check, POOL_HEIGHT) != check_number(check, POOL_WIDTH);
}

static bool has_inner_windows(const layers_check *check) {
    return check_length(check, 'P') > 1 && check_length(check, 'Q') > 1;
}

static bool has_stride(const layers_check *check) {
    return check_number(check, STRIDE) > 1 &&
           (check_length(check, 'P') > 1 || check_length(check, 'Q') > 1);
}

static bool has_overlap(const layers_check *check) {
    double stride = check_number(check, STRIDE);
    return (stride < check_number(check, POOL_HEIGHT) && check_length(check, 'P') > 1) ||
           (stride < check_number(check, POOL_WIDTH) && check_length(check, 'Q') > 1);
}

/* ---- other shapes ------------------------------------------------------------------------------
 */

static bool is_shape(const layers_check *check, const layers_tensor *claim, int64_t rows,
                     int64_t columns) {
    const size_t *shape = claim->shape;
    return claim->rank == 4 && shape[0] == check_length(check, 'N') &&
           shape[1] == check_length(check, 'C') && shape[2] == (size_t)rows &&
           shape[3] == (size_t)columns;
}

/* The number of windows of this much room, rounded up. */
static int64_t rounded_up(int64_t room, int64_t stride) {
    return room / stride + (room % stride != 0);
}

static const char *out_shape_says(const layers_check *check, int output,
                                  const layers_tensor *claim) {
    pooling g = pooling_of(check);
    bool by_stride = is_shape(check, claim, g.H / g.stride, g.W / g.stride);
    (void)output;
    if (is_shape(check, claim, g.Q, g.P))
        return "height and width were exchanged";
    if (is_shape(check, claim, (g.H - g.S) / g.stride + 1, (g.W - g.R) / g.stride + 1))
        return by_stride ? "pool_height and pool_width were exchanged, or H was divided by the "
                           "stride: windows start as long as they fit"
                         : "pool_height and pool_width were exchanged";
    if (is_shape(check, claim, g.H - g.R + 1, g.W - g.S + 1))
        return "the stride was left out";
    if (is_shape(check, claim, g.H / g.R, g.W / g.S))
        return "windows are stride apart, not side by side";
    if (is_shape(check, claim, rounded_up(g.H - g.R, g.stride) + 1,
                 rounded_up(g.W - g.S, g.stride) + 1))
        return "the number of windows is rounded down: one that does not fit is left out";
    if (is_shape(check, claim, g.P - 1, g.Q - 1))
        return "there is one window more: ⌊(H − pool_height) / stride⌋ + 1";
    if (is_shape(check, claim, rounded_up(g.H, g.stride), rounded_up(g.W, g.stride)))
        return "the last window starts where it still fits, at H − pool_height at most";
    if (by_stride)
        return "H was divided by the stride: windows start as long as they fit";
    if (is_shape(check, claim, g.P, (g.H - g.S) / g.stride + 1) ||
        is_shape(check, claim, (g.W - g.R) / g.stride + 1, g.Q) ||
        is_shape(check, claim, g.P, (g.W - g.R) / g.stride + 1) ||
        is_shape(check, claim, (g.H - g.S) / g.stride + 1, g.Q))
        return "height and width were mixed up, of x or of the windows: each counts along its own";
    return NULL;
}

static const char *dx_shape_says(const layers_check *check, int output,
                                 const layers_tensor *claim) {
    pooling g = pooling_of(check);
    (void)output;
    return is_shape(check, claim, g.W, g.H) ? "height and width were exchanged" : NULL;
}

/* ---- challenges --------------------------------------------------------------------------------
 */

enum { GRID = 65 }; /* multiples of 1/16 from −2 to 2 */

/* The elements of each plane all different, for want of ties, and those of its first window below
 * zero. A plane has GRID elements at most. */
static void adjust(layers_drawing *drawing, layers_call *asked, int64_t R, int64_t S,
                   int64_t stride) {
    const size_t *shape = asked->inputs[X].shape;
    int64_t planes = (int64_t)(shape[0] * shape[1]), H = (int64_t)shape[2], W = (int64_t)shape[3];
    double *x = asked->inputs[X].data, grid[GRID];
    for (int i = 0; i < GRID; i++)
        grid[i] = -2 + i / 16.0;
    for (int64_t i = 0; i < planes * H * W; i++) {
        int64_t place = i % (H * W), other = place + draw_below(drawing, (unsigned)(GRID - place));
        double drawn = grid[other];
        grid[other] = grid[place];
        grid[place] = drawn;
        bool in_first = place / W < R && place % W < S;
        x[i] = in_first && drawn >= 0 ? -drawn - 4 : drawn;
    }
    draw_set_number(asked, POOL_HEIGHT, (double)R);
    draw_set_number(asked, POOL_WIDTH, (double)S);
    draw_set_number(asked, STRIDE, (double)stride);
}

static void adjust_plain(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 2, 2, 2);
}

static void adjust_overlap(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 2, 2, 1);
}

static void adjust_oblong(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 3, 2, 2);
}

static void adjust_apart(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 2, 3, 3);
}

#define SIZES(n, c, h, w)                                                                          \
    { [LETTER('N')] = (n), [LETTER('C')] = (c), [LETTER('H')] = (h), [LETTER('W')] = (w) }

static const layers_case cases[] = {
    {.name = "plain", .length = SIZES(2, 3, 4, 6), .adjust = adjust_plain},
    {.name = "one", .length = SIZES(1, 3, 4, 6), .adjust = adjust_plain},
    {.name = "overlap", .length = SIZES(2, 3, 4, 6), .adjust = adjust_overlap},
    {.name = "oblong", .length = SIZES(2, 3, 6, 8), .adjust = adjust_oblong},
    {.name = "apart", .length = SIZES(2, 2, 5, 6), .adjust = adjust_apart},
    {0},
};

/* clang-format off */
#define WAY(...) .how = &(const pool_way){__VA_ARGS__}

#define FORWARD_FAULT(name, words, ...)                                                            \
    {                                                                                              \
        .code = name, .says = words, .outputs = CLAIM_BIT(0), .fill = pool_forward_fault,          \
        __VA_ARGS__                                                                                \
    }

#define BACKWARD_FAULT(name, words, ...)                                                           \
    {                                                                                              \
        .code = name, .says = words, .outputs = CLAIM_BIT(0), .fill = pool_backward_fault,         \
        __VA_ARGS__                                                                                \
    }

/* clang-format on */

const layers_answers max_pool_forward_answers = {
    .bound = pool_forward_bound,
    .shape_says = out_shape_says,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            FORWARD_FAULT("averaged", "out is the mean of each window: it is the largest",
                          WAY(.of = MEAN), .applies = has_choice),
            FORWARD_FAULT("smallest", "out is the smallest of each window: it is the largest",
                          WAY(.of = SMALLEST), .applies = has_choice),
            FORWARD_FAULT("starts_at_zero",
                          "the largest of each window and 0 was taken: a window of negative "
                          "numbers has a negative largest",
                          WAY(.of = AT_LEAST_ZERO), .kind = FAULT_SPECIAL),
            FORWARD_FAULT("lowest_float",
                          "the search starts at the lowest finite number: a window of −infinities "
                          "has −infinity for its largest",
                          WAY(.of = AT_LEAST_LOWEST), .kind = FAULT_SPECIAL),
            FORWARD_FAULT("nan_skipped",
                          "NaN was skipped: a window that has one has NaN for its largest",
                          WAY(.of = LARGEST_NUMBER), .kind = FAULT_SPECIAL),
            FORWARD_FAULT("stride_ignored",
                          "windows were taken one apart: they are to be stride apart",
                          WAY(.dense = true), .kind = FAULT_SPECIAL, .applies = has_stride),
            FORWARD_FAULT(
                "window_transposed",
                "pool_height and pool_width were exchanged: a window has pool_height rows",
                WAY(.exchanged = true), .kind = FAULT_SPECIAL, .applies = has_oblong_windows),
            FORWARD_FAULT(
                "window_square",
                "pool_height and pool_width were mixed up: a window has pool_width columns",
                WAY(.high_is_wide = true), .kind = FAULT_SPECIAL, .applies = has_oblong_windows),
            FORWARD_FAULT("window_square",
                          "pool_height and pool_width were mixed up: a window has pool_height rows",
                          WAY(.wide_is_high = true), .kind = FAULT_SPECIAL,
                          .applies = has_oblong_windows),
            FORWARD_FAULT("last_window_missing",
                          "the last row and column of windows were left 0: the loops end too early",
                          WAY(.short_of_last = true), .kind = FAULT_SPECIAL,
                          .applies = has_inner_windows),
            {0},
        },
};

const layers_answers max_pool_backward_answers = {
    .bound = pool_backward_bound,
    .notes = pool_backward_notes,
    .note = pool_backward_note,
    .memo = pool_backward_memo,
    .in_reach = pool_backward_in_reach,
    .shape_says = dx_shape_says,
    .unclear = "which element of a window is its largest is not settled where two are NaN, or "
               "differ too little for float32: send others",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            BACKWARD_FAULT("overlap_not_added",
                           "where windows overlap, an element can be the largest of several: their "
                           "gradients add up, yours keeps the last (+= where = stands)",
                           WAY(.overlap = LAST_WINNER), .kind = FAULT_SPECIAL,
                           .applies = has_overlap),
            BACKWARD_FAULT("overlap_not_added",
                           "where windows overlap, their gradients add up: each of yours "
                           "overwrites those before it, with zeros too (+= where = stands)",
                           WAY(.overlap = LAST_WINDOW), .kind = FAULT_SPECIAL,
                           .applies = has_overlap),
            BACKWARD_FAULT("gradient_to_all",
                           "the whole window got its gradient: only its largest element has one",
                           WAY(.to = EVERY), .applies = has_choice),
            BACKWARD_FAULT("mask_only",
                           "dx counts the windows that an element is the largest of: dout was not "
                           "multiplied in",
                           WAY(.mask_only = true)),
            BACKWARD_FAULT("averaged",
                           "the gradient was shared out evenly over the window, as of a mean: it "
                           "all goes to the largest element",
                           WAY(.of = MEAN), .applies = has_choice),
            BACKWARD_FAULT(
                "smallest",
                "the gradient went to the smallest of each window: it goes to the largest",
                WAY(.of = SMALLEST), .applies = has_choice),
            BACKWARD_FAULT("starts_at_zero",
                           "windows of negative numbers got no gradient: it goes to the largest "
                           "element, whatever its sign",
                           WAY(.of = AT_LEAST_ZERO), .kind = FAULT_SPECIAL),
            BACKWARD_FAULT("nan_skipped",
                           "NaN was skipped: a window that has one has NaN for its largest, and "
                           "the gradient goes there",
                           WAY(.of = LARGEST_NUMBER), .kind = FAULT_SPECIAL),
            BACKWARD_FAULT("stride_ignored",
                           "windows were taken one apart: they are stride apart, as in forward",
                           WAY(.dense = true), .kind = FAULT_SPECIAL, .applies = has_stride),
            BACKWARD_FAULT(
                "window_transposed",
                "pool_height and pool_width were exchanged: a window has pool_height rows",
                WAY(.exchanged = true), .kind = FAULT_SPECIAL, .applies = has_oblong_windows),
            BACKWARD_FAULT(
                "window_square",
                "pool_height and pool_width were mixed up: a window has pool_width columns",
                WAY(.high_is_wide = true), .kind = FAULT_SPECIAL, .applies = has_oblong_windows),
            BACKWARD_FAULT(
                "window_square",
                "pool_height and pool_width were mixed up: a window has pool_height rows",
                WAY(.wide_is_high = true), .kind = FAULT_SPECIAL, .applies = has_oblong_windows),
            BACKWARD_FAULT(
                "last_window_missing",
                "the last row and column of windows gave no gradient: the loops end too early",
                WAY(.short_of_last = true), .kind = FAULT_SPECIAL, .applies = has_inner_windows),
            BACKWARD_FAULT("ties_all",
                           "of equally large elements each got the gradient: here it goes to the "
                           "first of them; send x without ties",
                           WAY(.to = ALL), .kind = FAULT_CONVENTION),
            BACKWARD_FAULT("ties_shared",
                           "equally large elements shared the gradient: here it goes to the first "
                           "of them; send x without ties",
                           WAY(.to = SHARED), .kind = FAULT_CONVENTION),
            BACKWARD_FAULT("ties_column_major",
                           "of equally large elements the first by columns got the gradient: here "
                           "it goes to the first by rows; send x without ties",
                           WAY(.to = FIRST_BY_COLUMNS), .kind = FAULT_CONVENTION),
            BACKWARD_FAULT("ties_last",
                           "of equally large elements the last got the gradient: here it goes to "
                           "the first; send x without ties",
                           WAY(.to = LAST), .kind = FAULT_CONVENTION),
            {0},
        },
};
