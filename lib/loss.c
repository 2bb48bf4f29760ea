/* What the losses share. */
#include "loss.h"

#include <inttypes.h>
#include <stdio.h>

#include "blocks.h"

const layers_field loss_inputs[] = {
    [LOSS_X] = {.name = "x", .shape = "N C", .summary = "scores of N examples for C classes"},
    [LOSS_Y] = {.name = "y", .shape = "N", .labels = true, .summary = "labels, 0 <= y < C"},
    {0},
};

const layers_field loss_outputs[] = {
    [LOSS_LOSS] = {.name = "loss", .shape = "", .summary = "mean loss of the examples"},
    [LOSS_DX] = {.name = "dx", .shape = "N C", .summary = "gradient of the loss by x"},
    {0},
};

layers_code loss_check(const layers_call *call, layers_error *error) {
    layers_code code = call_needs_rows(call, error);
    if (code != LAYERS_OK)
        return code;
    size_t N = dims_length(&call->dims, 'N'), C = dims_length(&call->dims, 'C');
    const int64_t *y = call->inputs[LOSS_Y].data;
    for (size_t n = 0; n < N; n++)
        if (y[n] < 0 || (uint64_t)y[n] >= C) {
            char field[32];
            snprintf(field, sizeof field, "y/%zu", n);
            return layers_fail(error, LAYERS_LABEL_OUT_OF_RANGE, field,
                               "label %" PRId64 " at y[%zu] names none of the %zu classes "
                               "(0 <= y < %zu)",
                               y[n], n, C, C);
        }
    return LAYERS_OK;
}

enum { PIECES_MOST = 256 };

typedef struct {
    layers_call *call;
    double (*some_rows)(const layers_call *call, size_t first, size_t count);
    size_t rows; /* of a piece */
    double sum[PIECES_MOST];
} loss_pieces;

static void run_piece(void *argument, size_t i) {
    loss_pieces *all = argument;
    size_t first = i * all->rows;
    size_t count = at_most(all->rows, dims_length(&all->call->dims, 'N') - first);
    all->sum[i] = all->some_rows(all->call, first, count);
}

double loss_mean(layers_call *call,
                 double (*some_rows)(const layers_call *call, size_t first, size_t count)) {
    size_t N = dims_length(&call->dims, 'N'), C = dims_length(&call->dims, 'C');
    loss_pieces all = {.call = call, .some_rows = some_rows};
    size_t fit = PIECE / C + 1, least = (N + PIECES_MOST - 1) / PIECES_MOST;
    all.rows = fit > least ? fit : least;
    size_t count = (N + all.rows - 1) / all.rows;
    layers_pool_run(call_pool(call, N * C), count, run_piece, &all);
    double total = 0;
    for (size_t i = 0; i < count; i++)
        total += all.sum[i];
    return total / (double)N;
}
