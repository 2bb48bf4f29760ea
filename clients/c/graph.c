/* Graphs: a document, and in it what the caller has beside it. */
#include <stdio.h>

#include "internal.h"

/* Jansson does not tell what is not UTF-8 from a lack of memory. */
static bool fail_name(layerd_error *error) {
    return layerd_fail(error, "invalid_input", NULL,
                       "A name or a handle is not UTF-8, or memory is short.");
}

static bool add_inputs(json_t *inputs, const layerd_handle *handles, const char *kind,
                       layerd_error *error) {
    for (; handles != NULL && handles->name != NULL; handles++) {
        if (!layerd_check_handle("/inputs/", handles, error))
            return false;
        if (json_object_get(inputs, handles->name) != NULL)
            return layerd_fail(error, "invalid_input", NULL, "The name %s is given twice.",
                               handles->name);
        json_t *input = json_pack("{ss}", kind, handles->handle);
        if (json_object_set_new(inputs, handles->name, input) != 0)
            return fail_name(error);
    }
    return true;
}

static bool add_release(json_t *release, const layerd_handle *handles, layerd_error *error) {
    for (; handles != NULL && handles->name != NULL; handles++) {
        char pointer[32];
        snprintf(pointer, sizeof pointer, "/release/%zu", json_array_size(release));
        if (handles->handle == NULL)
            return layerd_fail(error, "invalid_input", pointer,
                               "The handle to be released is NULL.");
        if (json_array_append_new(release, json_string(handles->handle)) != 0)
            return fail_name(error);
    }
    return true;
}

/* Makes a member of the document the document's own: a copy, or `none` where there is none. */
static json_t *own_member(json_t *document, const char *name, json_t *none) {
    json_t *member = json_object_get(document, name);
    if (member != NULL) {
        json_decref(none);
        none = json_copy(member);
    }
    return json_object_set_new(document, name, none) == 0 ? none : NULL;
}

/* The document with the request's handles in it. The caller's is not written to. */
static json_t *complete(const layerd_graph_request *request, layerd_error *error) {
    json_t *document = json_copy((json_t *)request->document);
    json_t *inputs = own_member(document, "inputs", json_object());
    json_t *release = own_member(document, "release", json_array());
    bool done = false;
    if (inputs == NULL || release == NULL)
        layerd_fail_memory(error);
    else if (!json_is_object(inputs) || !json_is_array(release))
        layerd_fail(error, "invalid_input", json_is_object(inputs) ? "/release" : "/inputs",
                    "The document's inputs must be an object, its release a list.");
    else
        done = add_inputs(inputs, request->kept, "tensor", error) &&
               add_inputs(inputs, request->caches, "cache", error) &&
               add_release(release, request->release, error);
    if (done)
        return document;
    json_decref(document);
    return NULL;
}

layerd_answer *layerd_graph(layerd_client *client, const layerd_graph_request *request,
                            layerd_error *error) {
    if (request == NULL || !json_is_object(request->document)) {
        layerd_fail(error, "invalid_input", NULL,
                    "The request is NULL, or its document is not a JSON object.");
        return NULL;
    }
    json_t *document = complete(request, error);
    if (document == NULL)
        return NULL;
    layerd_form form = {
        .path = "/graph", .place = "/inputs/", .inputs = request->inputs, .graph = document};
    while (form.inputs != NULL && form.inputs[form.inputs_count].name != NULL)
        form.inputs_count++;
    layerd_answer *answer = layerd_send(client, &form, error);
    json_decref(document);
    return answer;
}

/* Runs a graph without nodes, which does to all its inputs what `verb` says. */
static layerd_answer *handle_inputs(layerd_client *client, const char *verb,
                                    layerd_graph_request *request, layerd_error *error) {
    json_t *names = json_array();
    int failed = 0;
    for (const layerd_input *input = request->inputs; input != NULL && input->name != NULL; input++)
        failed |= json_array_append_new(names, json_string(input->name));
    for (const layerd_handle *kept = request->kept; kept != NULL && kept->name != NULL; kept++)
        failed |= json_array_append_new(names, json_string(kept->name));
    json_t *document = json_pack("{s[] sO}", "nodes", verb, names);
    layerd_answer *answer = NULL;
    request->document = document;
    if (failed != 0 || document == NULL)
        fail_name(error);
    else
        answer = layerd_graph(client, request, error);
    json_decref(document);
    json_decref(names);
    return answer;
}

layerd_answer *layerd_put(layerd_client *client, const layerd_input *inputs, layerd_error *error) {
    return handle_inputs(client, "keep", &(layerd_graph_request){.inputs = inputs}, error);
}

layerd_answer *layerd_fetch(layerd_client *client, const layerd_handle *kept, layerd_error *error) {
    return handle_inputs(client, "give", &(layerd_graph_request){.kept = kept}, error);
}
