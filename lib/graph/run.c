/* A graph's run: step after step, each value gone with its last use. */
#ifndef REAL
#include <string.h>

#include "blocks.h"
#include "graph/graph.h"
#include "kernel.h"

/* The elements of a sum. */
typedef struct {
    const void *a, *b;
    void *out;
    size_t size;
} sum;

#define THIS_FILE "graph/run.c"
#include "both_dtypes.h"

/* Nanoseconds an element, for one thread. */
static const double sum_nanoseconds[] = {[LAYERS_F64] = 0.33, [LAYERS_F32] = 0.17};

static layers_code run_sum(layers_graph *graph, const step *s, value *made, layers_error *error) {
    const layers_tensor *a = &graph->values[s->inputs[0]].tensor;
    layers_code code = layers_tensor_make(&made->tensor, a->dtype, a->shape, a->rank, error);
    if (code != LAYERS_OK)
        return code;
    sum sum = {a->data, graph->values[s->inputs[1]].tensor.data, made->tensor.data, a->size};
    layers_pool_run(call_pool(&graph->call, sum.size, sum_nanoseconds[graph->dtype]),
                    pieces(sum.size), graph->dtype == LAYERS_F32 ? add_f32 : add_f64, &sum);
    return LAYERS_OK;
}

static layers_code run_fill(const step *s, value *made, layers_error *error) {
    size_t shape[LAYERS_MAX_RANK];
    layers_tensor *tensor = &made->tensor;
    memcpy(shape, tensor->shape, sizeof shape);
    layers_code code = layers_tensor_make(tensor, tensor->dtype, shape, tensor->rank, error);
    if (code != LAYERS_OK)
        return code;
    memset(tensor->data, 0, made->bytes);
    for (size_t i = 0; s->fill != 0 && i < tensor->size; i++)
        if (tensor->dtype == LAYERS_F32)
            ((float *)tensor->data)[i] = (float)s->fill;
        else
            ((double *)tensor->data)[i] = s->fill;
    return LAYERS_OK;
}

/* Moves what a call has given to the graph's values. */
static void take_results(layers_graph *graph, const step *s) {
    layers_call *call = &graph->call;
    const layers_operation *operation = s->operation;
    for (int i = 0; operation->outputs[i].name; i++) {
        graph->values[graph_output(s, i)].tensor = call->outputs[i];
        call->outputs[i] = (layers_tensor){0};
    }
    for (int i = 0; operation->params_back && operation->params[i].name; i++) {
        value *v = &graph->values[graph_param(s, i)];
        v->given = call->params[i].given;
        v->number = call->params[i].number;
        v->choice = call->params[i].choice;
        if (operation->params[i].kind != LAYERS_TENSOR)
            continue;
        v->tensor = call->params[i].tensor;
        call->params[i].tensor = (layers_tensor){0};
    }
    if (operation->cache == LAYERS_CACHE_GIVEN) {
        value *v = &graph->values[graph_cache(s)];
        layers_cache_unref(v->cache); /* that had no memory */
        v->cache = call->cache;
        call->cache = NULL;
    }
}

static layers_code run_call(layers_graph *graph, const step *s, layers_pool *pool,
                            layers_error *error) {
    graph_fill(graph, s);
    graph->call.pool = pool;
    layers_code code = layers_prepare(&graph->call, error);
    if (code == LAYERS_OK)
        code = layers_run(&graph->call, error);
    if (code != LAYERS_OK)
        return graph_blame(graph, s, error);
    take_results(graph, s);
    graph_empty(graph); /* what goes with this step goes now */
    return LAYERS_OK;
}

static layers_code run_step(layers_graph *graph, const step *s, layers_pool *pool,
                            layers_error *error) {
    value *made = &graph->values[s->first];
    switch (s->kind) {
    case STEP_SUM:
        graph->call.pool = pool;
        return run_sum(graph, s, made, error);
    case STEP_FILL:
        return run_fill(s, made, error);
    case STEP_CALL:
        break;
    }
    return run_call(graph, s, pool, error);
}

/* Gives up what nothing uses after a step. */
static void clear_after(layers_graph *graph, int index) {
    int touched[GRAPH_TOUCHED], count = graph_touched(&graph->steps[index], touched);
    for (int i = 0; i < count; i++) {
        value *v = &graph->values[touched[i]];
        if (v->last != index)
            continue;
        layers_tensor_clear(&v->tensor);
        layers_cache_unref(v->cache);
        v->cache = NULL;
    }
}

/* Labels and masks that are there, before anything is computed. */
static layers_code check_integers(layers_graph *graph, layers_error *error) {
    for (size_t i = 0; i < graph->step_count; i++) {
        const step *s = &graph->steps[i];
        if (!s->has_integers)
            continue;
        graph_fill(graph, s);
        if (layers_prepare(&graph->call, error) != LAYERS_OK)
            return graph_blame(graph, s, error);
    }
    return LAYERS_OK;
}

layers_code layers_graph_run(layers_graph *graph, layers_pool *pool, layers_error *error) {
    if (check_integers(graph, error) != LAYERS_OK)
        return error->code;
    for (int i = 0; i < (int)graph->step_count; i++) {
        if (!graph->steps[i].runs)
            continue;
        layers_code code = run_step(graph, &graph->steps[i], pool, error);
        if (code != LAYERS_OK)
            return code;
        clear_after(graph, i);
    }
    return LAYERS_OK;
}

#else /* the kernel, for REAL */

KERNEL void typed(add_piece)(const REAL *a, const REAL *b, REAL *out, size_t count) {
    INDEPENDENT
    for (size_t i = 0; i < count; i++)
        out[i] = a[i] + b[i];
}

static void typed(add)(void *argument, size_t piece) {
    const sum *s = argument;
    size_t first = piece * PIECE;
    typed(add_piece)((const REAL *)s->a + first, (const REAL *)s->b + first, (REAL *)s->out + first,
                     at_most(PIECE, s->size - first));
}

#endif
