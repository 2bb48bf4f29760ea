/* What a graph holds: names, values, and steps one behind the other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"

layers_code graph_no_memory(layers_error *error) {
    return layers_fail(error, LAYERS_NO_MEMORY, NULL, "no memory for the graph");
}

bool graph_room(void **array, size_t *room, size_t count, size_t size) {
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : 16;
    void *larger = realloc(*array, more * size);
    if (!larger)
        return false;
    *array = larger;
    *room = more;
    return true;
}

layers_graph *layers_graph_make(layers_dtype dtype) {
    layers_graph *graph = calloc(1, sizeof *graph);
    if (graph)
        graph->dtype = dtype;
    return graph;
}

void layers_graph_free(layers_graph *graph) {
    if (!graph)
        return;
    for (size_t i = 0; i < graph->value_count; i++) {
        layers_tensor_clear(&graph->values[i].tensor);
        layers_cache_unref(graph->values[i].cache);
    }
    layers_call_clear(&graph->call);
    names_free(&graph->names);
    free(graph->nodes);
    free(graph->values);
    free(graph->steps);
    free(graph);
}

/* ---- values ---------------------------------------------------------------------------------- */

static value *add_value(layers_graph *graph, layers_result_kind kind, int step) {
    if (!graph_room((void **)&graph->values, &graph->value_room, graph->value_count,
                    sizeof *graph->values))
        return NULL;
    value *v = &graph->values[graph->value_count++];
    *v = (value){.kind = kind, .step = step, .name = NONE, .last = NONE};
    return v;
}

/* Adds an input under a name; NULL with an error. */
static value *add_input(layers_graph *graph, const char *name, layers_result_kind kind,
                        layers_error *error) {
    char field[LAYERS_GRAPH_NAME + 16];
    snprintf(field, sizeof field, "inputs/%.64s", name);
    if (graph->inputs == LAYERS_GRAPH_INPUTS) {
        layers_fail(error, LAYERS_INVALID_GRAPH, "inputs", "a graph has at most %d inputs",
                    LAYERS_GRAPH_INPUTS);
        return NULL;
    }
    if (graph_check_name(graph, name, field, error) != LAYERS_OK)
        return NULL;
    int index = (int)graph->value_count;
    value *v = names_add(&graph->names, name, strlen(name), false, index)
                   ? add_value(graph, kind, NONE)
                   : NULL;
    if (!v) {
        graph_no_memory(error);
        return NULL;
    }
    v->name = (int)graph->names.count - 1;
    graph->inputs++;
    return v;
}

layers_code layers_graph_input(layers_graph *graph, const char *name, layers_tensor tensor,
                               layers_error *error) {
    value *v = add_input(graph, name, LAYERS_RESULT_TENSOR, error);
    if (!v) {
        layers_tensor_clear(&tensor);
        return error->code;
    }
    v->tensor = tensor;
    v->bound = layers_tensor_memory(&tensor);
    return LAYERS_OK;
}

layers_code layers_graph_input_cache(layers_graph *graph, const char *name, layers_cache *cache,
                                     layers_error *error) {
    value *v = add_input(graph, name, LAYERS_RESULT_CACHE, error);
    if (!v) {
        layers_cache_unref(cache);
        return error->code;
    }
    v->cache = cache;
    v->bound = layers_cache_bytes(cache);
    return LAYERS_OK;
}

layers_code graph_add_node(layers_graph *graph, const char *name, int step, layers_error *error) {
    char field[32];
    snprintf(field, sizeof field, "nodes/%zu/name", graph->node_count);
    if (graph->node_count == LAYERS_GRAPH_NODES)
        return layers_fail(error, LAYERS_INVALID_GRAPH, "nodes", "a graph has at most %d nodes",
                           LAYERS_GRAPH_NODES);
    layers_code code = graph_check_name(graph, name, field, error);
    if (code != LAYERS_OK)
        return code;
    if (!graph_room((void **)&graph->nodes, &graph->node_room, graph->node_count,
                    sizeof *graph->nodes) ||
        !names_add(&graph->names, name, strlen(name), true, (int)graph->node_count))
        return graph_no_memory(error);
    graph->nodes[graph->node_count++] = (node){(int)graph->names.count - 1, step};
    return LAYERS_OK;
}

layers_code layers_graph_want(layers_graph *graph, const char *name, size_t *wanted,
                              layers_error *error) {
    int found;
    layers_code code = graph_find(graph, name, "", &found, error);
    if (code != LAYERS_OK)
        return code;
    graph->values[found].last = FOR_EVER;
    *wanted = (size_t)found;
    return LAYERS_OK;
}

layers_result layers_graph_result(const layers_graph *graph, size_t wanted) {
    const value *v = &graph->values[wanted];
    return (layers_result){
        .kind = v->kind,
        .tensor = v->kind == LAYERS_RESULT_TENSOR ? &v->tensor : NULL,
        .is_scalar = v->is_scalar,
        .cache = v->cache,
        .param = v->param,
        .given = v->given,
        .number = v->number,
        .choice = v->choice,
        .bytes = v->bound,
    };
}

layers_graph_cost layers_graph_costs(const layers_graph *graph) {
    return graph->cost;
}

/* ---- steps ----------------------------------------------------------------------------------- */

int graph_output(const step *step, int i) {
    return step->first + i;
}

static int outputs_of(const layers_operation *operation) {
    int count = 0;
    while (operation->outputs[count].name)
        count++;
    return count;
}

int graph_param(const step *step, int i) {
    return step->first + outputs_of(step->operation) + i;
}

int graph_cache(const step *step) {
    return step->first + step->values - 1;
}

step graph_step(step_kind kind, const layers_operation *operation, int node) {
    step s = {.kind = kind, .operation = operation, .node = node, .cache = NONE};
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        s.inputs[i] = NONE;
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++)
        s.params[i].tensor = NONE;
    return s;
}

/* A tensor that the step makes, in the shape that layers_prepare gave it. */
static bool add_tensor(layers_graph *graph, int made_by, const layers_tensor *like, bool scalar) {
    value *v = add_value(graph, LAYERS_RESULT_TENSOR, made_by);
    if (!v)
        return false;
    v->tensor = *like;
    v->tensor.data = NULL;
    v->tensor.buffer = NULL;
    v->is_scalar = scalar;
    layers_dtype_bytes(like->dtype, like->size, &v->bytes);
    v->bound = v->bytes;
    return true;
}

static bool add_param(layers_graph *graph, int made_by, int i) {
    const layers_param *param = &graph->call.operation->params[i];
    if (param->kind == LAYERS_TENSOR)
        return add_tensor(graph, made_by, &graph->call.params[i].tensor, false);
    value *v = add_value(graph, LAYERS_RESULT_PARAM, made_by);
    if (v)
        v->param = param;
    return v;
}

static bool add_cache(layers_graph *graph, int made_by, layers_error *error) {
    layers_call *call = &graph->call;
    value *v = cache_plan(call, error) == LAYERS_OK ? add_value(graph, LAYERS_RESULT_CACHE, made_by)
                                                    : NULL;
    if (!v)
        return false;
    v->cache = call->cache;
    call->cache = NULL;
    v->bound = call->cache_bytes;
    v->bytes = cache_own_bytes(call);
    return true;
}

static bool add_values(layers_graph *graph, int made_by, layers_error *error) {
    const layers_call *call = &graph->call;
    const layers_operation *operation = call->operation;
    bool whole = true;
    for (int i = 0; operation->outputs[i].name && whole; i++)
        whole = add_tensor(graph, made_by, &call->outputs[i], !*operation->outputs[i].shape);
    for (int i = 0; operation->params_back && operation->params[i].name && whole; i++)
        whole = add_param(graph, made_by, i);
    if (operation->cache == LAYERS_CACHE_GIVEN)
        whole = whole && add_cache(graph, made_by, error);
    return whole;
}

layers_code graph_append(layers_graph *graph, const step *proto, layers_error *error) {
    if (graph->step_count == LAYERS_GRAPH_STEPS)
        return layers_fail(error, LAYERS_INVALID_GRAPH, "nodes",
                           "the graph takes more than %d steps, those of gradients counted",
                           LAYERS_GRAPH_STEPS);
    if (!graph_room((void **)&graph->steps, &graph->step_room, graph->step_count,
                    sizeof *graph->steps))
        return graph_no_memory(error);
    int index = (int)graph->step_count;
    step *s = &graph->steps[index];
    *s = *proto;
    s->first = (int)graph->value_count;
    if (s->kind == STEP_CALL) {
        graph_fill(graph, s);
        if (layers_prepare(&graph->call, error) != LAYERS_OK)
            return graph_blame(graph, s, error);
        s->work = graph->call.work;
        if (!add_values(graph, index, error))
            return graph_no_memory(error);
    } else {
        layers_tensor like = graph->values[s->inputs[0]].tensor;
        like.dtype = graph->dtype;
        s->work = (double)like.size;
        if (!add_tensor(graph, index, &like, graph->values[s->inputs[0]].is_scalar))
            return graph_no_memory(error);
        if (s->kind == STEP_ZEROS)
            s->inputs[0] = NONE; /* its shape is known */
    }
    s->values = (int)graph->value_count - s->first;
    graph->step_count++;
    return LAYERS_OK;
}
