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
    for (size_t n = 0; y && n < N; n++)
        if (y[n] < 0 || (uint64_t)y[n] >= C) {
            char field[32];
            snprintf(field, sizeof field, "y/%zu", n);
            return layers_fail(error, LAYERS_LABEL_OUT_OF_RANGE, field,
                               "label %" PRId64 " at /%s names none of the %zu classes "
                               "(0 <= y < %zu)",
                               y[n], field, C, C);
        }
    return LAYERS_OK;
}

enum { PIECES_MOST = 256 };

typedef struct {
    const layers_call *call;
    loss_rows *rows;
    size_t N, C, element;
    size_t length; /* rows of a piece */
    double sum[PIECES_MOST];
} loss_pieces;

static double run_block(const loss_pieces *all, size_t first, size_t count) {
    size_t offset = first * all->C * all->element;
    return all->rows(all->N, count, all->C, (const char *)all->call->inputs[LOSS_X].data + offset,
                     (const int64_t *)all->call->inputs[LOSS_Y].data + first,
                     (char *)all->call->outputs[LOSS_DX].data + offset);
}

static void run_piece(void *argument, size_t i) {
    loss_pieces *all = argument;
    size_t first = i * all->length, end = at_most(first + all->length, all->N);
    for (size_t n = first; n < end; n += ROW_BLOCK)
        all->sum[i] += run_block(all, n, at_most(ROW_BLOCK, end - n));
}

layers_code loss_run(layers_call *call, loss_rows *rows, double nanoseconds) {
    loss_pieces all = {.call = call,
                       .rows = rows,
                       .N = dims_length(&call->dims, 'N'),
                       .C = dims_length(&call->dims, 'C'),
                       .element = call->dtype == LAYERS_F32 ? sizeof(float) : sizeof(double)};
    size_t fit = PIECE / all.C + 1, least = (all.N + PIECES_MOST - 1) / PIECES_MOST;
    all.length = fit > least ? fit : least;
    size_t count = (all.N + all.length - 1) / all.length;
    layers_pool_run(call_pool(call, all.N * all.C, nanoseconds), count, run_piece, &all);
    double total = pairwise_sum(all.sum, count);
    if (call->dtype == LAYERS_F32)
        *(float *)call->outputs[LOSS_LOSS].data = (float)(total / (double)all.N);
    else
        *(double *)call->outputs[LOSS_LOSS].data = total / (double)all.N;
    return LAYERS_OK;
}
