/* Inputs of graphs, and references to values. */
#include "graph_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum { DEAR_LENGTH = 70 };

unsigned choose(choices *c, unsigned count) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
    return c->at < c->end ? (uint8_t)(*c->at++ - '0') % count : 0;
}

bool make_mistake(made_graph *g) {
    if (g->is_mistaken || choose(g->choices, 64) != 63)
        return false;
    return g->is_mistaken = true;
}

void put_value(json_t *object, const char *key, json_t *value) {
    HOLDS(json_object_set_new(object, key, value) == 0);
}

void push_value(json_t *list, json_t *value) {
    HOLDS(json_array_append_new(list, value) == 0);
}

/* ---- tensors -----------------------------------------------------------------------------------
 */

/* Small numbers, which are exact in either dtype; labels, a few of which name no class. */
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
            ((int64_t *)tensor->data)[i] =
                special == 15 ? (int64_t)classes : (int64_t)((seed + i) % (classes ? classes : 1));
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
        push_value(list, nested_json(tensor, axis + 1, at));
    return list;
}

static json_t *flat_json(const layers_tensor *tensor) {
    json_t *shape = json_array(), *data = json_array();
    for (int i = 0; i < tensor->rank; i++)
        push_value(shape, json_integer((json_int_t)tensor->shape[i]));
    for (size_t i = 0; i < tensor->size; i++)
        push_value(data, number_json(tensor, i));
    json_t *json = json_pack("{so so}", "shape", shape, "data", data);
    if (tensor->dtype == LAYERS_I64)
        put_value(json, "dtype", json_string("int64"));
    return json;
}

json_t *document_inputs(const made_graph *g) {
    return json_object_get(g->document, "inputs");
}

/* Puts an input where it goes: into the document, or the file. Lists cannot tell what is behind a
 * length of 0. */
static void put_input(made_graph *g, const model_value *v) {
    size_t at = 0;
    if (v->form == FORM_FILE)
        file_add(&g->file, v->name, &v->tensor);
    else if (v->form == FORM_FLAT || v->tensor.size == 0)
        put_value(document_inputs(g), v->name, flat_json(&v->tensor));
    else
        put_value(document_inputs(g), v->name, nested_json(&v->tensor, 0, &at));
}

/* Another input, of a shape; of so many classes for labels, or 2 for a mask. */
static int new_input(made_graph *g, layers_dtype dtype, const size_t *shape, int rank,
                     size_t classes, bool is_mask) {
    char name[MODEL_NAME];
    /* some have the length of a handle, and its digits */
    snprintf(name, sizeof name, g->model->value_count % 8 == 5 ? "e%031d" : "x%d",
             g->model->value_count);
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

/* A matrix may be so long that what comes of it is dear. */
static size_t any_length(choices *c, bool of_matrix) {
    static const size_t lengths[] = {2, 1, 3, 4};
    unsigned chosen = choose(c, 32);
    if (chosen == 30 && of_matrix)
        return DEAR_LENGTH;
    return chosen == 31 ? 0 : lengths[chosen % 4];
}

/* A shape that a pattern lets through; lengths that are not known are chosen. */
static int make_shape(made_graph *g, const layers_dims *dims, const char *pattern,
                      size_t shape[LAYERS_MAX_RANK]) {
    int rank = 0;
    bool of_matrix = strlen(pattern) <= strlen("N D");
    for (const char *p = pattern; *p; p++) {
        const layers_dim *dim = find_dim(dims, *p);
        bool tail = *p == '.' || p[1] == '.';
        if (tail && dims->has_tail) {
            memcpy(shape + rank, dims->tail, (size_t)dims->tail_rank * sizeof *shape);
            return rank + dims->tail_rank;
        }
        if (dim)
            shape[rank++] = dim->length;
        for (unsigned n = tail && !dim ? choose(g->choices, 4) : 0; n > 0; n--)
            shape[rank++] = any_length(g->choices, false);
        if (tail)
            return rank;
        if (!dim && *p != ' ')
            shape[rank++] = any_length(g->choices, of_matrix);
    }
    return rank;
}

static bool fits(layers_dims dims, const char *pattern, const layers_tensor *tensor) {
    layers_error error;
    return dims_match(&dims, &(dims_subject){pattern, "x", "x", tensor}, &error) == LAYERS_OK;
}

void make_free_input(made_graph *g) {
    layers_dims none = {0};
    size_t shape[LAYERS_MAX_RANK];
    int rank = make_shape(g, &none, "...", shape);
    new_input(g, g->model->dtype, shape, rank, 0, false);
}

/* ---- references --------------------------------------------------------------------------------
 */

static reference to(const made_graph *g, int value) {
    reference r = {.value = g->model->values[value].self, .named = value};
    strcpy(r.name, g->model->values[value].name);
    return r;
}

bool is_float(const made_graph *g, const model_value *v) {
    return v->kind == LAYERS_RESULT_TENSOR && v->tensor.dtype == g->model->dtype && !v->is_mask;
}

/* Anything but what should stand there. An input whose dtype is that of its use stands only where
 * it has the same (`as_values`). */
reference make_wrong_reference(made_graph *g, bool as_values) {
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

reference pick_tensor(made_graph *g, layers_dims *dims, const char *pattern,
                      const layers_field *labels, bool is_mask) {
    int found[MODEL_VALUES];
    unsigned count = 0;
    size_t shape[LAYERS_MAX_RANK], classes = is_mask ? 2 : 0;
    layers_error error;
    if (make_mistake(g))
        return make_wrong_reference(g, !labels && !is_mask);
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

reference pick_like(made_graph *g, const layers_tensor *like) {
    layers_dims dims = {.has_tail = true, .tail_rank = like->rank};
    memcpy(dims.tail, like->shape, (size_t)like->rank * sizeof *like->shape);
    return pick_tensor(g, &dims, "...", NULL, false);
}

unsigned find_caches(const made_graph *g, const char *layer, int found[MODEL_VALUES]) {
    unsigned count = 0;
    for (int i = 0; i < g->model->value_count; i++) {
        const model_value *v = &g->model->values[i];
        if (v->kind == LAYERS_RESULT_CACHE && *v->text && !strcmp(v->layer, layer))
            found[count++] = i;
    }
    return count;
}

reference pick_cache(made_graph *g, const char *layer) {
    int found[MODEL_VALUES];
    if (make_mistake(g))
        return make_wrong_reference(g, true);
    unsigned count = find_caches(g, layer, found);
    return count ? to(g, found[count - 1 - choose(g->choices, count)]) : (reference){.value = NONE};
}

int make_names(made_graph *g, json_t *list, bool (*suits)(const made_graph *, const model_value *),
               int values[WANTED_MOST]) {
    int found[MODEL_VALUES], count = 0;
    unsigned there = 0;
    for (int i = 0; i < g->model->value_count; i++)
        if (*g->model->values[i].name && suits(g, &g->model->values[i]))
            found[there++] = i;
    for (unsigned n = there ? 1 + choose(g->choices, 4) : 0; n > 0; n--) {
        values[count] = found[there - 1 - choose(g->choices, there)];
        push_value(list, json_string(g->model->values[values[count++]].name));
    }
    return count;
}
