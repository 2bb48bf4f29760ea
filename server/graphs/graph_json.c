/* Graphs in JSON: {"results": {...}, "kept": {...}}. */
#include <string.h>

#include "codec/json_write.h"
#include "graphs/graph.h"

enum { MARKS = 64, PARAM = 64 }; /* bytes beside a name; of a parameter */

bool graph_open_json(graph_call *call) {
    if (!handles_take(&call->taken, call->body->data, call->body->size, false))
        return problem_set_memory(call->problem, "the handles");
    return graph_open_text(call, call->body->data, call->body->size);
}

size_t graph_bound_json(graph_call *call) {
    size_t bound = sizeof "{'results':{},'kept':{}}\n";
    for (size_t i = 0; i < call->give.count; i++) {
        layers_result result = layers_graph_result(call->graph, call->give.list[i].value);
        size_t value = result.kind == LAYERS_RESULT_PARAM
                           ? PARAM
                           : json_tensor_bound(result.tensor, call->flat);
        bound = form_add(bound, form_add(value, strlen(call->give.list[i].name) + MARKS));
    }
    for (size_t i = 0; i < call->keep.count; i++)
        bound = form_add(bound, strlen(call->keep.list[i].name) + HANDLE_TEXT + MARKS);
    return bound;
}

static char *write_name(char *out, const char *name, bool first) {
    if (!first)
        *out++ = ',';
    *out++ = '"';
    out = json_write_raw(out, name);
    return json_write_raw(out, "\":");
}

static char *write_result(char *out, const graph_call *call, const layers_result *result) {
    if (result->kind == LAYERS_RESULT_TENSOR)
        return json_write_tensor(out, result->tensor, call->flat && !result->is_scalar, call->pool);
    return form_json_param(out, result->param, result->number, result->choice);
}

char *graph_write_json(char *out, graph_call *call) {
    bool first = true;
    out = json_write_raw(out, "{\"results\":{");
    for (size_t i = 0; i < call->give.count; i++) {
        layers_result result = layers_graph_result(call->graph, call->give.list[i].value);
        if (result.kind == LAYERS_RESULT_PARAM && !result.given)
            continue; /* as in the operation's own answer */
        out = write_name(out, call->give.list[i].name, first);
        out = write_result(out, call, &result);
        first = false;
    }
    out = json_write_raw(out, "},\"kept\":{");
    for (size_t i = 0; i < call->keep.count; i++) {
        out = write_name(out, call->keep.list[i].name, i == 0);
        *out++ = '"';
        out = json_write_raw(out, call->handles[i]);
        *out++ = '"';
    }
    return json_write_raw(out, "}}\n");
}
