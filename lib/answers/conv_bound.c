/* How far right answers to conv may be apart.
 *
 * Each element is a sum of products; Cauchy and Schwarz bound the sum of their absolute values by
 * the norms of the two factors: of a window of x and a filter forward; of the windows of dout that
 * meet an element and a channel of w for dx; of a tap's elements of x and a channel of dout for dw.
 * (Sums that go through a transform, FFT or Winograd, are right in these norms alone.) The norms of
 * windows are sums of squares down the columns, then along the row that these make: nothing is
 * subtracted, so that nothing cancels. */
#include <float.h>
#include <math.h>

#include "answers/conv.h"
#include "answers/sums.h"
#include "kernel.h"

convolution convolution_of(const layers_check *check) {
    return (convolution){
        .N = (int64_t)check_length(check, 'N'),
        .C = (int64_t)check_length(check, 'C'),
        .H = (int64_t)check_length(check, 'H'),
        .W = (int64_t)check_length(check, 'W'),
        .F = (int64_t)check_length(check, 'F'),
        .R = (int64_t)check_length(check, 'R'),
        .S = (int64_t)check_length(check, 'S'),
        .P = (int64_t)check_length(check, 'P'),
        .Q = (int64_t)check_length(check, 'Q'),
        .stride = (int64_t)check_number(check, STRIDE),
        .pad = (int64_t)check_number(check, PAD),
        .backward = check->backward.operation,
        .x = check_input(check, X),
        .w = check_input(check, W),
        .b = check_input(check, B),
        .dout = check_dout(check),
    };
}

/* Norms in the notes. Forward: of each window (N, P, Q), of each filter (F). Backward: of what of
 * dout meets an element (N, H, W), of each channel of w (C), of what of x meets a tap (C, R, S), of
 * each channel of dout (F), and its Σ|dout| (F). Then room for squares: a plane, and a row. */
typedef struct {
    double *windows, *filters;
    double *met, *channels, *taps, *douts, *sums;
    double *plane, *row;
} norms;

/* Whether there are products. Where a tensor is empty its other lengths say nothing of how much is
 * there: what they count is left out. */
static bool has_products(const convolution *g) {
    return g->N > 0 && g->C > 0 && g->F > 0;
}

/* Numbers in what has the lengths of an output: (N, H, W) of dx, (C, R, S) of dw. */
static int64_t met_count(const convolution *g) {
    return g->C > 0 ? g->N * g->H * g->W : 0;
}
static int64_t tap_count(const convolution *g) {
    return g->F > 0 ? g->C * g->R * g->S : 0;
}
/* Room for squares: one channel of x, or of dout. */
static int64_t plane_count(const convolution *g) {
    return !has_products(g) ? 0 : g->backward ? g->P * g->Q : g->H * g->W;
}
static int64_t row_count(const convolution *g) {
    return !has_products(g) ? 0 : g->backward && g->Q > g->W ? g->Q : g->W;
}

static norms norms_of(const convolution *g, double *notes) {
    if (!g->backward) {
        double *filters = notes + g->N * g->P * g->Q, *plane = filters + g->F;
        return (norms){
            .windows = notes, .filters = filters, .plane = plane, .row = plane + plane_count(g)};
    }
    double *channels = notes + met_count(g), *taps = channels + g->C, *douts = taps + tap_count(g),
           *plane = douts + 2 * g->F;
    return (norms){.met = notes,
                   .channels = channels,
                   .taps = taps,
                   .douts = douts,
                   .sums = douts + g->F,
                   .plane = plane,
                   .row = plane + plane_count(g)};
}

/* Asked where there is an output: forward's windows and filters are there. */
size_t conv_notes(const layers_check *check) {
    convolution g = convolution_of(check);
    int64_t norms =
        g.backward ? met_count(&g) + g.C + tap_count(&g) + 2 * g.F : g.N * g.P * g.Q + g.F;
    return (size_t)(norms + plane_count(&g) + row_count(&g));
}

/* ---- sums --------------------------------------------------------------------------------------
 */

enum { LANES = 8 };

/* The power of two that brings the largest of the finite numbers near 1, so that no square of it
 * overflows or vanishes. */
KERNEL double scale_of(const double *a, int64_t count) {
    double lane[LANES] = {0}, largest = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int64_t l = 0; l < LANES; l++) {
            double size = fabs(a[i + l]) <= DBL_MAX ? fabs(a[i + l]) : 0;
            lane[l] = size > lane[l] ? size : lane[l];
        }
    for (; i < count; i++)
        largest = fabs(a[i]) > largest && isfinite(a[i]) ? fabs(a[i]) : largest;
    for (int64_t l = 0; l < LANES; l++)
        largest = lane[l] > largest ? lane[l] : largest;
    return largest > 0 ? ldexp(1, -(int)fmax(ilogb(largest), -1022)) : 1;
}

static void set_zero(double *to, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = 0;
}

KERNEL void add(double *to, const double *a, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] += a[i];
}

KERNEL void add_squares(double *to, const double *a, double scale, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        double scaled = a[i] * scale;
        to[i] += scaled * scaled;
    }
}

/* Adds Σa² and Σ|a|, of what is scaled and of what is not. */
KERNEL void add_sums(double *squares, double *absolutes, const double *a, double scale,
                     int64_t count) {
    double square[LANES] = {0}, absolute[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int64_t l = 0; l < LANES; l++) {
            double scaled = a[i + l] * scale;
            square[l] += scaled * scaled;
            absolute[l] += fabs(a[i + l]);
        }
    for (; i < count; i++) {
        square[0] += a[i] * scale * (a[i] * scale);
        absolute[0] += fabs(a[i]);
    }
    for (int64_t l = 0; l < LANES; l++) {
        *squares += square[l];
        *absolutes += absolute[l];
    }
}

/* Sums of scaled squares to norms. */
KERNEL void take_roots(double *norm, double scale, int64_t count) {
    double back = 1 / scale;
    for (int64_t i = 0; i < count; i++)
        norm[i] = sqrt(norm[i]) * back;
}

/* ---- norms -------------------------------------------------------------------------------------
 */

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* From `first` to before `end`. */
typedef struct {
    int64_t first, end;
} span;

/* Of what lies `step` apart, `count` of them, the first at `from`: those inside 0 to `length`. */
static span inside(int64_t from, int64_t step, int64_t count, int64_t length) {
    int64_t first = from >= 0 ? 0 : (-from + step - 1) / step;
    int64_t end = from >= length ? 0 : (length - from + step - 1) / step;
    return (span){least(first, count), least(end, count)};
}

/* Adds to each window in a row what it has of x's row of sums; or to each element of a row what
 * the windows that it is in have. */
static void add_across(const convolution *g, double *to, const double *from, bool to_windows) {
    for (int64_t s = 0; s < g->S; s++) {
        int64_t left = s - g->pad;
        span windows = inside(left, g->stride, g->Q, g->W);
        int64_t first = windows.first, count = windows.end - first;
        if (g->stride == 1 && count > 0)
            add(to + (to_windows ? first : first + left),
                from + (to_windows ? first + left : first), count);
        for (int64_t q = first; q < windows.end && g->stride > 1; q++)
            if (to_windows)
                to[q] += from[q * g->stride + left];
            else
                to[q * g->stride + left] += from[q];
    }
}

/* Of each window of x, over the channels: norm (N, P, Q). */
static void window_norms(const convolution *g, const norms *to) {
    double scale = scale_of(g->x, g->N * g->C * g->H * g->W), *norm = to->windows;
    set_zero(norm, g->N * g->P * g->Q);
    for (int64_t n = 0; n < g->N; n++) {
        set_zero(to->plane, g->H * g->W);
        for (int64_t c = 0; c < g->C; c++)
            add_squares(to->plane, g->x + (n * g->C + c) * g->H * g->W, scale, g->H * g->W);
        for (int64_t p = 0; p < g->P; p++, norm += g->Q) {
            int64_t top = p * g->stride - g->pad;
            span rows = inside(top, 1, g->R, g->H);
            set_zero(to->row, g->W);
            for (int64_t r = rows.first; r < rows.end; r++)
                add(to->row, to->plane + (top + r) * g->W, g->W);
            add_across(g, norm, to->row, true);
        }
    }
    take_roots(to->windows, scale, g->N * g->P * g->Q);
}

/* Adds up the rows of windows that have row h of x. */
static void add_met_rows(const convolution *g, const norms *to, int64_t h) {
    int64_t p = least((h + g->pad) / g->stride, g->P - 1), r = h + g->pad - p * g->stride;
    set_zero(to->row, g->Q);
    for (; p >= 0 && r < g->R; p--, r += g->stride)
        add(to->row, to->plane + p * g->Q, g->Q);
}

/* Of what of dout meets each element of x, over its channels: norm (N, H, W). */
static void met_norms(const convolution *g, const norms *to) {
    double scale = scale_of(g->dout, g->N * g->F * g->P * g->Q), *norm = to->met;
    set_zero(norm, g->N * g->H * g->W);
    for (int64_t n = 0; n < g->N; n++) {
        set_zero(to->plane, g->P * g->Q);
        for (int64_t f = 0; f < g->F; f++)
            add_squares(to->plane, g->dout + (n * g->F + f) * g->P * g->Q, scale, g->P * g->Q);
        for (int64_t h = 0; h < g->H; h++, norm += g->W) {
            add_met_rows(g, to, h);
            add_across(g, norm, to->row, false);
        }
    }
    take_roots(to->met, scale, g->N * g->H * g->W);
}

/* Of what of x meets each tap of the kernel: norm (C, R, S). */
static void tap_norms(const convolution *g, const norms *to) {
    double scale = scale_of(g->x, g->N * g->C * g->H * g->W), *norm = to->taps;
    for (int64_t c = 0; c < g->C; c++)
        for (int64_t r = 0; r < g->R; r++) {
            span rows = inside(r - g->pad, g->stride, g->P, g->H);
            set_zero(to->row, g->W);
            for (int64_t n = 0; n < g->N; n++)
                for (int64_t p = rows.first; p < rows.end; p++) {
                    int64_t h = p * g->stride + r - g->pad;
                    add_squares(to->row, g->x + ((n * g->C + c) * g->H + h) * g->W, scale, g->W);
                }
            for (int64_t s = 0; s < g->S; s++, norm++) {
                span columns = inside(s - g->pad, g->stride, g->Q, g->W);
                *norm = 0;
                for (int64_t q = columns.first; q < columns.end; q++)
                    *norm += to->row[q * g->stride + s - g->pad];
            }
        }
    take_roots(to->taps, scale, g->C * g->R * g->S);
}

/* Of every filter (F), or of every channel of all of them (C). */
static void weight_norms(const convolution *g, bool by_filter, double *norm) {
    int64_t kernel = g->R * g->S, count = by_filter ? g->F : g->C;
    double scale = scale_of(g->w, g->F * g->C * kernel), unused = 0;
    set_zero(norm, count);
    for (int64_t f = 0; f < g->F; f++)
        for (int64_t c = 0; c < g->C; c++)
            add_sums(&norm[by_filter ? f : c], &unused, g->w + (f * g->C + c) * kernel, scale,
                     kernel);
    take_roots(norm, scale, count);
}

/* Of each channel of dout (F), and its sum of absolute values. */
static void dout_norms(const convolution *g, double *norm, double *sum) {
    int64_t plane = g->P * g->Q;
    double scale = scale_of(g->dout, g->N * g->F * plane);
    set_zero(norm, g->F);
    set_zero(sum, g->F);
    for (int64_t n = 0; n < g->N; n++)
        for (int64_t f = 0; f < g->F; f++)
            add_sums(&norm[f], &sum[f], g->dout + (n * g->F + f) * plane, scale, plane);
    take_roots(norm, scale, g->F);
}

void conv_note(const layers_check *check, double *notes) {
    convolution g = convolution_of(check);
    norms to = norms_of(&g, notes);
    if (g.backward)
        dout_norms(&g, to.douts, to.sums);
    if (!has_products(&g))
        return;
    if (!g.backward) {
        window_norms(&g, &to);
        weight_norms(&g, true, to.filters);
        return;
    }
    met_norms(&g, &to);
    weight_norms(&g, false, to.channels);
    tap_norms(&g, &to);
}

/* ---- what cannot be told -----------------------------------------------------------------------
 * A number that is not finite, over a zero that some multiply and others leave out: over the
 * padding, and in dx over what a correlation with dout puts around and between its elements. */

static bool is_padding(const convolution *g, int64_t h, int64_t w) {
    return h < 0 || h >= g->H || w < 0 || w >= g->W;
}

static bool is_unclear_out(const convolution *g, place at) {
    int64_t top = at.c * g->stride - g->pad, left = at.d * g->stride - g->pad;
    if (!is_padding(g, top, left) && !is_padding(g, top + g->R - 1, left + g->S - 1))
        return false;
    for (int64_t c = 0; c < g->C; c++)
        for (int64_t r = 0; r < g->R; r++)
            for (int64_t s = 0; s < g->S; s++)
                if (is_padding(g, top + r, left + s) && !isfinite(w_at(g, at.b, c, r, s)))
                    return true;
    return false;
}

static bool is_window(const convolution *g, int64_t start, int64_t windows) {
    return start >= 0 && start % g->stride == 0 && start / g->stride < windows;
}

static bool is_unclear_dx(const convolution *g, place at) {
    for (int64_t r = 0; r < g->R; r++)
        for (int64_t s = 0; s < g->S; s++) {
            bool is_met =
                is_window(g, at.c + g->pad - r, g->P) && is_window(g, at.d + g->pad - s, g->Q);
            for (int64_t f = 0; !is_met && f < g->F; f++)
                if (!isfinite(w_at(g, f, at.b, r, s)))
                    return true;
        }
    return false;
}

static bool is_unclear_dw(const convolution *g, place at) {
    for (int64_t p = 0; p < g->P; p++)
        for (int64_t q = 0; q < g->Q; q++) {
            bool is_zero =
                is_padding(g, p * g->stride + at.c - g->pad, q * g->stride + at.d - g->pad);
            for (int64_t n = 0; is_zero && n < g->N; n++)
                if (!isfinite(dout_at(g, n, at.a, p, q)))
                    return true;
        }
    return false;
}

static bool is_unclear(const convolution *g, int output, place at) {
    return !g->backward   ? is_unclear_out(g, at)
           : output == DX ? is_unclear_dx(g, at)
                          : is_unclear_dw(g, at);
}

/* ---- bounds ------------------------------------------------------------------------------------
 */

/* A row of what is claimed: sums of k products of numbers of these norms, and what is added. */
typedef struct {
    place at;           /* of the first element that is looked at */
    const double *left; /* of each element */
    double right, added;
    int64_t k;
    bool in_doubt; /* some may be unclear */
} row;

static int64_t row_length(const convolution *g, int output) {
    return !g->backward ? g->Q : output == DX ? g->W : output == DW ? g->S : g->F;
}

static row row_of(const convolution *g, const norms *n, int output, size_t i) {
    if (!g->backward) {
        place at = place_of(i, g->F, g->P, g->Q);
        double filter = n->filters[at.b];
        return (row){at,
                     n->windows + (at.a * g->P + at.c) * g->Q,
                     filter,
                     fabs(g->b[at.b]),
                     g->C * g->R * g->S,
                     !isfinite(filter)};
    }
    if (output == DX) {
        place at = place_of(i, g->C, g->H, g->W);
        double channel = n->channels[at.b];
        return (row){at,
                     n->met + (at.a * g->H + at.c) * g->W,
                     channel,
                     0,
                     g->F * g->R * g->S,
                     !isfinite(channel)};
    }
    if (output == DW) {
        place at = place_of(i, g->C, g->R, g->S);
        double dout = n->douts[at.a];
        return (row){at,
                     n->taps + (at.b * g->R + at.c) * g->S,
                     dout,
                     0,
                     g->N * g->P * g->Q,
                     !isfinite(dout)};
    }
    return (row){{0}, n->sums, 1, 0, g->N * g->P * g->Q, false};
}

/* What is not finite is matched in kind, whatever the bound. */
KERNEL void row_bounds(const layers_check *check, const row *row, size_t first, size_t count,
                       const double *right, double *to) {
    for (size_t i = 0; i < count; i++) {
        double g = row->left[first + i] * row->right + row->added;
        double bound = sum_bound(check, (size_t)row->k, g, right[i]);
        to[i] = fabs(right[i]) <= DBL_MAX ? bound : 0;
    }
}

void conv_bound(const layers_check *check, int output, size_t first, size_t count, double *to) {
    convolution g = convolution_of(check);
    norms n = norms_of(&g, check->notes);
    const double *right = check_values(check, output);
    size_t length = (size_t)row_length(&g, output), end = first + count;
    for (size_t i = first, some; i < end && length > 0; i += some, to += some) {
        row row = row_of(&g, &n, output, i);
        size_t skipped = i % length;
        some = length - skipped < end - i ? length - skipped : end - i;
        row_bounds(check, &row, skipped, some, right + i, to);
        for (size_t j = 0; j < some && row.in_doubt; j++, row.at.d++)
            if (is_unclear(&g, output, row.at))
                to[j] = INFINITY;
    }
}
