/* Graphs: what is there from the start, nodes, and what becomes of the results. */
#include "graph_parts.h"

#include <stdio.h>
#include <string.h>

#include "fuzz.h"

enum { NODES_MOST = 10 };

static void make_kept_input(made_graph *g) {
    char name[MODEL_NAME];
    unsigned chosen = choose(g->choices, (unsigned)g->kept_count);
    const kept_value *kept = &g->kept[chosen];
    bool is_wrong = make_mistake(g);
    bool as_cache = (kept->value.kind == LAYERS_RESULT_CACHE) != is_wrong;
    if (!kept->is_known || (!kept->is_live && g->is_mistaken))
        return;
    snprintf(name, sizeof name, "k%d", g->model->value_count);
    put_value(document_inputs(g), name,
              json_pack("{ss}", as_cache ? "cache" : "tensor", kept->value.handle));
    model_value *v = model_add(g->model, name, kept->value.kind);
    v->tensor = layers_tensor_share(&kept->value.tensor);
    v->layer = kept->value.layer;
    strcpy(v->text, kept->value.text);
    strcpy(v->handle, kept->value.handle);
    if (!kept->is_live || is_wrong)
        g->wrong |= PROBLEM_BIT(kept->is_live ? PROBLEM_WRONG_CACHE : PROBLEM_UNKNOWN_CACHE);
    g->is_mistaken |= !kept->is_live;
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
        if (!g->kept[chosen].is_live && !make_mistake(g))
            continue;
        push_value(list, json_string(g->kept[chosen].value.handle));
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
