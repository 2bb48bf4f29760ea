/* Nodes that are operations: names become values, and the call is checked. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

/* ---- a step's call --------------------------------------------------------------------------- */

static void fill_tensor(const layers_graph *graph, int index, layers_tensor *tensor) {
    *tensor =
        index == NONE ? (layers_tensor){0} : layers_tensor_share(&graph->values[index].tensor);
}

void graph_fill(layers_graph *graph, const step *s) {
    layers_call *call = &graph->call;
    layers_call_clear(call);
    *call = (layers_call){.operation = s->operation, .dtype = graph->dtype};
    memcpy(call->unwanted, s->unwanted, sizeof call->unwanted);
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        fill_tensor(graph, s->inputs[i], &call->inputs[i]);
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++) {
        call->params[i].given = s->params[i].given;
        call->params[i].number = s->params[i].number;
        call->params[i].choice = s->params[i].choice;
        fill_tensor(graph, s->params[i].tensor, &call->params[i].tensor);
    }
    if (s->cache != NONE)
        call->cache = layers_cache_ref(graph->values[s->cache].cache);
}

/* ---- its errors ------------------------------------------------------------------------------ */

/* The value that stands at a place in a step's call, such as "x" or "bn_param/running_mean"; NONE
 * where none does. Its length goes to *length. */
static int value_at(const step *s, const char *place, size_t *length) {
    const layers_operation *operation = s->operation;
    size_t head = strcspn(place, "/");
    *length = head;
    for (int i = 0; operation->inputs[i].name; i++)
        if (strlen(operation->inputs[i].name) == head &&
            !memcmp(operation->inputs[i].name, place, head))
            return s->inputs[i];
    if (!operation->params_name || strlen(operation->params_name) != head ||
        memcmp(operation->params_name, place, head) != 0 || !place[head])
        return NONE;
    const char *name = place + head + 1;
    size_t rest = strcspn(name, "/");
    *length = head + 1 + rest;
    for (int i = 0; operation->params[i].name; i++)
        if (strlen(operation->params[i].name) == rest &&
            !memcmp(operation->params[i].name, name, rest))
            return s->params[i].tensor;
    return NONE;
}

static const char *node_name(const layers_graph *graph, int node) {
    return graph->names.names[graph->nodes[node].name].text;
}

/* `x is "a.out" of node 0 (affine/forward)`: where a value came from. */
static void tell_origin(const layers_graph *graph, const char *field, int index,
                        layers_error *error) {
    const value *v = &graph->values[index];
    size_t used = strlen(error->message), room = sizeof error->message - used;
    char *end = error->message + used;
    if (v->step == NONE) {
        snprintf(end, room, "; %s is the input \"%s\"", field, graph->names.names[v->name].text);
        return;
    }
    const step *maker = &graph->steps[v->step];
    const layers_operation *operation = maker->operation;
    snprintf(end, room, "; %s comes from node \"%s\"", field, node_name(graph, maker->node));
    if (graph->nodes[maker->node].step == NONE || !operation)
        return;
    used = strlen(error->message);
    snprintf(error->message + used, sizeof error->message - used, " (%s/%s)", operation->layer,
             operation->name);
}

static void tell_origins(const layers_graph *graph, const step *s, layers_error *error) {
    char told[sizeof error->message], mention[80];
    strcpy(told, error->message);
    for (int i = 0; s->operation->inputs[i].name; i++) {
        snprintf(mention, sizeof mention, "/%s ", s->operation->inputs[i].name);
        if (s->inputs[i] != NONE && strstr(told, mention))
            tell_origin(graph, s->operation->inputs[i].name, s->inputs[i], error);
    }
}

layers_code graph_blame(const layers_graph *graph, const step *s, layers_error *error) {
    char field[sizeof error->field], message[sizeof error->message];
    size_t length;
    int index = value_at(s, error->field, &length);
    bool inside = index != NONE && error->field[length]; /* an element of it */
    if (error->code == LAYERS_NO_MEMORY)
        return error->code;
    if (!strcmp(error->field, "dtype")) { /* of the cache, which has another than the graph */
        error->code = LAYERS_WRONG_TYPE;
        strcpy(error->field, "cache");
    }
    if (inside && graph->values[index].step == NONE)
        snprintf(field, sizeof field, "inputs/%s%s",
                 graph->names.names[graph->values[index].name].text, error->field + length);
    else
        snprintf(field, sizeof field, "nodes/%d%s%.100s", s->node, *error->field ? "/" : "",
                 error->field);
    snprintf(message, sizeof message, "node \"%s\": %.400s", node_name(graph, s->node),
             error->message);
    strcpy(error->field, field);
    strcpy(error->message, message);
    tell_origins(graph, s, error);
    return error->code;
}

/* ---- a node ---------------------------------------------------------------------------------- */

/* Finds the value that stands at a place of the node, and holds it to its kind. */
static layers_code find_kind(const layers_graph *graph, const char *place, const char *name,
                             layers_result_kind kind, int *found, layers_error *error) {
    static const char *const kinds[] = {"a tensor", "a cache", "a number of its node"};
    char field[sizeof error->field];
    snprintf(field, sizeof field, "nodes/%zu/%.80s", graph->node_count - 1, place);
    layers_code code = graph_find(graph, name, field, found, error);
    if (code != LAYERS_OK)
        return code;
    layers_result_kind is = graph->values[*found].kind;
    if (is == kind)
        return LAYERS_OK;
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
        snprintf(place, sizeof place, "%s/%s", operation->params_name, operation->params[i].name);
        s->params[i].given = param->given;
        s->params[i].number = param->number;
        s->params[i].choice = param->choice;
        if (param->tensor)
            code = find_kind(graph, place, param->tensor, LAYERS_RESULT_TENSOR,
                             &s->params[i].tensor, error);
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
