/* The document of a graph: its nodes, and what is given, kept and released. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "codec/json_value.h"
#include "forms/kept.h"
#include "graphs/graph.h"

enum { OPERATIONS = 64, WORD = 64 };

/* "/nodes/3". Returns `pointer`. */
static const char *place_of(const char *list, size_t i, char pointer[FORM_POINTER]) {
    *decimal_put(stpcpy(stpcpy(pointer, list), "/"), i) = '\0';
    return pointer;
}

/* ---- reading the text --------------------------------------------------------------------------
 */

/* What is wrong in an array, told of the place that takes none. Always false. */
static bool blame(graph_call *call) {
    problem *problem = call->problem;
    char *pointer = problem->pointer;
    if (strncmp(pointer, "/inputs/", strlen("/inputs/")) == 0) {
        const char *name = pointer + strlen("/inputs/");
        kept_blame(problem, name + strcspn(name, "/"));
    } else if (*pointer && problem->kind != PROBLEM_INVALID_JSON &&
               problem->kind != PROBLEM_NUMBER_OUT_OF_RANGE) {
        problem_set(problem, PROBLEM_WRONG_TYPE, pointer,
                    "%.150s stands where only names and objects may stand", pointer);
    }
    return false;
}

bool graph_open_text(graph_call *call, const char *text, size_t length) {
    json_source source = form_json_source(text, length, call->charge, call->pool);
    source.is_graph = true;
    return json_document_read(&call->document, &source, call->problem) || blame(call);
}

/* A member of an object that must be a list; NULL where it is not there. */
static bool find_list(graph_call *call, const json_t *object, const char *parent, const char *key,
                      const json_t **list) {
    char pointer[FORM_POINTER];
    *list = json_object_get(object, key);
    if (!*list || json_is_array(*list))
        return true;
    pointer_add(strcpy(pointer, parent), sizeof pointer, key);
    return problem_set(call->problem, PROBLEM_WRONG_TYPE, pointer, "%s is %s, but must be a list",
                       pointer, json_kind(&call->document, *list));
}

/* The text that stands at a key of an object or a list; NULL with a problem. */
static const char *text_at(graph_call *call, const json_t *value, const char *parent,
                           const char *key, const char *what) {
    const char *text = handles_text(&call->taken, json_plain_text(value));
    char pointer[FORM_POINTER];
    if (text)
        return text;
    pointer_add(strcpy(pointer, parent), sizeof pointer, key);
    problem_set(call->problem, PROBLEM_WRONG_TYPE, pointer, "%s is %s, but must be %s", pointer,
                json_kind(&call->document, value), what);
    return NULL;
}

/* The same of a list. */
static const char *text_in(graph_call *call, const json_t *list, size_t i, const char *parent,
                           const char *what) {
    const json_t *value = json_array_get(list, i);
    const char *text = handles_text(&call->taken, json_plain_text(value));
    char key[24];
    if (text)
        return text;
    snprintf(key, sizeof key, "%zu", i);
    return text_at(call, value, parent, key, what);
}

/* A text that a node must have. */
static const char *needed_text(graph_call *call, const json_t *node, const char *parent,
                               const char *key, const char *what) {
    const json_t *value = json_object_get(node, key);
    char pointer[FORM_POINTER];
    if (value)
        return text_at(call, value, parent, key, what);
    pointer_add(strcpy(pointer, parent), sizeof pointer, key);
    problem_set(call->problem, PROBLEM_MISSING_FIELD, pointer, "%s is missing: a node has %s",
                pointer, what);
    return NULL;
}

static bool check_keys(graph_call *call, const json_t *object, const layers_operation *operation,
                       const char *other, const char *parent, const char *const *names) {
    const char *key;
    json_t *value;
    char taker[FORM_TAKER];
    json_object_foreach((json_t *)object, key, value) {
        if (form_has_name(names, key))
            continue;
        return form_check_name(operation ? form_taker(operation, taker) : other, parent, key, names,
                               call->problem);
    }
    return true;
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

/* The texts of a list of names, to be freed, and how many; NULL with a problem. */
static const char **names_of(graph_call *call, const json_t *list, const char *pointer,
                             const char *what, size_t *count) {
    *count = json_array_size(list);
    const char **names = calloc(*count + 1, sizeof *names);
    if (!names)
        problem_set_memory(call->problem, "the graph");
    for (size_t i = 0; names && i < *count; i++) {
        names[i] = text_in(call, list, i, pointer, what);
        if (names[i])
            continue;
        free(names);
        names = NULL;
    }
    return names;
}

/* The list of a gradients node, "of" or "for". */
static const char **node_names(graph_call *call, const json_t *node, const char *parent,
                               const char *key, size_t *count) {
    const json_t *list;
    char pointer[FORM_POINTER];
    pointer_add(strcpy(pointer, parent), sizeof pointer, key);
    if (!find_list(call, node, parent, key, &list))
        return NULL;
    if (list)
        return names_of(call, list, pointer, "the name of a value", count);
    problem_set(call->problem, PROBLEM_MISSING_FIELD, pointer,
                "%s is missing: a gradients node has \"of\" and \"for\", lists of names", pointer);
    return NULL;
}

static bool add_gradients(graph_call *call, const json_t *node, const char *parent,
                          const char *name) {
    static const char *const keys[] = {"name", "op", "of", "for", NULL};
    size_t of_count = 0, for_count = 0;
    layers_error error;
    if (!check_keys(call, node, NULL, "gradients", parent, keys))
        return false;
    const char **of = node_names(call, node, parent, "of", &of_count);
    const char **for_values = of ? node_names(call, node, parent, "for", &for_count) : NULL;
    bool good = for_values && (layers_graph_gradients(call->graph, name, of, of_count, for_values,
                                                      for_count, &error) == LAYERS_OK ||
                               graph_fail(call, &error));
    free(of);
    free(for_values);
    return good;
}

static bool no_operation(graph_call *call, const char *parent, const char *word) {
    char texts[OPERATIONS][FORM_TAKER], text[WORD], pointer[FORM_POINTER];
    const char *names[OPERATIONS + 2] = {"gradients"};
    for (int i = 0; i < OPERATIONS && layers_operations[i]; i++)
        names[i + 1] = form_taker(layers_operations[i], texts[i]);
    const char *near = layers_nearest(word, names);
    pointer_add(strcpy(pointer, parent), sizeof pointer, "op");
    return problem_set(call->problem, PROBLEM_INVALID_GRAPH, pointer,
                       "%s is \"%s\", which is no operation%s%s%s", pointer,
                       text_clip(text, sizeof text, word), near ? "; the nearest is \"" : "",
                       near ? near : "", near ? "\"" : "");
}

static void node_keys(const layers_operation *operation, const char *keys[FORM_NAMES]) {
    int count = 0;
    keys[count++] = "name";
    keys[count++] = "op";
    for (const layers_field *field = operation->inputs; field->name; field++)
        keys[count++] = field->name;
    if (operation->params_name)
        keys[count++] = operation->params_name;
    if (operation->cache == LAYERS_CACHE_TAKEN)
        keys[count++] = "cache";
    keys[count] = NULL;
}

/* The name of a value, where a node has one at a key. */
static bool read_name(graph_call *call, const json_t *object, const char *parent, const char *key,
                      const char **name) {
    const json_t *value = json_object_get(object, key);
    *name = value ? text_at(call, value, parent, key, "the name of a value") : NULL;
    return !value || *name;
}

static bool read_param(graph_call *call, const json_t *params, const char *parent,
                       const layers_operation *operation, int i, layers_node_param *param) {
    const char *key = operation->params[i].name;
    const json_t *json = json_object_get(params, key);
    char pointer[FORM_POINTER];
    layers_value value = {0};
    pointer_add(strcpy(pointer, parent), sizeof pointer, operation->params_name);
    if (layers_is_tensor(&operation->params[i]))
        return read_name(call, params, pointer, key, &param->tensor);
    if (json &&
        !form_json_scalar(&call->document, json, parent, operation, i, &value, call->problem))
        return false;
    param->given = value.given;
    param->number = value.number;
    param->choice = value.choice;
    return true;
}

static bool read_params(graph_call *call, const json_t *json, const char *parent,
                        layers_node *node) {
    const layers_operation *operation = node->operation;
    const char *names[FORM_NAMES];
    char pointer[FORM_POINTER], taker[FORM_TAKER];
    if (!operation->params_name)
        return true;
    const json_t *params = json_object_get(json, operation->params_name);
    pointer_add(strcpy(pointer, parent), sizeof pointer, operation->params_name);
    if (!params && form_needs_params(operation))
        return problem_set(call->problem, PROBLEM_MISSING_FIELD, pointer, "%s needs %s, an object",
                           form_taker(operation, taker), pointer);
    if (params && !json_is_object(params))
        return problem_set(call->problem, PROBLEM_WRONG_TYPE, pointer,
                           "%s is %s, but must be an object", pointer,
                           json_kind(&call->document, params));
    form_param_names(operation, names);
    if (!check_keys(call, params, operation, NULL, pointer, names))
        return false;
    for (int i = 0; params && operation->params[i].name; i++)
        if (!read_param(call, params, parent, operation, i, &node->params[i]))
            return false;
    return true;
}

static bool add_operation(graph_call *call, const json_t *json, const char *parent,
                          const char *name, const layers_operation *operation) {
    const char *keys[FORM_NAMES];
    layers_node node = {.name = name, .operation = operation};
    layers_error error;
    node_keys(operation, keys);
    if (!check_keys(call, json, operation, NULL, parent, keys))
        return false;
    for (int i = 0; operation->inputs[i].name; i++)
        if (!read_name(call, json, parent, operation->inputs[i].name, &node.inputs[i]))
            return false;
    if (operation->cache == LAYERS_CACHE_TAKEN &&
        !read_name(call, json, parent, "cache", &node.cache))
        return false;
    return read_params(call, json, parent, &node) &&
           (layers_graph_add(call->graph, &node, &error) == LAYERS_OK || graph_fail(call, &error));
}

static bool add_node(graph_call *call, size_t i, const json_t *node) {
    char parent[FORM_POINTER];
    place_of("/nodes", i, parent);
    if (!json_is_object(node))
        return problem_set(call->problem, PROBLEM_WRONG_TYPE, parent,
                           "%s is %s, but must be an object", parent,
                           json_kind(&call->document, node));
    const char *name = needed_text(call, node, parent, "name", "a name, a string");
    const char *op = name ? needed_text(call, node, parent, "op",
                                        "an operation such as \"affine/forward\", or \"gradients\"")
                          : NULL;
    if (!op)
        return false;
    if (!strcmp(op, "gradients"))
        return add_gradients(call, node, parent, name);
    const layers_operation *const *row = form_operation(op);
    return row ? add_operation(call, node, parent, name, *row) : no_operation(call, parent, op);
}

/* ---- what becomes of the results ---------------------------------------------------------------
 */

static int by_name(const void *left, const void *right) {
    return strcmp((*(graph_wanted *const *)left)->name, (*(graph_wanted *const *)right)->name);
}

/* Of names that stand twice, only the first stays. */
static bool drop_twins(graph_call *call, graph_wanteds *wanteds, size_t count) {
    graph_wanted **sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted)
        return problem_set_memory(call->problem, "the graph");
    for (size_t i = 0; i < count; i++)
        sorted[i] = &wanteds->list[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 1; i < count; i++) {
        bool twin = !strcmp(sorted[i]->name, sorted[i - 1]->name);
        graph_wanted *later = sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1];
        if (twin && later == sorted[i - 1])
            sorted[i - 1] = sorted[i];
        if (twin) {
            later->is_twin = true;
            sorted[i] = sorted[i - 1];
        }
    }
    free(sorted);
    for (size_t i = 0; i < count; i++)
        if (!wanteds->list[i].is_twin)
            wanteds->list[wanteds->count++] = wanteds->list[i];
    return true;
}

/* In a file, "__metadata__" is no tensor, and "kept.w" of that is the handle of "w": a node "kept"
 * would have results of such names. */
static bool is_reserved(const graph_call *call, const char *name) {
    static const char prefix[] = "kept.", metadata[] = "__metadata__";
    return !strcmp(name, metadata) || (json_object_get(call->document.root, "keep") &&
                                       !strncmp(name, prefix, sizeof prefix - 1));
}

/* A cache is not given, and a number not kept. */
static bool check_kind(graph_call *call, const char *list, const char *place,
                       const graph_wanted *wanted) {
    layers_result_kind kind = layers_graph_result(call->graph, wanted->value).kind;
    bool keep = !strcmp(list, "keep");
    if (keep && kind == LAYERS_RESULT_PARAM)
        return problem_set(call->problem, PROBLEM_WRONG_TYPE, place,
                           "%s is \"%.129s\", which is a number of its node: it can be given, but "
                           "not kept",
                           place, wanted->name);
    if (!keep && kind == LAYERS_RESULT_CACHE)
        return problem_set(call->problem, PROBLEM_WRONG_CACHE, place,
                           "%s is \"%.129s\", which is a cache: it can be kept, but not given",
                           place, wanted->name);
    if (!keep && is_reserved(call, wanted->name))
        return problem_set(call->problem, PROBLEM_INVALID_GRAPH, place,
                           "%s is \"%.129s\", a name that answers use otherwise: call the node or "
                           "input otherwise",
                           place, wanted->name);
    return true;
}

/* The values of "give" or "keep", each name once. */
static bool read_wanted(graph_call *call, const char *key, graph_wanteds *wanteds) {
    const json_t *list;
    char place[FORM_POINTER], pointer[16];
    layers_error error;
    snprintf(pointer, sizeof pointer, "/%s", key);
    if (!find_list(call, call->document.root, "", key, &list))
        return false;
    size_t count = json_array_size(list);
    wanteds->list = calloc(count + 1, sizeof *wanteds->list);
    if (!wanteds->list)
        return problem_set_memory(call->problem, "the graph");
    for (size_t i = 0; i < count; i++) {
        graph_wanted *wanted = &wanteds->list[i];
        wanted->name = text_in(call, list, i, pointer, "the name of a value");
        if (!wanted->name)
            return false;
        place_of(pointer, i, place);
        if (layers_graph_want(call->graph, wanted->name, &wanted->value, &error) != LAYERS_OK)
            return problem_set(call->problem, PROBLEM_INVALID_GRAPH, place, "%s: %s", place,
                               error.message);
        if (!check_kind(call, key, place, wanted))
            return false;
    }
    return drop_twins(call, wanteds, count);
}

static bool read_release(graph_call *call) {
    const json_t *list;
    char place[FORM_POINTER];
    if (!find_list(call, call->document.root, "", "release", &list))
        return false;
    call->release = names_of(call, list, "/release", "a handle, a string", &call->release_count);
    if (!call->release)
        return false;
    for (size_t i = 0; i < call->release_count; i++) {
        store_value value;
        if (!call->store->get(call->store, call->release[i], &value))
            return !kept_fault(call->store, place_of("/release", i, place), call->problem) &&
                   problem_set(call->problem, PROBLEM_UNKNOWN_CACHE, place_of("/release", i, place),
                               "%s is no handle that is known: it was never given, has expired, or "
                               "was deleted",
                               place);
        store_value_clear(&value);
    }
    return true;
}

/* ---- all of it
 * ---------------------------------------------------------------------------------
 */

static bool read_dtype(graph_call *call) {
    const json_t *value = json_object_get(call->document.root, "dtype");
    call->dtype = LAYERS_F64;
    if (!value)
        return true;
    const char *name = text_at(call, value, "", "dtype", "\"float64\" or \"float32\"");
    return name && form_dtype(name, &call->dtype, call->problem);
}

bool graph_build(graph_call *call) {
    static const char *const keys[] = {"inputs", "nodes", "give", "keep", "release", "dtype", NULL};
    const json_t *root = call->document.root, *nodes, *node;
    layers_error error;
    if (!check_keys(call, root, NULL, "a graph", "", keys) || !read_dtype(call) ||
        !find_list(call, root, "", "nodes", &nodes))
        return false;
    if (!nodes)
        return problem_set(call->problem, PROBLEM_MISSING_FIELD, "/nodes",
                           "/nodes is missing: a graph has a list of nodes, which may be empty");
    if (json_array_size(nodes) > LAYERS_GRAPH_NODES)
        return problem_set(call->problem, PROBLEM_INVALID_GRAPH, "/nodes",
                           "the graph has %zu nodes, and %d are allowed", json_array_size(nodes),
                           LAYERS_GRAPH_NODES);
    if (!graph_build_inputs(call, nodes))
        return false;
    for (size_t i = 0; (node = json_array_get(nodes, i)); i++)
        if (!add_node(call, i, node))
            return false;
    return read_wanted(call, "give", &call->give) && read_wanted(call, "keep", &call->keep) &&
           read_release(call) &&
           (layers_graph_prepare(call->graph, &error) == LAYERS_OK || graph_fail(call, &error));
}

/* Copies a text to *end, or only counts it where there is no memory yet. */
static void move(const char **text, char **end, size_t *length) {
    size_t bytes = strlen(*text) + 1;
    *length += bytes;
    if (!*end)
        return;
    memcpy(*end, *text, bytes);
    *text = *end;
    *end += bytes;
}

static size_t move_all(graph_call *call, char *end) {
    size_t length = 0;
    for (size_t i = 0; i < call->give.count; i++)
        move(&call->give.list[i].name, &end, &length);
    for (size_t i = 0; i < call->keep.count; i++)
        move(&call->keep.list[i].name, &end, &length);
    for (size_t i = 0; i < call->release_count; i++)
        move(&call->release[i], &end, &length);
    for (size_t i = 0; i < call->handled_count; i++)
        move(&call->handled[i], &end, &length);
    return length;
}

bool graph_close(graph_call *call) {
    call->texts = malloc(move_all(call, NULL) + 1);
    if (!call->texts)
        return false;
    move_all(call, call->texts);
    json_document_free(&call->document);
    call->document = (json_document){0};
    safetensors_free(&call->file);
    return true;
}
