/* Nodes that are operations: names become values, and the call is checked. */
#include <stdio.h>

#include "graph/graph.h"

/* Finds the value that stands at a place of the node, and holds it to its kind. */
static layers_code find_kind(const layers_graph *graph, const char *place, const char *name,
                             layers_result_kind kind, int *found, layers_error *error) {
    static const char *const kinds[] = {"a tensor", "a cache", "a number of its node"};
    char field[sizeof error->field];
    *found = graph_find(graph, name);
    if (*found != NONE && graph->values[*found].kind == kind)
        return LAYERS_OK;
    snprintf(field, sizeof field, "nodes/%zu/%.80s", graph->node_count - 1, place);
    if (*found == NONE)
        return graph_not_there(graph, name, field, error);
    layers_result_kind is = graph->values[*found].kind;
    return layers_fail(error, is == LAYERS_RESULT_PARAM ? LAYERS_WRONG_TYPE : LAYERS_WRONG_CACHE,
                       field, "/%s is \"%.129s\", which is %s, but must be %s", field, name,
                       kinds[is], kinds[kind]);
}

static layers_code find_params(const layers_graph *graph, const layers_node *node, step *s,
                               layers_error *error) {
    const layers_operation *operation = node->operation;
    layers_code code = LAYERS_OK;
    for (int i = 0; operation->params && operation->params[i].name && code == LAYERS_OK; i++) {
        char place[80];
        const layers_node_param *param = &node->params[i];
        s->params[i].given = param->given;
        s->params[i].number = param->number;
        s->params[i].choice = param->choice;
        if (!param->tensor)
            continue;
        snprintf(place, sizeof place, "%s/%s", operation->params_name, operation->params[i].name);
        code = find_kind(graph, place, param->tensor, LAYERS_RESULT_TENSOR, &s->params[i].tensor,
                         error);
    }
    return code;
}

layers_code layers_graph_add(layers_graph *graph, const layers_node *node, layers_error *error) {
    const layers_operation *operation = node->operation;
    step s = graph_step(STEP_CALL, operation, (int)graph->node_count);
    layers_code code = graph_add_node(graph, node->name, (int)graph->step_count, error);
    for (int i = 0; operation->inputs[i].name && code == LAYERS_OK; i++)
        if (node->inputs[i])
            code = find_kind(graph, operation->inputs[i].name, node->inputs[i],
                             LAYERS_RESULT_TENSOR, &s.inputs[i], error);
    if (code == LAYERS_OK && operation->cache == LAYERS_CACHE_TAKEN && node->cache)
        code = find_kind(graph, "cache", node->cache, LAYERS_RESULT_CACHE, &s.cache, error);
    if (code == LAYERS_OK)
        code = find_params(graph, node, &s, error);
    return code == LAYERS_OK ? graph_append(graph, &s, error) : code;
}
