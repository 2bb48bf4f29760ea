/* What the faults of conv give, element by element, straight from the inputs. */
#include "answers/conv.h"

static int64_t start_of(const convolution *g, const conv_way *v) {
    return v->padded == BY_PAD ? -g->pad : v->padded == BY_ONE ? -1 : 0;
}

static int64_t stride_of(const convolution *g, const conv_way *v) {
    return v->dense ? 1 : g->stride;
}

/* Whether the window at this place of x is left out. */
static bool is_left_out(const convolution *g, const conv_way *v, int64_t h, int64_t w) {
    return v->fitting && (h + g->R > g->H || w + g->S > g->W);
}

static double weight(const convolution *g, const conv_way *v, int64_t f, int64_t c, int64_t r,
                     int64_t s) {
    if (v->exchanged)
        return w_at(g, f, c, s, r);
    return v->flipped ? w_at(g, f, c, g->R - 1 - r, g->S - 1 - s) : w_at(g, f, c, r, s);
}

static double gradient(const convolution *g, const conv_way *v, int64_t n, int64_t f, int64_t p,
                       int64_t q) {
    return v->exchanged_out ? dout_at(g, n, f, q, p) : dout_at(g, n, f, p, q);
}

/* How often b is added to a sum. */
static double biases(const convolution *g, const conv_way *v) {
    return v->bias == NEVER        ? 0
           : v->bias == BY_PRODUCT ? (double)(g->C * g->R * g->S)
           : v->bias == BY_CHANNEL ? (double)g->C
                                   : 1;
}

static double out_value(const convolution *g, const conv_way *v, place at) {
    int64_t p = v->exchanged_out ? at.d : at.c, q = v->exchanged_out ? at.c : at.d;
    int64_t h = p * stride_of(g, v) + start_of(g, v), w = q * stride_of(g, v) + start_of(g, v);
    int64_t end = v->first_channel ? 1 : g->C;
    double sum = biases(g, v) * g->b[at.b];
    if (is_left_out(g, v, h, w) || (v->short_of_last && (p == g->P - 1 || q == g->Q - 1)))
        return 0;
    for (int64_t c = v->last_channel ? g->C - 1 : 0; c < end; c++)
        for (int64_t r = 0; r < g->R; r++)
            for (int64_t s = 0; s < g->S; s++)
                sum += x_at(g, at.a, c, h + r, w + s) * weight(g, v, at.b, c, r, s);
    return sum;
}

/* The window that has its tap `tap` at `at`, along one direction; -1 where there is none, or where
 * the last one that meets `at` is meant and this is another. */
static int64_t window_of(const convolution *g, const conv_way *v, int64_t at, int64_t tap,
                         int64_t windows) {
    int64_t from = at - start_of(g, v), stride = stride_of(g, v), window = (from - tap) / stride;
    int64_t last = from / stride < windows ? from / stride : windows - 1;
    bool is_one = from >= tap && (from - tap) % stride == 0 && window < windows;
    return is_one && (!v->last_window || window == last) ? window : -1;
}

static double dx_value(const convolution *g, const conv_way *v, place at) {
    int64_t h = v->exchanged_x ? at.d : at.c, w = v->exchanged_x ? at.c : at.d;
    double sum = 0;
    for (int64_t f = v->last_filter ? g->F - 1 : 0; f < g->F; f++)
        for (int64_t r = 0; r < g->R; r++)
            for (int64_t s = 0; s < g->S; s++) {
                int64_t p = window_of(g, v, h, r, g->P), q = window_of(g, v, w, s, g->Q);
                if (p >= 0 && q >= 0)
                    sum += gradient(g, v, at.a, f, p, q) * weight(g, v, f, at.b, r, s);
            }
    return sum;
}

/* The right gradient of another tap, or another sum. */
static double dw_value(const convolution *g, const conv_way *v, const double *right, place at) {
    int64_t plane = (at.a * g->C + at.b) * g->R, r = at.c, s = at.d;
    if (v->exchanged)
        return right[(plane + s) * g->S + r];
    if (v->flipped)
        return right[(plane + g->R - 1 - r) * g->S + g->S - 1 - s];
    double sum = 0;
    for (int64_t n = v->last_example ? g->N - 1 : 0; n < g->N; n++)
        for (int64_t p = v->last_window ? g->P - 1 : 0; p < g->P; p++)
            for (int64_t q = v->last_window ? g->Q - 1 : 0; q < g->Q; q++) {
                int64_t h = p * stride_of(g, v) + start_of(g, v);
                int64_t w = q * stride_of(g, v) + start_of(g, v);
                if (!is_left_out(g, v, h, w))
                    sum += x_at(g, n, at.b, h + r, w + s) * gradient(g, v, n, at.a, p, q);
            }
    return sum;
}

/* Σ of what of dout has one index at `i`: that of its filters, or of another axis. */
static double db_value(const convolution *g, const conv_way *v, int64_t i) {
    const int64_t length[] = {g->N, g->F, g->P, g->Q};
    const int axis = v->kept == BY_FILTER   ? 1
                     : v->kept == BY_ROW    ? 2
                     : v->kept == BY_COLUMN ? 3
                                            : 0;
    int64_t first[4] = {0}, end[4];
    double sum = 0;
    for (int a = 0; a < 4; a++)
        end[a] = a == axis ? i + 1 : length[a];
    first[axis] = i;
    if (v->last_example)
        first[0] = g->N - 1;
    for (int64_t n = first[0]; n < end[0]; n++)
        for (int64_t f = first[1]; f < end[1]; f++)
            for (int64_t p = first[2]; p < end[2]; p++)
                for (int64_t q = first[3]; q < end[3]; q++)
                    sum += dout_at(g, n, f, p, q);
    return sum;
}

void conv_fault(const fault_view *view, size_t first, size_t count, double *to) {
    convolution g = convolution_of(view->check);
    const conv_way *v = view->fault->how;
    const double *right = check_values(view->check, view->output);
    for (size_t i = first; i < first + count; i++) {
        double *value = &to[i - first];
        if (v->mean || v->mean_all)
            *value = right[i] / (double)(v->mean ? g.N : g.N * g.P * g.Q);
        else if (!g.backward)
            *value = out_value(&g, v, place_of(i, g.F, g.P, g.Q));
        else if (view->output == DX)
            *value = dx_value(&g, v, place_of(i, g.C, g.H, g.W));
        else if (view->output == DW)
            *value = dw_value(&g, v, right, place_of(i, g.C, g.R, g.S));
        else
            *value = db_value(&g, v, (int64_t)i);
    }
}
