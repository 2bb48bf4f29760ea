/* Graphs in safetensors: the file's tensors are inputs, and the document is a text of its
 * __metadata__. In the answer results are tensors; scalars, and handles as "kept.<name>", are texts
 * of __metadata__. */
#include <stdlib.h>
#include <string.h>

#include "codec/safetensors_write.h"
#include "graphs/graph.h"

enum { HEADER = 4 << 20 }; /* bytes of a header with a document in it, at most */

/* Of the header, where there is one. */
static bool take_handles(graph_call *call) {
    char *bytes = call->body->data;
    uint64_t header;
    if (call->body->size <= sizeof header)
        return true;
    memcpy(&header, bytes, sizeof header);
    return header > call->body->size - sizeof header ||
           handles_take(&call->taken, bytes + sizeof header, header, true) ||
           problem_set_memory(call->problem, "the handles");
}

bool graph_open_safetensors(graph_call *call) {
    const char *key;
    json_t *value;
    if (!take_handles(call))
        return false;
    if (!safetensors_read(&call->file, call->body->data, call->body->size, HEADER, call->problem))
        return false;
    json_object_foreach(call->file.metadata, key, value) {
        static const char *const keys[] = {"graph", "format", NULL};
        if (!form_check_name("__metadata__ of a graph", "", key, keys, call->problem))
            return false;
    }
    const json_t *graph = json_object_get(call->file.metadata, "graph");
    if (!graph)
        return problem_set(call->problem, PROBLEM_MISSING_FIELD, "/graph",
                           "__metadata__ has no \"graph\": the document that says what to compute");
    return graph_open_text(call, json_string_value(graph), json_string_length(graph));
}

static void add_result(graph_call *call, const graph_wanted *wanted, bool all) {
    safetensors_contents *contents = &call->contents;
    layers_result result = layers_graph_result(call->graph, wanted->value);
    if (result.kind == LAYERS_RESULT_TENSOR && !result.is_scalar) {
        contents->tensors[contents->tensor_count++] =
            (safetensors_tensor_named){NULL, wanted->name, result.tensor};
        return;
    }
    safetensors_text_named *text = &contents->texts[contents->text_count];
    *text = (safetensors_text_named){.name = wanted->name};
    if (result.given)
        form_param_text(text->text, result.param, result.number, result.choice);
    else if (result.kind == LAYERS_RESULT_TENSOR && result.tensor->data)
        form_number_text(text->text, result.tensor->dtype, result.tensor->data);
    else if (!all)
        return; /* as in the operation's own answer */
    contents->text_count++;
}

/* What stands in the answer; with `all`, what could stand there after the run. */
static void fill(graph_call *call, bool all) {
    safetensors_contents *contents = &call->contents;
    contents->tensor_count = contents->text_count = 0;
    for (size_t i = 0; i < call->give.count; i++)
        add_result(call, &call->give.list[i], all);
    for (size_t i = 0; i < call->keep.count; i++) {
        safetensors_text_named *text = &contents->texts[contents->text_count++];
        *text = (safetensors_text_named){.owner = "kept", .name = call->keep.list[i].name};
        if (call->handles)
            strcpy(text->text, call->handles[i]);
    }
}

size_t graph_bound_safetensors(graph_call *call) {
    size_t most = call->give.count + call->keep.count + 1;
    call->contents.tensors = malloc(most * sizeof *call->contents.tensors);
    call->contents.texts = malloc(most * sizeof *call->contents.texts);
    if (!call->contents.tensors || !call->contents.texts)
        return 0;
    fill(call, true);
    return safetensors_bound(&call->contents);
}

char *graph_write_safetensors(char *out, graph_call *call) {
    fill(call, false);
    return safetensors_write(out, &call->contents);
}
