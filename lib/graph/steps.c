/* Steps: each a call that is checked, and the values that it will make. */
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

/* ---- a step's call --------------------------------------------------------------------------- */

static void fill_tensor(const layers_graph *graph, int index, layers_tensor *tensor) {
    if (index != NONE)
        *tensor = layers_tensor_share(&graph->values[index].tensor);
}

void graph_empty(layers_graph *graph) {
    layers_call *call = &graph->call;
    const layers_operation *operation = call->operation;
    for (int i = 0; operation && operation->inputs[i].name; i++) {
        layers_tensor_clear(&call->inputs[i]);
        call->inputs[i] = (layers_tensor){0};
    }
    for (int i = 0; operation && operation->outputs[i].name; i++) {
        layers_tensor_clear(&call->outputs[i]);
        call->outputs[i] = (layers_tensor){0};
    }
    for (int i = 0; operation && operation->params && operation->params[i].name; i++) {
        layers_tensor_clear(&call->params[i].tensor);
        call->params[i] = (layers_value){0};
    }
    layers_cache_unref(call->cache);
    call->cache = NULL;
    call->operation = NULL;
}

void graph_fill(layers_graph *graph, const step *s) {
    layers_call *call = &graph->call;
    const layers_operation *operation = s->operation;
    graph_empty(graph);
    call->operation = operation;
    call->dtype = graph->dtype;
    memcpy(call->unwanted, s->unwanted, sizeof call->unwanted);
    for (int i = 0; operation->inputs[i].name; i++)
        fill_tensor(graph, s->inputs[i], &call->inputs[i]);
    for (int i = 0; operation->params && operation->params[i].name; i++) {
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
        snprintf(field, sizeof field, "nodes/%d%s%.*s", s->node, *error->field ? "/" : "",
                 inside ? (int)length : 100, error->field);
    snprintf(message, sizeof message, "node \"%s\": %.400s", node_name(graph, s->node),
             error->message);
    strcpy(error->field, field);
    strcpy(error->message, message);
    tell_origins(graph, s, error);
    return error->code;
}

/* ---- a step ---------------------------------------------------------------------------------- */

step graph_step(step_kind kind, const layers_operation *operation, int node) {
    step s = {.kind = kind, .operation = operation, .node = node, .cache = NONE};
    if (operation && operation->cache == LAYERS_CACHE_GIVEN)
        s.backward = layers_find(operation->layer, "backward");
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        s.inputs[i] = NONE;
    for (int i = 0; i < LAYERS_MAX_PARAMS; i++)
        s.params[i].tensor = NONE;
    return s;
}

/* A tensor that the step makes, in the shape that layers_prepare gave it. */
static bool add_tensor(layers_graph *graph, int made_by, const layers_tensor *like, bool scalar) {
    value *v = graph_add_value(graph, LAYERS_RESULT_TENSOR, made_by);
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
    value *v = graph_add_value(graph, LAYERS_RESULT_PARAM, made_by);
    if (v)
        v->param = param;
    return v;
}

static bool add_cache(layers_graph *graph, int made_by, layers_error *error) {
    layers_call *call = &graph->call;
    value *v = cache_plan(call, error) == LAYERS_OK
                   ? graph_add_value(graph, LAYERS_RESULT_CACHE, made_by)
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

/* Labels and masks are looked at one by one, which is work, and left to the run. */
static bool hide_integers(layers_call *call) {
    const layers_operation *operation = call->operation;
    bool any = false;
    for (int i = 0; operation->inputs[i].name; i++)
        if (operation->inputs[i].labels) {
            call->inputs[i].data = NULL;
            any = true;
        }
    for (int i = 0; operation->params && operation->params[i].name; i++)
        if (operation->params[i].kind == LAYERS_MASK) {
            call->params[i].tensor.data = NULL;
            any = true;
        }
    return any;
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
        s->has_integers = hide_integers(&graph->call);
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
        if (s->kind == STEP_FILL)
            s->inputs[0] = NONE; /* its shape is known */
    }
    s->values = (int)graph->value_count - s->first;
    graph->step_count++;
    return LAYERS_OK;
}
