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

value *graph_add_value(layers_graph *graph, layers_result_kind kind, int step) {
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
    if (graph->inputs == LAYERS_GRAPH_INPUTS) {
        layers_fail(error, LAYERS_INVALID_GRAPH, "inputs", "a graph has at most %d inputs",
                    LAYERS_GRAPH_INPUTS);
        return NULL;
    }
    if (!graph_is_free(graph, name)) {
        char field[sizeof error->field];
        snprintf(field, sizeof field, "inputs/%.100s", name);
        graph_no_name(graph, name, field, error);
        return NULL;
    }
    int index = (int)graph->value_count;
    value *v = names_add(&graph->names, name, strlen(name), false, index)
                   ? graph_add_value(graph, kind, NONE)
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
    if (graph->node_count == LAYERS_GRAPH_NODES)
        return layers_fail(error, LAYERS_INVALID_GRAPH, "nodes", "a graph has at most %d nodes",
                           LAYERS_GRAPH_NODES);
    if (!graph_is_free(graph, name)) {
        char field[32];
        snprintf(field, sizeof field, "nodes/%zu/name", graph->node_count);
        return graph_no_name(graph, name, field, error);
    }
    if (!graph_room((void **)&graph->nodes, &graph->node_room, graph->node_count,
                    sizeof *graph->nodes) ||
        !names_add(&graph->names, name, strlen(name), true, (int)graph->node_count))
        return graph_no_memory(error);
    graph->nodes[graph->node_count++] = (node){(int)graph->names.count - 1, step};
    return LAYERS_OK;
}

layers_code layers_graph_want(layers_graph *graph, const char *name, size_t *wanted,
                              layers_error *error) {
    int found = graph_find(graph, name);
    if (found == NONE)
        return graph_not_there(graph, name, "", error);
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

/* ---- of a step ---------------------------------------------------------------------------- */

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
