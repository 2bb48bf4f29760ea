/* The layers in long double, in plain loops. */
#include "accuracy_truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static long double *add(truth *t, size_t size) {
    long double *array = calloc(size + 1, sizeof *array);
    cr_assert(array);
    t->array[t->count++] = array;
    return array;
}

static long double at(const layers_tensor *tensor, size_t i) {
    return element(tensor, i);
}

static truth affine_forward(const layers_call *call, const layers_call *forward) {
    (void)forward;
    const layers_tensor *x = &call->inputs[0], *w = &call->inputs[1], *b = &call->inputs[2];
    size_t N = x->shape[0], D = w->shape[0], M = w->shape[1];
    truth t = {0};
    long double *out = add(&t, N * M);
    for (size_t n = 0; n < N; n++)
        for (size_t m = 0; m < M; m++) {
            for (size_t d = 0; d < D; d++)
                out[n * M + m] += at(x, n * D + d) * at(w, d * M + m);
            out[n * M + m] += at(b, m);
        }
    return t;
}

static truth affine_backward(const layers_call *call, const layers_call *forward) {
    const layers_tensor *x = &forward->inputs[0], *w = &forward->inputs[1],
                        *dout = &call->inputs[0];
    size_t N = x->shape[0], D = w->shape[0], M = w->shape[1];
    truth t = {0};
    long double *dx = add(&t, N * D), *dw = add(&t, D * M), *db = add(&t, M);
    for (size_t n = 0; n < N; n++)
        for (size_t m = 0; m < M; m++) {
            long double g = at(dout, n * M + m);
            for (size_t d = 0; d < D; d++) {
                dx[n * D + d] += g * at(w, d * M + m);
                dw[d * M + m] += g * at(x, n * D + d);
            }
            db[m] += g;
        }
    return t;
}

static truth relu_forward(const layers_call *call, const layers_call *forward) {
    (void)forward;
    truth t = {0};
    long double *out = add(&t, call->inputs[0].size);
    for (size_t i = 0; i < call->inputs[0].size; i++)
        out[i] = fmaxl(at(&call->inputs[0], i), 0);
    return t;
}

static truth relu_backward(const layers_call *call, const layers_call *forward) {
    truth t = {0};
    long double *dx = add(&t, call->inputs[0].size);
    for (size_t i = 0; i < call->inputs[0].size; i++)
        dx[i] = at(&forward->inputs[0], i) > 0 ? at(&call->inputs[0], i) : 0;
    return t;
}

static truth dropped(const layers_tensor *in, const layers_value *params) {
    truth t = {0};
    long double *out = add(&t, in->size);
    layers_random random;
    layers_random_seed(&random, (uint32_t)params[2].number);
    for (size_t i = 0; i < in->size; i++)
        if ((long double)layers_random_53(&random) * 0x1p-53L < params[0].number)
            out[i] = at(in, i) / params[0].number;
    return t;
}

static truth dropout_forward(const layers_call *call, const layers_call *forward) {
    (void)forward;
    return dropped(&call->inputs[0], call->params);
}

static truth dropout_backward(const layers_call *call, const layers_call *forward) {
    return dropped(&call->inputs[0], forward->params);
}

/* Numbers that are normalised together: `runs` of `length` beside each other. */
typedef struct {
    size_t first, runs, length, apart;
} set;

static size_t place(const set *s, size_t i) {
    return s->first + i / s->length * s->apart + i % s->length;
}

/* How a norm cuts (N, C, ...): how many sets, which is which, and which gamma an element has. */
typedef struct {
    size_t N, C, plane, sets;
    set (*set)(const layers_call *call, size_t i);
} norm;

static size_t plane_of(const layers_tensor *x) {
    return x->rank == 4 ? x->shape[2] * x->shape[3] : 1;
}

/* batchnorm and spatial_batchnorm */
static set channel(const layers_call *call, size_t i) {
    const layers_tensor *x = &call->inputs[0];
    size_t plane = plane_of(x);
    return (set){i * plane, x->shape[0], plane, x->shape[1] * plane};
}

static set row(const layers_call *call, size_t i) {
    size_t D = call->inputs[0].shape[1];
    return (set){i * D, 1, D, 0};
}

static set group(const layers_call *call, size_t i) {
    const layers_tensor *x = &call->inputs[0];
    size_t length = x->shape[1] * plane_of(x) / (size_t)call->params[0].number;
    return (set){i * length, 1, length, 0};
}

static norm norm_of(const layers_call *call) {
    const layers_tensor *x = &call->inputs[0];
    const char *layer = call->operation->layer;
    norm n = {x->shape[0], x->shape[1], plane_of(x), x->shape[1], channel};
    if (!strcmp(layer, "layernorm")) {
        n.sets = x->shape[0];
        n.set = row;
    } else if (!strcmp(layer, "spatial_groupnorm")) {
        n.sets = x->shape[0] * (size_t)call->params[0].number;
        n.set = group;
    }
    return n;
}

static double eps_of(const layers_call *call) {
    int i = 0;
    while (strcmp(call->operation->params[i].name, "eps") != 0)
        i++;
    return call->params[i].number;
}

/* Distances from the mean are by those from the first element, which are exact where numbers are
 * near to each other. */
typedef struct {
    long double mean, first, rest, variance;
} statistics;

static long double distance(const layers_tensor *x, size_t i, const statistics *s) {
    return at(x, i) - s->first - s->rest;
}

static statistics statistics_of(const layers_tensor *x, const set *of) {
    size_t count = of->runs * of->length;
    statistics s = {.first = at(x, of->first)};
    long double sum = 0;
    for (size_t i = 0; i < count; i++) {
        s.mean += at(x, place(of, i));
        sum += distance(x, place(of, i), &s);
    }
    s.mean /= count;
    s.rest = sum / count;
    for (size_t i = 0; i < count; i++)
        s.variance += distance(x, place(of, i), &s) * distance(x, place(of, i), &s) / count;
    return s;
}

static truth norm_forward(const layers_call *call, const layers_call *forward) {
    (void)forward;
    const layers_tensor *x = &call->inputs[0], *gamma = &call->inputs[1], *beta = &call->inputs[2];
    norm n = norm_of(call);
    truth t = {0};
    bool runs = strstr(call->operation->layer, "batchnorm");
    long double *out = add(&t, x->size), *running[2] = {0};
    for (int i = 0; runs && i < 2; i++)
        running[i] = add(&t, n.C);
    for (size_t k = 0; k < n.sets; k++) {
        set set = n.set(call, k);
        statistics s = statistics_of(x, &set);
        for (size_t i = 0; i < set.runs * set.length; i++) {
            size_t p = place(&set, i), c = p / n.plane % n.C;
            out[p] =
                at(gamma, c) * distance(x, p, &s) / sqrtl(s.variance + eps_of(call)) + at(beta, c);
        }
        for (int i = 0; runs && i < 2; i++)
            running[i][k] = (1 - (long double)call->params[2].number) * (i ? s.variance : s.mean);
    }
    return t;
}

static truth norm_backward(const layers_call *call, const layers_call *forward) {
    const layers_tensor *x = &forward->inputs[0], *gamma = &forward->inputs[1],
                        *dout = &call->inputs[0];
    norm n = norm_of(forward);
    truth t = {0};
    long double *dx = add(&t, x->size), *dgamma = add(&t, n.C), *dbeta = add(&t, n.C);
    for (size_t k = 0; k < n.sets; k++) {
        set set = n.set(forward, k);
        statistics s = statistics_of(x, &set);
        size_t count = set.runs * set.length;
        long double std = sqrtl(s.variance + eps_of(forward)), shift = 0, slope = 0;
        for (size_t i = 0; i < count; i++) {
            size_t p = place(&set, i), c = p / n.plane % n.C;
            long double xhat = distance(x, p, &s) / std;
            dbeta[c] += at(dout, p);
            dgamma[c] += at(dout, p) * xhat;
            shift += at(gamma, c) * at(dout, p) / count;
            slope += at(gamma, c) * at(dout, p) * xhat / count;
        }
        for (size_t i = 0; i < count; i++) {
            size_t p = place(&set, i);
            long double g = at(gamma, p / n.plane % n.C) * at(dout, p);
            dx[p] = (g - shift - distance(x, p, &s) / std * slope) / std;
        }
    }
    return t;
}

/* Calls what(out, x, w) for each product of a convolution, but those with the padding. */
static void each_product(const layers_call *forward, void *argument,
                         void (*what)(void *argument, size_t out, size_t x, size_t w)) {
    const size_t *x = forward->inputs[0].shape, *w = forward->inputs[1].shape;
    const size_t *out = forward->outputs[0].shape;
    size_t stride = (size_t)forward->params[0].number, pad = (size_t)forward->params[1].number;
    for (size_t o = 0; o < forward->outputs[0].size; o++) {
        size_t q = o % out[3], p = o / out[3] % out[2], f = o / out[3] / out[2] % out[1];
        size_t n = o / out[3] / out[2] / out[1];
        for (size_t k = 0; k < w[1] * w[2] * w[3]; k++) {
            size_t h = p * stride + k / w[3] % w[2] - pad, c = k / w[3] / w[2];
            size_t v = q * stride + k % w[3] - pad;
            if (h < x[2] && v < x[3]) /* they wrap where they are outside */
                what(argument, o, ((n * x[1] + c) * x[2] + h) * x[3] + v,
                     f * w[1] * w[2] * w[3] + k);
        }
    }
}

typedef struct {
    const layers_tensor *x, *w, *dout;
    long double *out, *dx, *dw;
} products;

static void add_forward(void *argument, size_t out, size_t x, size_t w) {
    products *p = argument;
    p->out[out] += at(p->x, x) * at(p->w, w);
}

static void add_backward(void *argument, size_t out, size_t x, size_t w) {
    products *p = argument;
    p->dx[x] += at(p->dout, out) * at(p->w, w);
    p->dw[w] += at(p->dout, out) * at(p->x, x);
}

static truth conv_forward(const layers_call *call, const layers_call *forward) {
    (void)forward;
    truth t = {0};
    const size_t *shape = call->outputs[0].shape;
    products p = {.x = &call->inputs[0], .w = &call->inputs[1]};
    p.out = add(&t, call->outputs[0].size);
    each_product(call, &p, add_forward);
    for (size_t i = 0; i < call->outputs[0].size; i++)
        p.out[i] += at(&call->inputs[2], i / shape[3] / shape[2] % shape[1]);
    return t;
}

static truth conv_backward(const layers_call *call, const layers_call *forward) {
    truth t = {0};
    const layers_tensor *dout = &call->inputs[0];
    products p = {.x = &forward->inputs[0], .w = &forward->inputs[1], .dout = dout};
    p.dx = add(&t, p.x->size);
    p.dw = add(&t, p.w->size);
    long double *db = add(&t, dout->shape[1]);
    each_product(forward, &p, add_backward);
    for (size_t i = 0; i < dout->size; i++)
        db[i / dout->shape[3] / dout->shape[2] % dout->shape[1]] += at(dout, i);
    return t;
}

static truth svm_loss(const layers_call *call, const layers_call *forward) {
    (void)forward;
    const layers_tensor *x = &call->inputs[0], *y = &call->inputs[1];
    size_t N = x->shape[0], C = x->shape[1];
    truth t = {0};
    long double *loss = add(&t, 1), *dx = add(&t, N * C);
    for (size_t n = 0; n < N; n++) {
        size_t label = n * C + (size_t)element(y, n);
        for (size_t i = n * C; i < n * C + C; i++) {
            long double margin = at(x, i) - at(x, label) + 1;
            if (i == label || margin <= 0)
                continue;
            *loss += margin / N;
            dx[i] += 1.0L / N;
            dx[label] -= 1.0L / N;
        }
    }
    return t;
}

static truth softmax_loss(const layers_call *call, const layers_call *forward) {
    (void)forward;
    const layers_tensor *x = &call->inputs[0], *y = &call->inputs[1];
    size_t N = x->shape[0], C = x->shape[1];
    truth t = {0};
    long double *loss = add(&t, 1), *dx = add(&t, N * C);
    for (size_t n = 0; n < N; n++) {
        size_t first = n * C, label = first + (size_t)element(y, n);
        long double largest = at(x, first), sum = 0;
        for (size_t i = first; i < first + C; i++)
            largest = fmaxl(largest, at(x, i));
        for (size_t i = first; i < first + C; i++)
            sum += expl(at(x, i) - largest);
        for (size_t i = first; i < first + C; i++)
            dx[i] = (expl(at(x, i) - largest) / sum - (i == label)) / N;
        *loss += (logl(sum) - (at(x, label) - largest)) / N;
    }
    return t;
}

truth truth_of(const layers_call *call, const layers_call *forward) {
    static const struct {
        const char *layer, *name;
        truth (*of)(const layers_call *call, const layers_call *forward);
    } rows[] = {
        {"affine", "forward", affine_forward},
        {"affine", "backward", affine_backward},
        {"relu", "forward", relu_forward},
        {"relu", "backward", relu_backward},
        {"batchnorm", "forward", norm_forward},
        {"batchnorm", "backward", norm_backward},
        {"layernorm", "forward", norm_forward},
        {"layernorm", "backward", norm_backward},
        {"spatial_batchnorm", "forward", norm_forward},
        {"spatial_batchnorm", "backward", norm_backward},
        {"spatial_groupnorm", "forward", norm_forward},
        {"spatial_groupnorm", "backward", norm_backward},
        {"conv", "forward", conv_forward},
        {"conv", "backward", conv_backward},
        {"dropout", "forward", dropout_forward},
        {"dropout", "backward", dropout_backward},
        {"svm", "loss", svm_loss},
        {"softmax", "loss", softmax_loss},
    };
    const layers_operation *operation = call->operation;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].layer, operation->layer) && !strcmp(rows[i].name, operation->name))
            return rows[i].of(call, forward);
    cr_assert(false, "no truth about %s/%s", operation->layer, operation->name);
    return (truth){0};
}

void truth_free(truth *truth) {
    while (truth->count > 0)
        free(truth->array[--truth->count]);
}
