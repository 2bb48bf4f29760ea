/* Messages in JSON. */
#include <stdio.h>
#include <string.h>

#include "calls/form.h"
#include "codec/json_read.h"
#include "codec/json_write.h"

/* A request whose text has been read. */
typedef struct {
    form_request *request;
    json_document document;
} json_request;

/* The dtype that a body most likely asks for, from a look at its two ends. A wrong guess costs
 * time, not correctness. */
static layers_dtype guess_dtype(const char *text, size_t length) {
    static const char float32[] = "\"float32\"";
    enum { LOOK = 128 };
    bool is_short = length <= 2 * LOOK;
    bool found = memmem(text, is_short ? length : LOOK, float32, sizeof float32 - 1) ||
                 (!is_short && memmem(text + length - LOOK, LOOK, float32, sizeof float32 - 1));
    return found ? LAYERS_F32 : LAYERS_F64;
}

static bool check_keys(json_request *r, json_t *object, const char *parent,
                       const char *const *names) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key,
                        value) if (!form_check_name(r->request, parent, key, names)) return false;
    return true;
}

static bool check_fields(json_request *r) {
    const layers_operation *operation = r->request->call->operation;
    const char *names[FORM_NAMES] = {"dtype"};
    size_t count = 1;
    for (int i = 0; operation->inputs[i].name; i++)
        names[count++] = operation->inputs[i].name;
    if (operation->params_name)
        names[count++] = operation->params_name;
    if (operation->cache == LAYERS_CACHE_TAKEN)
        names[count++] = "cache";
    return check_keys(r, r->document.root, "", names);
}

static bool read_dtype(json_request *r) {
    json_t *value = json_object_get(r->document.root, "dtype");
    layers_call *call = r->request->call;
    if (!value) {
        /* backward is of the dtype of its cache, unless the caller says otherwise */
        call->dtype = call->cache ? layers_cache_dtype(call->cache) : LAYERS_F64;
        return true;
    }
    const char *name = json_plain_text(value);
    return name ? form_dtype(r->request, name)
                : problem_set(r->request->problem, PROBLEM_WRONG_TYPE, "/dtype",
                              "dtype is %s, but must be \"float64\" or \"float32\"",
                              json_kind(&r->document, value));
}

/* Gets the cache of a handle. One that was not sent is the library's to miss. */
static bool read_cache(json_request *r) {
    json_t *value = json_object_get(r->document.root, "cache");
    if (r->request->call->operation->cache != LAYERS_CACHE_TAKEN || !value)
        return true;
    const char *handle = json_plain_text(value);
    return handle ? form_cache(r->request, handle)
                  : problem_set(r->request->problem, PROBLEM_WRONG_TYPE, "/cache",
                                "cache is %s, but must be the string that forward gave",
                                json_kind(&r->document, value));
}

static bool read_param(json_request *r, int i, json_t *json) {
    layers_call *call = r->request->call;
    layers_value *value = &call->params[i];
    char pointer[FORM_POINTER];
    form_param_pointer(call->operation, i, pointer);
    value->given = true;
    switch (call->operation->params[i].kind) {
    case LAYERS_CHOICE:
        return form_choice(r->request, i, json_plain_text(json), json_kind(&r->document, json));
    case LAYERS_VECTOR:
        return json_tensor(&r->document, json, call->dtype, pointer, &value->vector,
                           r->request->problem);
    case LAYERS_NUMBER:
    case LAYERS_INTEGER:
        break;
    }
    return json_double(&r->document, json, pointer, &value->number, r->request->problem);
}

static bool read_params(json_request *r) {
    const layers_operation *operation = r->request->call->operation;
    if (!operation->params_name)
        return true;
    char pointer[FORM_POINTER] = "";
    pointer_add(pointer, sizeof pointer, operation->params_name);
    json_t *object = json_object_get(r->document.root, operation->params_name);
    if (!object)
        return problem_set(r->request->problem, PROBLEM_MISSING_FIELD, pointer,
                           "%s/%s needs %s, an object", operation->layer, operation->name,
                           operation->params_name);
    if (!json_is_object(object))
        return problem_set(r->request->problem, PROBLEM_WRONG_TYPE, pointer,
                           "%s is %s, but must be an object", operation->params_name,
                           json_kind(&r->document, object));
    const char *names[LAYERS_MAX_PARAMS + 1] = {NULL};
    for (int i = 0; operation->params[i].name; i++)
        names[i] = operation->params[i].name;
    if (!check_keys(r, object, pointer, names))
        return false;
    for (int i = 0; names[i]; i++) {
        json_t *value = json_object_get(object, names[i]);
        if (value && !read_param(r, i, value))
            return false;
    }
    return true;
}

static bool read_inputs(json_request *r) {
    layers_call *call = r->request->call;
    for (int i = 0; call->operation->inputs[i].name; i++) {
        const layers_field *field = &call->operation->inputs[i];
        json_t *value = json_object_get(r->document.root, field->name);
        char pointer[FORM_POINTER] = "";
        pointer_add(pointer, sizeof pointer, field->name);
        if (value && !json_tensor(&r->document, value, field->labels ? LAYERS_I64 : call->dtype,
                                  pointer, &call->inputs[i], r->request->problem))
            return false;
    }
    return true;
}

static bool json_read(form_request *request) {
    json_request r = {.request = request};
    const char *text = request->body->data;
    size_t length = request->body->size;
    const json_source source = {.text = text,
                                .length = length,
                                .dtype = guess_dtype(text, length),
                                .charge = request->charge,
                                .pool = request->call->pool,
                                .piece = JSON_PIECE};
    if (!json_document_read(&r.document, &source, request->problem))
        return false;
    bool good =
        check_fields(&r) && read_cache(&r) && read_dtype(&r) && read_inputs(&r) && read_params(&r);
    json_document_free(&r.document);
    return good;
}

static size_t json_bound(const form_answer *answer) {
    const layers_operation *operation = answer->call->operation;
    size_t bound = 512; /* punctuation, the handle, scalar parameters, the line feed */
    for (int i = 0; operation->outputs[i].name; i++)
        bound = form_add(bound,
                         form_add(json_tensor_bound(&answer->call->outputs[i], answer->flat), 64));
    for (int i = 0; operation->params && operation->params[i].name; i++) {
        const layers_tensor *vector = &answer->call->params[i].vector;
        if (operation->params[i].kind == LAYERS_VECTOR)
            bound = form_add(bound, form_add(json_tensor_bound(vector, answer->flat), 64));
    }
    return bound;
}

static char *write_name(char *out, const char *name) {
    *out++ = '"';
    out = json_write_raw(out, name);
    return json_write_raw(out, "\":");
}

static char *write_param(char *out, const form_answer *answer, int i) {
    const layers_param *param = &answer->call->operation->params[i];
    const layers_value *value = &answer->call->params[i];
    out = write_name(out, param->name);
    switch (param->kind) {
    case LAYERS_NUMBER:
        return json_write_double(out, value->number);
    case LAYERS_INTEGER:
        return out + sprintf(out, "%lld", (long long)value->number);
    case LAYERS_CHOICE:
        return out + sprintf(out, "\"%s\"", param->choices[value->choice]);
    case LAYERS_VECTOR:
        break;
    }
    return json_write_tensor(out, &value->vector, answer->flat, answer->call->pool);
}

static char *write_params(char *out, const form_answer *answer) {
    const layers_operation *operation = answer->call->operation;
    bool first = true;
    out = write_name(out, operation->params_name);
    *out++ = '{';
    for (int i = 0; operation->params[i].name; i++) {
        if (!form_gives_param(answer->call, i))
            continue;
        if (!first)
            *out++ = ',';
        first = false;
        out = write_param(out, answer, i);
    }
    *out++ = '}';
    return out;
}

/* {"out": ..., "bn_param": {...}, "cache": "..."} and a line feed. A tensor that is a scalar by its
 * pattern is a plain number in either form. */
static char *json_write(char *out, const form_answer *answer) {
    const layers_operation *operation = answer->call->operation;
    *out++ = '{';
    for (int i = 0; operation->outputs[i].name; i++) {
        const layers_field *field = &operation->outputs[i];
        if (i > 0)
            *out++ = ',';
        out = write_name(out, field->name);
        out = json_write_tensor(out, &answer->call->outputs[i], answer->flat && *field->shape,
                                answer->call->pool);
    }
    if (operation->params_name) {
        *out++ = ',';
        out = write_params(out, answer);
    }
    if (answer->handle) {
        out = json_write_raw(out, ",\"cache\":\"");
        out = json_write_raw(out, answer->handle);
        *out++ = '"';
    }
    return json_write_raw(out, "}\n");
}

const form form_json = {
    .media_type = "application/json",
    .read = json_read,
    .bound = json_bound,
    .write = json_write,
};
