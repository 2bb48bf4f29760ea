/* What the faults of max_pool give, element by element, straight from the inputs. */
#include <math.h>

#include "answers/max_pool.h"
#include "checks/judge.h"

/* A window: rows and columns from a place on, cut off where x ends. */
typedef struct {
    int64_t plane, h, w, rows, columns;
} window;

/* Rows and columns of a window that is not cut off. */
static int64_t rows_of(const pooling *g, const pool_way *v) {
    return v->exchanged || v->wide_is_high ? g->S : g->R;
}
static int64_t columns_of(const pooling *g, const pool_way *v) {
    return v->exchanged || v->high_is_wide ? g->R : g->S;
}

static window window_at(const pooling *g, const pool_way *v, int64_t plane, int64_t p, int64_t q) {
    int64_t h = v->dense ? p : p * g->stride, w = v->dense ? q : q * g->stride;
    return (window){plane, h, w, least(rows_of(g, v), g->H - h), least(columns_of(g, v), g->W - w)};
}

static double element(const pooling *g, const window *in, int64_t i) {
    return x_at(g, in->plane, in->h + i / in->columns, in->w + i % in->columns);
}

/* Whether `x` takes the place of `best`. */
static bool is_better(const pool_way *v, double x, double best) {
    if (v->of == LARGEST_NUMBER)
        return x > best || (isnan(best) && !isnan(x));
    if (isnan(best) || isnan(x))
        return !isnan(best);
    return v->of == SMALLEST ? x < best : x > best;
}

/* The best element of a window, the first of equals. */
static int64_t best_of(const pooling *g, const pool_way *v, const window *in) {
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

void pool_forward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    pooling g = pooling_of(view->check);
    const pool_way *v = view->fault->how;
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

/* What a fault remembers of a window, which each of its elements asks for. */
enum { WINDOW_FIRST /* from 1 on */, WINDOW_COUNT, WINDOW_LAST, WINDOW_BY_COLUMNS, WINDOW_NUMBERS };

size_t pool_backward_memo(const fault_view *view) {
    return WINDOW_NUMBERS * view->check->backward.inputs[0].size;
}

static void remember_window(const pooling *g, const pool_way *v, const window *in, double *seen) {
    if (seen[WINDOW_FIRST] > 0)
        return;
    int64_t first = best_of(g, v, in);
    seen[WINDOW_FIRST] = (double)(first + 1);
    if (v->to == FIRST)
        return;
    equals same = equals_of(g, in, element(g, in, first));
    seen[WINDOW_COUNT] = (double)same.count;
    seen[WINDOW_LAST] = (double)same.last;
    seen[WINDOW_BY_COLUMNS] = (double)same.first_by_columns;
}

/* The share of a window's gradient that goes to its element i. */
static double share_of(const pooling *g, const pool_way *v, const window *in, int64_t i,
                       double *seen) {
    if (v->of == MEAN)
        return 1 / (double)(in->rows * in->columns);
    if (v->to == EVERY)
        return 1;
    remember_window(g, v, in, seen);
    int64_t first = (int64_t)seen[WINDOW_FIRST] - 1;
    double best = element(g, in, first), x = element(g, in, i);
    if (v->of == AT_LEAST_ZERO && best <= 0)
        return 0;
    if (v->to == FIRST)
        return i == first;
    bool is_best = x == best || (isnan(x) && isnan(best));
    return v->to == LAST     ? (double)i == seen[WINDOW_LAST]
           : v->to == ALL    ? is_best
           : v->to == SHARED ? is_best / seen[WINDOW_COUNT]
                             : (double)i == seen[WINDOW_BY_COLUMNS];
}

static double dx_value(const pooling *g, const pool_way *v, size_t i, double *memo) {
    int64_t at = (int64_t)i, w = at % g->W, h = at / g->W % g->H, plane = at / g->W / g->H;
    int64_t stride = v->dense ? 1 : g->stride;
    span down = windows_over(h, rows_of(g, v), stride, g->P);
    span across = windows_over(w, columns_of(g, v), stride, g->Q);
    double sum = 0;
    for (int64_t p = down.first; p < down.end; p++)
        for (int64_t q = across.first; q < across.end; q++) {
            if (v->short_of_last && (p == g->P - 1 || q == g->Q - 1))
                continue;
            window in = window_at(g, v, plane, p, q);
            double *seen = memo + ((plane * g->P + p) * g->Q + q) * WINDOW_NUMBERS;
            double share = share_of(g, v, &in, (h - in.h) * in.columns + w - in.w, seen);
            if (v->overlap == LAST_WINDOW || (v->overlap == LAST_WINNER && share > 0))
                sum = 0;
            if (share > 0)
                sum += share * (v->mask_only ? 1 : g->dout[(plane * g->P + p) * g->Q + q]);
        }
    return sum;
}

void pool_backward_fault(const fault_view *view, size_t first, size_t count, double *to) {
    pooling g = pooling_of(view->check);
    for (size_t i = first; i < first + count; i++)
        to[i - first] = dx_value(&g, view->fault->how, i, view->memo);
}

/* Large windows that overlap are many, and each is looked at whole. Of the elements that are looked
 * at, pieces meet the windows of so many rows and columns. */
bool pool_backward_in_reach(const layers_check *check) {
    const double most = 1 << 25, pieces = 64;
    pooling g = pooling_of(check);
    double size = (double)g.R * (double)g.S, stride = (double)g.stride;
    double all = (double)check->backward.inputs[0].size * size;
    double rows = (CHECK_PIECE / (double)g.W + 1 + (double)g.R) / stride + 1;
    double columns = fmin((CHECK_PIECE + (double)g.S) / stride + 1, (double)g.Q);
    return fmin(all, pieces * rows * columns * size) <= most;
}
