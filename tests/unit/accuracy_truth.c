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

/* Mean and variance of a column. Distances from the mean are by those from the first element, which
 * are exact where numbers are near to each other. */
typedef struct {
    long double mean, first, rest, variance;
} statistics;

static long double distance(const layers_tensor *x, size_t i, const statistics *s) {
    return at(x, i) - s->first - s->rest;
}

static statistics statistics_of(const layers_tensor *x, size_t d) {
    size_t N = x->shape[0], D = x->shape[1];
    statistics s = {.first = at(x, d)};
    long double sum = 0;
    for (size_t n = 0; n < N; n++) {
        s.mean += at(x, n * D + d);
        sum += distance(x, n * D + d, &s);
    }
    s.mean /= N;
    s.rest = sum / N;
    for (size_t n = 0; n < N; n++)
        s.variance += distance(x, n * D + d, &s) * distance(x, n * D + d, &s) / N;
    return s;
}

static truth batchnorm_forward(const layers_call *call, const layers_call *forward) {
    (void)forward;
    const layers_tensor *x = &call->inputs[0], *gamma = &call->inputs[1], *beta = &call->inputs[2];
    size_t N = x->shape[0], D = x->shape[1];
    long double moved = 1 - (long double)call->params[2].number;
    truth t = {0};
    long double *out = add(&t, N * D), *running_mean = add(&t, D), *running_var = add(&t, D);
    for (size_t d = 0; d < D; d++) {
        statistics s = statistics_of(x, d);
        running_mean[d] = moved * s.mean;
        running_var[d] = moved * s.variance;
        for (size_t n = 0; n < N; n++)
            out[n * D + d] = at(gamma, d) * distance(x, n * D + d, &s) /
                                 sqrtl(s.variance + call->params[1].number) +
                             at(beta, d);
    }
    return t;
}

static truth batchnorm_backward(const layers_call *call, const layers_call *forward) {
    const layers_tensor *x = &forward->inputs[0], *gamma = &forward->inputs[1],
                        *dout = &call->inputs[0];
    size_t N = x->shape[0], D = x->shape[1];
    truth t = {0};
    long double *dx = add(&t, N * D), *dgamma = add(&t, D), *dbeta = add(&t, D);
    for (size_t d = 0; d < D; d++) {
        statistics s = statistics_of(x, d);
        long double std = sqrtl(s.variance + forward->params[1].number);
        for (size_t n = 0; n < N; n++) {
            dbeta[d] += at(dout, n * D + d);
            dgamma[d] += at(dout, n * D + d) * distance(x, n * D + d, &s) / std;
        }
        for (size_t n = 0; n < N; n++)
            dx[n * D + d] = at(gamma, d) / std *
                            (at(dout, n * D + d) - dbeta[d] / N -
                             distance(x, n * D + d, &s) / std * dgamma[d] / N);
    }
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
        {"batchnorm", "forward", batchnorm_forward},
        {"batchnorm", "backward", batchnorm_backward},
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
