/* How far right answers to max_pool may be apart.
 *
 * Forward picks numbers and rounds none, and backward does so but where windows overlap; bounds are
 * wide enough for the roundings of faults that add up whole windows, so that these are known too.
 * Which element is the largest is not to be told where two are NaN (implementations that people
 * call right differ), or where two that differ are the same number in float32. */
#include <math.h>

#include "answers/max_pool.h"
#include "answers/sums.h"

pooling pooling_of(const layers_check *check) {
    return (pooling){
        .H = (int64_t)check_length(check, 'H'),
        .W = (int64_t)check_length(check, 'W'),
        .P = (int64_t)check_length(check, 'P'),
        .Q = (int64_t)check_length(check, 'Q'),
        .R = (int64_t)check_number(check, POOL_HEIGHT),
        .S = (int64_t)check_number(check, POOL_WIDTH),
        .stride = (int64_t)check_number(check, STRIDE),
        .x = check_input(check, X),
        .out = check->forward.outputs[0].data,
        .dout = check_dout(check),
    };
}

/* Of the numbers of the window that starts at x, the mean of the absolute values. */
static double mean_size(const pooling *g, const double *x) {
    double sum = 0, share = 1 / ((double)g->R * (double)g->S);
    for (int64_t r = 0; r < g->R; r++, x += g->W)
        for (int64_t s = 0; s < g->S; s++)
            sum += isfinite(x[s]) ? fabs(x[s]) * share : 0;
    return sum;
}

void pool_forward_bound(const layers_check *check, int output, size_t first, size_t count,
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

/* The notes: of each window, whether its largest element is in doubt. */
size_t pool_backward_notes(const layers_check *check) {
    return check->backward.inputs[0].size;
}

void pool_backward_note(const layers_check *check, double *notes) {
    pooling g = pooling_of(check);
    int64_t windows = (int64_t)check->backward.inputs[0].size;
    for (int64_t i = 0; i < windows; i++)
        if (check->rounded || isnan(g.out[i]))
            notes[i] =
                is_in_doubt(check, &g, i / g.Q / g.P, i / g.Q % g.P, i % g.Q, g.out[i]) ? 1 : 0;
}

/* Whether it is in doubt for an element if it is the largest of some window. */
static bool is_doubtful(const layers_check *check, const pooling *g, int64_t plane, span down,
                        span across, double x) {
    for (int64_t p = down.first; p < down.end; p++)
        for (int64_t q = across.first; q < across.end; q++) {
            int64_t window = (plane * g->P + p) * g->Q + q;
            if (check->notes[window] > 0 && is_same(check, x, g->out[window]))
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

void pool_backward_bound(const layers_check *check, int output, size_t first, size_t count,
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
