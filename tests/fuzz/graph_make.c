#include "graph_make.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dims.h"
#include "fuzz.h"

enum { NODES_MOST = 10, LONGEST = LAYERS_GRAPH_NAME };

unsigned choose(choices *c, unsigned count) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
    return c->at < c->end ? (uint8_t)(*c->at++ - '0') % count : 0;
}

/* Whether to make the one mistake of a graph here. */
static bool mistake(made_graph *g) {
    if (g->is_mistaken || choose(g->choices, 64) != 63)
        return false;
    return g->is_mistaken = true;
}

static void set(json_t *object, const char *key, json_t *value) {
    HOLDS(json_object_set_new(object, key, value) == 0);
}

static void append(json_t *list, json_t *value) {
    HOLDS(json_array_append_new(list, value) == 0);
}

/* ---- tensors -----------------------------------------------------------------------------------
 */

/* Small numbers, which are exact in either dtype. */
static void fill(choices *c, layers_tensor *tensor, size_t classes) {
    static const double specials[] = {NAN, INFINITY, -INFINITY, -0.0};
    unsigned seed = choose(c, 256), special = choose(c, 16);
    for (size_t i = 0; i < tensor->size; i++) {
        double number = ((double)((seed * 31 + i * 17) % 64) - 32) / 16;
        if (special >= 12 && i == seed % tensor->size)
            number = specials[special - 12];
        if (tensor->dtype == LAYERS_F64)
            ((double *)tensor->data)[i] = classes ? (double)((seed + i) % classes) : number;
        else if (tensor->dtype == LAYERS_F32)
            ((float *)tensor->data)[i] = (float)number;
        else if (tensor->dtype == LAYERS_I64)
            ((int64_t *)tensor->data)[i] = (int64_t)((seed + i) % (classes ? classes : 1));
        else
            ((uint8_t *)tensor->data)[i] = (uint8_t)((seed + i) % classes);
    }
}

static json_t *number_json(const layers_tensor *tensor, size_t i) {
    double number = tensor->dtype == LAYERS_F64   ? ((const double *)tensor->data)[i]
                    : tensor->dtype == LAYERS_F32 ? (double)((const float *)tensor->data)[i]
                                                  : (double)((const int64_t *)tensor->data)[i];
    if (isnan(number))
        return json_string("NaN");
    if (isinf(number))
        return json_string(number > 0 ? "Infinity" : "-Infinity");
    return tensor->dtype == LAYERS_I64 ? json_integer((json_int_t)number) : json_real(number);
}

static json_t *nested_json(const layers_tensor *tensor, int axis, size_t *at) {
    if (axis == tensor->rank)
        return number_json(tensor, (*at)++);
    json_t *list = json_array();
    for (size_t i = 0; i < tensor->shape[axis]; i++)
        append(list, nested_json(tensor, axis + 1, at));
    return list;
}

static json_t *flat_json(const layers_tensor *tensor) {
    json_t *shape = json_array(), *data = json_array();
    for (int i = 0; i < tensor->rank; i++)
        append(shape, json_integer((json_int_t)tensor->shape[i]));
    for (size_t i = 0; i < tensor->size; i++)
        append(data, number_json(tensor, i));
    json_t *json = json_pack("{so so}", "shape", shape, "data", data);
    if (tensor->dtype == LAYERS_I64)
        set(json, "dtype", json_string("int64"));
    return json;
}

static json_t *inputs_of(const made_graph *g) {
    return json_object_get(g->document, "inputs");
}

/* Puts an input where it goes: into the document, or the file. Lists cannot tell what is behind a
 * length of 0. */
static void put_input(made_graph *g, const model_value *v) {
    size_t at = 0;
    if (v->form == FORM_FILE)
        file_add(&g->file, v->name, &v->tensor);
    else if (v->form == FORM_FLAT || v->tensor.size == 0)
        set(inputs_of(g), v->name, flat_json(&v->tensor));
    else
        set(inputs_of(g), v->name, nested_json(&v->tensor, 0, &at));
}

/* Another input, of a shape; of so many classes for labels, or 2 for a mask. */
static int new_input(made_graph *g, layers_dtype dtype, const size_t *shape, int rank,
                     size_t classes, bool is_mask) {
    char name[MODEL_NAME];
    snprintf(name, sizeof name, "x%d", g->model->value_count);
    model_value *v = model_add(g->model, name, LAYERS_RESULT_TENSOR);
    v->form = (model_form)choose(g->choices, g->as_file ? 3 : 2);
    v->is_mask = is_mask;
    if (is_mask)
        dtype = v->form == FORM_FILE ? LAYERS_U8 : LAYERS_F64;
    v->tensor = tensor_of(dtype, shape, rank);
    fill(g->choices, &v->tensor, classes);
    put_input(g, v);
    return v->self;
}

/* ---- shapes ------------------------------------------------------------------------------------
 */

static const layers_dim *find_dim(const layers_dims *dims, char letter) {
    for (int i = 0; i < dims->count; i++)
        if (dims->dim[i].letter == letter)
            return &dims->dim[i];
    return NULL;
}

static size_t any_length(choices *c) {
    static const size_t lengths[] = {2, 1, 3, 4};
    unsigned chosen = choose(c, 32);
    return chosen == 31 ? 0 : lengths[chosen % 4];
}

/* A shape that a pattern lets through; lengths that are not known are chosen. */
static int make_shape(made_graph *g, const layers_dims *dims, const char *pattern,
                      size_t shape[LAYERS_MAX_RANK]) {
    int rank = 0;
    for (const char *p = pattern; *p; p++) {
        bool tail = *p == '.' || (*p != ' ' && p[1] == '.');
        if (tail && dims->has_tail) {
            memcpy(shape + rank, dims->tail, (size_t)dims->tail_rank * sizeof *shape);
            return rank + dims->tail_rank;
        }
        if (tail) {
            const layers_dim *dim = find_dim(dims, *p);
            if (dim)
                shape[rank++] = dim->length;
            for (unsigned n = dim ? 0 : choose(g->choices, 4); n > 0; n--)
                shape[rank++] = any_length(g->choices);
            return rank;
        }
        if (*p == ' ')
            continue;
        const layers_dim *dim = find_dim(dims, *p);
        shape[rank++] = dim ? dim->length : any_length(g->choices);
    }
    return rank;
}

static bool fits(layers_dims dims, const char *pattern, const layers_tensor *tensor) {
    layers_error error;
    return dims_match(&dims, &(dims_subject){pattern, "x", "x", tensor}, &error) == LAYERS_OK;
}

/* ---- references --------------------------------------------------------------------------------
 */

/* What stands in the place of a value: NONE and "" for nothing, NONE and a name for one that is not
 * there. */
typedef struct {
    int value, named; /* the value, and where it stands under this name */
    char name[MODEL_NAME + 8];
} reference;

static reference to(const made_graph *g, int value) {
    reference r = {.value = g->model->values[value].self, .named = value};
    strcpy(r.name, g->model->values[value].name);
    return r;
}

static bool is_float(const made_graph *g, const model_value *v) {
    return v->kind == LAYERS_RESULT_TENSOR && v->tensor.dtype == g->model->dtype && !v->is_mask;
}

/* Anything but what should stand there. An input whose dtype is that of its use stands only where
 * it has the same (`as_values`). */
static reference mistaken_reference(made_graph *g, bool as_values) {
    reference r = {.value = NONE};
    unsigned what = choose(g->choices, 6);
    int any = g->model->value_count ? (int)choose(g->choices, (unsigned)g->model->value_count) : 0;
    const model_value *v = g->model->value_count ? &g->model->values[any] : NULL;
    if (what == 0)
        return r;
    bool is_settled = v && (v->step != NONE || *v->handle || (as_values && is_float(g, v)));
    if (is_settled && *v->name && what < 4 && v->tensor.dtype != LAYERS_U8)
        return to(g, any);
    snprintf(r.name, sizeof r.name, "%.120s%s", v ? v->name : "", what % 2 ? ".nope" : "x");
    r.value = NONE;
    return r;
}

/* A tensor of the pattern: one that is there, or a new one. */
static reference pick(made_graph *g, layers_dims *dims, const char *pattern,
                      const layers_field *labels, bool is_mask) {
    int found[MODEL_VALUES];
    unsigned count = 0;
    size_t shape[LAYERS_MAX_RANK], classes = is_mask ? 2 : 0;
    layers_error error;
    if (mistake(g))
        return mistaken_reference(g, !labels && !is_mask);
    for (int i = 0; i < g->model->value_count; i++) {
        const model_value *v = &g->model->values[i];
        bool suits = labels    ? v->kind == LAYERS_RESULT_TENSOR && v->tensor.dtype == LAYERS_I64
                     : is_mask ? is_float(g, v) && v->step != NONE
                               : is_float(g, v);
        if (*v->name && suits && fits(*dims, pattern, &v->tensor))
            found[count++] = i;
    }
    unsigned chosen = choose(g->choices, count + 1);
    if (labels)
        classes = find_dim(dims, 'C') ? find_dim(dims, 'C')->length : 1;
    int rank = chosen < count ? 0 : make_shape(g, dims, pattern, shape);
    int value = chosen < count ? found[count - 1 - chosen]
                               : new_input(g, labels ? LAYERS_I64 : g->model->dtype, shape, rank,
                                           classes, is_mask);
    const layers_tensor *tensor = &g->model->values[value].tensor;
    if (fits(*dims, pattern, tensor))
        HOLDS(dims_match(dims, &(dims_subject){pattern, "x", "x", tensor}, &error) == LAYERS_OK);
    return to(g, value);
}

/* A tensor in the shape of another. */
static reference pick_like(made_graph *g, const layers_tensor *like) {
    layers_dims dims = {.has_tail = true, .tail_rank = like->rank};
    memcpy(dims.tail, like->shape, (size_t)like->rank * sizeof *like->shape);
    return pick(g, &dims, "...", NULL, false);
}

/* Caches of a layer; returns how many. */
static unsigned find_caches(const made_graph *g, const char *layer, int found[MODEL_VALUES]) {
    unsigned count = 0;
    for (int i = 0; i < g->model->value_count; i++) {
        const model_value *v = &g->model->values[i];
        if (v->kind == LAYERS_RESULT_CACHE && *v->text && !strcmp(v->layer, layer))
            found[count++] = i;
    }
    return count;
}

static reference pick_cache(made_graph *g, const char *layer) {
    int found[MODEL_VALUES];
    if (mistake(g))
        return mistaken_reference(g, true);
    unsigned count = find_caches(g, layer, found);
    return count ? to(g, found[count - 1 - choose(g->choices, count)]) : (reference){.value = NONE};
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

/* A node that is being made. */
typedef struct {
    json_t *json;
    model_step step;
    bool is_lost; /* a name in it is of nothing, or of another kind */
} node;

/* Puts a reference into a node; whether it can be looked at. */
static void refer(made_graph *g, node *n, json_t *object, const char *key, reference r, int *value,
                  layers_result_kind kind) {
    *value = r.value;
    if (*r.name)
        set(object, key, json_string(r.name));
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
    if (mistake(g))
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
    reference r = pick(g, dims, param->shape, NULL, param->kind == LAYERS_MASK);
    if (param->instead_of && *r.name) {
        json_object_del(params, param->instead_of);
        n->step.params[i - 1].text = NULL;
    }
    refer(g, n, params, param->name, r, &n->step.params[i].tensor, LAYERS_RESULT_TENSOR);
}

static void make_param(made_graph *g, node *n, layers_dims *dims, json_t *params, int i) {
    const layers_param *param = &n->step.operation->params[i];
    bool is_needed = param->required || !strcmp(param->name, "seed");
    if (param->required ? mistake(g) : !is_needed && choose(g->choices, 2) == 0)
        return;
    if (layers_is_tensor(param)) {
        make_tensor_param(g, n, dims, params, i);
        return;
    }
    n->step.params[i].text = number_text(g, param);
    set(params, param->name, text_json(n->step.params[i].text, param));
}

static void make_params(made_graph *g, node *n, layers_dims *dims) {
    const layers_operation *operation = n->step.operation;
    json_t *params = json_object();
    for (int i = 0; operation->params && operation->params[i].name; i++)
        make_param(g, n, dims, params, i);
    if (operation->params && json_object_size(params) > 0)
        set(n->json, operation->params_name, params);
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
        reference r = like ? pick_like(g, like)
                           : pick(g, dims, field->shape, field->labels ? field : NULL, false);
        refer(g, n, n->json, field->name, r, &n->step.inputs[i], LAYERS_RESULT_TENSOR);
    }
}

/* What the operation by itself is refused for, the node is refused for too: but what is wrong with
 * a mask that is computed shows only when it is. */
static void note_problem(made_graph *g, const node *n, const char *name, const problem *problem) {
    bool of_mask = !strncmp(problem->pointer, "/dropout_param/mask", 19) &&
                   problem->kind == PROBLEM_INVALID_PARAM;
    int mask = of_mask ? n->step.params[3].tensor : NONE;
    if (mask != NONE && g->model->values[mask].step != NONE) {
        char wanted[MODEL_NAME];
        if (choose(g->choices, 2) == 0)
            return;
        snprintf(wanted, sizeof wanted, "%.64s.out", name);
        append(json_object_get(g->document, "give"), json_string(wanted));
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
    set(n->json, "op", json_string(op));
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

/* Names of values, and which they are; returns how many. */
static int make_names(made_graph *g, json_t *list,
                      bool (*suits)(const made_graph *, const model_value *),
                      int values[WANTED_MOST]) {
    int found[MODEL_VALUES], count = 0;
    unsigned there = 0;
    for (int i = 0; i < g->model->value_count; i++)
        if (*g->model->values[i].name && suits(g, &g->model->values[i]))
            found[there++] = i;
    for (unsigned n = there ? 1 + choose(g->choices, 4) : 0; n > 0; n--) {
        values[count] = found[there - 1 - choose(g->choices, there)];
        append(list, json_string(g->model->values[values[count++]].name));
    }
    return count;
}

static bool has_gradient(const made_graph *g, const model_value *v) {
    (void)g;
    return v->kind == LAYERS_RESULT_TENSOR && v->tensor.dtype <= LAYERS_F32 &&
           strlen(v->name) < MODEL_NAME - LONGEST - 2;
}

static void make_gradients(made_graph *g, const char *name, node *n) {
    json_t *of = json_array(), *asked = json_array();
    int losses[WANTED_MOST], values[WANTED_MOST];
    set(n->json, "op", json_string("gradients"));
    set(n->json, "of", of);
    set(n->json, "for", asked);
    int loss_count = make_names(g, of, is_loss, losses);
    int count = make_names(g, asked, has_gradient, values);
    bool is_wrong = loss_count == 0 || count == 0;
    if (mistake(g)) {
        reference r = mistaken_reference(g, true);
        bool is_number = r.value != NONE && g->model->values[r.value].kind == LAYERS_RESULT_PARAM;
        bool is_cache = r.value != NONE && g->model->values[r.value].kind == LAYERS_RESULT_CACHE;
        append(of, json_string(r.name));
        is_wrong = true;
        if (r.value != NONE && is_loss(g, &g->model->values[r.value]))
            losses[loss_count++] = r.value, is_wrong = count == 0;
        if (is_number || is_cache)
            g->wrong |= PROBLEM_BIT(is_cache ? PROBLEM_WRONG_CACHE : PROBLEM_WRONG_TYPE);
    }
    if (!g->wrong && !is_wrong)
        is_wrong = !model_gradients(g->model, name, losses, loss_count, values, count);
    if (is_wrong)
        g->wrong |= PROBLEM_BIT(PROBLEM_INVALID_GRAPH);
    n->is_lost = is_wrong || g->wrong;
}

static void node_name(made_graph *g, size_t index, char name[MODEL_NAME]) {
    static const char *const mistakes[] = {"1n", "n-", "", "n.out", "n0", "\xc3\xa9"};
    unsigned what = choose(g->choices, 64);
    snprintf(name, MODEL_NAME, "n%zu", index);
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
        memset(name, 'n', LONGEST + 1), name[LONGEST + 1] = '\0';
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
    if (!is_vain || mistake(g))
        return operation;
    return operation ? layers_find(operation->layer, "forward") : layers_find("softmax", "loss");
}

/* Whether the graph can go on. */
static bool make_node(made_graph *g, size_t index) {
    char name[MODEL_NAME];
    node n = {.json = json_object()};
    append(json_object_get(g->document, "nodes"), n.json);
    node_name(g, index, name);
    set(n.json, "name", json_string(name));
    const layers_operation *operation = choose_operation(g);
    if (operation)
        make_operation(g, name, &n, operation);
    else
        make_gradients(g, name, &n);
    return !n.is_lost && !g->wrong;
}

/* ---- what is there from the start, and what becomes of the results -----------------------------
 */

static void make_kept_input(made_graph *g) {
    char name[MODEL_NAME];
    unsigned chosen = choose(g->choices, (unsigned)g->kept_count);
    const kept_value *kept = &g->kept[chosen];
    bool is_wrong = mistake(g);
    bool as_cache = (kept->value.kind == LAYERS_RESULT_CACHE) != is_wrong;
    if (!kept->is_known || (!kept->is_live && g->is_mistaken))
        return;
    snprintf(name, sizeof name, "k%d", g->model->value_count);
    set(inputs_of(g), name, json_pack("{ss}", as_cache ? "cache" : "tensor", kept->value.handle));
    model_value *v = model_add(g->model, name, kept->value.kind);
    v->tensor = layers_tensor_share(&kept->value.tensor);
    v->layer = kept->value.layer;
    strcpy(v->text, kept->value.text);
    strcpy(v->handle, kept->value.handle);
    if (!kept->is_live || is_wrong)
        g->wrong |= PROBLEM_BIT(kept->is_live ? PROBLEM_WRONG_CACHE : PROBLEM_UNKNOWN_CACHE);
    g->is_mistaken |= !kept->is_live;
}

static void make_free_input(made_graph *g) {
    layers_dims none = {0};
    size_t shape[LAYERS_MAX_RANK];
    int rank = make_shape(g, &none, "...", shape);
    new_input(g, g->model->dtype, shape, rank, 0, false);
}

static bool can_be_given(const made_graph *g, const model_value *v) {
    (void)g;
    return v->kind != LAYERS_RESULT_CACHE;
}

static bool can_be_kept(const made_graph *g, const model_value *v) {
    (void)g;
    return v->kind != LAYERS_RESULT_PARAM;
}

static void make_wanted(made_graph *g, const char *key, int values[WANTED_MOST], int *count) {
    bool keep = !strcmp(key, "keep");
    json_t *list = json_object_get(g->document, key);
    if (choose(g->choices, 4) > 0)
        *count = make_names(g, list, keep ? can_be_kept : can_be_given, values);
    if (!mistake(g))
        return;
    reference r = mistaken_reference(g, true);
    const model_value *v = r.value == NONE ? NULL : &g->model->values[r.value];
    append(list, json_string(r.name));
    if (!v)
        g->wrong |= PROBLEM_BIT(PROBLEM_INVALID_GRAPH);
    else if (keep ? can_be_kept(g, v) : can_be_given(g, v))
        values[(*count)++] = r.named;
    else
        g->wrong |= PROBLEM_BIT(keep ? PROBLEM_WRONG_TYPE : PROBLEM_WRONG_CACHE);
}

static void make_release(made_graph *g) {
    json_t *list = json_object_get(g->document, "release");
    for (unsigned n = choose(g->choices, 4); n > 0 && g->kept_count > 0; n--) {
        unsigned chosen = choose(g->choices, (unsigned)(g->kept_count < 64 ? g->kept_count : 64));
        if (!g->kept[chosen].is_live && !mistake(g))
            continue;
        append(list, json_string(g->kept[chosen].value.handle));
        g->released |= UINT64_C(1) << chosen;
        if (!g->kept[chosen].is_live)
            g->wrong |= PROBLEM_BIT(PROBLEM_UNKNOWN_CACHE);
    }
}

/* A file's tensors tell the dtype, where one of them has it. */
static void make_dtype(made_graph *g) {
    bool is_told = g->model->dtype == LAYERS_F64 && !g->as_file;
    for (int i = 0; i < g->model->value_count; i++)
        is_told |= g->model->values[i].form == FORM_FILE && is_float(g, &g->model->values[i]) &&
                   !*g->model->values[i].handle && g->model->values[i].step == NONE;
    if (!is_told || choose(g->choices, 2) == 1)
        set(g->document, "dtype", json_string(layers_dtype_name(g->model->dtype)));
}

/* Lists that stay empty may be left out. */
static void drop_empty(made_graph *g) {
    static const char *const keys[] = {"inputs", "give", "keep", "release"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *list = json_object_get(g->document, keys[i]);
        if (json_array_size(list) + json_object_size(list) == 0 && choose(g->choices, 2) == 0)
            json_object_del(g->document, keys[i]);
    }
}

void graph_make(made_graph *g) {
    g->document = json_pack("{s{} s[] s[] s[] s[]}", "inputs", "nodes", "give", "keep", "release");
    HOLDS(g->document);
    g->as_file = choose(g->choices, 2) == 1;
    g->model->dtype = choose(g->choices, 2) == 1 ? LAYERS_F32 : LAYERS_F64;
    if (g->as_file)
        file_start(&g->file);
    for (unsigned n = g->kept_count ? choose(g->choices, 4) : 0; n > 0; n--)
        make_kept_input(g);
    for (unsigned n = choose(g->choices, 3); n > 0; n--)
        make_free_input(g);
    unsigned nodes = choose(g->choices, NODES_MOST);
    for (unsigned i = 0; i < nodes && !g->wrong && make_node(g, i); i++)
        ;
    make_wanted(g, "give", g->give, &g->give_count);
    make_wanted(g, "keep", g->keep, &g->keep_count);
    make_release(g);
    make_dtype(g);
    drop_empty(g);
}
