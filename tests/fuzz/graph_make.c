/* Graphs: what is there from the start, nodes, and what becomes of the results. */
#include "graph_parts.h"

#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum { NODES_MOST = 10 };

/* A text that is nearly a handle. */
static const char *wrong_handle(made_graph *g, const char *handle, char text[2 * HANDLE_TEXT]) {
    static const char *const changes[] = {
        "%s\"", "%s ", "x%s", "%.31s", "handle:%.0s", "handle:0000000000000000000000000%.0s"};
    snprintf(text, 2 * HANDLE_TEXT, changes[choose(g->choices, 6)], handle);
    return text;
}

/* An input that is a handle: of what was kept, of the other kind, or of nothing. */
static void make_kept_input(made_graph *g) {
    char name[MODEL_NAME], text[2 * HANDLE_TEXT];
    const kept_value *kept = &g->kept[choose(g->choices, (unsigned)g->kept_count)];
    const char *handle = kept->value.handle;
    bool is_wrong = make_mistake(g), is_unknown = !kept->is_live;
    if (!kept->is_known || (is_unknown && g->is_mistaken))
        return;
    if (is_wrong && choose(g->choices, 2) == 1) {
        handle = wrong_handle(g, handle, text);
        is_unknown = true;
    }
    bool as_cache = (kept->value.kind == LAYERS_RESULT_CACHE) != (is_wrong && !is_unknown);
    snprintf(name, sizeof name, "k%d", g->model->value_count);
    put_value(document_inputs(g), name, json_pack("{ss}", as_cache ? "cache" : "tensor", handle));
    model_value *v = model_add(g->model, name, kept->value.kind);
    v->tensor = layers_tensor_share(&kept->value.tensor);
    v->layer = kept->value.layer;
    strcpy(v->text, kept->value.text);
    strcpy(v->handle, kept->value.handle);
    if (is_unknown || is_wrong)
        g->wrong |= PROBLEM_BIT(is_unknown ? PROBLEM_UNKNOWN_CACHE : PROBLEM_WRONG_CACHE);
    g->is_mistaken |= is_unknown;
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
    if (!make_mistake(g))
        return;
    reference r = make_wrong_reference(g, true);
    const model_value *v = r.value == NONE ? NULL : &g->model->values[r.value];
    push_value(list, json_string(r.name));
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
        const kept_value *kept = &g->kept[chosen];
        bool is_wrong = make_mistake(g);
        char text[2 * HANDLE_TEXT];
        if (!kept->is_live && !is_wrong)
            continue;
        const char *handle = is_wrong && kept->is_live ? wrong_handle(g, kept->value.handle, text)
                                                       : kept->value.handle;
        push_value(list, json_string(handle));
        if (is_wrong)
            g->wrong |= PROBLEM_BIT(PROBLEM_UNKNOWN_CACHE);
        else
            g->released |= UINT64_C(1) << chosen;
    }
}

/* A file's tensors tell the dtype, where one of them has it. */
static void make_dtype(made_graph *g) {
    bool is_told = g->model->dtype == LAYERS_F64 && !g->as_file;
    for (int i = 0; i < g->model->value_count; i++)
        is_told |= g->model->values[i].form == FORM_FILE && is_float(g, &g->model->values[i]) &&
                   !*g->model->values[i].handle && g->model->values[i].step == NONE;
    if (!is_told || choose(g->choices, 2) == 1)
        put_value(g->document, "dtype", json_string(layers_dtype_name(g->model->dtype)));
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
