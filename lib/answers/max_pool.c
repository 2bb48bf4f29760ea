/* What right and wrong answers to max_pool look like.
 *
 * Forward picks numbers and rounds none, and backward does so but where windows overlap; bounds are
 * wide enough for the roundings of faults that add up whole windows, so that these are known too.
 * Which element is the largest is not to be told where two are NaN (implementations that people
 * call right differ), or where two that differ are the same number in float32. */
#include <math.h>
#include <stdint.h>

#include "answers/sums.h"
#include "checks/check.h"

enum { X };                               /* forward's input */
enum { POOL_HEIGHT, POOL_WIDTH, STRIDE }; /* pool_param */

typedef struct {
    int64_t planes, H, W, P, Q, R, S, stride;
    const double *x, *out, *dout; /* dout backward alone */
} pooling;

static pooling pooling_of(const layers_check *check) {
    return (pooling){
        .planes = (int64_t)(check_length(check, 'N') * check_length(check, 'C')),
        .H = (int64_t)check_length(check, 'H'),
        .W = (int64_t)check_length(check, 'W'),
        .P = (int64_t)check_length(check, 'P'),
        .Q = (int64_t)check_length(check, 'Q'),
        .R = (int64_t)check_number(check, POOL_HEIGHT),
        .S = (int64_t)check_number(check, POOL_WIDTH),
        .stride = (int64_t)check_number(check, STRIDE),
        .x = check_input(check, X),
        .out = check->forward.outputs[0].data,
        .dout = check->backward.operation ? check_dout(check) : NULL,
    };
}

static double x_at(const pooling *g, int64_t plane, int64_t h, int64_t w) {
    return g->x[(plane * g->H + h) * g->W + w];
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* From `first` to before `end`. */
typedef struct {
    int64_t first, end;
} span;

/* The windows of this size, along one direction, that hold `at`. */
static span windows_over(int64_t at, int64_t size, int64_t stride, int64_t windows) {
    int64_t first = at < size ? 0 : (at - size) / stride + 1;
    return (span){first, least(at / stride + 1, windows)};
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

/* Of the numbers of the window that starts at x, the mean of the absolute values. */
static double mean_size(const pooling *g, const double *x) {
    double sum = 0, share = 1 / ((double)g->R * (double)g->S);
    for (int64_t r = 0; r < g->R; r++, x += g->W)
        for (int64_t s = 0; s < g->S; s++)
            sum += isfinite(x[s]) ? fabs(x[s]) * share : 0;
    return sum;
}

static void forward_bound(const layers_check *check, int output, size_t first, size_t count,
                          double *to) {
    pooling g = pooling_of(check);
    const double *right = check_values(check, output) + first;
    int64_t row = (int64_t)first / g.Q, q = (int64_t)first % g.Q;
    for (size_t i = 0; i < count; row++, q = 0) {
        const double *x = g.x + (row / g.P * g.H + row % g.P * g.stride) * g.W;
        for (; q < g.Q && i < count; q++, i++) {
            double most = isfinite(right[i]) && check->rounded ? fabs(right[i]) : 0;
            to[i] = check->unit * (8 * mean_size(&g, x + q * g.stride) + 2 * most) +
                    (check->rounded ? check->tiny : 0);
        }
    }
}

/* Whether two are the same number, or NaN, to those who may have rounded them first. */
static bool is_same(const layers_check *check, double a, double b) {
    return a == b || (isnan(a) && isnan(b)) || (check->rounded && (float)a == (float)b);
}

/* Whether it is in doubt which element of a window is the largest, of those that are the same. */
static bool is_in_doubt(const layers_check *check, const pooling *g, int64_t plane, int64_t p,
                        int64_t q, double largest) {
    int64_t same = 0;
    bool differ = isnan(largest);
    for (int64_t r = 0; r < g->R; r++)
        for (int64_t s = 0; s < g->S; s++) {
            double x = x_at(g, plane, p * g->stride + r, q * g->stride + s);
            same += is_same(check, x, largest);
            differ |= is_same(check, x, largest) && x != largest;
        }
    return differ && same > 1;
}

/* Whether it is in doubt for an element if it is the largest of some window. */
static bool is_doubtful(const layers_check *check, const pooling *g, int64_t plane, span down,
                        span across, double x) {
    for (int64_t p = down.first; p < down.end; p++)
        for (int64_t q = across.first; q < across.end; q++) {
            double largest = g->out[(plane * g->P + p) * g->Q + q];
            if (is_same(check, x, largest) && is_in_doubt(check, g, plane, p, q, largest))
                return true;
        }
    return false;
}

/* Σ|dout| over windows, of those that are finite. */
static double gradients(const pooling *g, int64_t plane, span down, span across) {
    double sum = 0;
    for (int64_t p = down.first; p < down.end; p++) {
        const double *dout = g->dout + (plane * g->P + p) * g->Q;
        for (int64_t q = across.first; q < across.end; q++)
            sum += isfinite(dout[q]) ? fabs(dout[q]) : 0;
    }
    return sum;
}

static void backward_bound(const layers_check *check, int output, size_t first, size_t count,
                           double *to) {
    pooling g = pooling_of(check);
    const double *right = check_values(check, output) + first, *x = g.x + first;
    int64_t row = (int64_t)first / g.W, w = (int64_t)first % g.W;
    for (size_t i = 0; i < count; row++, w = 0) {
        int64_t plane = row / g.H;
        span down = windows_over(row % g.H, g.R, g.stride, g.P);
        span across = windows_over(w, g.S, g.stride, g.Q);
        for (; w < g.W && i < count; i++, w++) {
            across.first += w >= across.first * g.stride + g.S;
            across.end += across.end < g.Q && w >= across.end * g.stride;
            double sum = gradients(&g, plane, down, across);
            size_t terms = (size_t)((down.end - down.first) * (across.end - across.first));
            to[i] = isfinite(right[i]) && sum > 0 ? sum_bound(check, terms, sum, right[i]) : 0;
            if ((check->rounded || isnan(x[i])) &&
                is_doubtful(check, &g, plane, down, across, x[i]))
                to[i] = INFINITY;
        }
    }
}

/* ---- faults ------------------------------------------------------------------------------------
 */

/* How a fault goes about it: as is right but for what is set. */
typedef struct {
    enum {
        LARGEST,
        MEAN,
        SMALLEST,
        AT_LEAST_ZERO,   /* the largest of them and 0 */
        AT_LEAST_LOWEST, /* and the lowest number that is finite */
        LARGEST_NUMBER,  /* not NaN */
    } of;
    enum {
        FIRST,
        LAST,
        FIRST_BY_COLUMNS,
        ALL,
        SHARED,
        EVERY
    } to;               /* of the largest; of the window */
    bool dense;         /* windows are 1 apart, not `stride` */
    bool exchanged;     /* pool_width high and pool_height wide */
    bool short_of_last; /* the last windows are left out */
    enum { ADDED, LAST_WINNER, LAST_WINDOW } overlap;
} way;

/* A window: rows and columns from a place on, cut off where x ends. */
typedef struct {
    int64_t plane, h, w, rows, columns;
} window;

static window window_at(const pooling *g, const way *v, int64_t plane, int64_t p, int64_t q) {
    int64_t h = v->dense ? p : p * g->stride, w = v->dense ? q : q * g->stride;
    return (window){plane, h, w, least(v->exchanged ? g->S : g->R, g->H - h),
                    least(v->exchanged ? g->R : g->S, g->W - w)};
}

static double element(const pooling *g, const window *in, int64_t i) {
    return x_at(g, in->plane, in->h + i / in->columns, in->w + i % in->columns);
}

/* Whether `x` takes the place of `best`. */
static bool is_better(const way *v, double x, double best) {
    if (v->of == LARGEST_NUMBER)
        return x > best || (isnan(best) && !isnan(x));
    if (isnan(best) || isnan(x))
        return !isnan(best);
    return v->of == SMALLEST ? x < best : x > best;
}

/* The best element of a window, the first of equals. */
static int64_t best_of(const pooling *g, const way *v, const window *in) {
    int64_t best = 0;
    for (int64_t i = 1; i < in->rows * in->columns; i++)
        if (is_better(v, element(g, in, i), element(g, in, best)))
            best = i;
    return best;
}

static double mean_of(const pooling *g, const window *in) {
    double sum = 0;
    for (int64_t i = 0; i < in->rows * in->columns; i++)
        sum += element(g, in, i);
    return sum / (double)(in->rows * in->columns);
}

static void forward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    pooling g = pooling_of(view->check);
    const way *v = view->fault->how;
    double lowest = v->of == AT_LEAST_ZERO ? 0 : -view->check->huge;
    for (size_t i = first; i < first + count; i++) {
        int64_t at = (int64_t)i, q = at % g.Q, p = at / g.Q % g.P;
        window in = window_at(&g, v, at / g.Q / g.P, p, q);
        double best = element(&g, &in, best_of(&g, v, &in));
        if (v->of == MEAN)
            best = mean_of(&g, &in);
        if ((v->of == AT_LEAST_ZERO || v->of == AT_LEAST_LOWEST) && best < lowest)
            best = lowest;
        if (v->short_of_last && (p == g.P - 1 || q == g.Q - 1))
            best = 0;
        to[i - first] = best;
    }
}

/* Of those that are as good as the best of a window: how many, the last, the first by columns. */
typedef struct {
    int64_t count, last, first_by_columns;
} equals;

static equals equals_of(const pooling *g, const window *in, double best) {
    equals found = {0, 0, -1};
    for (int64_t s = 0; s < in->columns; s++)
        for (int64_t r = 0; r < in->rows; r++) {
            int64_t i = r * in->columns + s;
            double x = element(g, in, i);
            if (x != best && !(isnan(x) && isnan(best)))
                continue;
            found.count++;
            found.last = i > found.last ? i : found.last;
            found.first_by_columns = found.first_by_columns < 0 ? i : found.first_by_columns;
        }
    return found;
}

/* The share of a window's gradient that goes to its element i. */
static double share_of(const pooling *g, const way *v, const window *in, int64_t i) {
    int64_t first = best_of(g, v, in);
    double best = element(g, in, first), x = element(g, in, i);
    if (v->of == MEAN)
        return 1 / (double)(in->rows * in->columns);
    if (v->to == EVERY)
        return 1;
    if (v->of == AT_LEAST_ZERO && best <= 0)
        return 0;
    if (v->to == FIRST)
        return i == first;
    equals same = equals_of(g, in, best);
    bool is_best = x == best || (isnan(x) && isnan(best));
    return v->to == LAST     ? i == same.last
           : v->to == ALL    ? is_best
           : v->to == SHARED ? is_best / (double)same.count
                             : i == same.first_by_columns;
}

static double dx_value(const pooling *g, const way *v, size_t i) {
    int64_t at = (int64_t)i, w = at % g->W, h = at / g->W % g->H, plane = at / g->W / g->H;
    int64_t stride = v->dense ? 1 : g->stride;
    span down = windows_over(h, v->exchanged ? g->S : g->R, stride, g->P);
    span across = windows_over(w, v->exchanged ? g->R : g->S, stride, g->Q);
    double sum = 0;
    for (int64_t p = down.first; p < down.end; p++)
        for (int64_t q = across.first; q < across.end; q++) {
            if (v->short_of_last && (p == g->P - 1 || q == g->Q - 1))
                continue;
            window in = window_at(g, v, plane, p, q);
            double share = share_of(g, v, &in, (h - in.h) * in.columns + w - in.w);
            if (v->overlap == LAST_WINDOW || (v->overlap == LAST_WINNER && share > 0))
                sum = 0;
            if (share > 0)
                sum += share * g->dout[(plane * g->P + p) * g->Q + q];
        }
    return sum;
}

static void backward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    pooling g = pooling_of(view->check);
    for (size_t i = first; i < first + count; i++)
        to[i - first] = dx_value(&g, view->fault->how, i);
}

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
    (void)output;
    if (is_shape(check, claim, g.Q, g.P))
        return "height and width were exchanged";
    if (is_shape(check, claim, (g.H - g.S) / g.stride + 1, (g.W - g.R) / g.stride + 1))
        return "pool_height and pool_width were exchanged";
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
    adjust(drawing, asked, 2, 3, 1);
}

static void adjust_oblong(layers_drawing *drawing, layers_call *asked) {
    adjust(drawing, asked, 3, 2, 2);
}

#define SIZES(n, c, h, w)                                                                          \
    { [LETTER('N')] = (n), [LETTER('C')] = (c), [LETTER('H')] = (h), [LETTER('W')] = (w) }

static const layers_case cases[] = {
    {.name = "plain", .length = SIZES(2, 3, 4, 6), .adjust = adjust_plain},
    {.name = "one", .length = SIZES(1, 3, 4, 6), .adjust = adjust_plain},
    {.name = "overlap", .length = SIZES(2, 3, 4, 6), .adjust = adjust_overlap},
    {.name = "oblong", .length = SIZES(2, 3, 7, 5), .adjust = adjust_oblong},
    {0},
};

const layers_answers max_pool_forward_answers = {
    .bound = forward_bound,
    .shape_says = out_shape_says,
    .cases = cases,
    .faults =
        (const layers_fault[]){
            {
                .code = "averaged",
                .says = "out is the mean of each window: it is the largest",
                .outputs = CLAIM_BIT(0),
                .applies = has_choice,
                .how = &(const way){.of = MEAN},
                .fill = forward_fault,
            },
            {
                .code = "smallest",
                .says = "out is the smallest of each window: it is the largest",
                .outputs = CLAIM_BIT(0),
                .applies = has_choice,
                .how = &(const way){.of = SMALLEST},
                .fill = forward_fault,
            },
            {
                .code = "starts_at_zero",
                .says = "the largest of each window and 0 was taken: a window of negative numbers "
                        "has a negative largest",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .how = &(const way){.of = AT_LEAST_ZERO},
                .fill = forward_fault,
            },
            {
                .code = "lowest_float",
                .says = "the search starts at the lowest finite number: a window of −infinities "
                        "has −infinity for its largest",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .how = &(const way){.of = AT_LEAST_LOWEST},
                .fill = forward_fault,
            },
            {
                .code = "nan_skipped",
                .says = "NaN was skipped: a window that has one has NaN for its largest",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .how = &(const way){.of = LARGEST_NUMBER},
                .fill = forward_fault,
            },
            {
                .code = "stride_ignored",
                .says = "windows were taken one apart: they are to be stride apart",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_stride,
                .how = &(const way){.dense = true},
                .fill = forward_fault,
            },
            {
                .code = "window_transposed",
                .says = "pool_height and pool_width were exchanged: a window has pool_height rows",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_oblong_windows,
                .how = &(const way){.exchanged = true},
                .fill = forward_fault,
            },
            {
                .code = "last_window_missing",
                .says = "the last row and column of windows were left 0: the loops end too early",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_inner_windows,
                .how = &(const way){.short_of_last = true},
                .fill = forward_fault,
            },
            {0},
        },
};

const layers_answers max_pool_backward_answers = {
    .bound = backward_bound,
    .shape_says = dx_shape_says,
    .unclear = "which element of a window is its largest is not settled where two are NaN, or "
               "differ too little for float32: send others",
    .cases = cases,
    .faults =
        (const layers_fault[]){
            {
                .code = "overlap_not_added",
                .says = "where windows overlap, an element can be the largest of several: their "
                        "gradients add up, yours keeps the last (+= where = stands)",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_overlap,
                .how = &(const way){.overlap = LAST_WINNER},
                .fill = backward_fault,
            },
            {
                .code = "overlap_not_added",
                .says = "where windows overlap, their gradients add up: each of yours overwrites "
                        "those before it, with zeros too (+= where = stands)",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_overlap,
                .how = &(const way){.overlap = LAST_WINDOW},
                .fill = backward_fault,
            },
            {
                .code = "gradient_to_all",
                .says = "the whole window got its gradient: only its largest element has one",
                .outputs = CLAIM_BIT(0),
                .applies = has_choice,
                .how = &(const way){.to = EVERY},
                .fill = backward_fault,
            },
            {
                .code = "averaged",
                .says = "the gradient was shared out evenly over the window, as of a mean: it all "
                        "goes to the largest element",
                .outputs = CLAIM_BIT(0),
                .applies = has_choice,
                .how = &(const way){.of = MEAN},
                .fill = backward_fault,
            },
            {
                .code = "smallest",
                .says = "the gradient went to the smallest of each window: it goes to the largest",
                .outputs = CLAIM_BIT(0),
                .applies = has_choice,
                .how = &(const way){.of = SMALLEST},
                .fill = backward_fault,
            },
            {
                .code = "starts_at_zero",
                .says = "windows of negative numbers got no gradient: it goes to the largest "
                        "element, whatever its sign",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .how = &(const way){.of = AT_LEAST_ZERO},
                .fill = backward_fault,
            },
            {
                .code = "nan_skipped",
                .says = "NaN was skipped: a window that has one has NaN for its largest, and the "
                        "gradient goes there",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .how = &(const way){.of = LARGEST_NUMBER},
                .fill = backward_fault,
            },
            {
                .code = "stride_ignored",
                .says = "windows were taken one apart: they are stride apart, as in forward",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_stride,
                .how = &(const way){.dense = true},
                .fill = backward_fault,
            },
            {
                .code = "window_transposed",
                .says = "pool_height and pool_width were exchanged: a window has pool_height rows",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_oblong_windows,
                .how = &(const way){.exchanged = true},
                .fill = backward_fault,
            },
            {
                .code = "last_window_missing",
                .says =
                    "the last row and column of windows gave no gradient: the loops end too early",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_SPECIAL,
                .applies = has_inner_windows,
                .how = &(const way){.short_of_last = true},
                .fill = backward_fault,
            },
            {
                .code = "ties_all",
                .says = "of equally large elements each got the gradient: here it goes to the "
                        "first of them; send x without ties",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_CONVENTION,
                .how = &(const way){.to = ALL},
                .fill = backward_fault,
            },
            {
                .code = "ties_shared",
                .says = "equally large elements shared the gradient: here it goes to the first of "
                        "them; send x without ties",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_CONVENTION,
                .how = &(const way){.to = SHARED},
                .fill = backward_fault,
            },
            {
                .code = "ties_column_major",
                .says = "of equally large elements the first by columns got the gradient: here it "
                        "goes to the first by rows; send x without ties",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_CONVENTION,
                .how = &(const way){.to = FIRST_BY_COLUMNS},
                .fill = backward_fault,
            },
            {
                .code = "ties_last",
                .says = "of equally large elements the last got the gradient: here it goes to the "
                        "first; send x without ties",
                .outputs = CLAIM_BIT(0),
                .kind = FAULT_CONVENTION,
                .how = &(const way){.to = LAST},
                .fill = backward_fault,
            },
            {0},
        },
};
