/* The inputs of a graph: what each is used for, and so its dtype, before it is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_value.h"
#include "forms/kept.h"
#include "graphs/graph.h"

/* What nodes use a tensor for. */
enum { AS_VALUES = 1, AS_LABELS = 2, AS_MASK = 4 };

typedef struct {
    const char *name;
    const json_t *json;             /* of the document, or */
    const safetensors_entry *entry; /* of the file */
    unsigned uses;
} input;

typedef struct {
    graph_call *call;
    size_t count;
    input *list;   /* in the order of the document, then of the file */
    input **named; /* by name */
} inputs;

static int by_name(const void *left, const void *right) {
    return strcmp((*(input *const *)left)->name, (*(input *const *)right)->name);
}

static input *find(const inputs *in, const char *name) {
    input key = {.name = name}, *wanted = &key;
    input **found = bsearch(&wanted, in->named, in->count, sizeof *in->named, by_name);
    return found ? *found : NULL;
}

/* ---- what they are used for --------------------------------------------------------------------
 */

static void use(const inputs *in, const json_t *value, unsigned as) {
    const char *name = handles_text(&in->call->taken, json_plain_text(value));
    input *input = name ? find(in, name) : NULL;
    if (input)
        input->uses |= as;
}

/* Whatever is wrong with a node is told when it is built. */
static void note_uses(const inputs *in, const json_t *nodes) {
    size_t i;
    json_t *node;
    json_array_foreach((json_t *)nodes, i, node) {
        const char *name = json_plain_text(json_object_get(node, "op"));
        const layers_operation *const *row = name ? form_operation(name) : NULL;
        if (!row)
            continue;
        const layers_operation *operation = *row;
        for (const layers_field *field = operation->inputs; field->name; field++)
            use(in, json_object_get(node, field->name), field->labels ? AS_LABELS : AS_VALUES);
        const json_t *params =
            operation->params_name ? json_object_get(node, operation->params_name) : NULL;
        for (const layers_param *param = operation->params; params && param->name; param++)
            if (layers_is_tensor(param))
                use(in, json_object_get(params, param->name),
                    param->kind == LAYERS_MASK ? AS_MASK : AS_VALUES);
    }
}

/* ---- dtypes ------------------------------------------------------------------------------------
 */

static bool is_float(const input *input) {
    return input->entry && input->entry->dtype->is_read && input->entry->dtype->as != LAYERS_I64 &&
           input->uses != AS_MASK;
}

static const char *input_pointer(const input *input, char pointer[FORM_POINTER]) {
    char name[FORM_POINTER / 2];
    strcpy(pointer, "/inputs");
    return pointer_add(pointer, FORM_POINTER, text_clip(name, sizeof name, input->name));
}

/* A file's float tensors set the dtype of the call; one that the document says must be the same. */
static bool settle_dtype(inputs *in, bool said) {
    graph_call *call = in->call;
    const input *by = NULL;
    char pointer[FORM_POINTER];
    for (input *input = in->list; input < in->list + in->count; input++) {
        if (!is_float(input))
            continue;
        if (!by && !said)
            call->dtype = input->entry->dtype->as;
        by = by ? by : input;
        if (input->entry->dtype->as != call->dtype)
            return problem_set(call->problem, PROBLEM_WRONG_TYPE, input_pointer(input, pointer),
                               "%s is %s, but %s is %s: the tensors of one call are of one dtype",
                               pointer, layers_dtype_name(input->entry->dtype->as),
                               said ? "/dtype" : by->name, layers_dtype_name(call->dtype));
    }
    return true;
}

static layers_dtype dtype_of(const inputs *in, const input *input) {
    if (input->uses == AS_LABELS || (!(input->uses & AS_VALUES) && json_says_integers(input->json)))
        return LAYERS_I64;
    return input->uses == AS_MASK ? LAYERS_F64 : in->call->dtype;
}

/* "/inputs/y/3" is no place where y is a kept tensor, which stands in the document as a handle. */
static void mend_pointer(const graph_call *call, char *pointer) {
    static const char list[] = "/inputs/";
    if (strncmp(pointer, list, sizeof list - 1) != 0)
        return;
    char *name = pointer + sizeof list - 1;
    size_t length = strcspn(name, "/");
    for (size_t i = 0; i < call->handled_count && name[length]; i++)
        if (call->handled[i] && strlen(call->handled[i]) == length &&
            !strncmp(call->handled[i], name, length))
            strcpy(name + length, "/tensor");
}

bool graph_fail(const graph_call *call, const layers_error *error) {
    problem_set_layers(call->problem, error);
    mend_pointer(call, call->problem->pointer);
    return false;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

/* A tensor of the file: masks as they are, integers as labels. */
static bool read_entry(inputs *in, const input *input, layers_tensor *tensor) {
    graph_call *call = in->call;
    const safetensors_entry *entry = input->entry;
    char pointer[FORM_POINTER];
    input_pointer(input, pointer);
    if (input->uses == AS_MASK && !strcmp(entry->dtype->name, "U8"))
        return layers_tensor_view(tensor, call->body, LAYERS_U8, entry->shape, entry->rank,
                                  entry->begin);
    if (!entry->dtype->is_read)
        return problem_set(call->problem, PROBLEM_WRONG_TYPE, pointer,
                           "%s is %s, but must be F64, F32, I64, I32 or U8", pointer,
                           entry->dtype->name);
    return safetensors_tensor(entry, call->body, call->charge, tensor, call->problem);
}

static bool read_handle(inputs *in, const input *input, const char *key, store_value *value) {
    graph_call *call = in->call;
    char pointer[FORM_POINTER];
    input_pointer(input, pointer);
    const char *handle = kept_handle(&call->document, input->json, key, pointer, call->problem);
    if (!handle)
        return false;
    handle = handles_text(&call->taken, handle);
    pointer_add(pointer, sizeof pointer, key);
    return !strcmp(key, "cache")
               ? kept_cache(call->store, handle, pointer, &value->cache, call->problem)
               : kept_tensor(call->store, handle, pointer, &value->tensor, call->problem);
}

static bool read(inputs *in, const input *input, store_value *value) {
    graph_call *call = in->call;
    char pointer[FORM_POINTER];
    if (input->entry)
        return read_entry(in, input, &value->tensor);
    if (kept_is_named(input->json, "tensor")) {
        call->handled[call->handled_count++] = input->name;
        return read_handle(in, input, "tensor", value);
    }
    if (kept_is_named(input->json, "cache"))
        return read_handle(in, input, "cache", value);
    return json_tensor(&call->document, input->json, dtype_of(in, input),
                       input_pointer(input, pointer), &value->tensor, call->problem);
}

static bool add(inputs *in, const input *input) {
    graph_call *call = in->call;
    store_value value = {0};
    layers_error error;
    if (!read(in, input, &value))
        return false;
    layers_code code = value.cache
                           ? layers_graph_input_cache(call->graph, input->name, value.cache, &error)
                           : layers_graph_input(call->graph, input->name, value.tensor, &error);
    if (code == LAYERS_OK)
        return true;
    graph_fail(call, &error);
    if (code == LAYERS_INVALID_GRAPH) /* the library's field is of the name as it is */
        input_pointer(input, call->problem->pointer);
    return false;
}

static void gather(inputs *in, const json_t *document) {
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)document, name, value) {
        in->list[in->count++] = (input){.name = name, .json = value};
    }
    for (size_t i = 0; i < in->call->file.count; i++) {
        const safetensors_entry *entry = &in->call->file.entries[i];
        in->list[in->count++] = (input){.name = entry->name, .entry = entry};
    }
    for (size_t i = 0; i < in->count; i++)
        in->named[i] = &in->list[i];
    qsort(in->named, in->count, sizeof *in->named, by_name);
}

static bool build(inputs *in, const json_t *document, const json_t *nodes) {
    const json_t *root = in->call->document.root;
    gather(in, document);
    note_uses(in, nodes);
    if (!settle_dtype(in, json_object_get(root, "dtype")))
        return false;
    in->call->graph = layers_graph_make(in->call->dtype);
    if (!in->call->graph)
        return problem_set_memory(in->call->problem, "the graph");
    for (size_t i = 0; i < in->count; i++)
        if (!add(in, &in->list[i]))
            return false;
    return true;
}

bool graph_build_inputs(graph_call *call, const json_t *nodes) {
    const json_t *document = json_object_get(call->document.root, "inputs");
    if (document && !json_is_object(document))
        return problem_set(call->problem, PROBLEM_WRONG_TYPE, "/inputs",
                           "/inputs is %s, but must be an object of tensors and handles",
                           json_kind(&call->document, document));
    size_t count = json_object_size(document) + call->file.count;
    inputs in = {.call = call};
    if (count > LAYERS_GRAPH_INPUTS)
        return problem_set(call->problem, PROBLEM_INVALID_GRAPH, "/inputs",
                           "the graph has %zu inputs, and %d are allowed", count,
                           LAYERS_GRAPH_INPUTS);
    in.list = malloc((count + 1) * sizeof *in.list);
    in.named = malloc((count + 1) * sizeof *in.named);
    call->handled = calloc(count + 1, sizeof *call->handled);
    bool good = in.list && in.named && call->handled
                    ? build(&in, document, nodes)
                    : problem_set_memory(call->problem, "the graph");
    free(in.list);
    free(in.named);
    return good;
}
