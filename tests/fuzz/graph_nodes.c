/* Nodes of graphs: operations, called by themselves as they are made, and gradients. */
#include "graph_parts.h"

#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum { LONGEST = LAYERS_GRAPH_NAME };

enum { MASK = 3 }; /* among dropout's parameters */

/* A node that is being made. */
typedef struct {
    json_t *json;
    model_step step;
    bool is_lost; /* a name in it is of nothing, or of another kind */
} node;

/* Puts a reference into a node. */
static void refer(made_graph *g, node *n, json_t *object, const char *key, reference r, int *value,
                  layers_result_kind kind) {
    *value = r.value;
    if (*r.name)
        put_value(object, key, json_string(r.name));
    if (*r.name && r.value == NONE) {
        g->wrong |= PROBLEM_BIT(PROBLEM_INVALID_GRAPH);
        n->is_lost = true;
    } else if (r.value != NONE && g->model->values[r.value].kind != kind) {
        g->wrong |= g->model->values[r.value].kind == LAYERS_RESULT_PARAM
                        ? PROBLEM_BIT(PROBLEM_WRONG_TYPE)
                        : PROBLEM_BIT(PROBLEM_WRONG_CACHE);
        n->is_lost = true;
    }
}

static const char *number_text(made_graph *g, const layers_param *param) {
    static const char *const numbers[] = {"0.5", "0.25", "0.9", "1", "0.001", "0"},
                             *const integers[] = {"1", "2", "3.0", "1e0"},
                             *const mistakes[] = {"0",   "-1", "1.5", "NaN", "9007199254740993",
                                                  "nope"};
    if (make_mistake(g))
        return mistakes[choose(g->choices, 6)];
    if (param->kind == LAYERS_CHOICE)
        return param->choices[choose(g->choices, 2)];
    return param->kind == LAYERS_INTEGER ? integers[choose(g->choices, 4)]
                                         : numbers[choose(g->choices, 5 + !param->open_minimum)];
}

/* A number where the text is one, and the parameter no word. */
static json_t *text_json(const char *text, const layers_param *param) {
    json_t *number = param->kind == LAYERS_CHOICE ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
    return number ? number : json_string(text);
}

/* A seed that is drawn would be another one each time: it is given, or a mask in its place. */
static void make_tensor_param(made_graph *g, node *n, layers_dims *dims, json_t *params, int i) {
    const layers_param *param = &n->step.operation->params[i];
    reference r = pick_tensor(g, dims, param->shape, NULL, param->kind == LAYERS_MASK);
    if (param->instead_of && *r.name) {
        json_object_del(params, param->instead_of);
        n->step.params[i - 1].text = NULL;
    }
    refer(g, n, params, param->name, r, &n->step.params[i].tensor, LAYERS_RESULT_TENSOR);
}

static void make_param(made_graph *g, node *n, layers_dims *dims, json_t *params, int i) {
    const layers_param *param = &n->step.operation->params[i];
    bool is_needed = param->required || !strcmp(param->name, "seed");
    if (param->required ? make_mistake(g) : !is_needed && choose(g->choices, 2) == 0)
        return;
    if (layers_is_tensor(param)) {
        make_tensor_param(g, n, dims, params, i);
        return;
    }
    n->step.params[i].text = number_text(g, param);
    put_value(params, param->name, text_json(n->step.params[i].text, param));
}

static void make_params(made_graph *g, node *n, layers_dims *dims) {
    const layers_operation *operation = n->step.operation;
    json_t *params = json_object();
    for (int i = 0; operation->params && operation->params[i].name; i++)
        make_param(g, n, dims, params, i);
    if (operation->params && json_object_size(params) > 0)
        put_value(n->json, operation->params_name, params);
    else
        json_decref(params);
}

static void make_inputs(made_graph *g, node *n, layers_dims *dims) {
    const layers_operation *operation = n->step.operation;
    const layers_tensor *like = NULL;
    if (operation->cache == LAYERS_CACHE_TAKEN) {
        refer(g, n, n->json, "cache", pick_cache(g, operation->layer), &n->step.cache,
              LAYERS_RESULT_CACHE);
        like = n->step.cache == NONE ? NULL : &g->model->values[n->step.cache].tensor;
    }
    for (int i = 0; operation->inputs[i].name; i++) {
        const layers_field *field = &operation->inputs[i];
        reference r = like
                          ? pick_like(g, like)
                          : pick_tensor(g, dims, field->shape, field->labels ? field : NULL, false);
        refer(g, n, n->json, field->name, r, &n->step.inputs[i], LAYERS_RESULT_TENSOR);
    }
}

/* What the operation by itself is refused for, the node is refused for too: but what is wrong with
 * a mask that is computed shows only when it is, for somebody who needs what comes of it. */
static void note_problem(made_graph *g, const node *n, const char *name, const problem *problem) {
    static const char place[] = "/dropout_param/mask";
    char wanted[MODEL_NAME];
    bool of_mask = problem->kind == PROBLEM_INVALID_PARAM &&
                   !strncmp(problem->pointer, place, sizeof place - 1);
    int mask = of_mask ? n->step.params[MASK].tensor : NONE;
    if (mask != NONE && g->model->values[mask].step != NONE) {
        if (choose(g->choices, 2) == 0)
            return;
        snprintf(wanted, sizeof wanted, "%.64s.out", name);
        push_value(json_object_get(g->document, "give"), json_string(wanted));
    }
    g->wrong |=
        PROBLEM_BIT(!strcmp(problem->pointer, "/dtype") ? PROBLEM_WRONG_TYPE : problem->kind);
}

static void make_operation(made_graph *g, const char *name, node *n,
                           const layers_operation *operation) {
    char op[96];
    layers_dims dims = {0};
    problem problem;
    n->step = model_empty_step(operation);
    snprintf(op, sizeof op, "%s/%s", operation->layer, operation->name);
    put_value(n->json, "op", json_string(op));
    make_inputs(g, n, &dims);
    make_params(g, n, &dims);
    if (!n->is_lost && !g->wrong && !model_call(g->model, &n->step, name, &problem)) {
        note_problem(g, n, name, &problem);
        n->is_lost = true;
    }
}

static bool is_loss(const made_graph *g, const model_value *v) {
    const model_step *step = v->step == NONE ? NULL : &g->model->steps[v->step];
    return v->is_scalar && step && step->operation && v->self == step->first;
}

static bool has_gradient(const made_graph *g, const model_value *v) {
    (void)g;
    return v->kind == LAYERS_RESULT_TENSOR && v->tensor.dtype <= LAYERS_F32 &&
           strlen(v->name) < MODEL_NAME - LONGEST - 2;
}

/* Names something among the losses that is likely none; whether it is one. */
static bool add_wrong_loss(made_graph *g, json_t *of, int losses[WANTED_MOST], int *count) {
    reference r = make_wrong_reference(g, true);
    const model_value *v = r.value == NONE ? NULL : &g->model->values[r.value];
    push_value(of, json_string(r.name));
    if (v && is_loss(g, v)) {
        losses[(*count)++] = r.value;
        return true;
    }
    if (v && v->kind != LAYERS_RESULT_TENSOR)
        g->wrong |=
            PROBLEM_BIT(v->kind == LAYERS_RESULT_CACHE ? PROBLEM_WRONG_CACHE : PROBLEM_WRONG_TYPE);
    return false;
}

static void make_gradients(made_graph *g, const char *name, node *n) {
    json_t *of = json_array(), *asked = json_array();
    int losses[WANTED_MOST], values[WANTED_MOST];
    put_value(n->json, "op", json_string("gradients"));
    put_value(n->json, "of", of);
    put_value(n->json, "for", asked);
    int loss_count = make_names(g, of, is_loss, losses);
    int count = make_names(g, asked, has_gradient, values);
    bool is_right = !make_mistake(g) || add_wrong_loss(g, of, losses, &loss_count);
    is_right = is_right && loss_count > 0 && count > 0 &&
               model_gradients(g->model, name, losses, loss_count, values, count);
    if (!is_right)
        g->wrong |= PROBLEM_BIT(PROBLEM_INVALID_GRAPH);
    n->is_lost = !is_right;
}

static void node_name(made_graph *g, size_t index, char name[MODEL_NAME]) {
    const json_t *first = json_array_get(json_object_get(g->document, "nodes"), 0);
    const char *taken = json_string_value(json_object_get(first, "name"));
    const char *const mistakes[] = {"1n", "n-", "", "n.out", "\xc3\xa9", taken};
    unsigned what = choose(g->choices, 64);
    snprintf(name, MODEL_NAME, what == 61 ? "f%031zu" : "n%zu", index);
    if (what == 62)
        for (size_t i = strlen(name); i < LONGEST; i++)
            strcpy(name + i, "_");
    if (what != 63 || g->is_mistaken || index == 0)
        return;
    g->is_mistaken = true;
    g->wrong |= PROBLEM_BIT(PROBLEM_INVALID_GRAPH);
    unsigned which = choose(g->choices, 7);
    if (which < 6)
        strcpy(name, mistakes[which]);
    else
        sprintf(name, "n%0*d", LONGEST, 0);
}

/* An operation; NULL for a node of gradients. A backward without a forward before it, and gradients
 * without a loss, which nothing can come of, are seldom. */
static const layers_operation *choose_operation(made_graph *g) {
    int found[MODEL_VALUES];
    unsigned count = 0, losses = 0;
    while (layers_operations[count])
        count++;
    unsigned chosen = choose(g->choices, count + count / 4);
    const layers_operation *operation = chosen < count ? layers_operations[chosen] : NULL;
    for (int i = 0; i < g->model->value_count; i++)
        losses += is_loss(g, &g->model->values[i]);
    bool is_vain = operation ? operation->cache == LAYERS_CACHE_TAKEN &&
                                   find_caches(g, operation->layer, found) == 0
                             : losses == 0;
    if (!is_vain || make_mistake(g))
        return operation;
    return operation ? layers_find(operation->layer, "forward") : layers_find("softmax", "loss");
}

bool make_node(made_graph *g, size_t index) {
    char name[MODEL_NAME];
    node n = {.json = json_object()};
    push_value(json_object_get(g->document, "nodes"), n.json);
    node_name(g, index, name);
    put_value(n.json, "name", json_string(name));
    const layers_operation *operation = choose_operation(g);
    if (operation)
        make_operation(g, name, &n, operation);
    else
        make_gradients(g, name, &n);
    return !n.is_lost && !g->wrong;
}
