/* Nodes that go backward: the chain rule over the table of operations.
 *
 * From the last step to the first, each forward whose out has a gradient gets its layer's backward,
 * whose output dX is added to the gradient of its input X; a loss gives its own dx. Only ways from
 * the values that are asked for to the losses are gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"

/* What is known while the ways are gone. */
typedef struct {
    layers_graph *graph;
    int node;
    bool *depends; /* whether a value depends on one that is asked for */
    int *gradient; /* the value that is its gradient so far; NONE for none */
    int *named;    /* how often a loss is named */
    layers_error *error;
} way;

static layers_code fail(const way *w, const char *list, size_t i, const char *name,
                        const char *what) {
    char field[64];
    snprintf(field, sizeof field, "nodes/%d/%s/%zu", w->node, list, i);
    return layers_fail(w->error, LAYERS_INVALID_GRAPH, field, "/%s is \"%.129s\", which is %s",
                       field, name, what);
}

/* The output of `operation` that is the gradient of a tensor; NONE where there is none. */
static int gradient_output(const layers_operation *operation, const char *tensor) {
    for (int i = 0; operation->outputs[i].name; i++)
        if (operation->outputs[i].name[0] == 'd' && !strcmp(operation->outputs[i].name + 1, tensor))
            return i;
    return NONE;
}

/* A loss: one number, and the gradient of what it takes. */
static bool is_loss(const layers_operation *operation, int output) {
    return operation && !*operation->outputs[output].shape &&
           gradient_output(operation, operation->inputs[0].name) != NONE;
}

/* ---- what is asked -----------------------------------------------------------------------------
 */

static layers_code find(const way *w, const char *list, size_t i, const char *name, int *found) {
    char field[64];
    snprintf(field, sizeof field, "nodes/%d/%s/%zu", w->node, list, i);
    *found = graph_find(w->graph, name);
    if (*found == NONE)
        return graph_not_there(w->graph, name, field, w->error);
    switch (w->graph->values[*found].kind) {
    case LAYERS_RESULT_CACHE:
        return layers_fail(w->error, LAYERS_WRONG_CACHE, field,
                           "/%s is \"%.129s\", which is a cache, but must be a tensor", field,
                           name);
    case LAYERS_RESULT_PARAM:
        return layers_fail(w->error, LAYERS_WRONG_TYPE, field,
                           "/%s is \"%.129s\", which is a number of its node, but must be a tensor",
                           field, name);
    case LAYERS_RESULT_TENSOR:
        break;
    }
    return LAYERS_OK;
}

static layers_code find_losses(way *w, const char *const *of, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int found;
        layers_code code = find(w, "of", i, of[i], &found);
        if (code != LAYERS_OK)
            return code;
        const value *v = &w->graph->values[found];
        const step *s = v->step == NONE ? NULL : &w->graph->steps[v->step];
        if (!s || s->kind != STEP_CALL || !v->is_scalar || !is_loss(s->operation, found - s->first))
            return fail(w, "of", i, of[i],
                        "no loss: a loss is what an operation such as "
                        "softmax/loss gives as its loss");
        w->named[found]++;
    }
    return LAYERS_OK;
}

static layers_code find_values(way *w, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int found;
        layers_code code = find(w, "for", i, names[i], &found);
        if (code != LAYERS_OK)
            return code;
        layers_dtype dtype = w->graph->values[found].tensor.dtype;
        if (dtype != LAYERS_F64 && dtype != LAYERS_F32)
            return fail(w, "for", i, names[i],
                        "of integers, as labels are: these have no gradient");
        w->depends[found] = true;
    }
    return LAYERS_OK;
}

/* Whether a step takes something that depends on what is asked for. What a layer that has a
 * backward takes as a parameter is a constant, as running statistics are. */
static bool leads_on(const way *w, const step *s) {
    bool constant = s->backward != NULL;
    bool depends = s->cache != NONE && w->depends[s->cache];
    for (int i = 0; i < LAYERS_MAX_TENSORS; i++)
        depends |= s->inputs[i] != NONE && w->depends[s->inputs[i]];
    for (int i = 0; i < LAYERS_MAX_PARAMS && !constant; i++)
        depends |= s->params[i].tensor != NONE && w->depends[s->params[i].tensor];
    return depends;
}

/* What a step gives depends on what it takes; statistics that go back are constants, too. */
static void spread(way *w, const step *s) {
    bool constant = s->backward != NULL;
    for (int v = s->first; leads_on(w, s) && v < s->first + s->values; v++)
        w->depends[v] |= !constant || v < graph_param(s, 0) || v == graph_cache(s);
}

/* ---- the way back ------------------------------------------------------------------------------
 */

/* Adds to the gradient of a value. */
static layers_code contribute(way *w, int to, int gradient) {
    if (w->gradient[to] == NONE) {
        w->gradient[to] = gradient;
        return LAYERS_OK;
    }
    step sum = graph_step(STEP_SUM, NULL, w->node);
    sum.inputs[0] = w->gradient[to];
    sum.inputs[1] = gradient;
    layers_code code = graph_append(w->graph, &sum, w->error);
    w->gradient[to] = (int)w->graph->value_count - 1;
    return code;
}

/* Hands the gradients that `from` gives to the inputs of a forward or a loss. */
static layers_code hand_back(way *w, const step *s, const step *from) {
    for (int i = 0; s->operation->inputs[i].name; i++) {
        int output = gradient_output(from->operation, s->operation->inputs[i].name);
        if (output == NONE || !w->depends[s->inputs[i]])
            continue;
        layers_code code = contribute(w, s->inputs[i], graph_output(from, output));
        if (code != LAYERS_OK)
            return code;
    }
    return LAYERS_OK;
}

/* A step without a backward on the way. */
static layers_code no_way(const way *w, const step *s) {
    char field[32];
    const char *name = w->graph->names.names[w->graph->nodes[s->node].name].text;
    snprintf(field, sizeof field, "nodes/%d/for", w->node);
    return layers_fail(
        w->error, LAYERS_INVALID_GRAPH, field,
        "/%s: the way to a loss leads through node \"%s\", which has no backward%s", field, name,
        s->operation && is_loss(s->operation, 0) ? ": of a loss only its loss has a gradient" : "");
}

/* Through the backward of a layer, whose out is its first value. */
static layers_code go_through(way *w, const step *s) {
    step back = graph_step(STEP_CALL, s->backward, w->node);
    back.inputs[0] = w->gradient[s->first];
    back.cache = graph_cache(s);
    if (graph_append(w->graph, &back, w->error) != LAYERS_OK)
        return w->error->code;
    back = w->graph->steps[w->graph->step_count - 1];
    return hand_back(w, s, &back);
}

static layers_code go_back(way *w, const step *s) {
    layers_code code = LAYERS_OK;
    if (!leads_on(w, s))
        return LAYERS_OK;
    if (s->backward)
        return w->gradient[s->first] == NONE ? LAYERS_OK : go_through(w, s);
    for (int v = s->first; v < s->first + s->values; v++)
        if (w->gradient[v] != NONE)
            return no_way(w, s);
    bool is_of_loss = s->kind == STEP_CALL && is_loss(s->operation, 0);
    for (int n = is_of_loss ? w->named[s->first] : 0; n > 0 && code == LAYERS_OK; n--)
        code = hand_back(w, s, s);
    return code;
}

static layers_code go_all(way *w, int steps) {
    layers_code code = LAYERS_OK;
    for (int i = 0; i < steps; i++)
        spread(w, &w->graph->steps[i]);
    for (int i = steps - 1; i >= 0 && code == LAYERS_OK; i--) {
        const step s = w->graph->steps[i]; /* their array may move */
        code = go_back(w, &s);
    }
    return code;
}

/* ---- what is given -----------------------------------------------------------------------------
 */

/* "d.w" */
static layers_code give(way *w, const char *node, const char *name) {
    layers_graph *graph = w->graph;
    int found = graph_find(graph, name);
    layers_code code = LAYERS_OK;
    if (w->gradient[found] == NONE) {
        step constant = graph_step(STEP_FILL, NULL, w->node);
        constant.inputs[0] = found;
        constant.fill = w->named[found]; /* of a loss by itself; of what has no way to one, 0 */
        code = graph_append(graph, &constant, w->error);
        w->gradient[found] = (int)graph->value_count - 1;
    }
    size_t length = strlen(node) + 1 + strlen(name);
    char *text = code == LAYERS_OK ? malloc(length + 1) : NULL;
    if (!text)
        return code == LAYERS_OK ? graph_no_memory(w->error) : code;
    snprintf(text, length + 1, "%s.%s", node, name);
    bool added = names_find(&graph->names, text, length) >= 0 ||
                 names_add(&graph->names, text, length, false, w->gradient[found]);
    free(text);
    return added ? LAYERS_OK : graph_no_memory(w->error);
}

static layers_code gradients(way *w, const char *name, const char *const *of, size_t of_count,
                             const char *const *for_values, size_t for_count) {
    int steps = (int)w->graph->step_count;
    layers_code code = find_losses(w, of, of_count);
    if (code == LAYERS_OK)
        code = find_values(w, for_values, for_count);
    if (code == LAYERS_OK)
        code = go_all(w, steps);
    for (size_t i = 0; i < for_count && code == LAYERS_OK; i++)
        code = give(w, name, for_values[i]);
    return code;
}

/* `of` and `for` are not empty. */
static layers_code check_lists(int node, size_t of_count, size_t for_count, layers_error *error) {
    char field[32];
    if (of_count > 0 && for_count > 0)
        return LAYERS_OK;
    snprintf(field, sizeof field, "nodes/%d/%s", node, of_count ? "for" : "of");
    return layers_fail(error, LAYERS_INVALID_GRAPH, field, "/%s is empty, but must name %s", field,
                       of_count ? "the values whose gradients are wanted" : "losses");
}

layers_code layers_graph_gradients(layers_graph *graph, const char *name, const char *const *of,
                                   size_t of_count, const char *const *for_values, size_t for_count,
                                   layers_error *error) {
    way w = {.graph = graph, .node = (int)graph->node_count, .error = error};
    layers_code code = graph_add_node(graph, name, NONE, error);
    if (code == LAYERS_OK)
        code = check_lists(w.node, of_count, for_count, error);
    if (code != LAYERS_OK)
        return code;
    size_t count = graph->value_count + 1; /* not 0 */
    w.depends = calloc(count, sizeof *w.depends);
    w.named = calloc(count, sizeof *w.named);
    w.gradient = malloc(count * sizeof *w.gradient);
    if (w.depends && w.named && w.gradient) {
        memset(w.gradient, 0xff, count * sizeof *w.gradient);
        code = gradients(&w, name, of, of_count, for_values, for_count);
    } else {
        code = graph_no_memory(error);
    }
    free(w.depends);
    free(w.named);
    free(w.gradient);
    return code;
}
