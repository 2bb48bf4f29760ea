/* What the forms share. */
#include "calls/form.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

enum { FORM_HINT = 320 };

/* `the nearest that it takes is "x"`, or `it takes "x", "dtype"`. */
static void name_hint(char hint[FORM_HINT], const char *key, const char *const *names) {
    const char *near = nearest(key, names);
    if (near) {
        snprintf(hint, FORM_HINT, "the nearest that it takes is \"%s\"", near);
        return;
    }
    size_t used = (size_t)snprintf(hint, FORM_HINT, "it takes");
    for (const char *const *name = names; *name && used < FORM_HINT; name++)
        used += (size_t)snprintf(hint + used, FORM_HINT - used, "%s \"%s\"",
                                 name == names ? "" : ",", *name);
}

bool form_check_name(const form_request *request, const char *parent, const char *key,
                     const char *const *names) {
    const layers_operation *operation = request->call->operation;
    for (const char *const *known = names; *known; known++)
        if (!strcmp(*known, key))
            return true;
    char name[64], pointer[FORM_POINTER], hint[FORM_HINT];
    text_clip(name, sizeof name, key);
    pointer_add(strcpy(pointer, parent), sizeof pointer, name);
    name_hint(hint, key, names);
    return problem_set(request->problem, PROBLEM_UNKNOWN_FIELD, pointer,
                       "%s/%s takes no \"%s\"%s%s; %s", operation->layer, operation->name, name,
                       *parent ? " in " : "", parent, hint);
}

bool form_dtype(form_request *request, const char *name) {
    layers_call *call = request->call;
    for (call->dtype = LAYERS_F64; call->dtype <= LAYERS_F32; call->dtype++)
        if (!strcmp(name, layers_dtype_name(call->dtype)))
            return true;
    char text[48];
    return problem_set(request->problem, PROBLEM_INVALID_PARAM, "/dtype",
                       "/dtype is \"%s\", but must be \"float64\" or \"float32\"",
                       text_clip(text, sizeof text, name));
}

bool form_cache(form_request *request, const char *handle) {
    request->call->cache = request->store->get(request->store, handle);
    snprintf(request->handle, sizeof request->handle, "%s", handle);
    return request->call->cache ||
           problem_set(request->problem, PROBLEM_UNKNOWN_CACHE, "/cache",
                       "the cache is not known: it was never given, has expired, or was deleted; "
                       "run %s/forward again",
                       request->call->operation->layer);
}

bool form_choice(form_request *request, int i, const char *word, const char *kind) {
    const layers_param *param = &request->call->operation->params[i];
    char choices[64] = "", text[48], pointer[FORM_POINTER];
    for (int c = 0; param->choices[c]; c++) {
        if (word && !strcmp(word, param->choices[c])) {
            request->call->params[i].choice = c;
            return true;
        }
        snprintf(choices + strlen(choices), sizeof choices - strlen(choices), "%s\"%s\"",
                 c ? " or " : "", param->choices[c]);
    }
    form_param_pointer(request->call->operation, i, pointer);
    if (!word)
        return problem_set(request->problem, PROBLEM_WRONG_TYPE, pointer,
                           "%s is %s, but must be %s", pointer, kind, choices);
    return problem_set(request->problem, PROBLEM_INVALID_PARAM, pointer,
                       "%s is \"%s\", but must be %s", pointer, text_clip(text, sizeof text, word),
                       choices);
}

const char *form_param_pointer(const layers_operation *operation, int i,
                               char pointer[FORM_POINTER]) {
    *pointer = '\0';
    pointer_add(pointer, FORM_POINTER, operation->params_name);
    pointer_add(pointer, FORM_POINTER, operation->params[i].name);
    return pointer;
}

bool form_needs_params(const layers_operation *operation) {
    const layers_param *param = operation->params;
    while (param->name && !param->required)
        param++;
    return param->name;
}

bool form_returns_param(const layers_operation *operation, const layers_param *param) {
    return operation->params_back && param->kind != LAYERS_MASK;
}

bool form_gives_param(const layers_call *call, int i) {
    const layers_param *param = &call->operation->params[i];
    return form_returns_param(call->operation, param) &&
           (call->params[i].given || param->kind == LAYERS_TENSOR);
}

size_t form_add(size_t a, size_t b) {
    return __builtin_add_overflow(a, b, &a) ? SIZE_MAX : a;
}
